//! `resident/1`, since 1.4: a host lends a learner whole splits, which it keeps where it computes. An epoch then sends
//! it the order of the samples, and no image.

use std::ffi::c_void;
use std::marker::PhantomData;

use abi_stable::std_types::{ROption, RResult, RSlice, RSliceMut, RStr};

use super::Extension;
use crate::error::{ErrorCode, Fallible, PluginError};
use crate::guard::guard;
use crate::metric::MetricSink;

/// Values that a pixel can have.
pub const PIXEL_VALUES: usize = 256;

/// A split of a dataset, as it is stored: 8-bit pixels, and the number that stands for each.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct StoredSplit<'a> {
    /// Channels of every image.
    pub channels: u32,
    /// Rows of every image.
    pub height: u32,
    /// Columns of every image.
    pub width: u32,
    /// The number for each value of a pixel, (channels, [`PIXEL_VALUES`]).
    pub levels: RSlice<'a, f32>,
    /// The samples, part by part, in order.
    pub parts: RSlice<'a, StoredSamples<'a>>,
}

/// Samples of a split that lie one after another.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct StoredSamples<'a> {
    /// The images, (N, C, H, W).
    pub pixels: RSlice<'a, u8>,
    /// The classes, (N).
    pub labels: RSlice<'a, i64>,
}

impl<'a> StoredSamples<'a> {
    /// Samples with these `pixels` and `labels`.
    pub fn new(pixels: &'a [u8], labels: &'a [i64]) -> Self {
        Self {
            pixels: pixels.into(),
            labels: labels.into(),
        }
    }
}

impl<'a> StoredSplit<'a> {
    /// A split of images of this shape (channels, height, width).
    pub fn new(
        [channels, height, width]: [u32; 3],
        levels: &'a [f32],
        parts: &'a [StoredSamples<'a>],
    ) -> Self {
        Self {
            channels,
            height,
            width,
            levels: levels.into(),
            parts: parts.into(),
        }
    }

    /// The number of samples.
    ///
    /// # Errors
    /// [`ErrorCode::SHAPE`]: levels, pixels and labels are not as many as the sizes say.
    pub fn samples(&self) -> Result<usize, PluginError> {
        let size = u64::from(self.height) * u64::from(self.width);
        let pixels = size.checked_mul(self.channels.into());
        let pixels = pixels.and_then(|pixels| usize::try_from(pixels).ok());
        let fits = |part: &StoredSamples<'_>| {
            let expected = pixels.and_then(|pixels| pixels.checked_mul(part.labels.len()));
            expected == Some(part.pixels.len())
        };
        let has_levels = self.levels.len() == PIXEL_VALUES.saturating_mul(self.channels as usize);
        if pixels == Some(0) || !has_levels || !self.parts.iter().all(fits) {
            return Err(PluginError::new(
                ErrorCode::SHAPE,
                format!(
                    "a split of images of {} × {} × {} has other numbers of levels, pixels or labels",
                    self.channels, self.height, self.width
                ),
            ));
        }
        Ok(self.parts.iter().map(|part| part.labels.len()).sum())
    }
}

/// The part of an image that augmentation shows: pixel (y, x) of what it makes is pixel (y + rows, x + columns) of the
/// image, and 0 where that lies outside; after the flip, if there is one, which counts y or x from the other end.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Crop {
    /// Rows that the image is moved up by.
    pub rows: i32,
    /// Columns that the image is moved to the left by.
    pub columns: i32,
    /// One of [`Crop::UNFLIPPED`], [`Crop::LEFT_RIGHT`] and [`Crop::TOP_BOTTOM`].
    pub flip: i32,
}

impl Crop {
    /// No flip.
    pub const UNFLIPPED: i32 = 0;
    /// Left and right change places.
    pub const LEFT_RIGHT: i32 = 1;
    /// Top and bottom change places.
    pub const TOP_BOTTOM: i32 = 2;
}

/// The samples of an epoch, in order.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct EpochOrder<'a> {
    /// The split, by the number that it was lent under.
    pub split: u32,
    /// The samples, by their place in the split.
    pub samples: RSlice<'a, u32>,
    /// The augmentation of each; empty for none.
    pub crops: RSlice<'a, Crop>,
}

impl<'a> EpochOrder<'a> {
    /// The `samples` of the split that was lent under the number `split`, with a crop for each, or none.
    pub fn new(split: u32, samples: &'a [u32], crops: &'a [Crop]) -> Self {
        Self {
            split,
            samples: samples.into(),
            crops: crops.into(),
        }
    }
}

