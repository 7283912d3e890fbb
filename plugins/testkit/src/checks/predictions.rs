//! `predictions`: predictions are numbers, and those of each sample alone.

use crate::check::{Body, Check, Evidence, Problem, failed};
use crate::samples::Samples;
use crate::subject::Subject;
use crate::tensors::same_bits;

pub(super) const CHECK: Check = Check {
    name: "predictions",
    promise: "Every output is written and finite, before training and after; the same samples get \
              the same bits twice, and the same outputs up to rounding however a batch is split.",
    why: "The host measures every error from predictions, in batches of its own choice.",
    body: Body::Algorithm(run),
};

/// Sums of a few dozen products may be taken in another order for another batch. Their rounding
/// errors stay far below this part of the largest output.
const ROUNDING: f32 = 1e-4;

fn run(subject: &Subject<'_>) -> Evidence {
    let network = subject.network()?;
    let mut learner = subject.learner(&network)?;
    let samples = Samples::random(&network, 33, subject.seed);
    let mut parts = 0;
    for epoch in 1..=2 {
        let whole = learner.predict(&samples)?;
        if let Some(at) = whole.iter().position(|output| !output.is_finite()) {
            let row = at / network.outputs();
            return failed(format!("an output of sample {row} is {}", whole[at]));
        }
        if !same_bits(&learner.predict(&samples)?, &whole) {
            return failed("the same samples got other outputs when they were asked for again");
        }
        for sizes in [&[1][..], &[16, 16], &[4; 8]] {
            let mut split = Vec::with_capacity(whole.len());
            for part in samples.parts(sizes) {
                split.extend(learner.predict(&part)?);
                parts += 1;
            }
            agree(&whole, &split, network.outputs())?;
        }
        learner.train(epoch, &samples.batches(11))?;
    }
    Ok(format!("33 samples agree in {parts} parts of their batch"))
}

fn agree(whole: &[f32], split: &[f32], outputs: usize) -> Result<(), Problem> {
    let largest = whole
        .iter()
        .fold(0.0_f32, |largest, output| largest.max(output.abs()));
    let differs = |(one, other): (&f32, &f32)| {
        // Not-a-number agrees with nothing.
        let close = (one - other).abs() <= ROUNDING * largest.max(1.0);
        !close
    };
    match whole.iter().zip(split).position(differs) {
        None => Ok(()),
        Some(at) => failed(format!(
            "an output of sample {} is {} in one batch and {} in another",
            at / outputs.max(1),
            whole[at],
            split[at]
        )),
    }
}
