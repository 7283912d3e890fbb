//! One step in words: what was done, with what, when and where.

use assay_audit::Index;
use assay_audit::lineage::{Direction, Execution, Maker, Source, Step};

use crate::ui::action;
use crate::ui::words::plain;

/// The step on one line.
pub(crate) fn headline(step: &Step) -> String {
    let made = step.artifact.map(|artifact| artifact.short());
    match &step.maker {
        Maker::Object(object) => format!("object {}", object.short()),
        Maker::Unknown => {
            format!(
                "artifact {}, which nothing here made",
                made.unwrap_or_default()
            )
        }
        Maker::Action(execution) => {
            let key = execution.key.short();
            let Some(document) = &execution.action else {
                return format!("action {key}, whose document cannot be read");
            };
            let words = action::headline(document);
            format!("{} {key}  {words}", document.kind)
                .trim_end()
                .to_owned()
        }
    }
}

/// Further lines about a step, below its headline.
pub(crate) fn details(step: &Step, direction: Direction, index: &Index) -> Vec<String> {
    let Maker::Action(execution) = &step.maker else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    if direction == Direction::Up
        && let Some(document) = &execution.action
    {
        lines.push(action::parameters(document));
        let plugin = document.plugin.as_ref();
        let plugin = plugin.map(|pin| format!("plugin {}", action::plugin(pin)));
        let environment = document.environment.as_ref().map(action::environment);
        lines.push(
            plugin
                .into_iter()
                .chain(environment)
                .collect::<Vec<_>>()
                .join("; "),
        );
    }
    lines.extend(gave(step, execution));
    if direction == Direction::Down {
        let uses = action::uses(index, &step.uses);
        if !uses.is_empty() {
            lines.push(format!("in {uses}"));
        }
    } else {
        lines.extend(execution.sources.iter().flat_map(source));
    }
    lines.retain(|line| !line.is_empty());
    lines
}

/// Lines about the artifact that the step gave: its first execution, repeated ones, and other
/// actions with the same result.
fn gave(step: &Step, execution: &Execution) -> Vec<String> {
    let Some(artifact) = step.artifact else {
        return vec!["has no result".to_owned()];
    };
    let mut lines = Vec::new();
    match execution.records.first() {
        Some((_, result)) => {
            let ran = action::execution(result);
            lines.push(format!("gave {}: {ran}", artifact.short()));
        }
        None => lines.push(format!(
            "gave {}, by a record that is gone",
            artifact.short()
        )),
    }
    let again = execution.records.len().saturating_sub(1);
    if again > 0 {
        lines.push(format!("gave the same in {again} more executions"));
    }
    match execution.others {
        0 => {}
        1 => lines.push("1 other action gave the same".to_owned()),
        others => lines.push(format!("{others} other actions gave the same")),
    }
    lines
}

/// A file that was obtained, and what its content must come to.
pub(crate) fn source(source: &Source) -> [String; 2] {
    let (function, digest) = source.file.digest.parts();
    let origin = source
        .origin
        .as_ref()
        .map(|origin| format!(", from {}", plain(origin)));
    [
        format!(
            "file {}{}",
            plain(&source.file.name),
            origin.unwrap_or_default()
        ),
        format!("  {function} {digest}"),
    ]
}
