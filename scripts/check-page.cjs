// The checks of scripts/check-page. Every page is loaded from its file, as a reader would open it.
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const { pathToFileURL } = require("node:url");
const { parseArgs } = require("node:util");
const { chromium } = require("playwright-core");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const WIDTHS = [360, 800, 1200, 1600];
// The goals for a page of 17 methods, 4 networks and 10 seeds.
const MOST_BYTES = 1_000_000;
const MOST_NODES = 6000;
const PAINT_MS = "150";

const usage = () => {
  console.error("usage: scripts/check-page [--out DIR] [--paint MS] PAGE.html…");
  process.exit(2);
};
const { values: options, positionals: files } = (() => {
  try {
    const strings = { out: { type: "string" }, paint: { type: "string", default: PAINT_MS } };
    return parseArgs({ options: strings, allowPositionals: true });
  } catch {
    return usage();
  }
})();
const { out } = options;
const longestPaint = Number(options.paint);
if (files.length === 0 || !(longestPaint > 0)) usage();

let problems = 0;
const check = (isGood, what) => {
  if (isGood) return;
  problems += 1;
  console.log(`  WRONG: ${what}`);
};

// A page of its own in a browser context with these options; errors and refusals of its policy are problems.
async function open(browser, url, options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.on("pageerror", (error) => check(false, `the script failed: ${error}`));
  page.on("console", (said) => check(said.type() !== "error", `the console says: ${said.text()}`));
  await page.goto(url);
  return page;
}

async function accessibility(browser, url) {
  for (const colorScheme of ["light", "dark"]) {
    const page = await open(browser, url, { bypassCSP: true, colorScheme, viewport: { width: 1200, height: 900 } });
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => window.axe.run());
    for (const found of violations) {
      const where = found.nodes.slice(0, 3).map((node) => node.target.join(" ")).join(", ");
      check(false, `${colorScheme}: axe: ${found.id}: ${found.help} (${found.nodes.length}: ${where})`);
    }
    await page.context().close();
  }
}

async function widths(browser, url, name) {
  for (const width of WIDTHS) {
    const page = await open(browser, url, { viewport: { width, height: 900 } });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    check(wide <= 0, `at ${width} px the page is ${wide} px too wide`);
    if (out) await page.screenshot({ path: path.join(out, `${name}-${width}.png`), fullPage: true });
    await page.context().close();
  }
}

async function paint(browser, url) {
  const times = [];
  for (let load = 0; load < 5; load += 1) {
    const page = await open(browser, url, { viewport: { width: 1200, height: 900 } });
    await page.waitForFunction(() => performance.getEntriesByName("first-contentful-paint").length > 0);
    times.push(await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0].startTime));
    await page.context().close();
  }
  return Math.min(...times);
}

async function table(page) {
  const button = page.locator("thead button").first();
  if (await button.count() === 0) return;
  for (const order of ["ascending", "descending"]) {
    await button.click();
    const sorted = await button.evaluate((it) => {
      const cell = it.closest("th");
      const bodies = [...it.closest("table").tBodies];
      const names = bodies.map((body) =>
        [...body.rows].filter((row) => !row.classList.contains("section")).map((row) => row.cells[0].textContent));
      return { order: cell.getAttribute("aria-sort"), names };
    });
    check(sorted.order === order, `a click on a heading sorts ${sorted.order}, not ${order}`);
    const compare = (a, b) => (order === "ascending" ? 1 : -1) * a.localeCompare(b);
    for (const names of sorted.names) {
      const expected = [...names].sort(compare);
      check(names.join("|") === expected.join("|"), `${order}: the rows are ${names.join(", ")}`);
    }
  }
}

async function legend(page) {
  const button = page.locator("figure .legend button").first();
  if (await button.count() === 0) return;
  const hidden = () => button.evaluate((it) => {
    const name = it.closest("li").dataset.name;
    const curves = [...it.closest("figure").querySelectorAll("svg [data-name]")].filter((curve) => curve.dataset.name === name);
    return curves.map((curve) => getComputedStyle(curve).visibility === "hidden" || getComputedStyle(curve).display === "none");
  });
  check((await hidden()).length > 0, "a name in a legend belongs to no curve");
  await button.click();
  check((await hidden()).every((it) => it), "a click on a name leaves its curves");
  await button.click();
  check((await hidden()).every((it) => !it), "a second click on a name does not bring its curves back");
}

async function readout(page) {
  const plot = page.locator("svg[tabindex]").first();
  if (await plot.count() === 0) return;
  const said = () => plot.evaluate((it) => it.parentElement.querySelector(".readout").textContent);
  await plot.focus();
  await page.keyboard.press("End");
  const end = await said();
  await page.keyboard.press("ArrowLeft");
  const before = await said();
  check(end.includes(": ") && before !== end, `with the keyboard a plot says "${end}", then "${before}"`);
  await plot.hover();
  check((await said()).includes(": "), "under the pointer a plot says nothing");
}

async function withoutScript(browser, url, counted) {
  const page = await open(browser, url, { javaScriptEnabled: false, viewport: { width: 1200, height: 900 } });
  const parts = { tables: "table", plots: "figure svg", links: "td a" };
  for (const [part, selector] of Object.entries(parts)) {
    const found = await page.locator(selector).count();
    check(found === counted[part], `without scripts there are ${found} ${part}, with them ${counted[part]}`);
  }
  await page.context().close();
}

async function main() {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: ["--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update"],
    chromiumSandbox: false,
  });
  if (out) fs.mkdirSync(out, { recursive: true });
  for (const [index, file] of files.entries()) {
    const url = pathToFileURL(file).href;
    const name = `${index + 1}-${path.basename(file, ".html")}`;
    console.log(file);
    const page = await open(browser, url, { viewport: { width: 1200, height: 900 } });
    const counted = await page.evaluate(() => ({
      nodes: document.querySelectorAll("*").length,
      tables: document.querySelectorAll("table").length,
      plots: document.querySelectorAll("figure svg").length,
      links: document.querySelectorAll("td a").length,
    }));
    const bytes = fs.statSync(file).size;
    await table(page);
    await legend(page);
    await readout(page);
    const margin = { top: "15mm", right: "15mm", bottom: "15mm", left: "15mm" };
    const printed = await page.pdf({ format: "A4", margin });
    if (out) fs.writeFileSync(path.join(out, `${name}.pdf`), printed);
    await page.context().close();
    await accessibility(browser, url);
    await widths(browser, url, name);
    await withoutScript(browser, url, counted);
    const painted = await paint(browser, url);
    console.log(`  ${bytes} bytes, ${counted.nodes} nodes, ${counted.tables} tables, ${counted.plots} plots, first paint after ${painted.toFixed(0)} ms`);
    check(bytes <= MOST_BYTES, `it has more than ${MOST_BYTES} bytes`);
    check(counted.nodes <= MOST_NODES, `it has more than ${MOST_NODES} nodes`);
    check(painted <= longestPaint, `its first paint takes more than ${longestPaint} ms`);
  }
  await browser.close();
  process.exit(problems === 0 ? 0 : 1);
}

main().catch((error) => {
  console.error(`check-page: ${error}`);
  process.exit(1);
});
