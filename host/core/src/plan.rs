//! The plan: the stages of a pipeline as a graph, each with everything about its action that is
//! known before anything has run.
//!
//! A stage's key needs the artifacts it reads; the plan therefore holds the shape of the graph
//! and [`PlannedStage::action`] completes an action once its inputs are there.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value, json};

use crate::action::{Action, Environment, PluginPin, StageKind};
use crate::advice::Advice;
use crate::hash::ArtifactHash;
use crate::limits::Limits;
use crate::pipeline::{
    DatasetStage, EvaluateStage, Place, Placed, Places, ReportStage, Spec, StageWork, TrainStage,
    instance_name, is_below, selectors,
};

/// The stages in an order in which each comes after everything it reads.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The pipeline's name.
    pub name: String,
    /// The stages.
    pub stages: Vec<PlannedStage>,
}

/// One stage of a plan, at one point of its matrix.
#[derive(Clone, Debug)]
pub struct PlannedStage {
    /// Its name in the plan, such as `train/bp/seed=1`.
    pub name: String,
    /// The kind of its work.
    pub kind: StageKind,
    /// Its parameters; a plugin's defaults are not filled in yet.
    pub parameters: Map<String, Value>,
    /// Which earlier stages it reads, by role.
    pub inputs: BTreeMap<String, usize>,
    /// The plugin it needs.
    pub plugin: Option<PluginUse>,
    /// Where a dataset's files are, if the pipeline file says so; decides nothing.
    pub data_path: Option<String>,
    /// Limits on its worker; they decide nothing.
    pub limits: Limits,
    /// Names of the training in a report's table, for trainings and their evaluations.
    pub labels: Option<Labels>,
    /// Where its settings stand in the pipeline file.
    pub places: Places,
}

/// The plugin that a stage needs.
#[derive(Clone, Debug, PartialEq)]
pub struct PluginUse {
    /// By name or path.
    pub reference: Placed<String>,
    /// The algorithm in it.
    pub algorithm: Placed<String>,
}

/// Names of a training in a report's table; they are no part of the training's action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    /// The method.
    pub method: String,
    /// The network.
    pub network: String,
    /// The dataset stage.
    pub dataset: String,
}

impl PlannedStage {
    /// The action, once every input is known.
    pub fn action(
        &self,
        inputs: BTreeMap<String, ArtifactHash>,
        plugin: Option<PluginPin>,
        environment: Option<Environment>,
    ) -> Action {
        Action {
            kind: self.kind,
            revision: self.kind.revision(),
            parameters: self.parameters.clone(),
            inputs,
            plugin,
            environment,
        }
    }

    /// Whether `name` selects the stage: `train` and `train/bp` both select `train/bp/seed=1`.
    pub fn is_selected_by(&self, name: &str) -> bool {
        is_below(&self.name, name)
    }

    /// Where the parameter stands, or else the stage.
    pub fn place(&self, parameter: &str) -> Option<&Place> {
        self.places.get(parameter).or_else(|| self.places.get(""))
    }
}

impl Plan {
    /// Expands a spec into its stages.
    pub fn new(spec: &Spec) -> Self {
        let mut builder = Builder {
            limits: spec.limits,
            ..Builder::default()
        };
        // A stage may stand before what it reads; kinds only ever read kinds of earlier passes.
        for kind in [
            StageKind::Dataset,
            StageKind::Train,
            StageKind::Evaluate,
            StageKind::Report,
        ] {
            for stage in &spec.stages {
                match (&stage.work, kind) {
                    (StageWork::Dataset(dataset), StageKind::Dataset) => {
                        builder.dataset(&stage.name, dataset);
                    }
                    (StageWork::Train(trainings), StageKind::Train) => {
                        builder.trainings(&stage.name, trainings);
                    }
                    (StageWork::Evaluate(evaluate), StageKind::Evaluate) => {
                        builder.evaluations(&stage.name, evaluate);
                    }
                    (StageWork::Report(report), StageKind::Report) => {
                        builder.report(&stage.name, report);
                    }
                    _ => {}
                }
            }
        }
        Self {
            name: spec.name.clone(),
            stages: builder.stages,
        }
    }

