"use strict";
// Comfort on top of a page that is complete without it: tables that sort, values read off curves, and curves
// that can be hidden.
(() => {
  const painted = () => document.documentElement.classList.add("painted");
  // Who comes to a part of the page by its name needs the heights of the figures above it.
  if (location.hash || !window.PerformanceObserver) painted();
  else new PerformanceObserver(painted).observe({ type: "paint", buffered: true });

  const number = (cell) => {
    const text = (cell ? cell.textContent : "").replace("−", "-");
    const value = parseFloat(text);
    return Number.isNaN(value) ? null : value;
  };

  for (const table of document.querySelectorAll("table")) {
    const head = table.tHead;
    const bodies = [...table.tBodies];
    if (!head || bodies.every((body) => body.rows.length < 3)) continue;
    const last = head.rows[head.rows.length - 1];
    // A heading over both rows has a column of its own; one over several columns gives way to those beneath it.
    const beneath = [...last.cells];
    const columns = head.rows.length === 1
      ? beneath
      : [...head.rows[0].cells].flatMap((cell) => cell.rowSpan > 1 ? [cell] : beneath.splice(0, cell.colSpan));
    columns.forEach((cell, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...cell.childNodes);
      cell.append(button);
      button.addEventListener("click", () => {
        const isRising = cell.getAttribute("aria-sort") !== "ascending";
        for (const other of columns) other.removeAttribute("aria-sort");
        cell.setAttribute("aria-sort", isRising ? "ascending" : "descending");
        for (const body of bodies) {
          const rows = [...body.rows].filter((row) => !row.classList.contains("section"));
          rows.sort((a, b) => {
            const [x, y] = [a.cells[column], b.cells[column]];
            const [p, q] = [number(x), number(y)];
            // What was not measured stays at the end.
            if (p === null || q === null) {
              if (p !== q) return p === null ? 1 : -1;
              return (isRising ? 1 : -1) * (x ? x.textContent : "").localeCompare(y ? y.textContent : "");
            }
            return isRising ? p - q : q - p;
          });
          body.append(...rows);
        }
      });
    });
  }

  for (const figure of document.querySelectorAll("figure")) {
    for (const item of figure.querySelectorAll(".legend li")) {
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-pressed", "true");
      button.append(...item.childNodes);
      item.append(button);
      button.addEventListener("click", () => {
        const isShown = button.getAttribute("aria-pressed") !== "true";
        button.setAttribute("aria-pressed", String(isShown));
        for (const curve of figure.querySelectorAll("svg [data-name]")) {
          if (curve.dataset.name === item.dataset.name) curve.classList.toggle("hidden", !isShown);
        }
      });
    }
  }

  const scale = (text) => {
    const [kind, low, high] = text.split(" ");
    const [from, to] = [Number(low), Number(high)];
    return kind === "log"
      ? { value: (at) => from * Math.pow(to / from, at), place: (v) => Math.log(v / from) / Math.log(to / from) }
      : { value: (at) => from + at * (to - from), place: (v) => (v - from) / (to - from) };
  };
  const short = (value) => {
    const size = Math.abs(value);
    return size !== 0 && (size < 1e-3 || size >= 1e5) ? value.toExponential(1) : String(Number(value.toPrecision(3)));
  };
  // The height of a curve at a place, between the points that it is drawn through.
  const height = (points, x) => {
    for (let index = 1; index < points.length; index += 1) {
      const [[x0, y0], [x1, y1]] = [points[index - 1], points[index]];
      if (x >= x0 && x <= x1) return x1 === x0 ? y1 : y0 + ((x - x0) / (x1 - x0)) * (y1 - y0);
    }
    return null;
  };

  for (const plot of document.querySelectorAll("svg[data-x][data-y]")) {
    const curves = [...plot.querySelectorAll("path.line[data-name]")];
    if (curves.length === 0) continue;
    const [left, right, top, bottom] = plot.dataset.area.split(" ").map(Number);
    const [across, up] = [scale(plot.dataset.x), scale(plot.dataset.y)];
    const isCount = plot.dataset.label === "Epoch" || plot.dataset.label === "Trial";
    // Read when they are first asked for: a page may have thousands of curves.
    let known = null;
    const points = () => known ??= curves.map((curve) => {
      const numbers = curve.getAttribute("d").match(/-?(\d+\.?\d*|\.\d+)/g).map(Number);
      let [x, y] = [0, 0];
      const places = [];
      for (let index = 0; index + 1 < numbers.length; index += 2) {
        x += numbers[index];
        y += numbers[index + 1];
        places.push([x, y]);
      }
      return places;
    });
    const rule = document.createElementNS("http://www.w3.org/2000/svg", "line");
    rule.setAttribute("y1", top);
    rule.setAttribute("y2", bottom);
    const answer = document.createElement("p");
    answer.className = "readout";
    answer.setAttribute("aria-live", "polite");
    const holder = document.createElement("div");
    plot.replaceWith(holder);
    holder.append(plot, answer);
    plot.setAttribute("tabindex", "0");
    let place = 0;
    const show = (at) => {
      let value = across.value(Math.min(1, Math.max(0, at)));
      if (isCount) value = Math.round(value);
      place = across.place(value);
      const x = left + place * (right - left);
      rule.setAttribute("x1", x);
      rule.setAttribute("x2", x);
      rule.setAttribute("class", "crosshair");
      plot.append(rule);
      const values = curves.flatMap((curve, index) => {
        if (curve.classList.contains("hidden")) return [];
        const y = height(points()[index], x);
        return y === null ? [] : [`${curve.dataset.name} ${short(up.value((bottom - y) / (bottom - top)))}`];
      });
      answer.textContent = `${plot.dataset.label} ${short(value)}: ${values.join(" · ")}`;
    };
    const hide = () => {
      rule.remove();
      answer.textContent = "";
    };
    plot.addEventListener("pointermove", (event) => {
      const box = plot.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * plot.viewBox.baseVal.width;
      show((x - left) / (right - left));
    });
    plot.addEventListener("pointerleave", hide);
    plot.addEventListener("blur", hide);
    plot.addEventListener("keydown", (event) => {
      const epochs = isCount ? across.value(1) - across.value(0) : 50;
      const step = { ArrowRight: 1 / epochs, ArrowLeft: -1 / epochs, PageDown: 0.1, PageUp: -0.1 }[event.key];
      if (event.key === "Home") show(0);
      else if (event.key === "End") show(1);
      else if (step) show(place + step);
      else return;
      event.preventDefault();
    });
  }
})();
