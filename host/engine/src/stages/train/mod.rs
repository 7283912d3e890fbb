//! The train stage: a network trained with an algorithm.

mod alignment;
mod checkpoint;
mod continuation;
mod fit;
mod news;
mod passes;
mod plan;
mod resident;
mod run;
mod samples;

use std::num::NonZeroU32;

use assay_data::augment::Augmentation;
use assay_network::Network;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use self::checkpoint::newest_checkpoint;
pub(crate) use self::checkpoint::{kept_epoch, kept_state};
pub(crate) use self::plan::DATASET;
pub(super) use self::plan::{TrainingSettings, read_training};
pub(crate) use self::run::{BEST, FINAL, METRICS, TRAINING};
pub(super) use self::samples::batch_shape;

use super::Kind;
use crate::containment::Profile;

/// The parameter with the number of epochs.
pub(crate) const EPOCHS: &str = "epochs";

pub(super) const KIND: Kind = Kind {
    plan: Some(plan::plan),
    run: run::run,
    profile: Profile::Sealed,
    keeps_progress: true,
    length: Some(EPOCHS),
};

/// Everything that decides a training beside its dataset, its plugin and the numerical environment:
/// the parameters of its action, and the setup in `training.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingParameters {
    /// The algorithm's name in its plugin.
    pub algorithm: String,
    /// The network.
    pub network: Network,
    /// The hyper-parameters of the algorithm.
    pub hyperparameters: Map<String, Value>,
    /// Decides weights, batch order and noise.
    pub seed: u64,
    /// Passes over the training set.
    pub epochs: u32,
    /// Samples in a batch; the last one may be smaller.
    pub batch_size: u32,
    /// The augmentation of training images; absent where nothing is done to them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub augmentation: Option<Augmentation>,
    /// True if each epoch measures the alignment of the directions with backpropagation's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub alignment: bool,
    /// The artifact keeps the state after each epoch that this divides, but the last one; absent where it keeps
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_state_every: Option<NonZeroU32>,
}

impl TrainingParameters {
    /// True if the artifact keeps the state after `epoch`.
    pub(crate) fn keeps_state(&self, epoch: u32) -> bool {
        let every = self.keep_state_every;
        epoch < self.epochs && every.is_some_and(|every| epoch % every == 0)
    }
}

/// The document `training.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrainingDocument {
    #[serde(flatten)]
    pub(crate) parameters: TrainingParameters,
    /// The epoch after which `best.safetensors` was saved; 0 where the first epoch diverged.
    pub(crate) best_epoch: u32,
    /// The split whose error chose it.
    pub(crate) best_chosen_on: String,
    /// The epoch in which a value became infinite or not a number, which ended the training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) diverged_in_epoch: Option<u32>,
}
