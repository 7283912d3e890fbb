//! Completes the parameters of the dataset stages of a plan.

use std::path::Path;

use assay_core::settings::{Entry, Node, Reader, Table, Value as Setting};
use assay_core::{Complaints, Diagnostic, Place, PlannedStage, StageKind};
use assay_data::sources::DatasetSettings;
use assay_store::SourceHashes;
use serde_json::Value;

use super::hashes::StoreHashes;

/// Context for completing dataset stages.
pub(crate) struct Planning<'a> {
    /// The folder of the pipeline file.
    pub(crate) base: &'a Path,
    /// Where the user keeps datasets.
    pub(crate) data_dir: Option<&'a Path>,
    pub(crate) sources: &'a mut SourceHashes,
}

/// Completes the parameters of each dataset stage.
pub(crate) fn complete_datasets(
    mut stages: Vec<PlannedStage>,
    planning: &mut Planning<'_>,
    complaints: &mut Complaints,
) -> Vec<PlannedStage> {
    for stage in &mut stages {
        if stage.kind == StageKind::Dataset {
            let settings = read(stage, complaints);
            let completed = settings.map(|settings| complete(stage, &settings, planning));
            complaints.extend(completed.and_then(Result::err));
        }
    }
    stages
}

fn read(stage: &PlannedStage, complaints: &mut Complaints) -> Option<DatasetSettings> {
    let place = stage.place("")?;
    let path = stage.data_path.clone().map(Value::from);
    let path = path.as_ref().map(|path| ("path", path));
    let given = stage
        .parameters
        .iter()
        .map(|(key, value)| (key.as_str(), value));
    let table: Table = given
        .chain(path)
        .map(|(key, value)| {
            let place = stage.place(key).unwrap_or(place);
            (key.to_owned(), entry(value, place))
        })
        .collect();
    let mut reader = Reader::new(&table, place, format!("[stage.{}]", stage.name));
    DatasetSettings::read(&mut reader, &stage.name, complaints)
}

fn entry(value: &Value, place: &Place) -> Entry {
    let node = node(value, place);
    Entry {
        key: place.clone(),
        node,
    }
}

fn node(value: &Value, place: &Place) -> Node {
    let value = match value {
        Value::Null => Setting::Table(Table::new()),
        Value::Bool(boolean) => Setting::Boolean(*boolean),
        Value::Number(number) => number.as_i64().map_or_else(
            || Setting::Float(number.as_f64().unwrap_or_default()),
            Setting::Integer,
        ),
        Value::String(text) => Setting::String(text.clone()),
        Value::Array(items) => Setting::Array(items.iter().map(|item| node(item, place)).collect()),
        Value::Object(entries) => Setting::Table(
            entries
                .iter()
                .map(|(key, value)| (key.clone(), entry(value, place)))
                .collect(),
        ),
    };
    Node {
        place: place.clone(),
        value,
    }
}

fn complete(
    stage: &mut PlannedStage,
    settings: &DatasetSettings,
    planning: &mut Planning<'_>,
) -> Result<(), Diagnostic> {
    let parameters = settings.complete(&mut assay_data::sources::Planning {
        base: planning.base,
        data_dir: planning.data_dir,
        hashes: &mut StoreHashes(planning.sources),
    })?;
    if let Ok(Value::Object(parameters)) = serde_json::to_value(parameters) {
        stage.parameters = parameters;
    }
    stage.data_path = settings.data_path().map(str::to_owned);
    Ok(())
}
