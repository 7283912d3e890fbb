//! The trainings of a search as planned work: trials, whose hyper-parameters are drawn, and
//! trainings whose configuration a ranking decides.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use assay_core::{Complaints, Diagnostic, Hyperparameters, StageKind};
use serde::Serialize;
use serde_json::{Map, Value};

use super::points::{Point, Sampling};
use super::space::{Range, Space, declared, draw, is_integer};
use crate::plan::{Completion, StageInPlan, Work};
use crate::stages::object;
use crate::stages::train::{DATASET, TrainingParameters};

/// The source of a search's ranges and points.
#[derive(Debug)]
pub(super) struct Design {
    /// The ranges of the file by the name of the hyper-parameter.
    pub(super) space: Space,
    /// Whether the ranges that the algorithm declares are added.
    pub(super) with_declared: bool,
    pub(super) sampling: Sampling,
    /// The split whose error ranks the trials.
    pub(super) is_ranked_on_validation: bool,
    /// The ranges that are drawn from, once the algorithm is known: the trials share them.
    pub(super) drawn: OnceLock<Result<Space, String>>,
}

impl Design {
    /// The ranges to draw from, beside the values that the file has `given`.
    fn ranges(&self, schema: &Value, given: &Map<String, Value>) -> Result<Space, String> {
        let mut space = if self.with_declared {
            declared(schema)?
        } else {
            Space::new()
        };
        // A value that the file gives is not drawn, unless the file also gives a range.
        space.retain(|name, _| !given.contains_key(name));
        space.extend(self.space.clone());
        if space.is_empty() {
            return Err("the search has no ranges to draw from".to_owned());
        }
        Ok(space)
    }
}

/// A trial of a search.
#[derive(Debug)]
pub(super) struct PlannedTrial {
    pub(super) parameters: TrainingParameters,
    pub(super) point: Point,
    pub(super) design: Arc<Design>,
}

impl Work for PlannedTrial {
    fn kind(&self) -> StageKind {
        StageKind::Train
    }

    fn parameters(&self) -> Result<Map<String, Value>, serde_json::Error> {
        object(&self.parameters)
    }

    fn complete(
        &mut self,
        stage: &StageInPlan<'_>,
        completion: &mut Completion<'_>,
        complaints: &mut Complaints,
    ) {
        let dataset = stage.input(DATASET);
        let dataset = dataset.and_then(|dataset| dataset.work.dataset());
        if self.design.is_ranked_on_validation && dataset.is_some_and(|it| it.validation == 0) {
            let message = "the dataset holds out no samples for validation, so trials cannot be \
                           ranked by their validation error";
            let help = "give the dataset `validation = 5000`, or rank on the test set as the \
                        paper does: `protocol = \"paper\"`";
            let place = stage.place("protocol");
            complaints
                .extend(place.map(|place| Diagnostic::new(message, place).help(help.to_owned())));
        }
        self.parameters.complete(stage, completion, complaints);
    }

    fn draw(&mut self, schema: &Value) -> Result<(), String> {
        let given = &mut self.parameters.hyperparameters;
        let drawn = &self.design.drawn;
        let ranges = drawn.get_or_init(|| self.design.ranges(schema, given));
        let space = ranges.as_ref().map_err(Clone::clone)?;
        let is_integer = |name: &str| is_integer(schema, name);
        given.extend(draw(space, self.design.sampling, self.point, is_integer)?);
        Ok(())
    }

    fn training(&self) -> Option<&TrainingParameters> {
        Some(&self.parameters)
    }

    fn training_mut(&mut self) -> Option<&mut TrainingParameters> {
        Some(&mut self.parameters)
    }
}

/// A training of the configuration in some place of a ranking.
#[derive(Debug, Serialize)]
pub(super) struct ChosenTraining {
    pub(super) epochs: u32,
    /// The seed of its own, if it is not that of the trials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) seed: Option<u64>,
}

impl Work for ChosenTraining {
    fn kind(&self) -> StageKind {
        StageKind::Train
    }

    /// The parameters that the ranking does not decide.
    fn parameters(&self) -> Result<Map<String, Value>, serde_json::Error> {
        object(self)
    }
}

/// The ranges as a file writes them.
///
/// # Errors
/// A complaint at the first that is none.
pub(super) fn read_space(written: &Hyperparameters) -> Result<Space, Diagnostic> {
    let ranges = written.iter().map(|(name, written)| {
        let range = Range::read(&written.value)
            .map_err(|reason| Diagnostic::new(reason, &written.place))?;
        Ok((name.clone(), range))
    });
    ranges.collect::<Result<BTreeMap<_, _>, _>>()
}
