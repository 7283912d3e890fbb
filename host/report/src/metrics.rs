//! The two tables of one training: its metrics by epoch, and the evaluation of its saved states.
//! It owns their columns, names and units; it never computes a metric.
//!
//! Units, also written into each file: `loss` and `batch_loss` are in nats (for squared error, the
//! sum over outputs), the mean over the samples; `error`, `top_5_error` and `majority_class_error`
//! are **percent of samples, 0 to 100**, as in the paper's tables; `reconstruction_error` is the
//! squared distance `‖h_L − x‖²` of an output from its input, the sum over the values, the **mean
//! over samples**.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, StringArray, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema};
use serde::Serialize;

use crate::table::{
    Columns, Decode, Encode, Form, TableError, TableProblem, read_rows, write_rows,
};

/// The task loss, mean over the samples of a split.
pub const LOSS: &str = "loss";
/// Wrongly classified samples, in percent.
pub const ERROR: &str = "error";
/// Samples whose class is not among the five likeliest, in percent.
pub const TOP_5_ERROR: &str = "top_5_error";
/// Samples that are not of the most frequent class, in percent: the error of naming that class always.
pub const MAJORITY_CLASS_ERROR: &str = "majority_class_error";
/// The squared distance `‖h_L − x‖²` of a reconstruction from its input, mean over the samples of a
/// split: no mean over the values, and no factor 1/2.
pub const RECONSTRUCTION_ERROR: &str = "reconstruction_error";
/// The family of [`alignment_metric`].
pub(crate) const ALIGNMENT: &str = "alignment";

/// The alignment of layer l, from 1: the cosine of the angle between the direction of its weights and
/// backpropagation's, on the first batch of the training split in the state after the epoch.
pub fn alignment_metric(l: usize) -> String {
    layer_metric(ALIGNMENT, l)
}

/// The metric of layer l, from 1, of a family of metrics of layers.
pub(crate) fn layer_metric(family: &str, l: usize) -> String {
    format!("{family}_{l}")
}

/// The family and the layer of a metric of a layer: plugins that declare `inverse_loss_l` report
/// `inverse_loss_2`, `inverse_loss_3`, ….
pub(crate) fn family_and_layer(metric: &str) -> Option<(&str, usize)> {
    let (family, layer) = metric.rsplit_once('_')?;
    let layer = layer.parse().ok()?;
    // No other spelling of the number, such as `+3`: the metric is looked for by this one.
    (layer_metric(family, layer) == metric).then_some((family, layer))
}

/// The task loss over the batches of an epoch, each measured before its update.
pub const BATCH_LOSS: &str = "batch_loss";

/// The units of the values of metrics with these names.
pub(crate) fn value_units<'a>(metrics: impl Iterator<Item = &'a str>) -> Cow<'static, str> {
    let (mut reconstructs, mut aligns) = (false, false);
    for metric in metrics {
        reconstructs |= metric == RECONSTRUCTION_ERROR;
        aligns |= family_and_layer(metric).is_some_and(|(family, _)| family == ALIGNMENT);
    }
    let units = if reconstructs {
        "loss and batch_loss: mean over samples of the squared error summed over the outputs; \
         reconstruction_error: mean over samples of the squared distance ‖h_L − x‖², the sum over \
         the values of an input"
    } else {
        "loss and batch_loss: mean over samples, nats for cross-entropy; error, top_5_error and \
         majority_class_error: percent of samples, 0 to 100"
    };
    if aligns {
        return format!(
            "{units}; alignment_l: cosine of the angle between the direction of layer l's weights \
             and backpropagation's"
        )
        .into();
    }
    units.into()
}

/// A text that names no split or state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not one of {expected}")]
pub struct ParseNameError {
    found: String,
    expected: &'static str,
}

