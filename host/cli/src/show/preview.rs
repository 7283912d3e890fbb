//! What a dry run says: each stage, whether it would run, and why.

use std::fmt::Write as _;

use assay_core::Difference;
use assay_engine::{Reason, StagePreview};
use serde_json::Value;

/// How many differing fields are listed.
const MOST_DIFFERENCES: usize = 8;

pub(crate) fn text(previews: &[StagePreview]) -> String {
    let width = previews
        .iter()
        .map(|preview| preview.name.len())
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for preview in previews {
        let name = &preview.name;
        let _ = match &preview.reason {
            Reason::Cached => writeln!(text, "{name:width$}  cached"),
            Reason::FirstOfItsKind => {
                writeln!(
                    text,
                    "{name:width$}  runs: no {} has run in this store",
                    preview.kind
                )
            }
            Reason::Damaged => {
                writeln!(
                    text,
                    "{name:width$}  runs: a file of its result is missing or damaged"
                )
            }
            Reason::Refused { why } => writeln!(text, "{name:width$}  fails: {why}"),
            Reason::DependsOn { stages } => {
                writeln!(text, "{name:width$}  depends on {}", list(stages))
            }
            Reason::Differs {
                nearest,
                differences,
            } => {
                let _ = writeln!(
                    text,
                    "{name:width$}  runs: differs from the nearest result, {}, in",
                    nearest.short()
                );
                text.push_str(&fields(differences));
                Ok(())
            }
        };
    }
    let run = previews
        .iter()
        .filter(|preview| preview.reason != Reason::Cached)
        .count();
    let cached = previews.len() - run;
    let _ = writeln!(text, "\n{cached} cached, {run} to run");
    text
}

fn fields(differences: &[Difference]) -> String {
    let mut text = String::new();
    for difference in differences.iter().take(MOST_DIFFERENCES) {
        let (before, now) = (
            value(difference.before.as_ref()),
            value(difference.now.as_ref()),
        );
        let _ = writeln!(text, "    {}: {before} → {now}", difference.field);
    }
    if let Some(more) = differences
        .len()
        .checked_sub(MOST_DIFFERENCES)
        .filter(|&more| more > 0)
    {
        let _ = writeln!(text, "    and {more} more");
    }
    text
}

/// A value, shortened: hashes and long lists are recognised by their beginning.
fn value(value: Option<&Value>) -> String {
    let Some(value) = value else {
        return "(absent)".to_owned();
    };
    let text = value.to_string();
    if text.chars().count() <= 60 {
        return text;
    }
    let start: String = text.chars().take(57).collect();
    format!("{start}…")
}

fn list(stages: &[String]) -> String {
    match stages {
        [first, second, .., last] if stages.len() > 3 => {
            format!("{first}, {second}, …, {last} ({} stages)", stages.len())
        }
        _ => stages.join(", "),
    }
}
