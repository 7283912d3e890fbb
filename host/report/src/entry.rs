//! The input of a report: one training with its settings and tables. It owns the shape of that
//! input; it never reads a file.

use std::collections::BTreeMap;
use std::sync::Arc;

use assay_network::Task;
use serde_json::{Map, Value};

use crate::conditions::Conditions;
use crate::metrics::{ERROR, EvaluationRow, MAJORITY_CLASS_ERROR, MetricRow, Split, State};
use crate::reconstructions::ReconstructionRow;
use crate::reference::Figures;
use crate::search::Search;

/// The names of the artifacts that a training and its numbers can be looked up by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// Of the training.
    pub training: String,
    /// Of the evaluation.
    pub evaluation: String,
}

/// One training, as a report takes it.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportEntry {
    /// The name the pipeline file gives this way of training.
    pub method: String,
    /// The plugin's algorithm behind it.
    pub algorithm: String,
    /// The network's name.
    pub network: String,
    /// The dataset's name.
    pub dataset: String,
    /// The network's task, which says what its errors are.
    pub task: Task,
    /// The seed of initial weights and data order.
    pub seed: u64,
    /// Epochs trained.
    pub epochs: u32,
    /// Samples in a batch.
    pub batch_size: u32,
    /// The data that its numbers are from, and the device.
    pub conditions: Conditions,
    /// Every hyper-parameter, defaults filled in.
    pub hyperparameters: Map<String, Value>,
    /// The search that its configuration came from.
    pub search: Option<Arc<Search>>,
    /// Published figures of this method on this network.
    pub figures: Option<Figures>,
    /// The epoch in which a value became infinite or not a number, if one did.
    pub diverged_in_epoch: Option<u32>,
    /// Its metrics by epoch.
    pub metrics: Vec<MetricRow>,
    /// The evaluation of its saved states.
    pub evaluation: Vec<EvaluationRow>,
    /// Which images of the test set each saved state gets wrong; nothing for a state whose predictions
    /// were not kept.
    pub wrong: BTreeMap<State, Vec<bool>>,
    /// The first images of the test set with their reconstructions; nothing of a classification.
    pub reconstructions: Vec<ReconstructionRow>,
    /// The artifacts that all this is from.
    pub sources: Sources,
}

impl ReportEntry {
    /// True if the training diverged, and its numbers count for nothing: a value was not finite, or in
    /// the end it classifies its own training images worse than who always names their most frequent
    /// class.
    pub(crate) fn is_diverged(&self) -> bool {
        is_diverged(&self.evaluation, self.diverged_in_epoch)
    }
}

/// True if a training diverged: a value was not finite, or in the end it classifies its own training
/// images worse than who always names their most frequent class.
pub fn is_diverged(evaluation: &[EvaluationRow], diverged_in_epoch: Option<u32>) -> bool {
    let last = |metric: &str| {
        let mut rows = evaluation.iter();
        let row = rows.find(|row| {
            (row.state, row.split, row.metric.as_str()) == (State::Final, Split::Train, metric)
        });
        row.map(|row| row.value)
    };
    let above = last(ERROR).zip(last(MAJORITY_CLASS_ERROR));
    diverged_in_epoch.is_some() || above.is_some_and(|(error, majority)| error > majority)
}
