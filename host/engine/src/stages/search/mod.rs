//! The search stage: ranks the trainings of a search. In a pipeline file it stands for the whole
//! search: its trials, the ranking of each round, and the best configuration trained again from fresh
//! seeds.

mod plan;
mod points;
mod run;
mod space;
mod trainings;

use assay_report::Split;
use serde::{Deserialize, Serialize};

use super::Kind;
use super::train::TrainingParameters;
use crate::containment::Profile;

/// The file with the [`Ranking`].
pub(crate) const RANKING: &str = "ranking.json";

pub(super) const KIND: Kind = Kind {
    plan: Some(plan::plan),
    run: run::run,
    profile: Profile::Sealed,
    keeps_progress: false,
    length: None,
};

/// Parameters that decide a ranking, beside the trainings.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SearchParameters {
    /// The split whose error ranks: the validation split, or the test set as in the paper.
    chosen_on: String,
}

/// The trials of a search from best to worst.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ranking {
    /// The split whose error ranks.
    pub(crate) chosen_on: String,
    /// The trials that are in this round, the best first and those that diverged last.
    pub(crate) trials: Vec<Trial>,
    /// The trials that earlier rounds left behind, in their order there, later rounds first.
    pub(crate) left_behind: Vec<Trial>,
}

/// One trial of a search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Trial {
    /// Its number in the search, counted from 0.
    pub(crate) number: u32,
    /// The settings of its training in the last round that it was in.
    pub(crate) training: TrainingParameters,
    /// The epoch that was chosen: that with the lowest error on the split that ranks.
    pub(crate) epoch: Option<u32>,
    /// The validation error after that epoch.
    pub(crate) validation_error: Option<f64>,
    /// The test error after that epoch.
    pub(crate) test_error: Option<f64>,
    /// The epoch in which it diverged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) diverged_in_epoch: Option<u32>,
}

impl Trial {
    /// The error on the split, unless the trial diverged.
    fn error(&self, split: Split) -> Option<f64> {
        let error = match split {
            Split::Validation => self.validation_error,
            _ => self.test_error,
        };
        error.filter(|_| self.diverged_in_epoch.is_none())
    }
}
