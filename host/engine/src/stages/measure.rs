//! Loss and errors from logits, computed by the host, so that no plugin grades itself.

use std::cmp::Ordering;

use assay_abi::{LearnerHandle, TensorView};
use assay_data::table::ImageTable;

use super::samples::batch_shape;
use super::{Context, Phase, StageError, data};

/// The most samples in one call of `predict`.
const MOST_SAMPLES: usize = 1000;
/// The most values in one call of `predict`: as many samples of CIFAR's size, fewer of larger
/// ones, whose activations would fill the memory.
const MOST_VALUES: usize = MOST_SAMPLES * 3 * 32 * 32;

/// Samples of `size` values in one call of `predict`. A function of nothing else: it can change
/// the last bits of the logits.
fn batch_size(size: usize) -> usize {
    (MOST_VALUES / size.max(1)).clamp(1, MOST_SAMPLES)
}

/// What one pass over a split measures.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Measurement {
    /// Mean cross-entropy in nats.
    pub(super) loss: f64,
    /// For each `k` asked for: samples whose class is not among the `k` largest logits, in
    /// percent.
    pub(super) top_k_errors: Vec<f64>,
}

/// Sums over samples.
struct Tally<'k> {
    top_k: &'k [u32],
    loss: f64,
    wrong: Vec<u64>,
    samples: u64,
}

/// Measures the learner's outputs on every sample of `table`, in order.
pub(super) fn measure(
    context: &Context,
    learner: &mut LearnerHandle,
    table: &ImageTable,
    top_k: &[u32],
    phase: &Phase,
) -> Result<Measurement, StageError> {
    let (count, classes) = (table.len() as usize, table.classes() as usize);
    let sample = table.shape().pixels();
    let batch = batch_size(sample);
    let mut images = vec![0.0; batch * sample];
    let mut labels = vec![0; batch];
    let mut logits = vec![0.0; batch * classes];
    let mut tally = Tally {
        top_k,
        loss: 0.0,
        wrong: vec![0; top_k.len()],
        samples: 0,
    };
    let mut indices = Vec::with_capacity(batch);
    for start in (0..count).step_by(batch) {
        context.check_cancelled()?;
        let size = batch.min(count - start);
        indices.clear();
        indices.extend(start as u32..(start + size) as u32);
        let (images, labels) = (&mut images[..size * sample], &mut labels[..size]);
        table.gather(&indices, images, labels).map_err(data)?;
        let shape = batch_shape(size, table);
        let strides = TensorView::contiguous_strides(&shape);
        let inputs = TensorView::f32(images, &shape, &strides).map_err(data)?;
        let logits = &mut logits[..size * classes];
        learner
            .predict(inputs, logits)
            .map_err(|error| StageError::plugin("predict", error))?;
        for (logits, &label) in logits.chunks_exact(classes).zip(&*labels) {
            tally.add(logits, label as usize);
        }
        phase.report(context, start + size, count);
    }
    Ok(tally.finish())
}

impl Tally<'_> {
    fn add(&mut self, logits: &[f32], label: usize) {
        self.samples += 1;
        let Some(&own) = logits.get(label) else {
            self.loss = f64::NAN;
            return;
        };
        self.loss += cross_entropy(logits, own);
        let rank = rank(logits, label, own);
        for (wrong, &k) in self.wrong.iter_mut().zip(self.top_k) {
            *wrong += u64::from(rank >= k as usize);
        }
    }

    fn finish(self) -> Measurement {
        let samples = self.samples.max(1) as f64;
        Measurement {
            loss: self.loss / samples,
            top_k_errors: self
                .wrong
                .iter()
                .map(|&wrong| 100.0 * wrong as f64 / samples)
                .collect(),
        }
    }
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
        let mut tally = Tally {
            top_k,
            loss: 0.0,
            wrong: vec![0; top_k.len()],
            samples: 0,
        };
        for (logits, label) in samples {
            tally.add(logits, *label);
        }
        tally.finish()
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
        assert_eq!(measured.top_k_errors, [50.0]);
    }

    #[test]
    fn a_sample_is_right_if_its_class_is_among_the_k_largest() {
        let logits: &[f32] = &[0.1, 0.4, 0.3, 0.2];
        let samples = [(logits, 1), (logits, 2), (logits, 3), (logits, 0)];
        assert_eq!(
            tally(&[1, 2, 3, 4], &samples).top_k_errors,
            [75.0, 50.0, 25.0, 0.0]
        );
    }

    #[test]
    fn ties_go_to_the_first_class_and_nan_is_never_right() {
        let ties: &[f32] = &[1.0, 1.0];
        assert_eq!(tally(&[1], &[(ties, 0), (ties, 1)]).top_k_errors, [50.0]);
        let nan: &[f32] = &[f32::NAN, f32::NAN];
        let measured = tally(&[1, 2], &[(nan, 0)]);
        assert_eq!(measured.top_k_errors, [100.0, 100.0]);
        assert!(measured.loss.is_nan());
    }
}
