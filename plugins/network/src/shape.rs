//! The shape of what flows between two layers.

use std::fmt;
use std::str::FromStr;

/// Channels, height and width of one sample; a vector of n units is n × 1 × 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Number of channels, or of units of a fully connected layer.
    pub channels: usize,
    /// Number of rows.
    pub height: usize,
    /// Number of columns.
    pub width: usize,
}

impl Shape {
    /// The shape of a vector.
    pub const fn vector(units: usize) -> Self {
        Self {
            channels: units,
            height: 1,
            width: 1,
        }
    }

    /// The number of units. Within a valid [`Network`](crate::Network) it cannot overflow;
    /// elsewhere it saturates.
    pub const fn units(self) -> usize {
        self.channels
            .saturating_mul(self.height)
            .saturating_mul(self.width)
    }
}

impl From<[usize; 3]> for Shape {
    fn from([channels, height, width]: [usize; 3]) -> Self {
        Self {
            channels,
            height,
            width,
        }
    }
}

impl From<Shape> for [usize; 3] {
    fn from(shape: Shape) -> Self {
        [shape.channels, shape.height, shape.width]
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}", self.channels, self.height, self.width)
    }
}

/// A text that is no shape.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{found}` is no shape of an input; expected channels, height and width such as `3x32x32`, \
     each at least 1"
)]
pub struct ParseShapeError {
    found: String,
}

impl FromStr for Shape {
    type Err = ParseShapeError;

    /// Reads what [`Display`](fmt::Display) writes: `3x32x32`.
    fn from_str(text: &str) -> Result<Self, ParseShapeError> {
        let size = |text: &str| {
            // `usize::from_str` takes a plus sign, which a shape does not have.
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|&size| digits && size > 0)
        };
        let sizes = text.split('x').map(size).collect::<Option<Vec<usize>>>();
        sizes
            .and_then(|sizes| <[usize; 3]>::try_from(sizes).ok())
            .map(Self::from)
            .ok_or_else(|| ParseShapeError {
                found: text.to_owned(),
            })
    }
}
