//! The JSON Schema of pipeline files. It is made by planning outlines of stages, so it has the
//! settings that are read, their types and ranges, and no others.

use assay_core::{Complaints, PipelineFile, StageKind, StageTable};
use assay_data::sources::DatasetSettings;
use serde_json::{Value, json};

use super::planner::{Planner, plannable};

/// The JSON Schema (draft 2020-12) of pipeline files, for editors. Hyper-parameters are as free in it
/// as they are to the host, which knows an algorithm's own only once it has asked the plugin.
pub fn pipeline_schema() -> Value {
    let stages = plannable().flat_map(|(kind, plan)| {
        outlines(kind).into_iter().filter_map(move |stage| {
            let (file, mut complaints) = (PipelineFile::default(), Complaints::default());
            // What is wrong with an outline means nothing.
            plan(&stage, &mut Planner::new(&file, &mut complaints));
            stage.schema()
        })
    });
    let stage = json!({ "oneOf": stages.collect::<Vec<_>>() });
    let mut schema = PipelineFile::schema(&stage);
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema["title"] = "A pipeline file of Assay".into();
    schema
}

/// Outlines of the stages of a kind: of a dataset one for each source, since sources have settings of
/// their own.
fn outlines(kind: StageKind) -> Vec<StageTable> {
    if kind == StageKind::Dataset {
        let sources = DatasetSettings::sources();
        let outline = |source| StageTable::outline(kind.name(), &[("source", source)]);
        return sources.map(outline).collect();
    }
    vec![StageTable::outline(kind.name(), &[])]
}
