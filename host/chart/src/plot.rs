//! A plot: scales, their axes, and the marks between them.

use std::fmt::Write as _;

use maud::{Markup, html};

use crate::curve::{Part, path, px, simplify, thin};
use crate::mark::{Mark, Point};
use crate::scale::Scale;
use crate::style::Style;

/// The style sheet that plots need: positions and widths of text and lines. The page defines the colours
/// `--c0` to `--c6`, `--ink`, `--muted` and `--rule`.
pub const STYLES: &str = include_str!("plot.css");

/// An axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// The name of its values.
    pub label: String,
    /// Its scale.
    pub scale: Scale,
    /// Whether ticks and grid are drawn.
    pub is_drawn: bool,
}

impl Axis {
    /// An axis with ticks.
    pub fn new(label: impl Into<String>, scale: Scale) -> Self {
        Self {
            label: label.into(),
            scale,
            is_drawn: true,
        }
    }
}

/// A plot.
#[derive(Clone, Debug, PartialEq)]
pub struct Plot {
    /// Unique in the page.
    pub id: String,
    /// The title above it.
    pub title: String,
    /// The same in words, for those who cannot see it.
    pub description: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// The marks, the first at the back.
    pub marks: Vec<Mark>,
}

const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 270.0;
const TOP: f64 = 28.0;
const BOTTOM: f64 = 40.0;
/// The height of a name of a vertical scale of names.
const ROW: f64 = 22.0;
/// The width of a character of an axis or label.
const CHARACTER: f64 = 6.3;
/// The most characters of a label; the rest is cut off.
const LONGEST: usize = 24;
/// The most characters of a title.
const LONGEST_TITLE: usize = 56;
/// The width of a character of a title.
const TITLE_CHARACTER: f64 = 7.4;
/// The least distance between the labels of two curves.
const LINE: f64 = 12.0;

/// The places of things, in pixels.
struct Layout<'a> {
    plot: &'a Plot,
    height: f64,
    left: f64,
    right: f64,
    bottom: f64,
}

impl Plot {
    /// The plot as an SVG element.
    pub fn svg(&self) -> Markup {
        let layout = Layout::of(self);
        let (title, description) = (format!("{}-title", self.id), format!("{}-desc", self.id));
        let (x, y) = (self.x.scale.data(), self.y.scale.data());
        let area = [layout.left, layout.right, TOP, layout.bottom]
            .map(px)
            .join(" ");
        html! {
            svg viewBox=(format!("0 0 {WIDTH} {}", px(layout.height))) role="img"
                aria-labelledby=(format!("{title} {description}"))
                data-area=(area) data-x=[x] data-y=[y] data-label=(self.x.label) {
                title id=(title) { (self.title) }
                desc id=(description) { (self.description) }
                text.heading x=(px(layout.heading())) y="16" { (cut(&self.title, LONGEST_TITLE)) }
                (layout.grid())
                @for mark in &self.marks { (layout.mark(mark)) }
                (layout.labels())
            }
        }
    }
}

