//! A set of encoded images with labels, wherever it lies: what a streaming pass over a dataset
//! needs of its source. Nothing here decodes.

use crate::prepare::PrepareError;

/// More bytes than any image file has. One byte more is read of a larger file, so that it is
/// noticed.
pub(crate) const MAX_BYTES: u64 = 1 << 28;

/// The bytes of one image file after the other, or why they cannot be had.
pub(crate) type Stream<'a> = Box<dyn Iterator<Item = Result<Vec<u8>, PrepareError>> + Send + 'a>;

/// Images in a fixed order, each with the position of its class.
pub(crate) trait EncodedImages: Send + Sync {
    /// One label for each image.
    fn labels(&self) -> &[u16];

    /// The name of the image at `position` in messages and descriptions: the same wherever the
    /// dataset lies and however it is packed.
    fn name(&self, position: u32) -> String;

    /// The images at `positions`, which ascend and are there, in that order.
    fn stream<'a>(&'a self, positions: &'a [u32]) -> Stream<'a>;
}
