//! The classes that a network predicts for the images of the test set, one by one: how far the test
//! set itself can be trusted follows from which images several trainings get wrong.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray, UInt8Array, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema};

use crate::metrics::{State, name};
use crate::table::{
    Columns, Decode, Encode, Form, TableError, TableProblem, read_rows, write_rows,
};

/// The prediction for one image; images are in the order of the test set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PredictionRow {
    /// The saved state that predicts.
    pub state: State,
    /// The class of the image.
    pub label: u32,
    /// The class with the largest output, of equal ones the first.
    pub predicted: u32,
    /// The softmax output of that class, from 0 for 0 to 255 for 1.
    pub confidence: u8,
}

/// Writes the predictions to `path` (`predictions.parquet`), as [`crate::write_metrics`] does.
///
/// # Errors
/// A file that cannot be written.
pub fn write_predictions(path: &Path, rows: &[PredictionRow]) -> Result<(), TableError> {
    write_rows(path, rows)
}

/// Reads the predictions. The file is not trusted.
///
/// # Errors
/// As [`crate::read_metrics`].
pub fn read_predictions(path: &Path) -> Result<Vec<PredictionRow>, TableError> {
    read_rows(path)
}

impl Encode for PredictionRow {
    fn form(_: &[Self]) -> Form {
        Form {
            table: "predictions",
            units: "one row per saved state and image of the test set, in its order; label, predicted: \
                    classes, from 0; confidence: the softmax output of the predicted class, from 0 for 0 \
                    to 255 for 1".into(),
            schema: Schema::new(vec![
                Field::new("state", DataType::Utf8, false),
                Field::new("label", DataType::UInt32, false),
                Field::new("predicted", DataType::UInt32, false),
                Field::new("confidence", DataType::UInt8, false),
            ]),
        }
    }

    fn columns(rows: &[Self]) -> Result<Vec<ArrayRef>, TableProblem> {
        let class = |of: fn(&Self) -> u32| -> ArrayRef {
            Arc::new(UInt32Array::from_iter_values(rows.iter().map(of)))
        };
        let states = rows.iter().map(|row| row.state.as_str());
        let confidence = rows.iter().map(|row| row.confidence);
        Ok(vec![
            Arc::new(StringArray::from_iter_values(states)),
            class(|row| row.label),
            class(|row| row.predicted),
            Arc::new(UInt8Array::from_iter_values(confidence)),
        ])
    }
}

impl Decode for PredictionRow {
    fn forms() -> Vec<Form> {
        vec![Self::form(&[])]
    }

    fn rows(batch: &Columns<'_>) -> Result<Vec<Self>, TableProblem> {
        let states: &StringArray = batch.get("state")?;
        let labels: &UInt32Array = batch.get("label")?;
        let predicted: &UInt32Array = batch.get("predicted")?;
        let confidence: &UInt8Array = batch.get("confidence")?;
        let row = |row: usize| {
            Ok(Self {
                state: name(batch, states, row, "state")?,
                label: labels.value(row),
                predicted: predicted.value(row),
                confidence: confidence.value(row),
            })
        };
        (0..batch.len()).map(row).collect()
    }
}
