//! The checks of a plugin as lines of text.

use std::fmt::Write as _;

use assay_engine::{CHECKS, CheckReport, Checked, Outcome};

use super::duration;
use super::words::{path, plain};

/// The width of `algorithm/check`: longer names push the reason aside.
const NAME: usize = 34;

/// One check that was made; of one that failed, also what was promised.
pub(crate) fn line(checked: &Checked) -> String {
    let name = match &checked.algorithm {
        Some(algorithm) => format!("{}/{}", plain(algorithm), checked.check.name),
        None => checked.check.name.to_owned(),
    };
    let outcome = match checked.verdict.outcome {
        Outcome::Passed => "pass",
        Outcome::Failed => "FAIL",
        Outcome::Skipped => "skip",
    };
    let mut text = format!(
        "{outcome}  {name:<NAME$}  {}\n",
        plain(&checked.verdict.reason)
    );
    if checked.verdict.outcome == Outcome::Failed {
        let _ = writeln!(text, "      promised: {}", checked.check.promise);
    }
    text
}

/// What came of all of them.
pub(crate) fn summary(report: &CheckReport) -> String {
    let time = report.checks.iter().map(|it| it.duration_ms).sum();
    format!(
        "{}: {} passed, {} failed, {} skipped in {}\n",
        path(&report.path),
        report.count(Outcome::Passed),
        report.count(Outcome::Failed),
        report.count(Outcome::Skipped),
        duration(time)
    )
}

/// Every check with its promise.
pub(crate) fn list() -> String {
    let entries = CHECKS.iter().map(|check| {
        let of = if check.is_of_algorithm() {
            "each algorithm"
        } else {
            "the library"
        };
        format!(
            "{} (of {of})\n  {}\n  {}\n",
            check.name, check.promise, check.why
        )
    });
    entries.collect()
}