impl<'a> Layout<'a> {
    fn of(plot: &'a Plot) -> Self {
        let longest =
            |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0).min(LONGEST) as f64;
        let ticks = plot.y.scale.ticks();
        let ticks = if plot.y.is_drawn { ticks } else { Vec::new() };
        let left = longest(&mut ticks.iter().map(|(_, label)| label.chars().count()));
        let labels = plot.marks.iter().filter_map(label);
        let right = longest(&mut labels.map(|(_, name, _)| name.chars().count()));
        let height = match &plot.y.scale {
            Scale::Names(names) => TOP + BOTTOM + ROW * names.len().max(1) as f64,
            _ => HEIGHT,
        };
        Self {
            plot,
            height,
            left: 14.0 + CHARACTER * left,
            right: WIDTH - 12.0 - CHARACTER * right,
            bottom: height - BOTTOM,
        }
    }

    /// Where the title begins: above the axis, or further left where it would not end within the plot.
    fn heading(&self) -> f64 {
        let characters = self.plot.title.chars().count().min(LONGEST_TITLE) as f64;
        self.left.min(WIDTH - TITLE_CHARACTER * characters).max(4.0)
    }

    /// The characters that each of so many names below the horizontal axis has room for, in two rows.
    fn room_for_names(&self, count: usize) -> usize {
        let width = 2.0 * (self.right - self.left) / count.max(1) as f64;
        ((width / CHARACTER) as usize)
            .saturating_sub(1)
            .clamp(3, LONGEST)
    }

    fn x(&self, value: f64) -> f64 {
        self.left + self.plot.x.scale.fraction(value) * (self.right - self.left)
    }

    fn y(&self, value: f64) -> f64 {
        let place = self.plot.y.scale.fraction(value) * (self.bottom - TOP);
        match self.plot.y.scale {
            // The first name is at the top.
            Scale::Names(_) => TOP + place,
            _ => self.bottom - place,
        }
    }

    fn at(&self, point: Point) -> (f64, f64) {
        (self.x(point.x), self.y(point.y))
    }

    fn grid(&self) -> Markup {
        let Plot { x, y, .. } = self.plot;
        let names = matches!(y.scale, Scale::Names(_));
        let names_across = matches!(x.scale, Scale::Names(_));
        let ticks = |axis: &Axis| axis.is_drawn.then(|| axis.scale.ticks());
        let (across, up) = (ticks(x).unwrap_or_default(), ticks(y).unwrap_or_default());
        let room = self.room_for_names(across.len());
        // All lines of a kind are one element, since a page has many plots.
        let mut grid = String::new();
        let mut axis = path(&[(self.left, self.bottom), (self.right, self.bottom)]);
        for (value, _) in up.iter().filter(|_| !names) {
            let at = self.y(*value);
            grid += &path(&[(self.left, at), (self.right, at)]);
        }
        for (value, _) in &across {
            let at = self.x(*value);
            if names || names_across {
                grid += &path(&[(at, TOP), (at, self.bottom)]);
            } else {
                axis += &path(&[(at, self.bottom), (at, self.bottom + 4.0)]);
            }
        }
        html! {
            @if !grid.is_empty() { path.grid d=(grid) {} }
            path.axis d=(axis) {}
            @for (value, label) in &up {
                text.tick.end x=(px(self.left - 8.0)) y=(px(self.y(*value) + 4.0)) { (cut(label, LONGEST)) }
            }
            @for (index, (value, label)) in across.iter().enumerate() {
                // Names in two rows have room for twice their length.
                @let lower = if names_across && index % 2 == 1 { LINE } else { 0.0 };
                text.tick.middle x=(px(self.x(*value))) y=(px(self.bottom + 17.0 + lower)) {
                    (cut(label, if names_across { room } else { LONGEST }))
                }
            }
            text.tick.middle x=(px(f64::midpoint(self.left, self.right))) y=(px(self.height - 6.0)) {
                (x.label)
            }
        }
    }

    fn mark(&self, mark: &Mark) -> Markup {
        match mark {
            Mark::Line {
                style,
                points,
                name,
                is_stepped,
                ..
            } => {
                let points = finite(points).map(|point| self.at(point));
                let line = if *is_stepped {
                    steps(points)
                } else {
                    thin(points.collect(), Part::Mean)
                };
                Self::line(*style, name, &simplify(&line))
            }
            Mark::Band { style, points } => {
                let finite = points
                    .iter()
                    .filter(|(x, low, high)| Point::new(*x, *low).is_finite() && high.is_finite());
                let upper: Vec<_> = finite
                    .clone()
                    .map(|(x, _, high)| (self.x(*x), self.y(*high)))
                    .collect();
                let lower: Vec<_> = finite
                    .map(|(x, low, _)| (self.x(*x), self.y(*low)))
                    .collect();
                let mut outline = simplify(&thin(upper, Part::Top));
                outline.extend(simplify(&thin(lower, Part::Bottom)).into_iter().rev());
                html! {
                    @if outline.len() > 2 {
                        path class=(format!("band {}", style.fill())) d=(path(&outline) + "Z") {}
                    }
                }
            }
            Mark::Dot {
                style,
                at,
                title,
                is_hollow,
            } => {
                let kind = if *is_hollow { "hollow" } else { "dot" };
                let (x, y) = self.at(*at);
                html! {
                    @if at.is_finite() {
                        circle class=(format!("{kind} {}", style.fill())) cx=(px(x)) cy=(px(y)) r="3.5" {
                            @if !title.is_empty() { title { (title) } }
                        }
                    }
                }
            }
            Mark::Dots { style, points } => {
                let mut dots = String::new();
                for (x, y) in finite(points).map(|point| self.at(point)) {
                    // A line without length is drawn as its round end. Writing to a `String` cannot fail.
                    let _ = write!(dots, "M{} {}h0", px(x), px(y));
                }
                html! {
                    @if !dots.is_empty() { path class=(format!("dots {}", style.fill())) d=(dots) {} }
                }
            }
            Mark::Segment { style, from, to } => html! {
                @if from.is_finite() && to.is_finite() {
                    path class=(format!("segment {}", style.fill())) d=(path(&[self.at(*from), self.at(*to)])) {}
                }
            },
            Mark::Bar { style, to } => {
                let (x, y) = self.at(*to);
                html! {
                    @if to.is_finite() {
                        rect class=(format!("dot {}", style.fill())) x=(px(self.left)) y=(px(y - 6.0))
                            width=(px((x - self.left).max(0.0))) height="12" {}
                    }
                }
            }
            Mark::Text { at, text } => {
                let (x, y) = self.at(*at);
                html! { text.tick.middle x=(px(x)) y=(px(y)) { (text) } }
            }
        }
    }

    fn line(style: Style, name: &str, points: &[(f64, f64)]) -> Markup {
        html! {
            @match points {
                [] => {}
                // A path of one point draws nothing.
                [(x, y)] => {
                    circle class=(format!("dot {}", style.fill())) cx=(px(*x)) cy=(px(*y)) r="3" data-name=(name) {}
                }
                points => path class=(style.line()) d=(path(points)) data-name=(name) {}
            }
        }
    }

    /// The names of curves at their ends, pushed apart where they would cover each other.
    fn labels(&self) -> Markup {
        let labels = self.plot.marks.iter().filter_map(label);
        let mut labels: Vec<_> = labels
            .map(|(style, name, end)| (self.y(end.y), self.x(end.x), style, name))
            .collect();
        labels.sort_by(|(a, ..), (b, ..)| a.total_cmp(b));
        let mut lowest = f64::NEG_INFINITY;
        for (y, ..) in &mut labels {
            *y = y.max(lowest + LINE);
            lowest = *y;
        }
        // Those that were pushed out at the bottom go back up.
        let mut highest = self.bottom;
        for (y, ..) in labels.iter_mut().rev() {
            *y = y.min(highest);
            highest = *y - LINE;
        }
        html! {
            @for (y, x, style, name) in labels {
                text class=(format!("label {}", style.fill())) x=(px(x + 6.0)) y=(px(y + 4.0)) { (cut(name, LONGEST)) }
            }
        }
    }
}

