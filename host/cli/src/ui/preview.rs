//! A plan in words and for scripts: which stages would run, and why.

use std::fmt::Write as _;

use assay_core::{Difference, ObjectHash};
use assay_engine::{Reason, StagePreview};
use serde_json::{Value, json};

use crate::ui::json::document;
use crate::ui::words::plain;

/// How many differing fields are listed.
pub(crate) const MOST_DIFFERENCES: usize = 8;

pub(crate) fn text(previews: &[StagePreview]) -> String {
    let width = previews
        .iter()
        .map(|preview| preview.name.len())
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for preview in previews {
        let name = plain(&preview.name);
        let _ = match &preview.reason {
            Reason::Cached => writeln!(text, "{name:width$}  cached"),
            Reason::FirstOfItsKind => {
                writeln!(
                    text,
                    "{name:width$}  runs: no {} has run in this store",
                    preview.kind
                )
            }
            Reason::Failed => {
                writeln!(text, "{name:width$}  runs: it failed when it last ran")
            }
            Reason::Damaged => {
                writeln!(
                    text,
                    "{name:width$}  runs: a file of its result is missing or damaged"
                )
            }
            Reason::Refused { why } => writeln!(text, "{name:width$}  fails: {}", plain(why)),
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

/// The stages that are not up to date, each with the reason in a few words.
pub(crate) fn status(previews: &[StagePreview]) -> String {
    let is_stale = |preview: &&StagePreview| preview.reason != Reason::Cached;
    let stale: Vec<_> = previews.iter().filter(is_stale).collect();
    let width = stale.iter().map(|stage| stage.name.len()).max();
    let mut text = String::new();
    for stage in &stale {
        let _ = writeln!(
            text,
            "{:width$}  {}",
            plain(&stage.name),
            in_short(stage),
            width = width.unwrap_or(0)
        );
    }
    if !stale.is_empty() {
        text.push('\n');
    }
    let current = previews.len() - stale.len();
    let _ = writeln!(text, "{current} up to date, {} not", stale.len());
    text
}

fn in_short(stage: &StagePreview) -> String {
    match &stage.reason {
        Reason::Cached => "up to date".to_owned(),
        Reason::FirstOfItsKind => format!("no {} has run in this store", stage.kind),
        Reason::Failed => "failed when it last ran".to_owned(),
        Reason::Damaged => "a file of its result is missing or damaged".to_owned(),
        Reason::Refused { why } => plain(why),
        Reason::DependsOn { stages } => format!("depends on {}", list(stages)),
        Reason::Differs { differences, .. } => {
            let names: Vec<_> = differences.iter().map(|it| it.field.clone()).collect();
            format!("changed: {}", list(&names))
        }
    }
}

fn fields(differences: &[Difference]) -> String {
    let mut text = String::new();
    for difference in differences.iter().take(MOST_DIFFERENCES) {
        let (before, now) = (
            value(difference.before.as_ref()),
            value(difference.now.as_ref()),
        );
        let _ = writeln!(text, "    {}: {before} → {now}", plain(&difference.field));
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
pub(crate) fn value(value: Option<&Value>) -> String {
    let Some(value) = value else {
        return "(absent)".to_owned();
    };
    let text = value.to_string();
    let is_hash = value
        .as_str()
        .is_some_and(|text| text.parse::<ObjectHash>().is_ok());
    let most = if is_hash { 13 } else { 60 };
    if text.chars().count() <= most {
        return text;
    }
    let start: String = text.chars().take(most).collect();
    format!("{start}…")
}

fn list(names: &[String]) -> String {
    plain(&match names {
        [first, second, .., last] if names.len() > 3 => {
            format!("{first}, {second}, …, {last} ({} in all)", names.len())
        }
        _ => names.join(", "),
    })
}

pub(crate) fn json(previews: &[StagePreview]) -> String {
    let stages: Vec<_> = previews.iter().map(stage_json).collect();
    document(&json!({ "stages": stages }))
}

fn stage_json(preview: &StagePreview) -> Value {
    let (reason, more) = match &preview.reason {
        Reason::Cached => ("cached", Value::Null),
        Reason::FirstOfItsKind => ("first-of-its-kind", Value::Null),
        Reason::Failed => ("failed", Value::Null),
        Reason::Damaged => ("damaged", Value::Null),
        Reason::Refused { why } => ("refused", json!({ "why": why })),
        Reason::DependsOn { stages } => ("depends-on", json!({ "stages": stages })),
        Reason::Differs {
            nearest,
            differences,
        } => {
            let differences: Vec<_> = differences
                .iter()
                .map(|difference| {
                    json!({
                        "field": difference.field,
                        "before": difference.before,
                        "now": difference.now,
                    })
                })
                .collect();
            (
                "differs",
                json!({ "nearest": nearest, "differences": differences }),
            )
        }
    };
    json!({
        "name": preview.name,
        "kind": preview.kind.name(),
        "action": preview.key,
        "reason": reason,
        "details": more,
    })
}
