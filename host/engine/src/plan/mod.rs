//! The plan: the stages of a pipeline as a graph, each with everything about its action that is
//! known before anything has run.
//!
//! A stage's key needs the artifacts it reads; the plan therefore holds the shape of the graph,
//! and a frozen stage becomes an action once its inputs are there.

mod planner;
mod schema;
mod work;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use assay_core::{
    Advice, Complaints, Limits, Load, PipelineFile, Place, Placed, Places, Resources, Source,
    SourceError, StageKind, choices, suggestion,
};
use assay_network::Task;
use serde_json::{Map, Value};

use self::planner::selectors;
pub(crate) use self::planner::{Planner, is_below};
pub use self::schema::pipeline_schema;
pub(crate) use self::work::{Completion, StageInPlan, Work};

use crate::stages::TrainingParameters;

/// The stages of a pipeline in an order in which each comes after everything it reads.
#[derive(Debug)]
pub struct Plan {
    /// The pipeline's name.
    pub name: String,
    /// The stages.
    pub stages: Vec<PlannedStage>,
    /// The texts that places point into: the pipeline file, then each override, then the file of
    /// networks that it names.
    pub sources: Vec<Source>,
    /// The names of all stages in the file.
    stage_names: Vec<String>,
    /// Which source is the file of networks.
    pub networks_file: Option<usize>,
    /// Folders to look for plugins in, relative to the file.
    pub plugin_dirs: Vec<String>,
    /// Limits on every worker, for each that a stage does not set itself.
    pub limits: Limits,
}

/// One stage of a plan, at one point of its matrix.
#[derive(Debug)]
pub struct PlannedStage {
    /// Its name in the plan, such as `train/bp/seed=1`.
    pub name: String,
    /// Its work, with the parameters.
    pub(crate) work: Box<dyn Work>,
    /// Which earlier stages it reads, by role.
    pub inputs: BTreeMap<String, usize>,
    /// The plugin it needs.
    pub plugin: Option<PluginUse>,
    /// Limits on its worker; they decide nothing.
    pub limits: Limits,
    /// Resources that it asks a queue of a cluster for; they decide nothing.
    pub resources: Resources,
    /// Names of the training in a report's table, for trainings and their evaluations.
    pub labels: Option<Labels>,
    /// Where its settings stand in the pipeline file.
    pub places: Arc<Places>,
    /// Its part in a search, if it has one.
    pub(crate) search: Option<SearchPart>,
}

/// The part of a training in a search.
#[derive(Clone, Debug)]
pub(crate) struct SearchPart {
    /// The ranking that decides the parameters of the training, all but its epochs and seed.
    pub(crate) chosen: Option<Chosen>,
    /// The limit on trainings of the search that run at a time.
    pub(crate) parallel: Option<Parallel>,
}

/// A place in a ranking.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chosen {
    /// Which earlier stage ranks.
    pub(crate) ranking: usize,
    /// The place, counted from 0.
    pub(crate) rank: usize,
}

/// A limit on the trainings of one search that run at a time.
#[derive(Clone, Debug)]
pub(crate) struct Parallel {
    /// The search's name.
    pub(crate) search: Arc<str>,
    /// How many of its trainings may run at a time.
    pub(crate) most: usize,
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
    /// The task of the network.
    pub task: Task,
}

impl PlannedStage {
    /// The kind of its work.
    pub fn kind(&self) -> StageKind {
        self.work.kind()
    }

    /// The parameters of its action. The defaults of a plugin are there once the plan is frozen.
    ///
    /// # Errors
    /// They have no JSON, or depend on files that were not looked at.
    pub fn parameters(&self) -> Result<Map<String, Value>, serde_json::Error> {
        self.work.parameters()
    }

    /// The parameters of a training.
    pub fn training(&self) -> Option<&TrainingParameters> {
        self.work.training()
    }

    /// The place in a ranking that decides its parameters.
    pub(crate) fn chosen(&self) -> Option<Chosen> {
        self.search.as_ref()?.chosen
    }

    /// The limit on trainings of its search that run at a time.
    pub(crate) fn parallel(&self) -> Option<&Parallel> {
        self.search.as_ref()?.parallel.as_ref()
    }

    /// The earlier stages that must have ended before it can begin: its inputs, and the ranking that
    /// decides its parameters.
    pub(crate) fn waits_for(&self) -> impl Iterator<Item = usize> {
        let ranking = self.chosen().map(|chosen| chosen.ranking);
        self.inputs.values().copied().chain(ranking)
    }

