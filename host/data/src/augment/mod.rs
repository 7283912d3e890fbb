//! Augmentation of training images: random crops out of a zero padding, and random flips.
//!
//! The augmentation of an image depends on (seed, epoch, index of the image in its table) alone, so
//! every algorithm, batch size and order sees the same images. Raw pixels are augmented, before
//! they are scaled: the padding is black, as in the usual practice (torchvision's `RandomCrop`),
//! and not the mean colour. Nothing here evaluates; evaluation never augments.

use blake3::Hasher;
use serde::{Deserialize, Serialize};

use crate::table::ImageShape;
use crate::words::Words;

/// Never changes once results exist.
const CONTEXT: &str = "assay dataset augmentation, version 1";

/// Bytes of the stream that one image needs, but for the rarest rejections.
const BLOCK: usize = 64;

/// Random changes to training images (docs/methods.md, Data).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augmentation {
    /// Zeros added on every side before a crop of the image's own size is drawn; 0 for no crop.
    #[serde(default, skip_serializing_if = "crate::is_default")]
    pub crop_padding: u32,
    /// The mirroring that half of the images undergo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flip: Option<Flip>,
}

/// A mirroring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flip {
    /// Left and right change places.
    Horizontal,
    /// Top and bottom change places.
    Vertical,
}

/// The augmentation of one epoch.
#[derive(Clone, Debug)]
pub struct EpochAugmentation {
    augmentation: Augmentation,
    key: Hasher,
}

/// The random draw for one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// Zeros on every side of the padded image.
    pub padding: u32,
    /// The first row of the crop in the padded image, from 0 to twice the padding.
    pub top: u32,
    /// The first column of the crop in the padded image, from 0 to twice the padding.
    pub left: u32,
    /// The mirroring of the crop, if there is one.
    pub flip: Option<Flip>,
}

impl Augmentation {
    /// The augmentation of epoch number `epoch` of the training with this seed.
    pub fn in_epoch(self, seed: u64, epoch: u32) -> EpochAugmentation {
        let mut key = Hasher::new_derive_key(CONTEXT);
        key.update(&seed.to_le_bytes());
        key.update(&epoch.to_le_bytes());
        EpochAugmentation {
            augmentation: self,
            key,
        }
    }
}

impl EpochAugmentation {
    /// The draw for the image at `index` of its table: top, left and flip, each uniform and
    /// independent. All three are always drawn, so that a flip changes no crop.
    pub fn draw(&self, index: u32) -> Draw {
        let Augmentation { crop_padding, flip } = self.augmentation;
        let mut key = self.key.clone();
        key.update(&index.to_le_bytes());
        let mut words = Words::<BLOCK>::new(&key);
        let places = crop_padding.saturating_mul(2).saturating_add(1);
        let (top, left) = (words.below(places), words.below(places));
        let flipped = words.below(2) == 1;
        Draw {
            padding: crop_padding,
            top,
            left,
            flip: flip.filter(|_| flipped),
        }
    }
}

impl Draw {
    /// Writes the crop of `image` into `augmented`; both have the layout (C, H, W) of `shape`.
    pub fn apply(self, shape: ImageShape, image: &[u8], augmented: &mut [u8]) {
        let (height, width) = (shape.height() as usize, shape.width() as usize);
        let channels = image.chunks_exact(height * width);
        let targets = augmented.chunks_exact_mut(height * width);
        for (channel, target) in channels.zip(targets) {
            for (place, row) in target.chunks_exact_mut(width).enumerate() {
                let place = match self.flip {
                    Some(Flip::Vertical) => height - 1 - place,
                    _ => place,
                };
                let source = shifted(place, self.top, self.padding)
                    .and_then(|source| channel.chunks_exact(width).nth(source));
                match source {
                    Some(source) => self.crop_row(source, row),
                    None => row.fill(0),
                }
            }
        }
    }

    fn crop_row(self, source: &[u8], row: &mut [u8]) {
        let width = row.len();
        let (left, padding) = (self.left as usize, self.padding as usize);
        // Columns of the crop before the image begins, and of the image before the crop does.
        let (margin, skipped) = (
            padding.saturating_sub(left).min(width),
            left.saturating_sub(padding).min(width),
        );
        let shared = width - margin.max(skipped);
        row[..margin].fill(0);
        row[margin..margin + shared].copy_from_slice(&source[skipped..skipped + shared]);
        row[margin + shared..].fill(0);
        if self.flip == Some(Flip::Horizontal) {
            row.reverse();
        }
    }
}

/// The row of the image at `place` of a crop that begins at row `start` of the padded image,
/// unless it lies above the image.
fn shifted(place: usize, start: u32, padding: u32) -> Option<usize> {
    (place + start as usize).checked_sub(padding as usize)
}

#[cfg(test)]
mod tests;
