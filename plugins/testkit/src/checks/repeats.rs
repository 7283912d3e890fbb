//! `repeats`: whether a training is a function of what decides it.

use crate::check::{Body, Check, Evidence, failed};
use crate::samples::Samples;
use crate::subject::Subject;

pub(super) const CHECK: Check = Check {
    name: "repeats",
    promise: "Two learners of the same seed, trained on the same batches, have the same state and \
              the same predictions, bit for bit, even where their trainings are interleaved.",
    why: "A result is known by what decides it, and anybody has to be able to make it again.",
    body: Body::Algorithm(run),
};

fn run(subject: &Subject<'_>) -> Evidence {
    let network = subject.network()?;
    let samples = Samples::random(&network, 44, subject.seed);
    let batches = samples.batches(8);
    let mut alone = subject.learner(&network)?;
    for epoch in 1..=2 {
        alone.train(epoch, &batches)?;
    }
    // A third one between the epochs of the second: state that learners share would show.
    let mut again = subject.learner(&network)?;
    let mut other = subject.seeded(&network, subject.seed ^ 1)?;
    for epoch in 1..=2 {
        other.train(epoch, &batches)?;
        again.train(epoch, &batches)?;
    }
    if alone.save()? != again.save()? {
        return failed("the same seed and batches gave two states");
    }
    let (one, two) = (alone.predict(&samples)?, again.predict(&samples)?);
    if one
        .iter()
        .map(|it| it.to_bits())
        .eq(two.iter().map(|it| it.to_bits()))
    {
        return Ok("two trainings gave the same bytes".to_owned());
    }
    failed("the same seed and batches gave the same state, but other predictions")
}