    /// Keeps the stages that `names` select ([`PlannedStage::is_selected_by`]), and what those read.
    ///
    /// # Errors
    /// The first name that selects nothing, with the closest one that would.
    pub fn only(self, names: &[String]) -> Result<Self, UnknownStage> {
        let mut keep = vec![names.is_empty(); self.stages.len()];
        for name in names {
            let selected = |stage: &PlannedStage| stage.is_selected_by(name);
            if !self.stages.iter().any(selected) {
                return Err(UnknownStage::new(name, &self.stages));
            }
            for (keep, stage) in keep.iter_mut().zip(&self.stages) {
                *keep |= selected(stage);
            }
        }
        for at in (0..self.stages.len()).rev() {
            if keep[at] {
                self.stages[at]
                    .inputs
                    .values()
                    .for_each(|&input| keep[input] = true);
            }
        }
        let mut renumbered = vec![0; keep.len()];
        let mut stages = Vec::new();
        for (at, mut stage) in self.stages.into_iter().enumerate() {
            if keep[at] {
                renumbered[at] = stages.len();
                stage
                    .inputs
                    .values_mut()
                    .for_each(|input| *input = renumbered[*input]);
                stages.push(stage);
            }
        }
        Ok(Self {
            name: self.name,
            stages,
        })
    }
}

/// A name that selects no stage.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no stage `{name}`")]
pub struct UnknownStage {
    /// The name.
    pub name: String,
    /// Advice: the name that was probably meant, or the stages that there are.
    pub help: String,
}

impl UnknownStage {
    fn new(name: &str, stages: &[PlannedStage]) -> Self {
        let names = stages.iter().map(|stage| stage.name.as_str());
        let help = crate::pipeline::choices(name, names).unwrap_or_default();
        Self {
            name: name.to_owned(),
            help,
        }
    }
}

impl Advice for UnknownStage {
    fn help(&self) -> Cow<'_, str> {
        self.help.as_str().into()
    }
}

#[derive(Default)]
struct Builder {
    /// The pipeline's limits, for each that a stage does not set itself.
    limits: Limits,
    stages: Vec<PlannedStage>,
    /// The planned stages that each name selects.
    selected: HashMap<String, Vec<usize>>,
}

impl Builder {
    fn push(&mut self, mut planned: PlannedStage) {
        planned.limits = planned.limits.or(self.limits);
        for name in selectors(&planned.name) {
            let selected = self.selected.entry(name.to_owned()).or_default();
            selected.push(self.stages.len());
        }
        self.stages.push(planned);
    }

    /// The planned stages that `name` selects, in order: those of a stage or a part of them. The
    /// spec checked that there are some.
    fn selected(&self, name: &str) -> Vec<usize> {
        self.selected.get(name).cloned().unwrap_or_default()
    }

    fn dataset(&mut self, name: &str, dataset: &DatasetStage) {
        let mut parameters = object(json!({
            "source": dataset.source,
            "split_seed": dataset.split_seed,
        }));
        if let Some(validation) = dataset.validation {
            parameters.insert("validation".to_owned(), validation.into());
        }
        let limits = [("train", dataset.limit_train), ("test", dataset.limit_test)];
        let limits: Map<_, _> = limits
            .into_iter()
            .filter_map(|(split, count)| Some((split.to_owned(), count?.into())))
            .collect();
        if !limits.is_empty() {
            parameters.insert("limit".to_owned(), limits.into());
        }
        if let Some(classes) = dataset.classes {
            parameters.insert("classes".to_owned(), classes.into());
        }
        if let Some(names) = &dataset.class_names {
            parameters.insert("class_names".to_owned(), names.clone().into());
        }
        if let Some(scaling) = &dataset.scaling {
            parameters.insert("scaling".to_owned(), scaling.clone().into());
        }
        for (&key, setting) in &dataset.images {
            parameters.insert(key.to_owned(), setting.clone());
        }
        self.push(PlannedStage {
            name: name.to_owned(),
            kind: StageKind::Dataset,
            parameters,
            inputs: BTreeMap::new(),
            plugin: None,
            data_path: dataset.path.clone(),
            limits: dataset.limits,
            labels: None,
            places: dataset.places.clone(),
        });
    }

