//! What came of executing actions again, in words and for scripts.

use std::error::Error;
use std::fmt::Write as _;

use assay_engine::{Rerun, RerunOutcome};
use serde_json::{Value, json};

use super::words::{path, plain};
use super::{compare, duration, error, json::document};
use crate::command::rerun::ShownReruns;
use crate::terminal::say;

/// The widest that the names of stages are made.
const WIDEST_NAME: usize = 50;

/// Says what is about to be executed, and how the sample can be drawn again.
pub(crate) fn print_start(count: usize, all: usize, seed: u64) {
    if count == all {
        say(&format!("executing {count} actions again"));
    } else {
        say(&format!(
            "executing {count} of {all} actions again, drawn from seed {seed}"
        ));
    }
}

pub(crate) fn text(shown: &ShownReruns) -> String {
    let names = shown.reruns.iter().map(|it| it.target.name.len());
    let width = names.max().unwrap_or(0).min(WIDEST_NAME);
    let mut text = String::new();
    for rerun in &shown.reruns {
        let (name, word) = (plain(&rerun.target.name), word(&rerun.outcome));
        let _ = write!(text, "{word:8} {name:width$}");
        match &rerun.outcome {
            RerunOutcome::Same(again) | RerunOutcome::Differs { again, .. } => {
                let _ = write!(text, "  {}", duration(again.result.duration_ms));
                if !again.recorded {
                    text.push_str("  (in another environment, not recorded)");
                }
            }
            RerunOutcome::Failed(failure) => text.push_str(&error::causes(failure)),
            RerunOutcome::Cannot(obstacle) => {
                let causes = error::chain(obstacle);
                let _ = write!(text, "  {}", plain(&obstacle.to_string()));
                let help = format!("\n  help: {}", obstacle.help());
                for line in causes
                    .lines()
                    .chain(help.lines())
                    .filter(|it| !it.is_empty())
                {
                    let _ = write!(text, "\n    {}", line.trim_start());
                }
            }
            RerunOutcome::Stopped => {}
        }
        text.push('\n');
        if let RerunOutcome::Differs { again, differences } = &rerun.outcome {
            text.push_str(&compare::files(differences, 2));
            let (before, now) = (rerun.target.recorded, again.result.artifact);
            let _ = writeln!(text, "  recorded: {before}\n  now:      {now}");
        }
    }
    text.push_str(&summary(shown));
    text
}

fn summary(shown: &ShownReruns) -> String {
    let counts = counts(shown)
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(what, count)| format!("{count} {what}"));
    let counts: Vec<_> = counts.collect();
    let mut text = format!("\n{}", counts.join(", "));
    if shown.reruns.len() < shown.all {
        let _ = write!(
            text,
            "; a sample of {} actions, drawn from seed {}",
            shown.all, shown.seed
        );
    }
    text.push('\n');
    if shown.has_kept() {
        let place = match &shown.kept {
            Some(store) => format!(" in the store {}", path(store)),
            None => String::new(),
        };
        let _ = writeln!(
            text,
            "Both results of what differs are kept{place}; the first is still the one that is used."
        );
    }
    text
}

fn word(outcome: &RerunOutcome) -> &'static str {
    match outcome {
        RerunOutcome::Same(_) => "same",
        RerunOutcome::Differs { .. } => "differs",
        RerunOutcome::Failed(_) => "failed",
        RerunOutcome::Cannot(_) => "cannot",
        RerunOutcome::Stopped => "stopped",
    }
}

fn counts(shown: &ShownReruns) -> [(&'static str, usize); 5] {
    let count = |name| shown.count(|outcome| word(outcome) == name);
    [
        ("the same", count("same")),
        ("other than recorded", count("differs")),
        ("failed", count("failed")),
        ("cannot be executed again here", count("cannot")),
        ("stopped", count("stopped")),
    ]
}

pub(crate) fn json(shown: &ShownReruns) -> String {
    let actions: Vec<_> = shown.reruns.iter().map(action).collect();
    let count = |name| shown.count(|outcome| word(outcome) == name);
    document(&json!({
        "seed": shown.seed,
        "drawn_from": shown.all,
        "same": count("same"),
        "differs": count("differs"),
        "failed": count("failed"),
        "cannot": count("cannot"),
        "stopped": count("stopped"),
        "store": shown.kept,
        "actions": actions,
    }))
}

fn causes(error: &dyn Error) -> Vec<String> {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.map(ToString::to_string).collect()
}

fn action(rerun: &Rerun) -> Value {
    let mut value = json!({
        "name": rerun.target.name,
        "action": rerun.target.action,
        "kind": rerun.kind,
        "recorded_artifact": rerun.target.recorded,
        "outcome": word(&rerun.outcome),
    });
    match &rerun.outcome {
        RerunOutcome::Same(again) | RerunOutcome::Differs { again, .. } => {
            value["artifact"] = json!(again.result.artifact);
            value["duration_ms"] = json!(again.result.duration_ms);
            value["recorded"] = json!(again.recorded);
        }
        RerunOutcome::Failed(failure) => {
            value["reason"] = json!(failure.to_string());
            value["help"] = json!(failure.help());
        }
        RerunOutcome::Cannot(obstacle) => {
            value["reason"] = json!(obstacle.to_string());
            value["causes"] = json!(causes(obstacle));
            value["help"] = json!(obstacle.help());
        }
        RerunOutcome::Stopped => {}
    }
    if let RerunOutcome::Differs { differences, .. } = &rerun.outcome {
        value["differences"] = json!(differences);
    }
    value
}
