//! Entities of the execution: the run, each execution of each action with its inputs, results and
//! parameters, and how the stages of the run led to them.

use std::collections::BTreeSet;

use assay_core::{
    Action, ActionKey, ActionResult, ArtifactHash, ObjectHash, Record, StageKind, StageOutcome,
};
use serde_json::{Map, Value, json};

use super::graph::{Graph, all, fragment, reference};
use super::people::Attribution;
use super::workflow::{ENGINE, formal_id, step_id, tool_id};
use super::{object_id, time};
use crate::contents::{Contents, Objects};

const RUN: &str = "#run";
const COMPLETED: &str = "http://schema.org/CompletedActionStatus";
const FAILED: &str = "http://schema.org/FailedActionStatus";

/// UN/CEFACT's code for bytes.
const BYTES: &str = "AD";

pub(super) fn add(
    graph: &mut Graph<'_>,
    contents: &Contents,
    bundled: &Objects,
    about: &Attribution,
) {
    for (&artifact, manifest) in contents.artifacts().iter() {
        let files = manifest.files.values().map(|file| file.object);
        let files = files
            .filter(|object| bundled.contains_key(object))
            .map(object_id);
        let mut files: Vec<_> = files.collect();
        files.sort_unstable();
        files.dedup();
        let fields = [
            ("name", json!(format!("artifact {}", artifact.short()))),
            ("identifier", json!(format!("blake3:{artifact}"))),
            ("mainEntity", reference(&object_id(artifact.into()))),
            ("hasPart", all(files.iter().map(|id| reference(id)))),
        ];
        graph.add_mentioned(&artifact_id(artifact), "Collection", fields);
    }
    for (&key, known) in &contents.actions {
        add_parameters(graph, key, known);
        let records = contents.records(key);
        for record in records {
            add_execution(graph, known, record, about);
        }
        if records.is_empty() {
            add_failure(graph, key, known, about);
        }
    }
    add_run(graph, contents, about);
}

fn add_execution(graph: &mut Graph<'_>, action: &Action, record: &Record, about: &Attribution) {
    let (hash, result) = record;
    let memory = format!("#memory-{hash}");
    if result.peak_memory > 0 {
        let fields = [
            ("name", json!("peak memory")),
            ("propertyID", json!("peakMemory")),
            ("value", json!(result.peak_memory.to_string())),
            ("unitCode", json!(BYTES)),
        ];
        graph.add(&memory, "PropertyValue", fields);
    }
    let usage = (result.peak_memory > 0).then(|| reference(&memory));
    let mut fields = common(graph, result.action, action, about);
    fields.extend([
        ("name", json!(format!("execution of {}", describe(action)))),
        ("description", json!(description(result))),
        ("identifier", json!(format!("blake3:{hash}"))),
        ("startTime", json!(time(result.started_ms))),
        ("endTime", json!(time(ended(result)))),
        ("actionStatus", json!(COMPLETED)),
        ("result", reference(&artifact_id(result.artifact))),
        ("resourceUsage", all(usage)),
        (
            "subjectOf",
            all(result.log.map(|log| reference(&object_id(log)))),
        ),
    ]);
    graph.add_mentioned(&execution_id(*hash), "CreateAction", fields);
}

/// An action of the run that has no record: all that is known is that it gave nothing.
fn add_failure(graph: &mut Graph<'_>, key: ActionKey, action: &Action, about: &Attribution) {
    let mut fields = common(graph, key, action, about);
    let description = "It failed, or was stopped; there is no record of it.";
    fields.extend([
        ("name", json!(format!("attempt at {}", describe(action)))),
        ("description", json!(description)),
        ("actionStatus", json!(FAILED)),
    ]);
    graph.add_mentioned(&attempt_id(key), "CreateAction", fields);
}

