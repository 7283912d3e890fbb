//! The pipeline as a workflow: its stages as steps, and the tools that execute them, which are
//! plugins and, for stages that need none, Assay itself.

use std::collections::{BTreeMap, BTreeSet};

use assay_core::{Action, ObjectHash, RunStage};
use serde_json::{Value, json};

use super::execution::parameters;
use super::graph::{Graph, all, fragment, reference};
use super::{object_id, time};
use crate::contents::{Contents, Objects};

/// Assay as what runs the workflow.
pub(super) const ENGINE: &str = "#assay";
const LANGUAGE: &str = "#pipeline-file";
const BIOSCHEMAS: &str = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE";

/// Identifier of the tool that executes an action: its plugin, or Assay itself.
pub(super) fn tool_id(action: &Action) -> String {
    match &action.plugin {
        Some(pin) => format!("#plugin-{}", pin.hash),
        None => format!("#assay-{}-{}", action.kind, action.revision),
    }
}

pub(super) fn step_id(stage: &RunStage) -> String {
    format!("#stage-{}", fragment(&stage.name))
}

/// A parameter of a tool, by the kind of action and its path there.
pub(super) fn formal_id(action: &Action, path: &str) -> String {
    format!("#formal-{}-{}", action.kind, fragment(path))
}

/// Properties of the pipeline file as a workflow, beside those that it has as a file.
pub(super) fn fields(contents: &Contents) -> Vec<(&'static str, Value)> {
    let run = &contents.manifest;
    let tools: BTreeSet<_> = contents.actions.values().map(tool_id).collect();
    // A stage that never came to an action has no tool, and is no step of what ran.
    let steps = run.stages.iter().filter(|stage| stage.action.is_some());
    vec![
        ("alternateName", json!(run.pipeline)),
        ("version", json!(run.file.short())),
        ("dateCreated", json!(time(run.started_ms))),
        ("conformsTo", reference(BIOSCHEMAS)),
        ("programmingLanguage", reference(LANGUAGE)),
        ("url", reference(&object_id(run.file))),
        ("hasPart", all(tools.iter().map(|id| reference(id)))),
        ("step", all(steps.map(|stage| reference(&step_id(stage))))),
    ]
}

pub(super) fn add(graph: &mut Graph<'_>, contents: &Contents, objects: &Objects) {
    let run = &contents.manifest;
    let name = "pipeline file of Assay (TOML)";
    graph.add(LANGUAGE, "ComputerLanguage", [("name", json!(name))]);
    let name = "Bioschemas ComputationalWorkflow";
    graph.add(BIOSCHEMAS, "CreativeWork", [("name", json!(name))]);
    let engine = [
        ("name", json!("Assay")),
        ("softwareVersion", json!(run.version)),
    ];
    graph.add(ENGINE, "SoftwareApplication", engine);
    for (position, stage) in run.stages.iter().enumerate() {
        let action = stage.action.and_then(|key| contents.actions.get(&key));
        if let Some(known) = action {
            let fields = [
                ("name", json!(stage.name)),
                ("position", json!((position + 1).to_string())),
                ("workExample", reference(&tool_id(known))),
            ];
            graph.add(&step_id(stage), "HowToStep", fields);
        }
    }
    add_tools(graph, contents, objects);
}

fn add_tools(graph: &mut Graph<'_>, contents: &Contents, objects: &Objects) {
    let mut inputs = BTreeMap::<String, BTreeSet<String>>::new();
    let mut kinds = BTreeMap::<String, (String, BTreeSet<&'static str>)>::new();
    for known in contents.actions.values() {
        let tool = inputs.entry(tool_id(known)).or_default();
        for (path, value) in parameters(known) {
            let id = formal_id(known, &path);
            tool.insert(id.clone());
            let (_, kinds) = kinds.entry(id).or_insert((path, BTreeSet::new()));
            kinds.insert(data_type(&value));
        }
    }
    for (id, (path, kinds)) in &kinds {
        // Of different types in different actions: as text it is the same to all.
        let kind = if kinds.len() == 1 {
            kinds.first()
        } else {
            None
        };
        let fields = [
            ("name", json!(path)),
            ("additionalType", json!(kind.copied().unwrap_or("Text"))),
        ];
        graph.add(id, "FormalParameter", fields);
    }
    for known in contents.actions.values() {
        let id = tool_id(known);
        let formal = inputs.get(&id).into_iter().flatten();
        let mut fields = vec![("input", all(formal.map(|id| reference(id))))];
        fields.extend(tool_fields(contents, known, objects));
        graph.add(&id, "SoftwareApplication", fields);
    }
}

fn tool_fields(
    contents: &Contents,
    action: &Action,
    objects: &Objects,
) -> Vec<(&'static str, Value)> {
    let Some(pin) = &action.plugin else {
        let (kind, revision) = (action.kind, action.revision);
        let version = format!("{}, revision {revision}", contents.manifest.version);
        return vec![
            ("name", json!(format!("stage {kind} of Assay"))),
            ("softwareVersion", json!(version)),
        ];
    };
    let object = ObjectHash::from(pin.hash);
    let library = objects.contains_key(&object).then(|| object_id(object));
    let boundary = format!("plugin boundary {} of Assay", pin.abi);
    vec![
        ("name", json!(format!("plugin {}", pin.name))),
        ("softwareVersion", json!(format!("blake3:{}", pin.hash))),
        ("softwareRequirements", json!(boundary)),
        ("url", all(library.map(|id| reference(&id)))),
    ]
}

fn data_type(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "Boolean",
        Value::Number(_) => "Number",
        _ => "Text",
    }
}
