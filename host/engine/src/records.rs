//! The trainings of recorded runs, with what decided them and their numbers, from the store alone.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use assay_core::{
    Action, Advice, ArtifactHash, Run, RunHash, Source, StageKind, StageOutcome, canonical_json,
};
use assay_report::{
    RecordNames, TableError, TrainingRecord, is_diverged, read_evaluation, summarise,
};
use assay_store::{Store, StoreError};
use serde::Serialize;

use crate::ask::remembered;
use crate::plan::{Labels, Plan};
use crate::plugin::{PluginDescription, properties};
use crate::stages::{DATASET, EVALUATION, TrainingParameters};
use crate::stored_training::{StoredTraining, StoredTrainingError};

/// Why the trainings of a run cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// The store failed, or something that the run rests on is missing.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A training cannot be read.
    #[error(transparent)]
    Training(#[from] StoredTrainingError),
    /// The table of an evaluation cannot be read.
    #[error(transparent)]
    Evaluation(#[from] TableError),
    /// The action of a training is not one of this version.
    #[error("the parameters of the stage `{stage}` are not those of a training")]
    Parameters {
        /// The stage.
        stage: String,
        /// Why not.
        source: serde_json::Error,
    },
}

impl Advice for RecordsError {
    fn help(&self) -> Cow<'_, str> {
        match self {
            Self::Store(error) => error.help(),
            Self::Training(error) => error.help(),
            Self::Evaluation(_) => "`pipeline audit` says what is damaged in the store".into(),
            Self::Parameters { .. } => "it may come from another version of assay".into(),
        }
    }
}

/// The trainings of a run, in its plan's order. One that gave nothing has its settings alone, and one
/// whose action was never known is not among them.
///
/// # Errors
/// Something that the run names is missing, damaged or of another version.
pub fn training_records(store: &Store, run: RunHash) -> Result<Vec<TrainingRecord>, RecordsError> {
    let manifest = store.run(run)?;
    let labels = labels(store, &manifest);
    let mut trainings = Vec::new();
    // By the training that each read.
    let mut evaluations = HashMap::new();
    for stage in &manifest.stages {
        let Some(key) = stage.action else { continue };
        let action = store.action(key)?;
        match action.kind {
            StageKind::Train => trainings.push((stage, key, action)),
            StageKind::Evaluate => {
                if let Some(artifact) = stage.artifact {
                    let read = action.inputs.values();
                    evaluations.extend(read.map(|training| (*training, artifact)));
                }
            }
            _ => {}
        }
    }
    let mut plugins = HashMap::new();
    let records = trainings.into_iter().map(|(stage, key, action)| {
        let parameters = parameters(&stage.name, &action)?;
        let evaluation = stage.artifact.and_then(|it| evaluations.get(&it).copied());
        let mut results = store.results(key)?.into_iter();
        let result = results.find(|it| Some(it.artifact) == stage.artifact);
        let plugin = action.plugin.as_ref();
        let environment = action.environment.as_ref();
        let mut record = TrainingRecord {
            run: run.to_string(),
            pipeline: manifest.pipeline.clone(),
            stage: stage.name.clone(),
            outcome: outcome(stage.outcome).to_owned(),
            names: labels.get(&stage.name).map(names),
            layers: json(&parameters.network),
            task: parameters.network.task(),
            seed: parameters.seed,
            epochs: parameters.epochs,
            batch_size: parameters.batch_size,
            augmentation: parameters.augmentation.as_ref().map(json),
            real_hyperparameters: plugin
                .map(|pin| {
                    let asked = plugins.entry(pin.hash);
                    let described = asked.or_insert_with(|| remembered(store, pin));
                    reals(described.as_ref(), &parameters.algorithm)
                })
                .unwrap_or_default(),
            algorithm: parameters.algorithm,
            hyperparameters: parameters.hyperparameters,
            device: environment.map(|it| it.device.clone()),
            threads: (environment.and_then(|it| it.threads))
                .or_else(|| result.as_ref().and_then(|it| it.threads)),
            card: result.as_ref().and_then(|it| it.card.clone()),
            at_once: result.as_ref().and_then(|it| it.at_once),
            plugin: plugin.map(|pin| pin.hash.to_string()),
            action: key.to_string(),
            artifact: stage.artifact.map(|it| it.to_string()),
            dataset_artifact: action.inputs.get(DATASET).map(ToString::to_string),
            evaluation: evaluation.map(|it| it.to_string()),
            started_ms: result.as_ref().map(|it| it.started_ms),
            duration_ms: result.as_ref().map(|it| it.duration_ms),
            diverged: None,
            diverged_in_epoch: None,
            summary: None,
        };
        if let Some(artifact) = stage.artifact {
            measure(store, &mut record, artifact, evaluation)?;
        }
        Ok(record)
    });
    records.collect()
}