/// Properties that all executions of an action share.
fn common(
    graph: &mut Graph<'_>,
    key: ActionKey,
    action: &Action,
    about: &Attribution,
) -> Vec<(&'static str, Value)> {
    let told = parameters(action).into_iter();
    let told = told.map(|(path, _)| reference(&parameter_id(key, &path)));
    let read = action
        .inputs
        .values()
        .map(|input| reference(&artifact_id(*input)));
    let mut objects: Vec<_> = told.chain(read).collect();
    objects.dedup();
    vec![
        ("instrument", reference(&tool_id(action))),
        ("object", all(objects)),
        ("environment", all(environment(graph, action))),
        ("agent", all(about.author_id().map(reference))),
    ]
}

/// Environment that the numbers depended on beside the parameters, each value on its own.
fn environment(graph: &mut Graph<'_>, action: &Action) -> Vec<Value> {
    let Some(environment) = &action.environment else {
        return Vec::new();
    };
    let mut values = vec![
        ("libtorch", environment.libtorch.clone()),
        ("device", environment.device.clone()),
        ("dtype", environment.dtype.clone()),
    ];
    let threads = environment.threads.map(|it| ("threads", it.to_string()));
    values.extend(threads);
    let capability = environment.cpu_capability.clone();
    values.extend(capability.map(|it| ("cpu_capability", it)));
    if let Some(cuda) = environment.cuda.clone() {
        values.extend([
            ("cuda.card", cuda.card),
            ("cuda.compute_capability", cuda.compute_capability),
            ("cuda.multiprocessors", cuda.multiprocessors.to_string()),
            ("cuda.runtime", cuda.runtime),
            ("cuda.cublas", cuda.cublas),
            ("cuda.cudnn", cuda.cudnn),
            ("cuda.tf32", cuda.tf32.to_string()),
            (
                "cuda.deterministic_algorithms",
                cuda.deterministic_algorithms.to_string(),
            ),
            ("cuda.cublas_workspace", cuda.cublas_workspace),
        ]);
    }
    let values = values.into_iter().map(|(name, value)| {
        let id = format!("#environment-{name}-{}", fragment(&value));
        let fields = [("name", json!(name)), ("value", json!(value))];
        graph.add(&id, "PropertyValue", fields);
        reference(&id)
    });
    values.collect()
}

fn add_parameters(graph: &mut Graph<'_>, key: ActionKey, action: &Action) {
    for (path, value) in parameters(action) {
        let fields = [
            ("name", json!(path)),
            ("value", scalar(&value)),
            ("exampleOfWork", reference(&formal_id(action, &path))),
        ];
        graph.add(&parameter_id(key, &path), "PropertyValue", fields);
    }
}

/// The run as a whole, and how its stages led to the executions.
fn add_run(graph: &mut Graph<'_>, contents: &Contents, about: &Attribution) {
    let run = &contents.manifest;
    let overrides = run.overrides.iter().enumerate().map(|(number, text)| {
        let id = format!("#override-{}", number + 1);
        let fields = [("name", json!("--set")), ("value", json!(text))];
        graph.add(&id, "PropertyValue", fields);
        reference(&id)
    });
    let mut objects: Vec<_> = overrides.collect();
    objects.extend(run.networks.map(|networks| reference(&object_id(networks))));
    let figures = run.figures.values().collect::<BTreeSet<_>>().into_iter();
    objects.extend(figures.map(|figures| reference(&object_id(*figures))));
    let complete = run.stages.iter().all(|stage| stage.artifact.is_some());
    let status = if complete { COMPLETED } else { FAILED };
    let fields = [
        ("name", json!(format!("run of `{}`", run.pipeline))),
        (
            "description",
            json!(format!(
                "by Assay {} on the host `{}`",
                run.version, run.host
            )),
        ),
        ("instrument", reference(&object_id(run.file))),
        ("object", all(objects)),
        ("result", all(results(contents))),
        ("startTime", json!(time(run.started_ms))),
        (
            "endTime",
            json!(time(run.started_ms.saturating_add(run.duration_ms))),
        ),
        ("actionStatus", json!(status)),
        ("agent", all(about.author_id().map(reference))),
    ];
    graph.add_mentioned(RUN, "CreateAction", fields);
    let controls = add_controls(graph, contents);
    if !controls.is_empty() {
        let fields = [
            ("name", json!("orchestration of the stages")),
            ("instrument", reference(ENGINE)),
            ("object", all(controls)),
            ("result", reference(RUN)),
            ("agent", all(about.author_id().map(reference))),
        ];
        graph.add_mentioned("#orchestration", "OrganizeAction", fields);
    }
}

