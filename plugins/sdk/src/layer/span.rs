//! The inputs that the taps of a kernel meet along one axis, with the zero padding cut away.
//!
//! Every product leaves out the terms that padding would multiply: at the borders of the paper's
//! networks that saves up to a quarter of a layer's work, and no padded copy of an activation has
//! to exist.

use std::ops::Range;

/// Neighbouring output positions that see the same taps of the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// The output positions.
    pub(super) outputs: Range<i64>,
    /// The taps that meet an input.
    pub(super) taps: Range<i64>,
    /// The input that the first of these taps meets from the first of these outputs.
    pub(super) input: i64,
}

impl Span {
    /// The number of output positions.
    pub(super) fn len(&self) -> i64 {
        self.outputs.end - self.outputs.start
    }

    /// The number of taps that each of them sees.
    pub(super) fn width(&self) -> i64 {
        self.taps.end - self.taps.start
    }
}

/// One span for each of the ceil(`inputs` / `stride`) output positions of an axis, for an odd
/// `kernel` and padding `kernel / 2`.
pub(super) fn positions(inputs: i64, kernel: i64, stride: i64) -> Vec<Span> {
    let outputs = (inputs + stride - 1) / stride;
    (0..outputs)
        .map(|output| {
            // Where tap 0 lies. The middle tap always meets an input, so no range is empty.
            let start = output * stride - kernel / 2;
            Span {
                outputs: output..output + 1,
                taps: (-start).max(0)..(inputs - start).min(kernel),
                input: start.max(0),
            }
        })
        .collect()
}

/// The same outputs, neighbours with the same taps put together.
pub(super) fn merged(positions: &[Span]) -> Vec<Span> {
    positions
        .chunk_by(|a, b| a.taps == b.taps)
        .filter_map(|group| {
            let (first, last) = (group.first()?, group.last()?);
            Some(Span {
                outputs: first.outputs.start..last.outputs.end,
                ..first.clone()
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn span(outputs: Range<i64>, taps: Range<i64>, input: i64) -> Span {
        Span {
            outputs,
            taps,
            input,
        }
    }

    #[test]
    fn the_papers_second_cifar_layer_has_one_interior_and_two_borders() {
        assert_eq!(
            merged(&positions(16, 5, 2)),
            [
                span(0..1, 2..5, 0),
                span(1..7, 0..5, 0),
                span(7..8, 0..4, 12)
            ]
        );
    }

    proptest! {
        #[test]
        fn spans_hold_exactly_the_taps_that_meet_an_input(
            inputs in 1..40_i64,
            half in 0..6_i64,
            stride in 1..6_i64,
        ) {
            let kernel = 2 * half + 1;
            let mut found = Vec::new();
            for span in merged(&positions(inputs, kernel, stride)) {
                prop_assert!(span.len() > 0 && span.width() > 0);
                for (step, output) in span.outputs.clone().enumerate() {
                    for (along, tap) in span.taps.clone().enumerate() {
                        let input = span.input + step as i64 * stride + along as i64;
                        found.push((output, tap, input));
                    }
                }
            }
            let mut expected = Vec::new();
            for output in 0..inputs.unsigned_abs().div_ceil(stride.unsigned_abs()) as i64 {
                for tap in 0..kernel {
                    let input = output * stride + tap - half;
                    if (0..inputs).contains(&input) {
                        expected.push((output, tap, input));
                    }
                }
            }
            prop_assert_eq!(found, expected);
        }
    }
}