macro_rules! names {
    ($(#[$doc:meta])* $type:ident, $expected:literal, { $($(#[$variant_doc:meta])* $variant:ident = $name:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(rename_all = "lowercase")]
        pub enum $type {
            $($(#[$variant_doc])* $variant),+
        }

        impl $type {
            /// The name in the tables.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),+
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $type {
            type Err = ParseNameError;

            fn from_str(text: &str) -> Result<Self, ParseNameError> {
                match text {
                    $($name => Ok(Self::$variant),)+
                    _ => Err(ParseNameError {
                        found: text.to_owned(),
                        expected: $expected,
                    }),
                }
            }
        }
    };
}

names! {
    /// A part of a dataset.
    Split, "train, validation, test", {
        /// The part that the parameters are fitted to.
        Train = "train",
        /// Held out of the training set; choices are made on it.
        Validation = "validation",
        /// Touched only to report.
        Test = "test",
    }
}

names! {
    /// A saved state of a training.
    State, "best, final", {
        /// After the epoch with the lowest validation error.
        Best = "best",
        /// After the last epoch.
        Final = "final",
    }
}

/// One value of one metric after one epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricRow {
    /// Counted from 1.
    pub epoch: u32,
    /// Where it was measured.
    pub split: Split,
    /// Its name, such as [`ERROR`].
    pub metric: String,
    /// In the unit of the metric; not a number where training diverged.
    pub value: f64,
}

/// One value of one metric of one saved state.
#[derive(Clone, Debug, PartialEq)]
pub struct EvaluationRow {
    /// Which state.
    pub state: State,
    /// Where it was measured.
    pub split: Split,
    /// Its name, such as [`ERROR`].
    pub metric: String,
    /// In the unit of the metric; not a number where training diverged.
    pub value: f64,
}

/// Writes a training's metrics to `path` (`metrics.parquet`), in the order given. The same rows
/// give the same bytes, and the file appears whole or not at all.
///
/// # Errors
/// An epoch 0, or a file that cannot be written.
pub fn write_metrics(path: &Path, rows: &[MetricRow]) -> Result<(), TableError> {
    write_rows(path, rows)
}

/// Reads a training's metrics. The file is not trusted.
///
/// # Errors
/// A file that is missing, damaged, another table, or has a cell its column does not allow.
pub fn read_metrics(path: &Path) -> Result<Vec<MetricRow>, TableError> {
    read_rows(path)
}

/// Writes the evaluation of a training's states to `path` (`evaluation.parquet`), as
/// [`write_metrics`] does.
///
/// # Errors
/// A file that cannot be written.
pub fn write_evaluation(path: &Path, rows: &[EvaluationRow]) -> Result<(), TableError> {
    write_rows(path, rows)
}

/// Reads the evaluation of a training's states. The file is not trusted.
///
/// # Errors
/// As [`read_metrics`].
pub fn read_evaluation(path: &Path) -> Result<Vec<EvaluationRow>, TableError> {
    read_rows(path)
}

impl MetricRow {
    pub(crate) fn fields() -> [Field; 4] {
        [
            Field::new("epoch", DataType::UInt32, false),
            Field::new("split", DataType::Utf8, false),
            Field::new("metric", DataType::Utf8, false),
            Field::new("value", DataType::Float64, false),
        ]
    }
}

impl Encode for MetricRow {
    fn form(rows: &[Self]) -> Form {
        Form {
            table: "metrics",
            units: value_units(rows.iter().map(|row| row.metric.as_str())),
            schema: Schema::new(Self::fields().to_vec()),
        }
    }

    fn columns(rows: &[Self]) -> Result<Vec<ArrayRef>, TableProblem> {
        if let Some(row) = rows.iter().position(|row| row.epoch == 0) {
            return Err(TableProblem::Value {
                row,
                column: "epoch",
                message: EPOCH_ZERO.to_owned(),
            });
        }
        Ok(vec![
            Arc::new(UInt32Array::from_iter_values(
                rows.iter().map(|row| row.epoch),
            )),
            text(rows.iter().map(|row| row.split.as_str())),
            text(rows.iter().map(|row| row.metric.as_str())),
            Arc::new(Float64Array::from_iter_values(
                rows.iter().map(|row| row.value),
            )),
        ])
    }
}

const EPOCH_ZERO: &str = "epochs are counted from 1";

impl Decode for MetricRow {
    fn forms() -> Vec<Form> {
        vec![Self::form(&[])]
    }

    fn rows(batch: &Columns<'_>) -> Result<Vec<Self>, TableProblem> {
        let epochs: &UInt32Array = batch.get("epoch")?;
        let splits: &StringArray = batch.get("split")?;
        let metrics: &StringArray = batch.get("metric")?;
        let values: &Float64Array = batch.get("value")?;
        let row = |row: usize| {
            let epoch = epochs.value(row);
            if epoch == 0 {
                return Err(batch.problem(row, "epoch", &EPOCH_ZERO));
            }
            Ok(Self {
                epoch,
                split: name(batch, splits, row, "split")?,
                metric: metrics.value(row).to_owned(),
                value: values.value(row),
            })
        };
        (0..batch.len()).map(row).collect()
    }
}

impl Encode for EvaluationRow {
    fn form(rows: &[Self]) -> Form {
        Form {
            table: "evaluation",
            units: value_units(rows.iter().map(|row| row.metric.as_str())),
            schema: Schema::new(vec![
                Field::new("state", DataType::Utf8, false),
                Field::new("split", DataType::Utf8, false),
                Field::new("metric", DataType::Utf8, false),
                Field::new("value", DataType::Float64, false),
            ]),
        }
    }

    fn columns(rows: &[Self]) -> Result<Vec<ArrayRef>, TableProblem> {
        Ok(vec![
            text(rows.iter().map(|row| row.state.as_str())),
            text(rows.iter().map(|row| row.split.as_str())),
            text(rows.iter().map(|row| row.metric.as_str())),
            Arc::new(Float64Array::from_iter_values(
                rows.iter().map(|row| row.value),
            )),
        ])
    }
}

impl Decode for EvaluationRow {
    fn forms() -> Vec<Form> {
        vec![Self::form(&[])]
    }

    fn rows(batch: &Columns<'_>) -> Result<Vec<Self>, TableProblem> {
        let states: &StringArray = batch.get("state")?;
        let splits: &StringArray = batch.get("split")?;
        let metrics: &StringArray = batch.get("metric")?;
        let values: &Float64Array = batch.get("value")?;
        let row = |row: usize| {
            Ok(Self {
                state: name(batch, states, row, "state")?,
                split: name(batch, splits, row, "split")?,
                metric: metrics.value(row).to_owned(),
                value: values.value(row),
            })
        };
        (0..batch.len()).map(row).collect()
    }
}

fn text<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

pub(crate) fn name<T: FromStr<Err = ParseNameError>>(
    batch: &Columns<'_>,
    column: &StringArray,
    row: usize,
    name: &'static str,
) -> Result<T, TableProblem> {
    let parsed = column.value(row).parse();
    parsed.map_err(|error| batch.problem(row, name, &error))
}
