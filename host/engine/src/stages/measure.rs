//! Loss and errors from a learner's outputs, computed by the host, so that no plugin grades itself.

use std::cmp::Ordering;

use assay_abi::{LearnerHandle, Places, TensorView};
use assay_data::table::ImageTable;
use assay_network::{Network, Task};
use assay_report::{ERROR, RECONSTRUCTION_ERROR};

use super::answers::OutputBuffer;
use super::train::batch_shape;
use super::{Context, Phase, StageError, data};

/// The most samples in one call of `predict`.
const MOST_SAMPLES: usize = 1000;
/// The most values in one call of `predict`: as many samples of CIFAR's size, fewer of larger
/// ones, whose activations would fill the memory.
const MOST_VALUES: usize = MOST_SAMPLES * 3 * 32 * 32;

/// The samples whose reconstructions are kept: enough to look at.
const RECONSTRUCTIONS: usize = 10;

/// Samples of `size` values in one call of `predict`. A function of nothing else: it can change
/// the last bits of the logits.
fn batch_size(size: usize) -> usize {
    (MOST_VALUES / size.max(1)).clamp(1, MOST_SAMPLES)
}

/// Measurements from one pass over a split.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Measurement {
    /// The mean task loss: cross-entropy in nats, or the squared error of a reconstruction.
    pub(super) loss: f64,
    /// The errors by the name of their metric; the one that chooses the best epoch comes first.
    pub(super) errors: Vec<(String, f64)>,
    /// The prediction for each sample of a classification, where they are wanted.
    pub(super) predictions: Vec<Prediction>,
    /// The outputs for the first samples of a reconstruction, where they are wanted.
    pub(super) reconstructions: Vec<Vec<f32>>,
}

/// The prediction for one sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prediction {
    pub(super) label: u32,
    /// The class with the largest logit, of equal ones the first.
    pub(super) predicted: u32,
    /// Its softmax output, from 0 for 0 to 255 for 1.
    pub(super) confidence: u8,
}

/// The wanted measurements.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'k> {
    /// Of a classification, the error in which a sample counts as right if its class is among the k
    /// largest logits, for each of these k.
    pub(super) top_k: &'k [u32],
    /// Whether the prediction for each sample is kept, or the outputs for the first [`RECONSTRUCTIONS`] of a
    /// reconstruction.
    pub(super) predictions: bool,
}

impl Measurement {
    /// The error that the best epoch is chosen by; NaN where there is none.
    pub(super) fn error(&self) -> f64 {
        self.errors.first().map_or(f64::NAN, |(_, error)| *error)
    }
}

/// The samples that are measured on.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) table: &'a ImageTable,
    /// The number of the table's split, where the learner keeps it.
    pub(super) kept: Option<u32>,
}

impl<'a> From<&'a ImageTable> for Source<'a> {
    fn from(table: &'a ImageTable) -> Self {
        Self { table, kept: None }
    }
}

/// Sums over samples.
enum Tally<'k> {
    Classification {
        wanted: Wanted<'k>,
        loss: f64,
        wrong: Vec<u64>,
        samples: u64,
        predictions: Vec<Prediction>,
    },
    Reconstruction {
        squared_distance: f64,
        samples: u64,
        /// How many outputs are still to be kept.
        wanted: usize,
        reconstructions: Vec<Vec<f32>>,
    },
}

/// Measures the outputs of the learner of `network` on every sample of a table, in order.
///
/// A classification has the errors that are wanted, in their order; a reconstruction has the squared distance from its input, which is also its loss.
pub(super) fn measure(
    context: &Context,
    learner: &mut LearnerHandle,
    network: &Network,
    Source { table, kept }: Source<'_>,
    wanted: Wanted<'_>,
    phase: &Phase,
) -> Result<Measurement, StageError> {
    let (count, width) = (table.len() as usize, network.outputs());
    let sample = table.shape().pixels();
    let batch = batch_size(sample);
    let mut images = vec![0.0; batch * sample];
    let mut labels = vec![0; batch];
    let mut outputs = OutputBuffer::new(batch * width);
    let mut tally = Tally::new(network.task(), wanted);
    let mut indices = Vec::with_capacity(batch);
    for start in (0..count).step_by(batch) {
        context.check_cancelled()?;
        let size = batch.min(count - start);
        indices.clear();
        indices.extend(start as u32..(start + size) as u32);
        let (images, labels) = (&mut images[..size * sample], &mut labels[..size]);
        // Only a reconstruction is compared with its image.
        if kept.is_some() && network.task() == Task::Classification {
            table.gather_labels(&indices, labels).map_err(data)?;
        } else {
            table.gather(&indices, images, labels).map_err(data)?;
        }
        let blank = outputs.blank(size * width);
        let predicted = if let Some(split) = kept {
            let (first, count) = (start as u32, size as u32);
            learner.predict_resident(split, Places { first, count }, blank)
        } else {
            let shape = batch_shape(size, table);
            let strides = TensorView::contiguous_strides(&shape);
            let inputs = TensorView::f32(images, &shape, &strides).map_err(data)?;
            learner.predict(inputs, blank)
        };
        predicted
            .map_err(|error| context.plugin_error(&format!("predict ({})", phase.name), error))?;
        let outputs = outputs
            .written(size * width)
            .map_err(|fault| context.bad_answer(format!("{fault} ({})", phase.name)))?;
        let samples = images.chunks_exact(sample).zip(&*labels);
        for (output, (image, &label)) in outputs.chunks_exact(width).zip(samples) {
            tally.add(output, image, label as usize);
        }
        phase.report(context, start + size, count);
    }
    Ok(tally.finish())
}

