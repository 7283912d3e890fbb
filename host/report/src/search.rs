//! Searches that the trainings of a report came from. It owns what is said of a search; it never
//! ranks its trials.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, StringArray, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema};
use assay_statistics::{Importance, Importances, Parameter, Scale, Trial, TuningCurve};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::metrics::Split;
use crate::results::{Label, settings_json};
use crate::summary::{Quantity, Statistic};
use crate::table::{Encode, Form, TableProblem};

/// A search for the hyper-parameters of a row.
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    /// The split whose error chose the configuration.
    pub chosen_on: Split,
    /// The trials from best to worst.
    pub trials: Vec<SearchTrial>,
}

/// One trial of a search.
#[derive(Clone, Debug, PartialEq)]
pub struct SearchTrial {
    /// Its number in the search, counted from 0.
    pub number: u32,
    /// The epochs that it was trained for.
    pub epochs: u32,
    /// Every hyper-parameter, defaults filled in.
    pub hyperparameters: Map<String, Value>,
    /// The epoch that was chosen, if one was completed.
    pub epoch: Option<u32>,
    /// The validation error after that epoch.
    pub validation_error: Option<f64>,
    /// The test error after that epoch.
    pub test_error: Option<f64>,
    /// The epoch in which it diverged, if it did.
    pub diverged_in_epoch: Option<u32>,
}

impl SearchTrial {
    /// Its error on the split, unless it diverged.
    pub(crate) fn error(&self, split: Split) -> Option<f64> {
        let error = match split {
            Split::Validation => self.validation_error,
            _ => self.test_error,
        };
        error.filter(|error| error.is_finite() && self.diverged_in_epoch.is_none())
    }
}

/// A search in numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SearchSummary {
    /// The split whose error chose the configuration.
    pub chosen_on: Split,
    /// How many trials it had.
    pub trials: u32,
    /// How many of them diverged.
    pub diverged: u32,
    /// The error that the configuration was chosen by: that of the best trial.
    pub error: Option<f64>,
    /// What the trainings from fresh seeds have more of the same error: how far the search flattered
    /// what it chose.
    pub optimism: Option<f64>,
}

impl SearchSummary {
    /// Of a search, and the statistics of the trainings from fresh seeds.
    pub(crate) fn of(search: &Search, fresh: impl Fn(Quantity) -> Option<Statistic>) -> Self {
        let chosen_by = match search.chosen_on {
            Split::Validation => Quantity::ValidationErrorValidationEpoch,
            _ => Quantity::TestErrorBestEpoch,
        };
        let error = search.best_error();
        let again = fresh(chosen_by).map(|statistic| statistic.mean);
        Self {
            chosen_on: search.chosen_on,
            trials: count(search.trials.len()),
            diverged: count(search.diverged()),
            error,
            optimism: again.zip(error).map(|(again, error)| again - error),
        }
    }
}

