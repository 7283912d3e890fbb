//! How pixels become numbers.
//!
//! A scaling looks at one value at a time; it never sees a whole image's statistics.

/// A scaling of 8-bit pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scaling {
    /// Pixel / 255, in [0, 1], correctly rounded (METHODS "Data", MNIST).
    #[default]
    UnitInterval,
}

impl Scaling {
    /// Scales the pixels of one image into `scaled`, of the same length.
    pub(super) fn apply(self, pixels: &[u8], scaled: &mut [f32]) {
        match self {
            // A division, which vectorises: faster than looking 256 levels up, and exact where
            // a product with 1 / 255 is not.
            Self::UnitInterval => {
                for (scaled, &pixel) in scaled.iter_mut().zip(pixels) {
                    *scaled = f32::from(pixel) / 255.0;
                }
            }
        }
    }
}
