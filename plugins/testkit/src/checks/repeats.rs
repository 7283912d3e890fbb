//! `repeats` and `seeds`: a training is a function of what decides it, and the seed is part of that.

use crate::check::{Body, Check, Evidence, failed};
use crate::samples::Samples;
use crate::subject::Subject;
use crate::tensors::same_bits;

pub(super) const REPEATS: Check = Check {
    name: "repeats",
    promise: "Two learners of the same seed, trained on the same batches, have the same state and \
              the same predictions, bit for bit, even where their trainings are interleaved.",
    why: "A result is known by what decides it, and anybody has to be able to make it again.",
    body: Body::Algorithm(repeats),
};

pub(super) const SEEDS: Check = Check {
    name: "seeds",
    promise: "Learners of different seeds predict differently, before training and after.",
    why: "The spread over seeds is the error bar of every comparison; without it, there is none.",
    body: Body::Algorithm(seeds),
};

fn repeats(subject: &Subject<'_>) -> Evidence {
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
    if same_bits(&one, &two) {
        return Ok("two trainings gave the same bytes".to_owned());
    }
    failed("the same seed and batches gave the same state, but other predictions")
}

fn seeds(subject: &Subject<'_>) -> Evidence {
    let network = subject.network()?;
    let samples = Samples::random(&network, 20, subject.seed);
    let mut one = subject.learner(&network)?;
    let mut other = subject.seeded(&network, subject.seed.wrapping_add(1))?;
    if one.predict(&samples)? == other.predict(&samples)? {
        return failed("two seeds gave the same predictions before training");
    }
    for learner in [&mut one, &mut other] {
        learner.train(1, &samples.batches(8))?;
    }
    if one.predict(&samples)? == other.predict(&samples)? {
        return failed("two seeds gave the same predictions after training");
    }
    Ok("another seed gave other predictions".to_owned())
}