/// The label of a mark, if it has one, with its looks and the end of its curve.
fn label(mark: &Mark) -> Option<(Style, &str, Point)> {
    let Mark::Line {
        style,
        points,
        name,
        is_labelled,
        ..
    } = mark
    else {
        return None;
    };
    let end = finite(points).last().filter(|_| *is_labelled)?;
    Some((*style, name, end))
}

/// The corners of a line that keeps its value up to the next point.
fn steps(points: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    let mut corners = Vec::<(f64, f64)>::new();
    for (x, y) in points {
        corners.extend(corners.last().map(|(_, before)| (x, *before)));
        corners.push((x, y));
    }
    corners
}

fn finite(points: &[Point]) -> impl Iterator<Item = Point> {
    points.iter().copied().filter(|point| point.is_finite())
}

/// The text in at most so many characters. It is the middle that is left out: names that begin alike end
/// differently.
fn cut(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    let begin = (most - 1) / 2;
    let end = count - (most - 1 - begin);
    let (begin, end) = (text.chars().take(begin), text.chars().skip(end));
    begin.chain(['…']).chain(end).collect()
}

/// The line of a method in a legend.
pub fn swatch(style: Style) -> Markup {
    html! {
        svg viewBox="0 0 28 10" aria-hidden="true" {
            path class=(style.line()) d="M1 5L27 5" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(marks: Vec<Mark>) -> String {
        let plot = Plot {
            id: "p".to_owned(),
            title: "<b>".to_owned(),
            description: "words".to_owned(),
            x: Axis::new("Epoch", Scale::count(3)),
            y: Axis::new("error", Scale::linear([0.0, 6.0]).unwrap()),
            marks,
        };
        plot.svg().into_string()
    }

    fn line(points: &[(f64, f64)], is_labelled: bool) -> Mark {
        Mark::Line {
            style: Style::Method(1),
            points: points.iter().map(|(x, y)| Point::new(*x, *y)).collect(),
            name: "fa".to_owned(),
            is_labelled,
            is_stepped: false,
        }
    }

    #[test]
    fn a_plot_is_text_of_marks_on_scales() {
        let text = plot(vec![line(&[(1.0, 6.0), (2.0, 0.0), (3.0, 3.0)], false)]);
        assert!(
            text.contains(
                r#"<path class="line c1 d1" d="M20.3 28l193.9 202 193.8-101" data-name="fa">"#
            ),
            "{text}"
        );
        assert!(
            text.contains("&lt;b&gt;")
                && text.contains(r#"data-x="linear 1 3" data-y="linear 0 6""#)
        );
    }

    #[test]
    fn what_is_not_finite_is_left_out() {
        let text = plot(vec![
            line(&[(1.0, f64::NAN), (2.0, 1.0), (3.0, f64::INFINITY)], true),
            Mark::Segment {
                style: Style::Accent,
                from: Point::new(1.0, f64::NAN),
                to: Point::new(1.0, 1.0),
            },
            Mark::Band {
                style: Style::Muted,
                points: vec![(1.0, f64::NAN, 1.0), (2.0, 1.0, 2.0)],
            },
        ]);
        assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
        assert!(text.contains(r#"r="3""#));
    }

    #[test]
    fn a_long_name_keeps_its_ends() {
        assert_eq!(cut("ao-sdtp", 7), "ao-sdtp");
        assert_eq!(cut("ao-sdtp (auxiliary_units = 32)", 13), "ao-sdt… = 32)");
        assert_eq!(cut("ÄÖÜäöü", 5), "ÄÖ…öü");
    }

    #[test]
    fn labels_do_not_cover_each_other() {
        let ends = [5.0, 5.1, 5.2, 0.0, 0.1, 0.05];
        let text = plot(
            ends.iter()
                .map(|end| line(&[(1.0, 3.0), (3.0, *end)], true))
                .collect(),
        );
        let ys = text.split("class=\"label c1\"").skip(1).map(|rest| {
            let (_, rest) = rest.split_once("y=\"").unwrap();
            rest.split_once('"').unwrap().0.parse::<f64>().unwrap()
        });
        let ys: Vec<_> = ys.collect();
        assert_eq!(ys.len(), 6);
        assert!(
            ys.windows(2).all(|pair| pair[1] - pair[0] >= LINE - 0.11),
            "{ys:?}"
        );
        assert!(
            ys.iter().all(|y| (TOP..=HEIGHT - BOTTOM + 4.0).contains(y)),
            "{ys:?}"
        );
    }
}
