//! Runs under way in words.

use std::fmt::Write as _;

use assay_engine::RunState;

use crate::ui::words::{count, digits};

/// How many stages are where: `5 of 12 stages done (3 cached), 2 running`.
pub(crate) fn whole(run: &RunState) -> String {
    let counts = run.counts;
    let mut words = format!(
        "{} of {} done",
        digits(counts.done() as u64),
        count(run.stages.len() as u64, "stage")
    );
    if counts.cached > 0 {
        let _ = write!(words, " ({} cached)", digits(counts.cached as u64));
    }
    for (count, word) in [
        (counts.running, "running"),
        (counts.waiting, "at another run"),
        (counts.failed, "failed"),
    ] {
        if count > 0 {
            let _ = write!(words, ", {} {word}", digits(count as u64));
        }
    }
    words
}
