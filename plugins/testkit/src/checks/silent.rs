//! `silent`: a plugin keeps off standard output.

use crate::check::{Body, Check, Evidence, Outcome, Verdict};
use crate::samples::Samples;
use crate::subject::Subject;

pub(super) const CHECK: Check = Check {
    name: "silent",
    promise: "Whatever is asked of a learner, nothing appears on standard output.",
    why: "Standard output belongs to the host's tables and documents; what a plugin has to say goes \
          through metrics and errors, or to standard error, which is kept as a log.",
    body: Body::Algorithm(run),
};

/// Asks everything once. What was printed, only the one who holds standard output can see, after
/// the process has ended: see [`judge_output`].
fn run(subject: &Subject<'_>) -> Evidence {
    let network = subject.network()?;
    let samples = Samples::random(&network, 20, subject.seed);
    let mut learner = subject.learner(&network)?;
    learner.train(1, &samples.batches(8))?;
    learner.predict(&samples)?;
    let state = learner.save()?;
    learner.restore(&state)?;
    // An algorithm without directions may say so; here it only has to say it quietly.
    let _ = learner.directions(&samples);
    let _ = learner.try_restore(b"no state");
    let _ = learner.try_train(2, &samples.batches(8), Some(1));
    drop(learner);
    let _ = subject.create(&network, "no settings", subject.seed);
    Ok("nothing was printed".to_owned())
}

/// The verdict of the check [`SILENT`](crate::SILENT), whose process printed so many bytes, of which these
/// are the first.
pub fn judge_output(verdict: Verdict, printed: u64, beginning: &[u8]) -> Verdict {
    if printed == 0 || verdict.outcome != Outcome::Passed {
        return verdict;
    }
    let text = String::from_utf8_lossy(beginning);
    let first: String = text
        .lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(60)
        .collect();
    Verdict {
        outcome: Outcome::Failed,
        reason: format!("{printed} bytes appeared on standard output, beginning with {first:?}"),
    }
}
