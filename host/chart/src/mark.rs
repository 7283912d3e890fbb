//! Marks on scales: lines, bands, dots, bars and texts.

use crate::style::Style;

/// A place on the scales of a plot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Along the horizontal scale.
    pub x: f64,
    /// Along the vertical scale.
    pub y: f64,
}

impl Point {
    /// The point at `x` and `y`.
    pub const fn new(x: f64, y: f64) -> Self {
        Self { x, y }
    }

    pub(crate) fn is_finite(self) -> bool {
        self.x.is_finite() && self.y.is_finite()
    }
}

/// A mark.
#[derive(Clone, Debug, PartialEq)]
pub enum Mark {
    /// A line through points in order of `x`. A line of one point is a dot.
    Line {
        /// Its looks.
        style: Style,
        /// Its points.
        points: Vec<Point>,
        /// The name of what it shows.
        name: String,
        /// Whether the name stands at its end.
        is_labelled: bool,
        /// Whether it keeps its value up to the next point, instead of going there straight.
        is_stepped: bool,
    },
    /// The area between two curves.
    Band {
        /// Its looks.
        style: Style,
        /// Place along the horizontal scale, lower end, upper end.
        points: Vec<(f64, f64, f64)>,
    },
    /// A dot.
    Dot {
        /// Its looks.
        style: Style,
        /// Its place.
        at: Point,
        /// A text that is shown when it is pointed at.
        title: String,
        /// Whether only its edge is drawn.
        is_hollow: bool,
    },
    /// Many dots without a text.
    Dots {
        /// Their looks.
        style: Style,
        /// Their places.
        points: Vec<Point>,
    },
    /// A straight line between two places, such as an interval.
    Segment {
        /// Its looks.
        style: Style,
        /// One end.
        from: Point,
        /// The other end.
        to: Point,
    },
    /// A horizontal bar from the beginning of the horizontal scale.
    Bar {
        /// Its looks.
        style: Style,
        /// Its end.
        to: Point,
    },
    /// A text whose middle is at a place.
    Text {
        /// Its place.
        at: Point,
        /// The text.
        text: String,
    },
}