/// Results of the run: its reports, or every artifact if it has none.
fn results(contents: &Contents) -> Vec<Value> {
    let given = |wanted: Option<StageKind>| {
        let stages = contents.manifest.stages.iter();
        let stages = stages.filter(|stage| {
            let known = stage.action.and_then(|key| contents.actions.get(&key));
            wanted.is_none() || known.map(|known| known.kind) == wanted
        });
        let mut ids: Vec<_> = stages.filter_map(|stage| stage.artifact).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    };
    let mut results = given(Some(StageKind::Report));
    if results.is_empty() {
        results = given(None);
    }
    results
        .into_iter()
        .map(|artifact| reference(&artifact_id(artifact)))
        .collect()
}

fn add_controls(graph: &mut Graph<'_>, contents: &Contents) -> Vec<Value> {
    let mut controls = Vec::new();
    for stage in &contents.manifest.stages {
        let known = |key: &ActionKey| contents.actions.contains_key(key);
        let Some(key) = stage.action.filter(known) else {
            continue;
        };
        let id = format!("#control-{}", fragment(&stage.name));
        let status = match stage.outcome {
            StageOutcome::Ran | StageOutcome::Cached => COMPLETED,
            StageOutcome::Failed | StageOutcome::Skipped => FAILED,
        };
        let fields = [
            ("name", json!(format!("stage {}", stage.name))),
            ("instrument", reference(&step_id(stage))),
            ("object", all(executions(contents, key))),
            ("actionStatus", json!(status)),
        ];
        graph.add(&id, "ControlAction", fields);
        controls.push(reference(&id));
    }
    controls
}

fn executions(contents: &Contents, key: ActionKey) -> Vec<Value> {
    let records = contents.records(key);
    if records.is_empty() {
        return vec![reference(&attempt_id(key))];
    }
    records
        .iter()
        .map(|(record, _)| reference(&execution_id(*record)))
        .collect()
}

/// The parameters of an action by their paths, such as `hyperparameters.learning_rate`.
pub(super) fn parameters(action: &Action) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    collect(&action.parameters, "", &mut found);
    found.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    found
}

fn collect(values: &Map<String, Value>, above: &str, found: &mut Vec<(String, Value)>) {
    for (name, value) in values {
        let path = match above {
            "" => name.clone(),
            above => format!("{above}.{name}"),
        };
        match value {
            Value::Object(inner) => collect(inner, &path, found),
            value => found.push((path, value.clone())),
        }
    }
}

/// A value as a crate has it, whose properties hold no lists or objects of JSON.
fn scalar(value: &Value) -> Value {
    match value {
        Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
        other => json!(other.to_string()),
    }
}

fn describe(action: &Action) -> String {
    match &action.plugin {
        Some(pin) => format!("{} with the plugin {}", action.kind, pin.name),
        None => action.kind.to_string(),
    }
}

fn description(result: &ActionResult) -> String {
    format!(
        "action {}, by Assay {} on the host `{}`",
        result.action, result.version, result.host
    )
}

fn ended(result: &ActionResult) -> u64 {
    result.started_ms.saturating_add(result.duration_ms)
}

fn artifact_id(artifact: ArtifactHash) -> String {
    format!("#artifact-{artifact}")
}

fn execution_id(record: ObjectHash) -> String {
    format!("#execution-{record}")
}

fn attempt_id(key: ActionKey) -> String {
    format!("#attempt-{key}")
}

fn parameter_id(key: ActionKey, path: &str) -> String {
    format!("#parameter-{key}-{}", fragment(path))
}
