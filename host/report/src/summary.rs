//! From the tables of trainings to the protocol's numbers (docs/methods.md, Protocol), and from the
//! numbers of several seeds to mean and spread. Pure functions; nothing here reads, writes or
//! formats.

use std::fmt;

use assay_network::Task;
use assay_statistics::Sample;

use crate::measure::ErrorMeasure;
use crate::metrics::{EvaluationRow, MetricRow, Split, State, TOP_5_ERROR};

/// A number of the protocol, in the unit of the task's [`ErrorMeasure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quantity {
    /// The lowest test error over the epochs: the paper's number, chosen on the test set.
    TestErrorBestEpoch,
    /// The train error after that same epoch.
    TrainErrorBestEpoch,
    /// The lowest train error over the epochs. The paper's tables give a train error without
    /// saying of which epoch, so both readings are kept.
    TrainErrorMinimum,
    /// The test error after the last epoch.
    TestErrorLastEpoch,
    /// The train error after the last epoch.
    TrainErrorLastEpoch,
    /// The test error of the state chosen on the validation split: the honest number.
    TestErrorValidationEpoch,
    /// The train error of that state.
    TrainErrorValidationEpoch,
    /// The validation error of that state: what configurations are to be compared on.
    ValidationErrorValidationEpoch,
    /// The top-5 test error after the epoch with the lowest (top-1) test error.
    TestTop5ErrorBestEpoch,
    /// The top-5 test error after the last epoch.
    TestTop5ErrorLastEpoch,
    /// The top-5 test error of the state chosen on the validation split.
    TestTop5ErrorValidationEpoch,
}

impl Quantity {
    /// Every quantity, in the order of the table's columns.
    pub const ALL: [Self; 11] = [
        Self::TestErrorBestEpoch,
        Self::TrainErrorBestEpoch,
        Self::TrainErrorMinimum,
        Self::TestErrorLastEpoch,
        Self::TrainErrorLastEpoch,
        Self::TestErrorValidationEpoch,
        Self::TrainErrorValidationEpoch,
        Self::ValidationErrorValidationEpoch,
        Self::TestTop5ErrorBestEpoch,
        Self::TestTop5ErrorLastEpoch,
        Self::TestTop5ErrorValidationEpoch,
    ];

    /// The quantities that a task has, in that order: only a classification has top-5 errors.
    pub fn of(task: Task) -> &'static [Self] {
        match task {
            Task::Classification => &Self::ALL,
            Task::Reconstruction => &Self::ALL[..Self::ALL.len() - 3],
        }
    }

    /// The stem of its columns' names: `<name>_mean`, `<name>_sd`, `<name>_n`.
    pub fn name(self, task: Task) -> String {
        let (split, metric) = (self.split(), self.metric(task));
        let selection = match self {
            Self::TestErrorBestEpoch | Self::TrainErrorBestEpoch | Self::TestTop5ErrorBestEpoch => {
                "best_epoch"
            }
            Self::TrainErrorMinimum => "minimum",
            Self::TestErrorLastEpoch | Self::TrainErrorLastEpoch | Self::TestTop5ErrorLastEpoch => {
                "last_epoch"
            }
            Self::TestErrorValidationEpoch
            | Self::TrainErrorValidationEpoch
            | Self::ValidationErrorValidationEpoch
            | Self::TestTop5ErrorValidationEpoch => "validation_epoch",
        };
        format!("{split}_{metric}_{selection}")
    }

    /// Whether its epoch was chosen on the test set, as the paper does.
    pub const fn is_chosen_on_test(self) -> bool {
        matches!(
            self,
            Self::TestErrorBestEpoch | Self::TrainErrorBestEpoch | Self::TestTop5ErrorBestEpoch
        )
    }

    /// The saved state that a classification's predictions for it are of; nothing where the epoch was
    /// chosen in another way, since its state is not kept.
    pub const fn state(self) -> Option<State> {
        match self {
            Self::TestErrorValidationEpoch => Some(State::Best),
            Self::TestErrorLastEpoch => Some(State::Final),
            _ => None,
        }
    }

    /// Where it is measured.
    fn split(self) -> Split {
        match self {
            Self::TestErrorBestEpoch
            | Self::TestErrorLastEpoch
            | Self::TestErrorValidationEpoch
            | Self::TestTop5ErrorBestEpoch
            | Self::TestTop5ErrorLastEpoch
            | Self::TestTop5ErrorValidationEpoch => Split::Test,
            Self::TrainErrorBestEpoch
            | Self::TrainErrorMinimum
            | Self::TrainErrorLastEpoch
            | Self::TrainErrorValidationEpoch => Split::Train,
            Self::ValidationErrorValidationEpoch => Split::Validation,
        }
    }

    /// Which metric it is a value of.
    fn metric(self, task: Task) -> &'static str {
        match self {
            Self::TestTop5ErrorBestEpoch
            | Self::TestTop5ErrorLastEpoch
            | Self::TestTop5ErrorValidationEpoch => TOP_5_ERROR,
            _ => ErrorMeasure::of(task).metric,
        }
    }
}

/// The protocol's numbers of one training; a number that was not measured, or is not finite, is
/// absent.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// By [`Choice`].
    epochs: [Option<u32>; Choice::ALL.len()],
    values: [Option<f64>; Quantity::ALL.len()],
}

/// A way in which an epoch is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The first epoch with the lowest test error.
    Test,
    /// The first epoch with the lowest validation error.
    Validation,
}