    fn trainings(&mut self, stage: &str, trainings: &[TrainStage]) {
        for training in trainings {
            let mut parameters = object(json!({
                "algorithm": training.algorithm.value,
                "batch_size": training.batch_size,
                "epochs": training.epochs,
                "hyperparameters": training.hyperparameters_json(),
                "network": training.network.1.value,
                "seed": training.seed,
            }));
            let augmentation = training.augmentation.json();
            // An absent augmentation must not decide a key.
            if !augmentation.is_empty() {
                parameters.insert("augmentation".to_owned(), augmentation.into());
            }
            let planned = PlannedStage {
                name: instance_name(stage, &training.instance),
                kind: StageKind::Train,
                parameters,
                inputs: self
                    .selected(&training.dataset.value)
                    .into_iter()
                    .map(|at| ("dataset".to_owned(), at))
                    .collect(),
                plugin: Some(PluginUse {
                    reference: training.plugin.clone(),
                    algorithm: training.algorithm.clone(),
                }),
                data_path: None,
                limits: training.limits,
                labels: Some(Labels {
                    method: training.method.clone(),
                    network: training.network.0.value.clone(),
                    dataset: training.dataset.value.clone(),
                }),
                places: training.places.clone(),
            };
            self.push(planned);
        }
    }

    fn evaluations(&mut self, stage: &str, evaluate: &EvaluateStage) {
        let top_k = evaluate.top_k.as_ref();
        let top_k = top_k.map_or(&[1][..], |top_k| &top_k.value);
        for training in self.selected(&evaluate.training.value) {
            let trained = &self.stages[training];
            let instance = trained
                .name
                .strip_prefix(&evaluate.training.value)
                .unwrap_or_default();
            let mut inputs = trained.inputs.clone();
            inputs.insert("training".to_owned(), training);
            let planned = PlannedStage {
                name: format!("{stage}{instance}"),
                kind: StageKind::Evaluate,
                parameters: object(json!({ "top_k": top_k })),
                inputs,
                plugin: trained.plugin.clone(),
                data_path: None,
                limits: evaluate.limits,
                labels: trained.labels.clone(),
                places: evaluate.places.clone(),
            };
            self.push(planned);
        }
    }

    fn report(&mut self, stage: &str, report: &ReportStage) {
        let evaluations: Vec<_> = report
            .evaluations
            .iter()
            .flat_map(|evaluations| self.selected(&evaluations.value))
            .collect();
        let mut inputs = BTreeMap::new();
        let mut entries = Vec::new();
        for (number, &evaluation) in evaluations.iter().enumerate() {
            let evaluated = &self.stages[evaluation];
            let (Some(&training), Some(labels)) =
                (evaluated.inputs.get("training"), &evaluated.labels)
            else {
                continue;
            };
            // Padded, so that the roles sort in the order of the table.
            let (trained_as, evaluated_as) = (
                format!("training-{number:05}"),
                format!("evaluation-{number:05}"),
            );
            entries.push(json!({
                "method": labels.method,
                "network": labels.network,
                "dataset": labels.dataset,
                "training": trained_as,
                "evaluation": evaluated_as,
            }));
            inputs.insert(trained_as, training);
            inputs.insert(evaluated_as, evaluation);
        }
        let mut parameters = object(json!({ "title": report.title, "entries": entries }));
        if let Some(reference) = &report.reference {
            parameters.insert("reference".to_owned(), reference.clone().into());
        }
        let planned = PlannedStage {
            name: stage.to_owned(),
            kind: StageKind::Report,
            parameters,
            inputs,
            plugin: None,
            data_path: None,
            limits: report.limits,
            labels: None,
            places: report.places.clone(),
        };
        self.push(planned);
    }
}

/// The object in a `json!({…})`.
fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
