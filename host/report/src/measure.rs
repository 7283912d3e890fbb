//! Name, unit and number format of each task's error. It owns the words; it never computes a
//! number.

use assay_network::Task;

use crate::metrics::{ERROR, RECONSTRUCTION_ERROR};

/// The error that a task is judged by: the best epoch is the one that has the least of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorMeasure {
    /// The metric.
    pub metric: &'static str,
    /// The metric in words.
    pub name: &'static str,
    /// The words as a heading begins.
    pub heading: &'static str,
    /// Its unit, as it follows the words.
    pub unit: &'static str,
    /// The words with the unit as an axis has them.
    pub(crate) axis: &'static str,
    /// Definition of the errors in a report, as a full sentence.
    pub(crate) definition: &'static str,
    /// Whether it is a share of the samples, so that it lies between 0 and 100.
    pub is_percent: bool,
    /// The digits after the point that people are shown.
    pub decimals: usize,
}

impl ErrorMeasure {
    /// The measure whose metric has this name.
    pub fn named(metric: &str) -> Option<&'static Self> {
        let mut all = [&CLASSIFICATION, &RECONSTRUCTION].into_iter();
        all.find(|measure| measure.metric == metric)
    }

    /// The measure of a task.
    pub const fn of(task: Task) -> &'static Self {
        match task {
            Task::Classification => &CLASSIFICATION,
            Task::Reconstruction => &RECONSTRUCTION,
        }
    }
}

const CLASSIFICATION: ErrorMeasure = ErrorMeasure {
    metric: ERROR,
    name: "error",
    heading: "Errors",
    unit: "in percent",
    axis: "error, %",
    definition: "Errors are the share of samples that the network classifies wrongly, in percent.",
    is_percent: true,
    decimals: 2,
};

const RECONSTRUCTION: ErrorMeasure = ErrorMeasure {
    metric: RECONSTRUCTION_ERROR,
    name: "reconstruction error",
    heading: "Reconstruction errors",
    unit: "as squared distances",
    axis: "reconstruction error",
    definition: "Errors are squared distances between a sample and its reconstruction, \
         ‖h_L − x‖²: the sum over all values of an input, the mean over samples. Inputs are scaled \
         as the dataset says, so errors on one scaling say nothing about another.",
    is_percent: false,
    decimals: 3,
};
