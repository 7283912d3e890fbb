//! The steps as a graph in Graphviz's language, drawn from sources to results.

use std::fmt::Write as _;

use assay_audit::lineage::{Lineage, Maker, Step};

use crate::commands::lineage::step::headline;
use crate::ui::words::plain;

pub(crate) fn dot(lineage: &Lineage) -> String {
    let mut text = String::from(
        "digraph lineage {\n  rankdir=BT;\n  node [shape=box, fontname=\"sans-serif\"];\n",
    );
    for (place, step) in lineage.steps.iter().enumerate() {
        let _ = writeln!(text, "  s{place} [label={}];", quoted(&label(step)));
        for (number, source) in sources(step).enumerate() {
            let label = quoted(&source);
            let _ = writeln!(
                text,
                "  s{place}f{number} [label={label}, shape=note];\n  s{place} -> s{place}f{number};"
            );
        }
    }
    for (place, step) in lineage.steps.iter().enumerate() {
        for link in &step.next {
            let role = quoted(&plain(&link.role));
            let _ = writeln!(text, "  s{place} -> s{} [label={role}];", link.step);
        }
    }
    text.push_str("}\n");
    text
}

fn label(step: &Step) -> String {
    let artifact = step
        .artifact
        .map(|artifact| format!("\ngave {}", artifact.short()));
    format!("{}{}", headline(step), artifact.unwrap_or_default())
}

fn sources(step: &Step) -> impl Iterator<Item = String> {
    let sources = match &step.maker {
        Maker::Action(execution) => execution.sources.as_slice(),
        _ => &[],
    };
    sources.iter().map(|source| {
        let (function, digest) = source.file.digest.parts();
        format!("{}\n{function} {digest}", plain(&source.file.name))
    })
}

/// A text between quotes, in which nothing ends them.
fn quoted(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n");
    format!("\"{escaped}\"")
}
