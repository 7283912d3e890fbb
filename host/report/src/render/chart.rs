//! Learning curves as inline SVG: error against epoch, linear axes, one line per method
//! and a band from the lowest to the highest seed. It owns geometry; colours are the page's.

use std::fmt::Write as _;

use maud::{Markup, html};

use crate::curve::Point;

const WIDTH: f64 = 440.0;
const HEIGHT: f64 = 290.0;
const LEFT: f64 = 40.0;
const RIGHT: f64 = WIDTH - 10.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = HEIGHT - 42.0;

/// How many colours the page's style defines; further series repeat them with dashes.
const COLOURS: usize = 7;
const DASHES: usize = 3;

/// One method's curve. `style` numbers the methods of the report.
pub(super) struct Series {
    pub(super) style: usize,
    pub(super) points: Vec<Point>,
}

/// The CSS classes of a method's line: a colour, and a dash pattern once colours repeat.
pub(super) fn line_class(style: usize) -> String {
    format!("line c{} d{}", style % COLOURS, style / COLOURS % DASHES)
}

/// Ranges and ticks that charts side by side share.
pub(super) struct Axes {
    epochs: f64,
    epoch_step: f64,
    low: f64,
    high: f64,
    step: f64,
}

impl Axes {
    /// Axes that hold every point; absent if there is none.
    pub(super) fn around<'a>(points: impl Iterator<Item = &'a Point> + Clone) -> Option<Self> {
        let epochs = f64::from(points.clone().map(|point| point.epoch).max()?);
        let lowest = points
            .clone()
            .map(|point| point.lowest)
            .fold(f64::INFINITY, f64::min);
        let highest = points.map(|point| point.highest).fold(0.0, f64::max);
        // From zero, unless that would press all curves into the upper part.
        let low = if lowest < highest / 2.0 { 0.0 } else { lowest };
        let step = nice((highest - low).max(0.1) / 6.0);
        let low = (low / step).floor() * step;
        Some(Self {
            epochs,
            epoch_step: nice(epochs / 5.0).max(1.0),
            low,
            high: ((highest / step).ceil() * step).max(low + step),
            step,
        })
    }

    fn x(&self, epoch: f64) -> f64 {
        LEFT + (epoch - 1.0) / (self.epochs - 1.0).max(1.0) * (RIGHT - LEFT)
    }

    fn y(&self, value: f64) -> f64 {
        BOTTOM - (value - self.low) / (self.high - self.low) * (BOTTOM - TOP)
    }

    /// The first epoch and every multiple of the step.
    fn epoch_ticks(&self) -> impl Iterator<Item = f64> {
        let count = (self.epochs / self.epoch_step).floor() as u32;
        let multiples = (1..=count).map(|index| f64::from(index) * self.epoch_step);
        std::iter::once(1.0).chain(multiples.filter(|epoch| *epoch > 1.0))
    }

    fn value_ticks(&self) -> impl Iterator<Item = f64> {
        let count = ((self.high - self.low) / self.step).round() as u32;
        (0..=count).map(|index| self.low + f64::from(index) * self.step)
    }

    fn decimals(&self) -> usize {
        (-self.step.log10().floor()).max(0.0) as usize
    }
}

/// 1, 2 or 5 times a power of ten, at least `step`.
fn nice(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let multiples = [1.0, 2.0, 5.0, 10.0].map(|multiple| multiple * power);
    // The slack keeps rounding from turning a 2 into a 5.
    multiples
        .into_iter()
        .find(|nice| *nice >= step * 0.999)
        .unwrap_or(step)
}

/// One chart. `id` must be unique in the page; `title` stands above the axis, `description` is
/// for those who cannot see it.
pub(super) fn chart(
    id: &str,
    title: &str,
    description: &str,
    axes: &Axes,
    series: &[Series],
) -> Markup {
    let (title_id, description_id) = (format!("{id}-title"), format!("{id}-desc"));
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img"
            aria-labelledby=(format!("{title_id} {description_id}")) {
            title id=(title_id) { (title) }
            desc id=(description_id) { (description) }
            text.heading x="0" y="14" { (title) }
            (grid(axes))
            @for one in series { (band(axes, one)) }
            @for one in series { (line(axes, one)) }
        }
    }
}

fn grid(axes: &Axes) -> Markup {
    let decimals = axes.decimals();
    html! {
        @for value in axes.value_ticks() {
            @let y = px(axes.y(value));
            line.grid x1=(LEFT) x2=(RIGHT) y1=(y) y2=(y) {}
            text.tick.end x=(LEFT - 8.0) y=(px(axes.y(value) + 4.0)) { (format!("{value:.decimals$}")) }
        }
        line.axis x1=(LEFT) x2=(RIGHT) y1=(BOTTOM) y2=(BOTTOM) {}
        @for epoch in axes.epoch_ticks() {
            @let x = px(axes.x(epoch));
            line.axis x1=(x) x2=(x) y1=(BOTTOM) y2=(BOTTOM + 4.0) {}
            text.tick.middle x=(x) y=(BOTTOM + 18.0) { (epoch) }
        }
        text.tick.middle x=(f64::midpoint(LEFT, RIGHT)) y=(HEIGHT - 6.0) { "Epoch" }
    }
}

fn line(axes: &Axes, series: &Series) -> Markup {
    let place = |point: &Point| (axes.x(f64::from(point.epoch)), axes.y(point.mean));
    html! {
        @match series.points.as_slice() {
            [] => {}
            // A path of one point draws nothing.
            [point] => {
                @let (x, y) = place(point);
                circle class=(format!("dot c{}", series.style % COLOURS)) cx=(px(x)) cy=(px(y)) r="3" {}
            }
            points => path class=(line_class(series.style)) d=(path(points.iter().map(place))) {}
        }
    }
}

fn band(axes: &Axes, series: &Series) -> Markup {
    let has_spread = series
        .points
        .iter()
        .any(|point| point.lowest < point.highest);
    let x = |point: &Point| axes.x(f64::from(point.epoch));
    let upper = series
        .points
        .iter()
        .map(|point| (x(point), axes.y(point.highest)));
    let lower = series
        .points
        .iter()
        .rev()
        .map(|point| (x(point), axes.y(point.lowest)));
    html! {
        @if has_spread {
            path class=(format!("band c{}", series.style % COLOURS)) d=(path(upper.chain(lower)) + "Z") {}
        }
    }
}

fn path(points: impl Iterator<Item = (f64, f64)>) -> String {
    let mut text = String::new();
    for (index, (x, y)) in points.enumerate() {
        let command = if index == 0 { 'M' } else { 'L' };
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{command}{} {}", px(x), px(y));
    }
    text
}

fn px(value: f64) -> String {
    format!("{value:.1}")
}
