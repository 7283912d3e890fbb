//! `cancels`: a request to stop is obeyed.

use crate::check::{Body, Check, Evidence, failed};
use crate::samples::Samples;
use crate::subject::{Subject, check_readable};

pub(super) const CHECK: Check = Check {
    name: "cancels",
    promise: "When the host asks to stop instead of serving a batch, the epoch ends with the code \
              CANCELLED and without asking for another batch; afterwards the learner trains again, \
              or says that it does not.",
    why: "Ctrl-C must not wait for the end of an epoch, nor look like a failure.",
    body: Body::Algorithm(run),
};

fn run(subject: &Subject<'_>) -> Evidence {
    let network = subject.network()?;
    let batches = Samples::random(&network, 40, subject.seed).batches(8);
    let passes = subject
        .learner(&network)?
        .train(1, &batches)?
        .conduct
        .passes;
    let mut seen = "it stopped, and trained again";
    for cancel_at in 0..passes * batches.len() {
        let mut learner = subject.learner(&network)?;
        let (trained, result) = learner.try_train(1, &batches, Some(cancel_at));
        match result {
            Ok(()) => {
                return failed(format!(
                    "told to stop after {cancel_at} batches, it ended as if all was done"
                ));
            }
            Err(error) if !error.is_cancelled() => {
                return failed(format!(
                    "told to stop after {cancel_at} batches, it reported another failure: {error}"
                ));
            }
            Err(_) => {}
        }
        if trained.conduct.asked_on > 0 {
            return failed(format!(
                "told to stop after {cancel_at} batches, it asked for another {} times",
                trained.conduct.asked_on
            ));
        }
        if let (_, Err(error)) = learner.try_train(1, &batches, None) {
            check_readable("to train again after it was stopped", &error)?;
            seen = "it stopped, and says that it does not go on";
        }
    }
    Ok(seen.to_owned())
}