    /// Whether `name` selects the stage: `train` and `train/bp` both select `train/bp/seed=1`.
    pub fn is_selected_by(&self, name: &str) -> bool {
        is_below(&self.name, name)
    }

    /// Where the parameter stands, or else the stage.
    pub fn place(&self, parameter: &str) -> Option<&Place> {
        place(&self.places, parameter)
    }

    /// Decides what depends on files outside of the pipeline file; `earlier` are the stages before it
    /// in the plan.
    pub(crate) fn complete(
        &mut self,
        earlier: &[Self],
        completion: &mut Completion<'_>,
        complaints: &mut Complaints,
    ) {
        let stage = StageInPlan {
            name: &self.name,
            places: &self.places,
            inputs: &self.inputs,
            earlier,
        };
        self.work.complete(&stage, completion, complaints);
    }
}

/// Where the setting stands, or else the stage.
pub(crate) fn place<'a>(places: &'a Places, parameter: &str) -> Option<&'a Place> {
    places.get(parameter).or_else(|| places.get(""))
}

impl Plan {
    /// Reads a pipeline file and plans its stages; `overrides` are the `--set` arguments, in order,
    /// and `load` gives the file of networks, if one is named. No other file is looked at. With names
    /// in `only`, it plans the stages of the file that they are parts of, and what those read;
    /// [`Plan::only`] keeps the parts.
    ///
    /// # Errors
    /// Every complaint about the file and those stages, each with its place.
    pub fn parse(
        name: &str,
        text: &str,
        overrides: &[String],
        only: &[String],
        load: Load<'_>,
    ) -> Result<Self, SourceError> {
        let mut complaints = Complaints::default();
        let file = PipelineFile::parse(name, text, overrides, load, &mut complaints);
        let stages = Planner::plan(&file, only, &mut complaints);
        if !complaints.is_empty() {
            return Err(SourceError::new(file.sources, complaints));
        }
        Ok(Self {
            stage_names: file.stages.into_iter().map(|stage| stage.name).collect(),
            name: file.name,
            stages,
            sources: file.sources,
            networks_file: file.networks_file,
            plugin_dirs: file.plugin_dirs,
            limits: file.limits,
        })
    }

    /// Decides what depends on files outside of the pipeline file.
    pub(crate) fn complete(
        &mut self,
        completion: &mut Completion<'_>,
        complaints: &mut Complaints,
    ) {
        for at in 0..self.stages.len() {
            let (earlier, rest) = self.stages.split_at_mut(at);
            if let Some(stage) = rest.first_mut() {
                stage.complete(earlier, completion, complaints);
            }
        }
    }

    /// Keeps the stages that `names` select ([`PlannedStage::is_selected_by`]), and what those read;
    /// without names all of them.
    ///
    /// # Errors
    /// The first name that selects nothing, with the closest one that would.
    pub fn only(mut self, names: &[String]) -> Result<Self, UnknownStage> {
        if names.is_empty() {
            return Ok(self);
        }
        let mut keep = vec![false; self.stages.len()];
        for name in names {
            let selected = |stage: &PlannedStage| stage.is_selected_by(name);
            if !self.stages.iter().any(selected) {
                return Err(UnknownStage::new(name, &self));
            }
            for (keep, stage) in keep.iter_mut().zip(&self.stages) {
                *keep |= selected(stage);
            }
        }
        for at in (0..self.stages.len()).rev() {
            if keep[at] {
                let read: Vec<_> = self.stages[at].waits_for().collect();
                for input in read {
                    keep[input] = true;
                }
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
                let search = stage.search.as_mut();
                if let Some(chosen) = search.and_then(|search| search.chosen.as_mut()) {
                    chosen.ranking = renumbered[chosen.ranking];
                }
                stages.push(stage);
            }
        }
        self.stages = stages;
        Ok(self)
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
    fn new(name: &str, plan: &Plan) -> Self {
        let whole = plan.stage_names.iter().map(String::as_str);
        let parts = plan.stages.iter().flat_map(|stage| selectors(&stage.name));
        let close = suggestion(name, whole.clone().chain(parts));
        // All instances would be a long list.
        let known: Vec<_> = close.map_or(whole.collect(), |close| vec![close]);
        Self {
            name: name.to_owned(),
            help: choices(name, known.into_iter()).unwrap_or_default(),
        }
    }
}

impl Advice for UnknownStage {
    fn help(&self) -> Cow<'_, str> {
        self.help.as_str().into()
    }
}
