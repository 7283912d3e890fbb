//! The shape of an image.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The shape of an image: channels, rows and columns, with at least one pixel and at most
/// 2³¹ − 1 (the widest value Arrow can hold).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "[u32; 3]", into = "[u32; 3]")]
pub struct ImageShape {
    channels: u32,
    height: u32,
    width: u32,
}

/// Dimensions that are not an image's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an image of {0:?} (channels, rows, columns) has no pixel or more than 2147483647")]
pub struct InvalidShape(pub [u32; 3]);

impl ImageShape {
    /// The shape of CIFAR's images.
    pub const CIFAR: Self = Self {
        channels: 3,
        height: 32,
        width: 32,
    };

    /// The shape with these dimensions.
    pub fn new(channels: u32, height: u32, width: u32) -> Result<Self, InvalidShape> {
        let product = u64::from(channels)
            .checked_mul(height.into())
            .and_then(|product| product.checked_mul(width.into()));
        match product {
            Some(1..=0x7fff_ffff) => Ok(Self {
                channels,
                height,
                width,
            }),
            _ => Err(InvalidShape([channels, height, width])),
        }
    }

    /// Channels: 1 for grey, 3 for colour.
    pub fn channels(self) -> u32 {
        self.channels
    }

    /// Rows.
    pub fn height(self) -> u32 {
        self.height
    }

    /// Columns.
    pub fn width(self) -> u32 {
        self.width
    }

    /// The number of values of an image, over all channels.
    pub fn pixels(self) -> usize {
        self.channels as usize * self.height as usize * self.width as usize
    }
}

impl From<ImageShape> for [u32; 3] {
    fn from(shape: ImageShape) -> Self {
        [shape.channels, shape.height, shape.width]
    }
}

impl TryFrom<[u32; 3]> for ImageShape {
    type Error = InvalidShape;

    fn try_from([channels, height, width]: [u32; 3]) -> Result<Self, InvalidShape> {
        Self::new(channels, height, width)
    }
}

impl fmt::Display for ImageShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{},{}", self.channels, self.height, self.width)
    }
}