/// Places that follow one another: in the order of an epoch, or in a split.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// The first place.
    pub first: u32,
    /// The number of places.
    pub count: u32,
}

/// Source of the places of batches, implemented by the host.
pub trait BatchPlaces {
    /// The places of the next batch in the order of the epoch; `None` at the end of a pass. As
    /// [`Batches::next_batch`](crate::Batches::next_batch) otherwise.
    ///
    /// # Errors
    /// As there.
    fn next_places(&mut self) -> Result<Option<Places>, PluginError>;
}

/// The places of one epoch's batches, as the plugin sees them.
#[repr(C)]
pub struct PlaceSource<'a> {
    object: *mut c_void,
    next: unsafe extern "C" fn(*mut c_void) -> Fallible<ROption<Places>>,
    owner: PhantomData<&'a mut c_void>,
}

impl<'a> PlaceSource<'a> {
    /// Serves `places` across the boundary.
    pub fn new<P: BatchPlaces>(places: &'a mut P) -> Self {
        Self {
            object: std::ptr::from_mut(places).cast(),
            next: next::<P>,
            owner: PhantomData,
        }
    }

    /// See [`BatchPlaces::next_places`].
    ///
    /// # Errors
    /// Whatever the host reports; hand it back unchanged, cancellation above all.
    pub fn next_places(&mut self) -> Result<Option<Places>, PluginError> {
        // SAFETY: `object` and `next` were paired by `new`, and `'a` borrows the object exclusively.
        let places = unsafe { (self.next)(self.object) };
        places.map(ROption::into_option).into_result()
    }
}

/// # Safety
/// `object` is the `P` that `PlaceSource::new::<P>` borrowed, and nothing else uses it now.
unsafe extern "C" fn next<P: BatchPlaces>(object: *mut c_void) -> Fallible<ROption<Places>> {
    // SAFETY: promised by the caller.
    let places = unsafe { &mut *object.cast::<P>() };
    match guard("the host's source of places", || places.next_places()) {
        RResult::ROk(places) => RResult::ROk(places.into()),
        RResult::RErr(error) => RResult::RErr(error),
    }
}

pub(crate) type Lend =
    unsafe extern "C" fn(*mut c_void, RStr<'_>, u32, &StoredSplit<'_>) -> Fallible<u32>;
pub(crate) type TrainResident = unsafe extern "C" fn(
    *mut c_void,
    RStr<'_>,
    u32,
    &EpochOrder<'_>,
    &mut PlaceSource<'_>,
    &mut MetricSink<'_>,
) -> Fallible<()>;
pub(crate) type PredictResident =
    unsafe extern "C" fn(*mut c_void, RStr<'_>, u32, Places, RSliceMut<'_, f32>) -> Fallible<()>;

/// The struct of `resident/1`.
#[repr(C)]
pub(crate) struct ResidentExtension {
    size: usize,
    /// Answers 1 if the learner keeps the split, 0 if not.
    pub(crate) lend: Lend,
    pub(crate) train: TrainResident,
    pub(crate) predict: PredictResident,
}

// SAFETY: `#[repr(C)]`, starts with its size, frozen.
unsafe impl Extension for ResidentExtension {
    const NAME: &'static str = "resident/1";
}

impl ResidentExtension {
    pub(crate) const fn new(lend: Lend, train: TrainResident, predict: PredictResident) -> Self {
        Self {
            size: size_of::<Self>(),
            lend,
            train,
            predict,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_has_as_many_samples_as_its_parts_unless_they_do_not_fit() {
        let (pixels, labels, levels) = ([0_u8; 24], [0_i64; 3], [0.0_f32; 512]);
        let samples = |parts: &[StoredSamples<'_>], levels: &[f32], width| {
            let split = StoredSplit::new([2, 2, width], levels, parts);
            split.samples().map_err(|error| error.code)
        };
        let whole = StoredSamples::new(&pixels, &labels);
        let first = StoredSamples::new(&pixels[..8], &labels[..1]);
        let short = StoredSamples::new(&pixels[1..], &labels);
        assert_eq!(samples(&[whole, first], &levels, 2), Ok(4));
        assert_eq!(samples(&[], &levels, 2), Ok(0));
        let refused = Err(ErrorCode::SHAPE);
        assert_eq!(samples(&[whole, first], &levels[1..], 2), refused);
        assert_eq!(samples(&[whole, first], &levels, 3), refused);
        assert_eq!(samples(&[whole, first], &levels, 0), refused);
        assert_eq!(samples(&[short], &levels, 2), refused);
        assert_eq!(samples(&[whole], &levels, u32::MAX), refused);
    }
}