impl Choice {
    /// All of them, in the order of the table's columns.
    pub const ALL: [Self; 2] = [Self::Test, Self::Validation];

    /// The stem of its columns' names: `<name>_lowest`, `<name>_highest`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Test => "best_epoch",
            Self::Validation => "validation_epoch",
        }
    }
}

/// The epochs that several trainings chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochRange {
    /// The earliest of them.
    pub first: u32,
    /// The latest of them.
    pub last: u32,
}

impl EpochRange {
    pub(crate) fn of(epochs: impl Iterator<Item = u32>) -> Option<Self> {
        epochs.fold(None, |range: Option<Self>, epoch| {
            let range = range.unwrap_or(Self {
                first: epoch,
                last: epoch,
            });
            Some(Self {
                first: range.first.min(epoch),
                last: range.last.max(epoch),
            })
        })
    }
}

/// `12`, or `12–25`.
impl fmt::Display for EpochRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, last } = self;
        if first == last {
            return write!(f, "{first}");
        }
        write!(f, "{first}–{last}")
    }
}

impl Summary {
    /// The epoch that was chosen in some way.
    pub fn epoch(&self, choice: Choice) -> Option<u32> {
        self.epochs[choice as usize]
    }

    /// One of the numbers.
    pub fn get(&self, quantity: Quantity) -> Option<f64> {
        self.values[quantity as usize]
    }
}

/// The protocol's numbers of a training of `epochs` epochs, its errors those of `task`.
///
/// - *Best epoch*: from `metrics`, the first epoch with the lowest test error.
/// - *Last epoch*: the `final` state in `evaluation`; what that lacks, `metrics` of epoch `epochs`.
/// - *Validation epoch*: the `best` state in `evaluation`, which training chose on the validation
///   split, or without an evaluation `metrics` of the first epoch with the lowest validation error;
///   absent if `metrics` has no validation error, for then nothing was chosen.
pub fn summarise(
    metrics: &[MetricRow],
    evaluation: &[EvaluationRow],
    epochs: u32,
    task: Task,
) -> Summary {
    let error = ErrorMeasure::of(task).metric;
    let best_epoch = lowest(metrics, Split::Test, error).map(|row| row.epoch);
    let best = |split, metric| after(metrics, best_epoch?, split, metric);
    let last = |split, metric| {
        of_state(evaluation, State::Final, split, metric)
            .or_else(|| after(metrics, epochs, split, metric))
    };
    let validation_epoch = lowest(metrics, Split::Validation, error).map(|row| row.epoch);
    let chosen = |split, metric| {
        let epoch = validation_epoch?;
        if evaluation.is_empty() {
            after(metrics, epoch, split, metric)
        } else {
            of_state(evaluation, State::Best, split, metric)
        }
    };
    let values = Quantity::ALL.map(|quantity| {
        let (split, metric) = (quantity.split(), quantity.metric(task));
        match quantity {
            Quantity::TestErrorBestEpoch
            | Quantity::TrainErrorBestEpoch
            | Quantity::TestTop5ErrorBestEpoch => best(split, metric),
            Quantity::TrainErrorMinimum => lowest(metrics, split, metric).map(|row| row.value),
            Quantity::TestErrorLastEpoch
            | Quantity::TrainErrorLastEpoch
            | Quantity::TestTop5ErrorLastEpoch => last(split, metric),
            Quantity::TestErrorValidationEpoch
            | Quantity::TrainErrorValidationEpoch
            | Quantity::ValidationErrorValidationEpoch
            | Quantity::TestTop5ErrorValidationEpoch => chosen(split, metric),
        }
    });
    Summary {
        epochs: [best_epoch, validation_epoch],
        values,
    }
}

/// The row with the lowest value of `metric` on `split`; of equal ones the earliest epoch.
fn lowest<'a>(metrics: &'a [MetricRow], split: Split, metric: &str) -> Option<&'a MetricRow> {
    let rows = metrics
        .iter()
        .filter(|row| row.split == split && row.metric == metric && row.value.is_finite());
    rows.min_by(|a, b| a.value.total_cmp(&b.value).then(a.epoch.cmp(&b.epoch)))
}

fn after(metrics: &[MetricRow], epoch: u32, split: Split, metric: &str) -> Option<f64> {
    let row = metrics
        .iter()
        .find(|row| row.epoch == epoch && row.split == split && row.metric == metric)?;
    row.value.is_finite().then_some(row.value)
}

fn of_state(rows: &[EvaluationRow], state: State, split: Split, metric: &str) -> Option<f64> {
    let row = rows
        .iter()
        .find(|row| row.state == state && row.split == split && row.metric == metric)?;
    row.value.is_finite().then_some(row.value)
}

/// Mean and spread of one quantity over seeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Statistic {
    /// The arithmetic mean.
    pub mean: f64,
    /// The sample standard deviation, √(Σ(x − mean)² / (n − 1)); absent for one value.
    pub sd: Option<f64>,
    /// How many values went in.
    pub n: u32,
}

impl Statistic {
    /// Of finite values in any order: the order changes no bit. Absent for no values.
    pub fn of(values: &[f64]) -> Option<Self> {
        let sample = Sample::new(values.iter().copied())?;
        Some(Self {
            mean: sample.mean(),
            sd: sample.standard_deviation(),
            n: u32::try_from(sample.count()).ok()?,
        })
    }
}
