//! The work of a planned stage, as its kind sees it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use assay_core::{Complaints, Place, Places, StageKind};
use assay_data::sources::DatasetParameters;
use assay_store::SourceHashes;
use serde_json::{Map, Value};

use super::PlannedStage;
use crate::lock::LockWatch;
use crate::stages::TrainingParameters;

/// The work of a planned stage: the parameters of its action, as the kind of the stage types them.
pub(crate) trait Work: fmt::Debug + Send + Sync {
    /// The kind of work.
    fn kind(&self) -> StageKind;

    /// The parameters of the action.
    ///
    /// # Errors
    /// They have no JSON, or depend on files that were not looked at.
    fn parameters(&self) -> Result<Map<String, Value>, serde_json::Error>;

    /// Decides what depends on files outside of the pipeline file, and checks what could not be
    /// checked before.
    fn complete(
        &mut self,
        _stage: &StageInPlan<'_>,
        _completion: &mut Completion<'_>,
        _complaints: &mut Complaints,
    ) {
    }

    /// The parameters of a dataset, once they are complete.
    fn dataset(&self) -> Option<&DatasetParameters> {
        None
    }

    /// Where the files of a dataset are, relative to the pipeline file, if it says so.
    fn data_path(&self) -> Option<&str> {
        None
    }

    /// A file of published figures: its path as the pipeline file gives it, and its text.
    fn figures(&self) -> Option<(&str, &str)> {
        None
    }

    /// The parameters of a training.
    fn training(&self) -> Option<&TrainingParameters> {
        None
    }

    /// Draws the hyper-parameters of a search's trial, given the schema of its algorithm.
    ///
    /// # Errors
    /// The reason why that cannot be done, as a complaint about the space.
    fn draw(&mut self, _schema: &Value) -> Result<(), String> {
        Ok(())
    }

    /// The parameters of a training, to fill in a plugin's defaults.
    fn training_mut(&mut self) -> Option<&mut TrainingParameters> {
        None
    }
}

/// A stage as its work sees it while the plan is completed.
pub(crate) struct StageInPlan<'a> {
    pub(crate) name: &'a str,
    pub(super) places: &'a Places,
    pub(super) inputs: &'a BTreeMap<String, usize>,
    /// The stages before it, which are complete.
    pub(super) earlier: &'a [PlannedStage],
}

impl StageInPlan<'_> {
    /// Where the parameter stands, or else the stage.
    pub(crate) fn place(&self, parameter: &str) -> Option<&Place> {
        super::place(self.places, parameter)
    }

    /// The stage that it reads in that role.
    pub(crate) fn input(&self, role: &str) -> Option<&PlannedStage> {
        self.earlier.get(*self.inputs.get(role)?)
    }
}

/// Context for completing a plan.
pub(crate) struct Completion<'a> {
    /// The folder of the pipeline file.
    pub(crate) base: &'a Path,
    /// Where the user keeps datasets.
    pub(crate) data_dir: Option<&'a Path>,
    /// The hashes of the user's files.
    pub(crate) hashes: &'a mut SourceHashes,
    /// The lock that datasets are compared with.
    pub(crate) lock: Option<&'a mut LockWatch>,
}
