//! Splits that stay on a card, in the form in which a dataset stores them, and the batches that kernels take from
//! them: the numbers that the host would gather.

use std::rc::Rc;

use assay_abi::{Crop, ErrorCode, Places, StoredSplit};
use tch::{Kind, Tensor};

use super::{Argument, Card, Count, Elements, Kernel, elements};
use crate::error::Error;

/// A split in the memory of a card.
pub(crate) struct KeptSplit {
    card: Rc<Card>,
    samples: usize,
    /// Channels, height and width.
    image: [usize; 3],
    /// (N, C, H, W), in one row.
    pixels: Tensor,
    /// (C, 256), in one row.
    levels: Tensor,
    labels: Tensor,
}

/// The order of an epoch in the memory of a card.
pub(crate) struct KeptOrder {
    split: Rc<KeptSplit>,
    /// Each is below the number of samples of the split; their bits are those of unsigned ones.
    samples: Tensor,
    /// Three numbers for each sample.
    crops: Option<Tensor>,
    count: usize,
}

/// Samples of a split that follow one another, in an order or in the split.
#[derive(Clone, Copy)]
pub(crate) struct KeptSamples<'a> {
    split: &'a KeptSplit,
    order: Option<&'a KeptOrder>,
    places: Places,
}

impl KeptSplit {
    /// Copies a split whose labels were checked; `None` if it would take more than half of the memory that the card
    /// has free for each learner.
    ///
    /// # Errors
    /// The sizes of the split do not agree.
    pub(crate) fn new(card: &Rc<Card>, split: &StoredSplit<'_>) -> Result<Option<Self>, Error> {
        let samples = split.samples()?;
        let image = [split.channels, split.height, split.width].map(|size| size as usize);
        let pixels: usize = split.parts.iter().map(|part| part.pixels.len()).sum();
        if samples == 0 || pixels > card.launcher.free_memory()? / 2 {
            return Ok(None);
        }
        let device = card.device();
        let stored = Tensor::f_empty([pixels as i64], (Kind::Uint8, device))?;
        let labels = Tensor::f_empty([samples as i64], (Kind::Int64, device))?;
        let (mut pixel, mut label) = (0, 0);
        for part in split.parts {
            let (of_pixels, of_labels) = (part.pixels.len() as i64, part.labels.len() as i64);
            let mut to = stored.f_narrow(0, pixel, of_pixels)?;
            to.f_copy_(&Tensor::f_from_slice(part.pixels.as_slice())?)?;
            let mut to = labels.f_narrow(0, label, of_labels)?;
            to.f_copy_(&Tensor::f_from_slice(part.labels.as_slice())?)?;
            (pixel, label) = (pixel + of_pixels, label + of_labels);
        }
        Ok(Some(Self {
            card: card.clone(),
            samples,
            image,
            pixels: stored,
            levels: Tensor::f_from_slice(split.levels.as_slice())?.f_to_device(device)?,
            labels,
        }))
    }

    /// The samples at `places` of this split.
    ///
    /// # Errors
    /// There are no such places.
    pub(crate) fn at(&self, places: Places) -> Result<KeptSamples<'_>, Error> {
        check(places, self.samples)?;
        Ok(KeptSamples {
            split: self,
            order: None,
            places,
        })
    }
}

impl KeptOrder {
    /// An order of samples of `split`, with a crop for each, or none.
    ///
    /// # Errors
    /// A sample that the split does not have, or other numbers of crops.
    pub(crate) fn new(
        split: Rc<KeptSplit>,
        samples: &[u32],
        crops: &[Crop],
    ) -> Result<Self, Error> {
        let count = samples.len();
        let device = split.card.device();
        let (samples, crops) = numbers(&split, samples, crops)?;
        let crops = crops.map(|crops| crops.f_to_device(device));
        Ok(Self {
            samples: samples.f_to_device(device)?,
            crops: crops.transpose()?,
            count,
            split,
        })
    }

    /// Takes another order in its place, if that is of the same split, as long, and with crops if this one has them; false if not.
    ///
    /// # Errors
    /// As for [`KeptOrder::new`].
    pub(crate) fn replace(
        &mut self,
        split: &Rc<KeptSplit>,
        samples: &[u32],
        crops: &[Crop],
    ) -> Result<bool, Error> {
        let has_place = self.count == samples.len() && self.crops.is_none() == crops.is_empty();
        if !has_place || !Rc::ptr_eq(&self.split, split) {
            return Ok(false);
        }
        let (samples, crops) = numbers(split, samples, crops)?;
        self.samples.f_copy_(&samples)?;
        if let (Some(kept), Some(crops)) = (&mut self.crops, crops) {
            kept.f_copy_(&crops)?;
        }
        Ok(true)
    }

