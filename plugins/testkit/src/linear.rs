//! The error of a linear model on a task: softmax regression, trained here and not by a plugin, so
//! that a floor is measured on the very samples that a plugin is judged by.

use crate::samples::Samples;

/// Passes of gradient descent over all samples; the task's loss has levelled off long before.
const STEPS: usize = 300;
const STEP_SIZE: f32 = 0.5;

/// The lowest fraction of `test` that a softmax regression on `train` gets wrong after any step of
/// its training: no linear model that anybody would choose does better.
pub(crate) fn lowest_error(train: &Samples, test: &Samples, classes: usize) -> f64 {
    let inputs = train.inputs().next().map_or(0, <[f32]>::len);
    let mut model = vec![0.0; classes * (inputs + 1)];
    let mut lowest = 1.0_f64;
    for _ in 0..STEPS {
        let gradient = gradient(&model, train, classes);
        for (weight, slope) in model.iter_mut().zip(gradient) {
            *weight -= STEP_SIZE * slope;
        }
        let logits: Vec<_> = test.inputs().flat_map(|x| logits(&model, x)).collect();
        lowest = lowest.min(error(&logits, test.labels()));
    }
    lowest
}

/// The fraction of rows of `logits` whose largest is not their label.
pub(crate) fn error(logits: &[f32], labels: &[i64]) -> f64 {
    let classes = logits.len() / labels.len().max(1);
    let rows = logits.chunks_exact(classes.max(1));
    let wrong = rows.zip(labels).filter(|(row, label)| {
        let largest = (0..row.len()).max_by(|&one, &other| row[one].total_cmp(&row[other]));
        largest.is_none_or(|class| class as i64 != **label)
    });
    wrong.count() as f64 / labels.len().max(1) as f64
}

/// `w_c · x + b_c` of every class c; a row of the model is `w_c` and then `b_c`.
fn logits(model: &[f32], x: &[f32]) -> impl Iterator<Item = f32> {
    model.chunks_exact(x.len() + 1).map(move |row| {
        let products = row.iter().zip(x).map(|(weight, value)| weight * value);
        products.sum::<f32>() + row[x.len()]
    })
}

/// The gradient of the mean cross-entropy.
fn gradient(model: &[f32], samples: &Samples, classes: usize) -> Vec<f32> {
    let mut gradient = vec![0.0; model.len()];
    let share = 1.0 / samples.count().max(1) as f32;
    let mut odds = Vec::with_capacity(classes);
    for (x, &label) in samples.inputs().zip(samples.labels()) {
        odds.clear();
        odds.extend(logits(model, x));
        let largest = odds.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        for logit in &mut odds {
            *logit = (*logit - largest).exp();
        }
        let sum: f32 = odds.iter().sum();
        for (class, (row, odd)) in gradient
            .chunks_exact_mut(x.len() + 1)
            .zip(&odds)
            .enumerate()
        {
            let own = f32::from(u8::from(class as i64 == label));
            let slope = (odd / sum - own) * share;
            for (sum, value) in row.iter_mut().zip(x.iter().chain(&[1.0])) {
                *sum += slope * value;
            }
        }
    }
    gradient
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn classes_that_a_line_separates_are_told_apart() {
        let mut random = Random::new(1);
        let inputs: Vec<_> = (0..400).map(|_| random.symmetric()).collect();
        let labels = inputs
            .chunks(2)
            .map(|x| i64::from(x[0] > 0.3 * x[1]))
            .collect();
        let samples = Samples::new([1, 1, 2], inputs, labels);
        assert!(lowest_error(&samples, &samples, 2) < 0.05);
    }

    #[test]
    fn rows_with_the_largest_elsewhere_are_wrong() {
        let third = error(&[0.0, 1.0, 2.0, 1.0, 0.0, 3.0], &[1, 0, 0]);
        assert!((third - 1.0 / 3.0).abs() < 1e-12, "{third}");
    }
}