fn count(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// From this ratio of the largest value to the least on, values are compared by their ratios.
const WIDE: f64 = 10.0;

impl Search {
    fn best_error(&self) -> Option<f64> {
        self.trials.first()?.error(self.chosen_on)
    }

    fn diverged(&self) -> usize {
        let trials = self.trials.iter();
        trials
            .filter(|trial| trial.diverged_in_epoch.is_some())
            .count()
    }

    /// The names of the hyper-parameters that differ between trials, sorted.
    pub(crate) fn varied(&self) -> Vec<&str> {
        let Some(first) = self.trials.first() else {
            return Vec::new();
        };
        let names = first.hyperparameters.iter();
        let varied = names.filter(|(name, value)| {
            let mut others = self.trials.iter();
            others.any(|trial| trial.hyperparameters.get(*name) != Some(*value))
        });
        let mut varied: Vec<_> = varied.map(|(name, _)| name.as_str()).collect();
        varied.sort_unstable();
        varied
    }

    /// The trials in the order that they were drawn in; nothing where they were not trained equally
    /// long, so that they cannot be compared with each other.
    fn comparable(&self) -> Option<Vec<&SearchTrial>> {
        let mut lengths = self.trials.windows(2);
        let is_equal = lengths.all(|pair| matches!(pair, [a, b] if a.epochs == b.epochs));
        let mut trials: Vec<_> = self.trials.iter().collect();
        trials.sort_by_key(|trial| trial.number);
        is_equal.then_some(trials)
    }

    /// What tuning is worth; nothing where the trials cannot be compared or all diverged. A trial that
    /// diverged stands with the worst error of the others.
    pub(crate) fn tuning(&self) -> Option<TuningCurve> {
        let trials = self.comparable()?;
        let validation = errors(&trials, self.chosen_on)?;
        let test = errors(&trials, Split::Test)?;
        let trials = validation.into_iter().zip(test);
        let trials = trials.map(|(validation, test)| Trial { validation, test });
        TuningCurve::of(&trials.collect::<Vec<_>>())
    }

    /// How much each hyper-parameter that was varied matters, by name, the most important first;
    /// nothing where the trials say too little.
    pub(crate) fn importances(&self) -> Option<Vec<(&str, Importance)>> {
        let trials = self.comparable()?;
        let names = self.varied();
        let parameters = names.iter().map(|name| {
            let values = trials.iter().map(|trial| trial.hyperparameters.get(*name));
            parameter(&values.collect::<Vec<_>>())
        });
        let parameters: Vec<_> = parameters.collect();
        let importances = Importances::of(&errors(&trials, self.chosen_on)?, &parameters).ok()?;
        let mut by_name: Vec<_> = names.into_iter().zip(importances.parameters).collect();
        by_name.sort_by(|(_, a), (_, b)| b.share.total_cmp(&a.share));
        Some(by_name)
    }
}

/// The errors of the trials, those that diverged with the worst of the others; nothing where all
/// diverged.
fn errors(trials: &[&SearchTrial], split: Split) -> Option<Vec<f64>> {
    let known = trials.iter().filter_map(|trial| trial.error(split));
    let worst = known.reduce(f64::max)?;
    let errors = trials
        .iter()
        .map(|trial| trial.error(split).unwrap_or(worst));
    Some(errors.collect())
}

/// The values of a hyper-parameter: numbers that are hardly ever the same, or else choices.
fn parameter(values: &[Option<&Value>]) -> Parameter {
    let numbers: Option<Vec<f64>> = values.iter().map(|value| (*value)?.as_f64()).collect();
    let mut distinct: Vec<_> = values.iter().collect();
    distinct.sort_by_key(|value| value.map(ToString::to_string));
    distinct.dedup();
    match numbers {
        Some(values) if 2 * distinct.len() > values.len() => {
            let low = values.iter().copied().fold(f64::INFINITY, f64::min);
            let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let scale = if low > 0.0 && high / low >= WIDE {
                Scale::Logarithmic
            } else {
                Scale::Linear
            };
            Parameter::Numeric {
                values,
                low,
                high,
                scale,
            }
        }
        _ => {
            let place = |value| distinct.iter().position(|known| *known == value);
            Parameter::Categorical {
                values: values.iter().filter_map(place).collect(),
                choices: distinct.len(),
            }
        }
    }
}

/// One trial of a search as a row of `trials.parquet`.
pub(crate) struct TrialRow<'a> {
    pub(crate) label: &'a Label,
    /// Its place in the ranking, counted from 1.
    pub(crate) rank: u32,
    pub(crate) trial: &'a SearchTrial,
}

fn label_fields() -> Vec<Field> {
    let names = ["dataset", "network", "method"];
    names
        .map(|name| Field::new(name, DataType::Utf8, false))
        .into()
}

fn label_columns(labels: &[&Label]) -> Vec<ArrayRef> {
    let text = |field: fn(&Label) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(
            labels.iter().map(|label| field(label)),
        ))
    };
    vec![
        text(|label| &label.dataset),
        text(|label| &label.network),
        text(|label| &label.method),
    ]
}