/// The hyper-parameters of an algorithm that are real numbers, as its plugin describes them. In an
/// action a `1.0` is written as `1`.
fn reals(plugin: Option<&PluginDescription>, algorithm: &str) -> BTreeSet<String> {
    let algorithms = plugin.map(|plugin| plugin.algorithms.iter());
    let described = algorithms.and_then(|mut all| all.find(|it| it.name == algorithm));
    let properties = described.and_then(|it| properties(&it.hyperparameters));
    let reals = properties.into_iter().flatten().filter(|(_, schema)| {
        let kind = schema.get("type");
        kind.is_some_and(|kind| kind == "number")
    });
    reals.map(|(name, _)| name.clone()).collect()
}

/// Adds the numbers of a training that gave `artifact`.
fn measure(
    store: &Store,
    record: &mut TrainingRecord,
    artifact: ArtifactHash,
    evaluation: Option<ArtifactHash>,
) -> Result<(), RecordsError> {
    let StoredTraining { setup, metrics } = StoredTraining::read(store, artifact)?;
    let evaluation = match evaluation {
        Some(evaluation) => read_evaluation(&store.artifact_file_path(evaluation, EVALUATION)?)?,
        None => Vec::new(),
    };
    record.diverged_in_epoch = setup.diverged_in_epoch;
    record.diverged = Some(is_diverged(&evaluation, setup.diverged_in_epoch));
    record.summary = Some(summarise(&metrics, &evaluation, record.epochs, record.task));
    Ok(())
}

fn parameters(stage: &str, action: &Action) -> Result<TrainingParameters, RecordsError> {
    let parameters = serde_json::Value::Object(action.parameters.clone());
    serde_json::from_value(parameters).map_err(|source| RecordsError::Parameters {
        stage: stage.to_owned(),
        source,
    })
}

/// The names of a run's trainings in its pipeline file, by stage; none where this version does not read
/// the file any more.
fn labels(store: &Store, run: &Run) -> HashMap<String, Labels> {
    let text = |object| String::from_utf8(store.read(object).ok()?).ok();
    let plan = || {
        let networks = run.networks.map(|object| text(object).ok_or(()));
        let load = |name: &str| match &networks {
            Some(Ok(text)) => Ok(Source {
                name: name.to_owned(),
                text: text.clone(),
            }),
            _ => Err("it is not in the store".to_owned()),
        };
        let file = text(run.file)?;
        Plan::parse(&run.pipeline, &file, &run.overrides, &[], &load).ok()
    };
    let stages = plan().map(|plan| plan.stages).unwrap_or_default();
    let labels = stages.into_iter();
    labels
        .filter_map(|stage| Some((stage.name, stage.labels?)))
        .collect()
}

fn names(labels: &Labels) -> RecordNames {
    RecordNames {
        dataset: labels.dataset.clone(),
        network: labels.network.clone(),
        method: labels.method.clone(),
    }
}

const fn outcome(outcome: StageOutcome) -> &'static str {
    match outcome {
        StageOutcome::Cached => "cached",
        StageOutcome::Ran => "ran",
        StageOutcome::Failed => "failed",
        StageOutcome::Skipped => "skipped",
    }
}

fn json(value: &impl Serialize) -> String {
    let bytes = canonical_json(value).unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_default()
}