impl<'k> Tally<'k> {
    fn new(task: Task, wanted: Wanted<'k>) -> Self {
        match task {
            Task::Classification => Self::Classification {
                loss: 0.0,
                wrong: vec![0; wanted.top_k.len()],
                samples: 0,
                predictions: Vec::new(),
                wanted,
            },
            Task::Reconstruction => Self::Reconstruction {
                squared_distance: 0.0,
                samples: 0,
                wanted: if wanted.predictions {
                    RECONSTRUCTIONS
                } else {
                    0
                },
                reconstructions: Vec::new(),
            },
        }
    }

    fn add(&mut self, output: &[f32], image: &[f32], label: usize) {
        match self {
            Self::Classification {
                wanted,
                loss,
                wrong,
                samples,
                predictions,
            } => {
                *samples += 1;
                let Some(&own) = output.get(label) else {
                    *loss = f64::NAN;
                    return;
                };
                *loss += cross_entropy(output, own);
                let rank = rank(output, label, own);
                for (wrong, &k) in wrong.iter_mut().zip(wanted.top_k) {
                    *wrong += u64::from(rank >= k as usize);
                }
                if wanted.predictions {
                    predictions.push(prediction(output, label));
                }
            }
            Self::Reconstruction {
                squared_distance: sum,
                samples,
                wanted,
                reconstructions,
            } => {
                *samples += 1;
                *sum += squared_distance(output, image);
                if *wanted > 0 {
                    *wanted -= 1;
                    reconstructions.push(output.to_vec());
                }
            }
        }
    }

    fn finish(self) -> Measurement {
        match self {
            Self::Classification {
                wanted,
                loss,
                wrong,
                samples,
                predictions,
            } => {
                let samples = samples.max(1) as f64;
                let percent = |wrong: u64| 100.0 * wrong as f64 / samples;
                let names = wanted.top_k.iter().map(|&k| error_name(k));
                Measurement {
                    loss: loss / samples,
                    errors: names.zip(wrong.into_iter().map(percent)).collect(),
                    predictions,
                    reconstructions: Vec::new(),
                }
            }
            Self::Reconstruction {
                squared_distance,
                samples,
                reconstructions,
                ..
            } => {
                let mean = squared_distance / samples.max(1) as f64;
                Measurement {
                    loss: mean,
                    errors: vec![(RECONSTRUCTION_ERROR.to_owned(), mean)],
                    predictions: Vec::new(),
                    reconstructions,
                }
            }
        }
    }
}

/// The prediction from finite logits.
fn prediction(logits: &[f32], label: usize) -> Prediction {
    let mut largest = (0, f32::NEG_INFINITY);
    for (class, &logit) in logits.iter().enumerate() {
        if logit > largest.1 {
            largest = (class, logit);
        }
    }
    let share = (-cross_entropy(logits, largest.1)).exp();
    Prediction {
        label: label as u32,
        predicted: largest.0 as u32,
        confidence: (255.0 * share).round() as u8,
    }
}

fn error_name(k: u32) -> String {
    if k == 1 {
        ERROR.to_owned()
    } else {
        format!("top_{k}_error")
    }
}

/// `‖h_L − x‖²`
fn squared_distance(output: &[f32], image: &[f32]) -> f64 {
    let pairs = output.iter().zip(image);
    pairs
        .map(|(&y, &x)| (f64::from(y) - f64::from(x)).powi(2))
        .sum()
}

