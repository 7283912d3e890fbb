//! The steps as a document for scripts.

use assay_audit::lineage::{Direction, Execution, Lineage, Maker, Source, Step};
use assay_audit::{Index, Subject};
use serde_json::{Value, json};

use crate::ui::action::uses_json;
use crate::ui::json::document;

pub(crate) fn json(
    subject: &Subject,
    direction: Direction,
    lineage: &Lineage,
    index: &Index,
) -> String {
    let steps = lineage.steps.iter().enumerate();
    let steps: Vec<_> = steps
        .map(|(place, step)| self::step(place, step, index))
        .collect();
    let direction = match direction {
        Direction::Up => "up",
        Direction::Down => "down",
    };
    document(&json!({
        "kind": subject.what(),
        "hash": subject.object(),
        "direction": direction,
        "roots": lineage.roots,
        "steps": steps,
    }))
}

fn step(place: usize, step: &Step, index: &Index) -> Value {
    let next = step
        .next
        .iter()
        .map(|link| json!({ "role": link.role, "step": link.step }));
    let mut value = json!({
        "step": place,
        "artifact": step.artifact,
        "next": next.collect::<Vec<_>>(),
    });
    match &step.maker {
        Maker::Unknown => {}
        Maker::Object(object) => value["object"] = json!(object),
        Maker::Action(execution) => {
            value["action"] = json!(execution.key);
            value["document"] = json!(execution.action);
            value["executions"] = executions(execution);
            value["sources"] = execution.sources.iter().map(source).collect();
            value["other_makers"] = execution.others.into();
            value["used_in"] = uses_json(index, execution.key).into();
        }
    }
    value
}

fn executions(execution: &Execution) -> Value {
    let records = execution.records.iter();
    records
        .map(|(record, result)| json!({ "record": record, "result": result }))
        .collect()
}

fn source(source: &Source) -> Value {
    let (function, digest) = source.file.digest.parts();
    let mut value = json!({
        "file": source.file.name,
        "bytes": source.file.bytes,
        "origin": source.origin,
    });
    value[function] = digest.into();
    value
}
