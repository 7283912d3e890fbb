//! The sets of images in an opened source, wherever they lie: all that a pass over a dataset needs
//! of its source. Nothing here decodes.

use serde::{Deserialize, Serialize};

use crate::error::DatasetError;
use crate::image::Form;
use crate::obtain::Origin;
use crate::table::ImageShape;

/// The bytes of one image after the other, as stored, or why they cannot be had.
pub(crate) type Stream<'a> = Box<dyn Iterator<Item = Result<Vec<u8>, DatasetError>> + Send + 'a>;

/// Images in a fixed order, each with the position of its class.
pub(crate) trait ImageSet: Send + Sync {
    /// One label for each image.
    fn labels(&self) -> &[u16];

    /// The name of the image at `position` in messages and descriptions: the same wherever the
    /// dataset lies and however it is packed.
    fn name(&self, position: u32) -> String;

    /// The images at `positions`, which ascend and are there, in that order.
    fn stream<'a>(&'a self, positions: &'a [u32]) -> Stream<'a>;
}

/// The treatment of images that cannot be decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BadImagePolicy {
    /// There is no dataset.
    #[default]
    Error,
    /// It is left out, and the description says so. Splits and limits count it all the same.
    Skip,
}

/// The storage of a source's images, which decides how they are prepared.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ImageStorage {
    /// Pixels in layout (C, H, W). Each split becomes one table, with its scaling in it.
    Pixels(ImageShape),
    /// Image files, to be brought into this form. Each split becomes a table in shards of raw
    /// pixels.
    Files(Form, BadImagePolicy),
}

/// A source whose images are listed and have labels.
pub(crate) struct OpenDataset {
    /// The classes' names, by label.
    pub(crate) class_names: Vec<String>,
    pub(crate) train: Box<dyn ImageSet>,
    pub(crate) test: Option<Box<dyn ImageSet>>,
    /// The number of images that form the test set where there is none.
    pub(crate) drawn_test: Option<u32>,
    pub(crate) storage: ImageStorage,
    /// The name of each obtained file, and where it came from.
    pub(crate) origins: Vec<(&'static str, Origin)>,
}

impl OpenDataset {
    /// A dataset of a training and a test set of pixels, of the same shape.
    pub(super) fn of_pixels(
        class_names: Vec<String>,
        [train, test]: [PixelSet; 2],
        origins: Vec<(&'static str, Origin)>,
    ) -> Self {
        Self {
            class_names,
            storage: ImageStorage::Pixels(train.shape),
            train: Box::new(train),
            test: Some(Box::new(test)),
            drawn_test: None,
            origins,
        }
    }
}

/// Images in memory, as pixels.
pub(super) struct PixelSet {
    pub(super) shape: ImageShape,
    /// Images one after the other, each in layout (C, H, W).
    pub(super) pixels: Vec<u8>,
    /// One label for each image.
    pub(super) labels: Vec<u16>,
}

impl ImageSet for PixelSet {
    fn labels(&self) -> &[u16] {
        &self.labels
    }

    fn name(&self, position: u32) -> String {
        format!("image {position}")
    }

    fn stream<'a>(&'a self, positions: &'a [u32]) -> Stream<'a> {
        let size = self.shape.pixels();
        Box::new(positions.iter().map(move |&position| {
            let rest = self.pixels.get(position as usize * size..);
            let image = rest.and_then(|rest| rest.get(..size));
            Ok(image.unwrap_or_default().to_vec())
        }))
    }
}
