//! How pixels become numbers.
//!
//! A scaling is a function of the pixel's value alone, so it is a table of 256 levels that
//! gathering looks up; it never sees a whole image.

/// A scaling of 8-bit pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scaling {
    /// Pixel / 255, in [0, 1] (METHODS "Data", MNIST).
    #[default]
    UnitInterval,
}

impl Scaling {
    /// The number that each pixel value becomes, correctly rounded.
    pub(super) fn levels(self) -> [f32; 256] {
        match self {
            Self::UnitInterval => std::array::from_fn(|pixel| pixel as f32 / 255.0),
        }
    }
}
