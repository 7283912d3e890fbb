//! `resident`: a learner that keeps a split trains on it, and predicts for it, as on batches.

use std::ops::Range;

use assay_abi::{
    BatchPlaces, Crop, EpochOrder, MetricSink, PIXEL_VALUES, PlaceSource, Places, PluginError,
    StoredSamples, StoredSplit,
};
use assay_network::{Network, Task};

use crate::check::{Body, Check, Evidence, Problem, failed, skipped};
use crate::host::Recorder;
use crate::networks::candidates;
use crate::random::Random;
use crate::samples::Samples;
use crate::subject::{Subject, unexpected};
use crate::tensors::same_bits;

pub(super) const CHECK: Check = Check {
    name: "resident",
    promise: "A learner that keeps a split (`resident/1`) gives the same states, predictions and metrics, bit for \
              bit, whether it is told the order and the crops of an epoch or served its batches.",
    why: "The host sends no images to a learner that keeps them, and no result says which way they came.",
    body: Body::Algorithm(run),
};

/// Enough for some batches of one size and a smaller one.
const SAMPLES: usize = 60;
const BATCH: usize = 11;
/// The number that the split is lent under.
const NUMBER: u32 = 7;

fn run(subject: &Subject<'_>) -> Evidence {
    let mut kept = 0;
    for (_, network) in candidates() {
        kept += usize::from(agrees(subject, &network)?);
    }
    match kept {
        0 => skipped(format!("it keeps no split on `{}`", subject.device)),
        kept => Ok(format!("{kept} networks were trained both ways")),
    }
}

/// Trains `network` on a split that the learner keeps and on batches of the same numbers; false if it keeps none, or
/// cannot train the network.
pub(super) fn agrees(subject: &Subject<'_>, network: &Network) -> Result<bool, Problem> {
    let create = || subject.create(network, &subject.default_text(), subject.seed);
    let (Ok(mut served), Ok(mut keeping)) = (create(), create()) else {
        return Ok(false);
    };
    let split = Split::random(network, subject.seed);
    let labels = &split.labels;
    // In two parts, as a large dataset has them.
    let (pixels, rest) = split.pixels.split_at(9 * split.size());
    let parts = [
        StoredSamples::new(pixels, &labels[..9]),
        StoredSamples::new(rest, &labels[9..]),
    ];
    let [channels, height, width] = split.input.map(|size| size as u32);
    let stored = StoredSplit::new([channels, height, width], &split.levels, &parts);
    let lent = keeping.handle().lend(NUMBER, &stored);
    if !lent.map_err(|error| unexpected("to take a split", &error))? {
        return Ok(false);
    }
    let mut random = Random::new(subject.seed ^ 1);
    for epoch in 1..=2 {
        let order: Vec<_> = (0..SAMPLES).map(|_| random.below(SAMPLES) as u32).collect();
        // None in the first epoch; then every flip, and images that are moved out of sight.
        let crops: Vec<_> = (0..SAMPLES * (epoch as usize - 1))
            .map(|_| Crop {
                rows: random.below(5) as i32 - 2,
                columns: random.below(13) as i32 - 6,
                flip: random.below(3) as i32,
            })
            .collect();
        let expected = served.train(epoch, &split.batches(&order, &crops))?;
        let mut metrics = Recorder::default();
        keeping
            .handle()
            .train_resident(
                epoch,
                &EpochOrder::new(NUMBER, &order, &crops),
                &mut PlaceSource::new(&mut Epoch::default()),
                &mut MetricSink::new(&mut metrics),
            )
            .map_err(|error| unexpected("to train on a split that it keeps", &error))?;
        if metrics != expected.metrics {
            return failed(format!(
                "it reports other metrics of epoch {epoch} on a split that it keeps than on batches"
            ));
        }
    }
    if served.save()? != keeping.save()? {
        return failed(
            "it has another state after training on a split that it keeps than on batches",
        );
    }
    for Range { start, end } in [0..SAMPLES, 5..18] {
        let order: Vec<_> = (start as u32..end as u32).collect();
        let expected = served.predict(&split.samples(&order, &[]))?;
        let mut outputs = vec![f32::NAN; order.len() * network.outputs()];
        let places = Places {
            first: start as u32,
            count: order.len() as u32,
        };
        let predicted = keeping
            .handle()
            .predict_resident(NUMBER, places, &mut outputs);
        predicted.map_err(|error| unexpected("to predict for a split that it keeps", &error))?;
        if !same_bits(&outputs, &expected) {
            return failed("it predicts other outputs for a split that it keeps than for a batch");
        }
    }
    Ok(true)
}

/// Serves the places of an epoch.
#[derive(Default)]
struct Epoch {
    first: usize,
}

impl BatchPlaces for Epoch {
    fn next_places(&mut self) -> Result<Option<Places>, PluginError> {
        let count = BATCH.min(SAMPLES - self.first);
        if count == 0 {
            self.first = 0;
            return Ok(None);
        }
        let first = self.first;
        self.first += count;
        let (first, count) = (first as u32, count as u32);
        Ok(Some(Places { first, count }))
    }
}

/// A split as a dataset stores it.
struct Split {
    input: [usize; 3],
    pixels: Vec<u8>,
    labels: Vec<i64>,
    levels: Vec<f32>,
}

impl Split {
    fn random(network: &Network, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let input: [usize; 3] = network.input().into();
        let values = SAMPLES * input.iter().product::<usize>();
        let label = |random: &mut Random| match network.task() {
            Task::Classification => random.below(network.outputs()) as i64,
            Task::Reconstruction => 1000,
        };
        Self {
            input,
            pixels: (0..values)
                .map(|_| random.below(PIXEL_VALUES) as u8)
                .collect(),
            labels: (0..SAMPLES).map(|_| label(&mut random)).collect(),
            levels: (0..input[0] * PIXEL_VALUES)
                .map(|_| random.symmetric())
                .collect(),
        }
    }

    /// Pixels of an image.
    fn size(&self) -> usize {
        self.input.iter().product()
    }

    /// The samples of `order` with their `crops`, if there are any.
    fn samples(&self, order: &[u32], crops: &[Crop]) -> Samples {
        let [channels, height, width] = self.input;
        let mut inputs = Vec::with_capacity(order.len() * self.size());
        for (at, &sample) in order.iter().enumerate() {
            let image = &self.pixels[sample as usize * self.size()..][..self.size()];
            let Crop {
                rows,
                columns,
                flip,
            } = crops.get(at).copied().unwrap_or_default();
            for channel in 0..channels {
                for y in 0..height {
                    for x in 0..width {
                        let y = if flip == Crop::TOP_BOTTOM {
                            height - 1 - y
                        } else {
                            y
                        };
                        let x = if flip == Crop::LEFT_RIGHT {
                            width - 1 - x
                        } else {
                            x
                        };
                        let y = y.checked_add_signed(rows as isize);
                        let x = x.checked_add_signed(columns as isize);
                        let place = y.zip(x).filter(|&(y, x)| y < height && x < width);
                        let pixel =
                            place.map_or(0, |(y, x)| image[(channel * height + y) * width + x]);
                        inputs.push(self.levels[channel * PIXEL_VALUES + usize::from(pixel)]);
                    }
                }
            }
        }
        let labels = order.iter().map(|&sample| self.labels[sample as usize]);
        Samples::new(self.input, inputs, labels.collect())
    }

    /// The batches of an epoch.
    fn batches(&self, order: &[u32], crops: &[Crop]) -> Vec<Samples> {
        self.samples(order, crops).batches(BATCH)
    }
}