impl Encode for TrialRow<'_> {
    fn form(_: &[Self]) -> Form {
        let mut fields = label_fields();
        fields.extend([
            Field::new("trial", DataType::UInt32, false),
            Field::new("rank", DataType::UInt32, false),
            Field::new("epochs", DataType::UInt32, false),
            Field::new("epoch", DataType::UInt32, true),
            Field::new("validation_error", DataType::Float64, true),
            Field::new("test_error", DataType::Float64, true),
            Field::new("diverged_in_epoch", DataType::UInt32, true),
            Field::new("hyperparameters", DataType::Utf8, false),
        ]);
        Form {
            table: "trials",
            units: "one row per trial of a search; trial: its number, from 0; rank: its place, from 1; \
                    epochs: how long it was trained; epoch: the one that was chosen, by the error that \
                    ranks, null if the first epoch diverged; validation_error, test_error: after that \
                    epoch, in the unit of the report; hyperparameters: JSON".into(),
            schema: Schema::new(fields),
        }
    }

    fn columns(rows: &[Self]) -> Result<Vec<ArrayRef>, TableProblem> {
        let count = |of: fn(&Self) -> u32| -> ArrayRef {
            Arc::new(UInt32Array::from_iter_values(rows.iter().map(of)))
        };
        let optional = |of: fn(&Self) -> Option<u32>| -> ArrayRef {
            Arc::new(rows.iter().map(of).collect::<UInt32Array>())
        };
        let error = |of: fn(&Self) -> Option<f64>| -> ArrayRef {
            Arc::new(rows.iter().map(of).collect::<Float64Array>())
        };
        let settings = rows
            .iter()
            .map(|row| settings_json(&row.trial.hyperparameters));
        let mut columns = label_columns(&rows.iter().map(|row| row.label).collect::<Vec<_>>());
        columns.extend([
            count(|row| row.trial.number),
            count(|row| row.rank),
            count(|row| row.trial.epochs),
            optional(|row| row.trial.epoch),
            error(|row| row.trial.validation_error),
            error(|row| row.trial.test_error),
            optional(|row| row.trial.diverged_in_epoch),
            Arc::new(StringArray::from_iter_values(settings)),
        ]);
        Ok(columns)
    }
}

/// A point of a tuning curve as a row of `tuning.parquet`.
pub(crate) struct TuningRow<'a> {
    pub(crate) label: &'a Label,
    pub(crate) point: assay_statistics::TuningPoint,
}

impl Encode for TuningRow<'_> {
    fn form(_: &[Self]) -> Form {
        let mut fields = label_fields();
        fields.push(Field::new("tried", DataType::UInt32, false));
        for name in ["expected", "expected_plug_in", "expected_test", "median"] {
            fields.push(Field::new(name, DataType::Float64, false));
        }
        for name in ["median_low", "median_high"] {
            fields.push(Field::new(name, DataType::Float64, true));
        }
        Form {
            table: "tuning",
            units: "the error to expect from the best of so many trials (docs/statistics.md), in the unit \
                    of the report; expected: of the error that ranks, without bias; expected_plug_in: the \
                    same by Dodge et al. 2019; expected_test: the test error of the trial chosen; median \
                    with its 95 % band over all rows of the search, null where it has no end".into(),
            schema: Schema::new(fields),
        }
    }

    fn columns(rows: &[Self]) -> Result<Vec<ArrayRef>, TableProblem> {
        let tried = rows.iter().map(|row| count(row.point.tried));
        let number = |of: fn(&Self) -> f64| -> ArrayRef {
            Arc::new(Float64Array::from_iter_values(rows.iter().map(of)))
        };
        let optional = |of: fn(&Self) -> Option<f64>| -> ArrayRef {
            Arc::new(rows.iter().map(of).collect::<Float64Array>())
        };
        let mut columns = label_columns(&rows.iter().map(|row| row.label).collect::<Vec<_>>());
        columns.push(Arc::new(UInt32Array::from_iter_values(tried)));
        columns.extend([
            number(|row| row.point.validation),
            number(|row| row.point.plug_in),
            number(|row| row.point.test),
            number(|row| row.point.median),
            optional(|row| row.point.low),
            optional(|row| row.point.high),
        ]);
        Ok(columns)
    }
}