    /// The samples at `places` of this order.
    ///
    /// # Errors
    /// There are no such places.
    pub(crate) fn at(&self, places: Places) -> Result<KeptSamples<'_>, Error> {
        check(places, self.count)?;
        Ok(KeptSamples {
            split: &self.split,
            order: Some(self),
            places,
        })
    }
}

/// The numbers of an order's samples of `split`, and of its crops if it has any, in main memory.
fn numbers(
    split: &KeptSplit,
    samples: &[u32],
    crops: &[Crop],
) -> Result<(Tensor, Option<Tensor>), Error> {
    let refused = |message| Err(Error::new(ErrorCode::SHAPE, message));
    if let Some(sample) = samples.iter().find(|&&it| it as usize >= split.samples) {
        let of_split = split.samples;
        return refused(format!(
            "an epoch has sample {sample} of a split of {of_split}"
        ));
    }
    if !crops.is_empty() && crops.len() != samples.len() {
        let (crops, samples) = (crops.len(), samples.len());
        return refused(format!("an epoch has {crops} crops for {samples} samples"));
    }
    let bits: Vec<_> = samples.iter().map(|it| it.cast_signed()).collect();
    let of_crops = crops.iter().flat_map(|it| [it.rows, it.columns, it.flip]);
    let of_crops: Vec<_> = of_crops.collect();
    let of_crops = (!crops.is_empty()).then(|| Tensor::f_from_slice(&of_crops));
    Ok((Tensor::f_from_slice(&bits)?, of_crops.transpose()?))
}

fn check(places: Places, count: usize) -> Result<(), Error> {
    let end = u64::from(places.first) + u64::from(places.count);
    if places.count > 0 && end <= count as u64 {
        return Ok(());
    }
    let message = format!(
        "samples {} to {end} were asked for, of {count}",
        places.first
    );
    Err(Error::new(ErrorCode::SHAPE, message))
}

impl KeptSamples<'_> {
    /// B.
    pub(crate) fn count(self) -> i64 {
        self.places.count.into()
    }

    /// The place of the first.
    pub(crate) fn first(self) -> i64 {
        self.places.first.into()
    }

    /// Writes the images into `out`, contiguous and (units, B); `interleaved` as the kernel has it.
    ///
    /// # Errors
    /// Another shape.
    pub(crate) fn write_images(self, out: &Tensor, interleaved: bool) -> Result<(), Error> {
        let KeptSplit { card, image, .. } = self.split;
        let out = self.place(out, image.iter().product())?;
        let crops = self.order.and_then(|order| order.crops.as_ref());
        let [channels, height, width] = image.map(Argument::count);
        let arguments = [
            out.into(),
            Argument::of(&self.split.pixels),
            Argument::of(&self.split.levels),
            self.order(),
            crops.map_or(Argument::NULL, Argument::of),
            Count::of_sample(self.places.first).argument(),
            Argument::I64(self.count()),
            channels,
            height,
            width,
            Argument::I32(interleaved.into()),
        ];
        // SAFETY: the places were found in the order or the split, and the samples of the order in the split, with a crop
        // for each; there are pixels, labels and levels for every sample and channel; `place` measured `out`.
        unsafe { card.each(Kernel::TakeImages, out.len(), arguments) }
    }

    /// Writes the labels into `out`, contiguous and (classes, B), as columns of zeros and a one.
    ///
    /// # Errors
    /// Another shape.
    pub(crate) fn write_labels(self, out: &Tensor) -> Result<(), Error> {
        let classes = out.size().first().map_or(0, |&classes| classes as usize);
        let out = self.place(out, classes)?;
        let arguments = [
            out.into(),
            Argument::of(&self.split.labels),
            self.order(),
            Count::of_sample(self.places.first).argument(),
            Argument::I64(self.count()),
            Argument::count(classes),
        ];
        // SAFETY: as for `write_images`.
        unsafe {
            self.split
                .card
                .each(Kernel::TakeLabels, out.len(), arguments)
        }
    }

    fn order(self) -> Argument {
        self.order
            .map_or(Argument::NULL, |order| Argument::of(&order.samples))
    }

    /// The elements of `out`, on this card and contiguous, if it has as many for each sample.
    fn place(self, out: &Tensor, of_sample: usize) -> Result<Elements<'_>, Error> {
        let expected = of_sample * self.places.count as usize;
        if !self.split.card.holds(out) || !out.is_contiguous() || out.numel() != expected {
            let message = format!(
                "a tensor of shape {:?} was to take {expected} values",
                out.size()
            );
            return Err(Error::new(ErrorCode::SHAPE, message));
        }
        Ok(elements(out))
    }
}
