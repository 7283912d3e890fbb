//! The dataset stage: obtains, checks and splits a dataset, and what a plan must know of one
//! before it can be an action.

use std::path::Path;

use assay_core::{Diagnostic, PlannedStage, StageKind, choices};
use assay_data::known::{CIFAR10, FASHION_MNIST, MNIST};
use assay_data::prepare::{
    DESCRIPTION_FILE, DatasetParameters, DatasetSource, IdxSource, ScalingChoice, TEST_FILE,
    TRAIN_FILE, VALIDATION_FILE, prepare,
};
use assay_data::source::{Search, hash_directory};
use serde::Deserialize as _;
use serde_json::{Map, Value};

use crate::event::{Progress, Unit};

use super::{ARROW, Context, JSON, Outputs, StageError, data};

/// The source that reads the user's own files.
const IDX: &str = "idx";

pub(super) fn run(context: &Context) -> Result<Outputs, StageError> {
    let parameters: DatasetParameters = context.parameters()?;
    let search = Search {
        directory: context.data_dir.as_deref(),
        network: true,
    };
    let mut progress = |progress: assay_data::source::Progress<'_>| {
        context.reporter.progress(Progress {
            phase: format!("fetching {}", progress.file),
            done: progress.done,
            total: progress.total.unwrap_or(0),
            unit: Unit::Bytes,
            fraction: 0.0,
        });
    };
    let summary = prepare(&parameters, search, &context.out, &mut progress).map_err(data)?;
    for (file, origin) in &summary.origins {
        eprintln!("{file}: from {origin}");
    }
    let mut outputs = Outputs::default();
    for table in [TRAIN_FILE, VALIDATION_FILE, TEST_FILE] {
        if context.out.join(table).exists() {
            outputs.add(table, ARROW);
        }
    }
    outputs.add(DESCRIPTION_FILE, JSON);
    Ok(outputs)
}

/// Completes the parameters of each dataset stage: names its source, hashes the user's own
/// files, and fills in defaults.
pub(crate) fn complete_datasets(
    mut stages: Vec<PlannedStage>,
    base: &Path,
    complaints: &mut Vec<Diagnostic>,
) -> Vec<PlannedStage> {
    for stage in &mut stages {
        if stage.kind == StageKind::Dataset {
            match complete(stage, base) {
                Ok(parameters) => stage.parameters = parameters,
                Err(complaint) => complaints.extend(complaint),
            }
        }
    }
    stages
}

fn strings(value: Option<Value>) -> Option<Vec<String>> {
    serde_json::from_value(value?).ok()
}

/// The completed parameters, or a complaint where there is a place to complain at.
fn complete(stage: &PlannedStage, base: &Path) -> Result<Map<String, Value>, Option<Diagnostic>> {
    let mut parameters = stage.parameters.clone();
    let complain = |key: &str, message: String, help: Option<String>| {
        Some(Diagnostic::new(message, stage.place(key)?).help(help))
    };
    let classes = parameters.remove("classes");
    let class_names = parameters.remove("class_names");
    let source = parameters
        .get("source")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    if source == IDX {
        let need = |key: &str| {
            let message = format!("a dataset in IDX format needs `{key}`");
            complain("", message, None)
        };
        let path = stage.data_path.as_ref().ok_or_else(|| need("path"))?;
        let class_names = strings(class_names);
        let classes = classes
            .and_then(|classes| classes.as_u64())
            .or(class_names.as_ref().map(|names| names.len() as u64))
            .ok_or_else(|| need("classes"))?;
        let class_names = class_names.unwrap_or_default();
        if !class_names.is_empty() && class_names.len() as u64 != classes {
            let message = format!("{} names for {classes} classes", class_names.len());
            return Err(complain("class_names", message, None));
        }
        let files = hash_directory(&base.join(path))
            .map_err(|error| complain("path", error.to_string(), None))?;
        let source = DatasetSource::Idx(IdxSource {
            name: stage.name.clone(),
            classes: classes as u16,
            class_names,
            files,
        });
        parameters.insert(
            "source".to_owned(),
            serde_json::to_value(source).map_err(|_| None)?,
        );
    } else {
        let known = [MNIST.name, FASHION_MNIST.name, CIFAR10.name, IDX];
        if !known.contains(&source.as_str()) {
            let help = choices(&source, known.into_iter());
            return Err(complain(
                "source",
                format!("there is no dataset `{source}`"),
                help,
            ));
        }
        let own = [
            ("path", stage.data_path.is_some()),
            ("classes", classes.is_some()),
            ("class_names", class_names.is_some()),
        ];
        if let Some((key, _)) = own.into_iter().find(|(_, given)| *given) {
            let message = format!("`{key}` is for a dataset in IDX format, not for `{source}`");
            return Err(complain(
                key,
                message,
                Some("a folder with its files is named with --data-dir".to_owned()),
            ));
        }
    }
    if let Some(scaling) = parameters.get("scaling") {
        ScalingChoice::deserialize(scaling)
            .map_err(|error| complain("scaling", error.to_string(), None))?;
    }
    let typed: Result<DatasetParameters, _> = serde_json::from_value(Value::Object(parameters));
    let complete = typed.and_then(serde_json::to_value);
    match complete {
        Ok(Value::Object(parameters)) => Ok(parameters),
        Ok(_) => Err(None),
        Err(error) => Err(complain("", error.to_string(), None)),
    }
}