/// `-log softmax(logits)[label]`, shifted by the largest logit so that nothing overflows.
fn cross_entropy(logits: &[f32], own: f32) -> f64 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits
        .iter()
        .map(|&logit| (f64::from(logit) - f64::from(largest)).exp())
        .sum();
    sum.ln() + f64::from(largest) - f64::from(own)
}

/// How many classes come before `label` when sorted by logit, ties by index. A logit that is
/// not a number comes last, so that a diverged network is wrong and not right.
fn rank(logits: &[f32], label: usize, own: f32) -> usize {
    if own.is_nan() {
        return logits.len();
    }
    let before = |&(index, logit): &(usize, &f32)| match logit.partial_cmp(&own) {
        Some(Ordering::Greater) => true,
        Some(Ordering::Equal) => index < label,
        Some(Ordering::Less) | None => false,
    };
    logits.iter().enumerate().filter(before).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(top_k: &[u32], samples: &[(&[f32], usize)]) -> Measurement {
        let wanted = Wanted {
            top_k,
            predictions: true,
        };
        let mut tally = Tally::new(Task::Classification, wanted);
        for (logits, label) in samples {
            tally.add(logits, &[], *label);
        }
        tally.finish()
    }

    fn values(measured: &Measurement) -> Vec<f64> {
        measured.errors.iter().map(|(_, value)| *value).collect()
    }

    #[test]
    fn equal_logits_cost_log_of_the_class_count() {
        let measured = tally(&[1], &[(&[3.0; 8], 0)]);
        assert!((measured.loss - 8_f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn huge_logits_do_not_overflow() {
        let measured = tally(&[1], &[(&[1e30, 0.0], 0), (&[1e30, 0.0], 1)]);
        assert!((measured.loss - f64::from(1e30_f32) / 2.0).abs() < 1e15);
        assert_eq!(values(&measured), [50.0]);
    }

    #[test]
    fn a_sample_is_right_if_its_class_is_among_the_k_largest() {
        let logits: &[f32] = &[0.1, 0.4, 0.3, 0.2];
        let samples = [(logits, 1), (logits, 2), (logits, 3), (logits, 0)];
        let measured = tally(&[1, 2, 3, 4], &samples);
        assert_eq!(values(&measured), [75.0, 50.0, 25.0, 0.0]);
        let names: Vec<_> = measured.errors.iter().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            ["error", "top_2_error", "top_3_error", "top_4_error"]
        );
    }

    #[test]
    fn a_prediction_is_the_first_largest_class_with_its_share() {
        let third: &[f32] = &[1.0, 2.0, 2.0, f32::MIN];
        let sure: &[f32] = &[0.0, 90.0, 0.0, 0.0];
        let measured = tally(&[1], &[(third, 2), (sure, 1)]);
        let share = 255.0 / (2.0 + (-1.0_f64).exp());
        let expected = [(2, 1, share.round() as u8), (1, 1, 255)];
        let found = measured.predictions.iter();
        let found: Vec<_> = found
            .map(|it| (it.label, it.predicted, it.confidence))
            .collect();
        assert_eq!(found, expected);
        let wrong = found.iter().filter(|(label, class, _)| label != class);
        assert_eq!(values(&measured), [100.0 * wrong.count() as f64 / 2.0]);
    }

    #[test]
    fn ties_go_to_the_first_class_and_nan_is_never_right() {
        let ties: &[f32] = &[1.0, 1.0];
        assert_eq!(values(&tally(&[1], &[(ties, 0), (ties, 1)])), [50.0]);
        let nan: &[f32] = &[f32::NAN, f32::NAN];
        let measured = tally(&[1, 2], &[(nan, 0)]);
        assert_eq!(values(&measured), [100.0, 100.0]);
        assert!(measured.loss.is_nan());
    }

    #[test]
    fn a_reconstruction_is_off_by_the_mean_squared_distance() {
        let wanted = Wanted {
            top_k: &[1],
            predictions: true,
        };
        let mut tally = Tally::new(Task::Reconstruction, wanted);
        tally.add(&[0.5, -1.0], &[0.0, 1.0], 0);
        tally.add(&[1.0, 1.0], &[1.0, 0.5], 99);
        let measured = tally.finish();
        let expected = f64::midpoint(4.25, 0.25);
        assert_eq!(
            measured.errors,
            [("reconstruction_error".to_owned(), expected)]
        );
        assert_eq!((measured.loss, measured.error()), (expected, expected));
    }
}
