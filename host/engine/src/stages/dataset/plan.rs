//! Plans datasets: their settings are completed with the hashes of the user's files.

use std::sync::Arc;

use assay_core::{Complaints, StageKind, StageTable, settings};
use assay_data::sources::{DatasetParameters, DatasetSettings, Planning};
use serde::ser::Error as _;
use serde_json::{Map, Value};

use super::StoreHashes;
use crate::plan::{Completion, PlannedStage, Planner, StageInPlan, Work};
use crate::stages::object;

/// A dataset as it is planned.
#[derive(Debug)]
pub(crate) struct PlannedDataset {
    settings: DatasetSettings,
    /// The parameters, once its files are known.
    parameters: Option<DatasetParameters>,
}

impl From<DatasetSettings> for PlannedDataset {
    fn from(settings: DatasetSettings) -> Self {
        Self {
            settings,
            parameters: None,
        }
    }
}

pub(super) fn plan(stage: &StageTable, planner: &mut Planner<'_>) {
    let out = &mut *planner.complaints;
    let mut reader = stage.reader();
    let places = reader.places();
    let settings = DatasetSettings::read(&mut reader, &stage.name, out);
    let limits = settings::limits(&mut reader, out);
    let resources = settings::resources(&mut reader, out);
    reader.finish(out);
    let Some(settings) = settings else { return };
    planner.push(PlannedStage {
        name: stage.name.clone(),
        work: Box::new(PlannedDataset::from(settings)),
        inputs: [].into(),
        plugin: None,
        limits,
        resources,
        labels: None,
        places: Arc::new(places),
        search: None,
    });
}

impl Work for PlannedDataset {
    fn kind(&self) -> StageKind {
        StageKind::Dataset
    }

    fn parameters(&self) -> Result<Map<String, Value>, serde_json::Error> {
        match &self.parameters {
            Some(parameters) => object(parameters),
            None => Err(serde_json::Error::custom(
                "the dataset's files are not known",
            )),
        }
    }

    /// Hashes the user's files, and compares the content of the source with the lock. How it is split
    /// and scaled is the pipeline file's own business, which version control keeps already.
    fn complete(
        &mut self,
        stage: &StageInPlan<'_>,
        completion: &mut Completion<'_>,
        complaints: &mut Complaints,
    ) {
        let mut planning = Planning {
            base: completion.base,
            data_dir: completion.data_dir,
            hashes: &mut StoreHashes(completion.hashes),
        };
        match self.settings.complete(&mut planning) {
            Ok(parameters) => {
                if let (Some(lock), Some(place)) = (&mut completion.lock, stage.place("source")) {
                    lock.dataset(stage.name, place, parameters.source.content(), complaints);
                }
                self.parameters = Some(parameters);
            }
            Err(complaint) => complaints.push(complaint),
        }
    }

    fn dataset(&self) -> Option<&DatasetParameters> {
        self.parameters.as_ref()
    }

    fn data_path(&self) -> Option<&str> {
        self.settings.data_path()
    }
}
