//! `seeds`: whether the seed decides anything.

use crate::check::{Body, Check, Evidence, failed};
use crate::samples::Samples;
use crate::subject::Subject;

pub(super) const CHECK: Check = Check {
    name: "seeds",
    promise: "Learners of different seeds predict differently, before training and after.",
    why: "The spread over seeds is the error bar of every comparison; without it, there is none.",
    body: Body::Algorithm(run),
};

fn run(subject: &Subject<'_>) -> Evidence {
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
