//! A split that a learner keeps, and batches from it in plain loops.

use assay_abi::{
    Batch, Batches, Crop, EpochOrder, ErrorCode, PIXEL_VALUES, PlaceSource, Places, PluginError,
    StoredSplit, TensorView,
};

use crate::defect::Defect;

/// A copy of a split that was lent.
pub(crate) struct Kept {
    image: [usize; 3],
    levels: Vec<f32>,
    pixels: Vec<u8>,
    labels: Vec<i64>,
}

impl Kept {
    pub(crate) fn new(split: &StoredSplit<'_>) -> Result<Self, PluginError> {
        split.samples()?;
        let parts = split.parts.iter();
        Ok(Self {
            image: [split.channels, split.height, split.width].map(|size| size as usize),
            levels: split.levels.to_vec(),
            pixels: parts
                .clone()
                .flat_map(|part| part.pixels.to_vec())
                .collect(),
            labels: parts.flat_map(|part| part.labels.to_vec()).collect(),
        })
    }

    /// The inputs and labels of samples, each with its crop.
    fn gather(&self, samples: impl Iterator<Item = (usize, Crop)>) -> (Vec<f32>, Vec<i64>) {
        let [channels, height, width] = self.image;
        let (mut inputs, mut labels) = (Vec::new(), Vec::new());
        for (sample, crop) in samples {
            labels.push(self.labels[sample]);
            for at in 0..channels * height * width {
                let (mut y, mut x) = (at / width % height, at % width);
                match crop.flip {
                    Crop::LEFT_RIGHT => x = width - 1 - x,
                    Crop::TOP_BOTTOM => y = height - 1 - y,
                    _ => {}
                }
                let channel = at / width / height;
                let y = y.checked_add_signed(crop.rows as isize);
                let x = x.checked_add_signed(crop.columns as isize);
                let place = y.zip(x).filter(|&(y, x)| y < height && x < width);
                let pixel = place.map_or(0, |(y, x)| {
                    self.pixels[((sample * channels + channel) * height + y) * width + x]
                });
                inputs.push(self.levels[channel * PIXEL_VALUES + usize::from(pixel)]);
            }
        }
        (inputs, labels)
    }

    /// The inputs of the samples at `places`, with their shape.
    pub(crate) fn inputs(&self, places: Places) -> (Vec<f32>, [i64; 4]) {
        let first = places.first as usize;
        let samples = (first..first + places.count as usize).map(|it| (it, Crop::default()));
        let [channels, height, width] = self.image.map(|size| size as i64);
        (
            self.gather(samples).0,
            [places.count.into(), channels, height, width],
        )
    }
}

/// The batches of an epoch.
pub(crate) struct KeptBatches<'a, 'b> {
    kept: &'a Kept,
    order: &'a EpochOrder<'a>,
    places: &'a mut PlaceSource<'b>,
    defect: Defect,
    inputs: Vec<f32>,
    labels: Vec<i64>,
    shape: [i64; 4],
    strides: Vec<i64>,
}

impl<'a, 'b> KeptBatches<'a, 'b> {
    pub(crate) fn new(
        kept: &'a Kept,
        order: &'a EpochOrder<'a>,
        places: &'a mut PlaceSource<'b>,
        defect: Defect,
    ) -> Self {
        Self {
            kept,
            order,
            places,
            defect,
            inputs: Vec::new(),
            labels: Vec::new(),
            shape: [0; 4],
            strides: Vec::new(),
        }
    }
}

impl Batches for KeptBatches<'_, '_> {
    fn next_batch(&mut self) -> Result<Option<Batch<'_>>, PluginError> {
        let Some(places) = self.places.next_places()? else {
            return Ok(None);
        };
        let at = places.first as usize..(places.first + places.count) as usize;
        let samples = at.map(|place| {
            let sample = if self.defect == Defect::IgnoresOrder {
                place
            } else {
                self.order.samples[place] as usize
            };
            let crop = self.order.crops.get(place).copied();
            (sample, crop.unwrap_or_default())
        });
        (self.inputs, self.labels) = self.kept.gather(samples);
        let [channels, height, width] = self.kept.image.map(|size| size as i64);
        self.shape = [places.count.into(), channels, height, width];
        self.strides = TensorView::contiguous_strides(&self.shape);
        let unfit = |error| PluginError::from_error(ErrorCode::SHAPE, &error);
        Ok(Some(Batch {
            inputs: TensorView::f32(&self.inputs, &self.shape, &self.strides).map_err(unfit)?,
            labels: TensorView::i64(&self.labels, &self.shape[..1], &[1]).map_err(unfit)?,
        }))
    }
}
