//! Trainings as rows for programs: what decided each, its numbers and the hashes it is found by, with a
//! column for each hyper-parameter. It owns the columns; it never reads a file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema};
use assay_network::Task;
use serde_json::{Map, Value};

use crate::measure::ErrorMeasure;
use crate::render::{RenderError, latex};
use crate::summary::{Choice, Quantity, Summary};
use crate::table::{Form, encode_columns};

/// A training of a run.
#[derive(Clone, Debug)]
pub struct TrainingRecord {
    /// The run, by its hash.
    pub run: String,
    /// The name of the run's pipeline.
    pub pipeline: String,
    /// The stage.
    pub stage: String,
    /// What became of it in the run: `ran`, `cached`, `failed` or `skipped`.
    pub outcome: String,
    /// The names that the pipeline file gives its dataset, network and method; absent where the file is
    /// not one that this version reads.
    pub names: Option<RecordNames>,
    /// The algorithm in its plugin.
    pub algorithm: String,
    /// The network, as JSON.
    pub layers: String,
    /// The network's task.
    pub task: Task,
    /// The seed.
    pub seed: u64,
    /// How many epochs it has.
    pub epochs: u32,
    /// Samples in a batch.
    pub batch_size: u32,
    /// The augmentation of its images, as JSON.
    pub augmentation: Option<String>,
    /// Those of its hyper-parameters that are real numbers, however they are written.
    pub real_hyperparameters: BTreeSet<String>,
    /// Every hyper-parameter.
    pub hyperparameters: Map<String, Value>,
    /// The device.
    pub device: Option<String>,
    /// Threads.
    pub threads: Option<u32>,
    /// The card that it ran on, where it did on one.
    pub card: Option<String>,
    /// How many trainings its worker trained at once, where it was not the only one.
    pub at_once: Option<u32>,
    /// Its plugin's library, by its hash.
    pub plugin: Option<String>,
    /// Its action, by its key.
    pub action: String,
    /// What it gave.
    pub artifact: Option<String>,
    /// The dataset that it read.
    pub dataset_artifact: Option<String>,
    /// What an evaluation of it gave.
    pub evaluation: Option<String>,
    /// When it began, in milliseconds since 1970 (UTC).
    pub started_ms: Option<u64>,
    /// How long it took.
    pub duration_ms: Option<u64>,
    /// Whether it diverged; absent where it gave nothing.
    pub diverged: Option<bool>,
    /// The epoch in which a value became infinite or not a number.
    pub diverged_in_epoch: Option<u32>,
    /// Its numbers; absent where it gave nothing.
    pub summary: Option<Summary>,
}

/// Names in a pipeline file.
#[derive(Clone, Debug)]
pub struct RecordNames {
    /// Of the dataset's stage.
    pub dataset: String,
    /// Of the network.
    pub network: String,
    /// Of the method.
    pub method: String,
}

/// Trainings as a table.
#[derive(Debug)]
pub struct TrainingTable {
    rows: usize,
    columns: Vec<Column>,
    measure: &'static ErrorMeasure,
}

#[derive(Debug)]
struct Column {
    name: String,
    cells: Cells,
    /// Whether the table for LaTeX has it.
    is_for_people: bool,
}

#[derive(Debug)]
enum Cells {
    Text(Vec<Option<String>>),
    Integer(Vec<Option<i64>>),
    Count(Vec<Option<u64>>),
    Number(Vec<Option<f64>>),
    Truth(Vec<Option<bool>>),
}

/// What is written into each Parquet file for whoever finds it.
const UNITS: &str = "one row per training of a run; *_error_* is percent of samples, 0 to 100, and \
     *_reconstruction_error_* the squared distance of an output from its input, summed over the values, \
     the mean over samples; best_epoch: lowest test error over the epochs, chosen on the test set; \
     last_epoch: after the last epoch; validation_epoch: the epoch chosen on the validation split; hp_*: \
     hyper-parameters, those in tables within under dotted names; duration_ms: milliseconds";

impl TrainingTable {
    /// The trainings in this order.
    pub fn new(records: &[TrainingRecord]) -> Self {
        let mut table = Self {
            rows: records.len(),
            columns: Vec::new(),
            measure: ErrorMeasure::of(records.first().map_or(Task::Classification, |it| it.task)),
        };
        let text = |of: &dyn Fn(&TrainingRecord) -> Option<String>| {
            Cells::Text(records.iter().map(of).collect())
        };
        let count = |of: &dyn Fn(&TrainingRecord) -> Option<u64>| {
            Cells::Count(records.iter().map(of).collect())
        };
        let name = |of: fn(&RecordNames) -> &String| {
            let names = records.iter().map(|it| it.names.as_ref());
            Cells::Text(
                names
                    .map(|names| names.map(|names| of(names).clone()))
                    .collect(),
            )
        };
        table.add("run", text(&|it| Some(it.run.clone())));
        table.add("pipeline", text(&|it| Some(it.pipeline.clone())));
        table.add("stage", text(&|it| Some(it.stage.clone())));
        table.add("outcome", text(&|it| Some(it.outcome.clone())));
        table.show("dataset", name(|names| &names.dataset));
        table.show("network", name(|names| &names.network));
        table.show("method", name(|names| &names.method));
        table.add("algorithm", text(&|it| Some(it.algorithm.clone())));
        table.show("seed", count(&|it| Some(it.seed)));
        table.show("epochs", count(&|it| Some(it.epochs.into())));
        table.show("batch_size", count(&|it| Some(it.batch_size.into())));
        table.add("augmentation", text(&|it| it.augmentation.clone()));
        table.add_hyperparameters(records);
        table.add_numbers(records);
        let diverged = records.iter().map(|it| it.diverged);
        table.add("diverged", Cells::Truth(diverged.collect()));
        table.add(
            "diverged_in_epoch",
            count(&|it| it.diverged_in_epoch.map(u64::from)),
        );
        table.add("layers", text(&|it| Some(it.layers.clone())));
        table.add("device", text(&|it| it.device.clone()));
        table.add("threads", count(&|it| it.threads.map(u64::from)));
        table.add("card", text(&|it| it.card.clone()));
        table.add("trainings_at_once", count(&|it| it.at_once.map(u64::from)));
        table.add("started_ms", count(&|it| it.started_ms));
        table.add("duration_ms", count(&|it| it.duration_ms));
        table.add("action", text(&|it| Some(it.action.clone())));
        table.add("artifact", text(&|it| it.artifact.clone()));
        table.add("dataset_artifact", text(&|it| it.dataset_artifact.clone()));
        table.add("evaluation_artifact", text(&|it| it.evaluation.clone()));
        table.add("plugin", text(&|it| it.plugin.clone()));
        table
    }

    fn add(&mut self, name: &str, cells: Cells) {
        self.columns.push(Column {
            name: name.to_owned(),
            cells,
            is_for_people: false,
        });
    }

    /// As [`Self::add`], for what a table in a paper has too.
    fn show(&mut self, name: &str, cells: Cells) {
        self.columns.push(Column {
            name: name.to_owned(),
            cells,
            is_for_people: true,
        });
    }

    fn add_hyperparameters(&mut self, records: &[TrainingRecord]) {
        let flat: Vec<_> = records
            .iter()
            .map(|it| flatten(&it.hyperparameters))
            .collect();
        let names: BTreeSet<_> = flat.iter().flat_map(BTreeMap::keys).collect();
        for name in names {
            let values: Vec<_> = flat.iter().map(|flat| flat.get(name).copied()).collect();
            let is_real = records
                .iter()
                .any(|it| it.real_hyperparameters.contains(name));
            self.show(&format!("hp_{name}"), cells(&values, is_real));
        }
    }

    fn add_numbers(&mut self, records: &[TrainingRecord]) {
        let mut tasks: Vec<_> = Vec::new();
        for record in records {
            if !tasks.contains(&record.task) {
                tasks.push(record.task);
            }
        }
        for task in tasks {
            for &quantity in Quantity::of(task) {
                let values = records.iter().map(|it| {
                    let summary = it.summary.as_ref().filter(|_| it.task == task);
                    summary?.get(quantity)
                });
                let values = Cells::Number(values.collect());
                let name = quantity.name(task);
                match quantity {
                    Quantity::TestErrorValidationEpoch
                    | Quantity::TestErrorLastEpoch
                    | Quantity::TestErrorBestEpoch => self.show(&name, values),
                    _ => self.add(&name, values),
                }
            }
        }
        for choice in Choice::ALL {
            let epochs = records.iter().map(|it| {
                let summary = it.summary.as_ref();
                summary?.epoch(choice).map(u64::from)
            });
            let epochs = Cells::Count(epochs.collect());
            self.add(choice.name(), epochs);
        }
    }

    /// As Parquet.
    ///
    /// # Errors
    /// The rows cannot be encoded.
    pub fn to_parquet(&self) -> Result<Vec<u8>, RenderError> {
        let fields = self.columns.iter().map(|column| {
            let nullable = true;
            Field::new(&column.name, column.cells.data_type(), nullable)
        });
        let form = Form {
            table: "trainings",
            units: UNITS.into(),
            schema: Schema::new(fields.collect::<Vec<_>>()),
        };
        let columns = self.columns.iter().map(|column| column.cells.to_arrow());
        encode_columns(form, columns.collect()).map_err(RenderError::Columns)
    }

    /// As CSV, at full precision; what is absent is empty.
    ///
    /// # Errors
    /// The rows cannot be encoded.
    pub fn to_csv(&self) -> Result<Vec<u8>, RenderError> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(self.columns.iter().map(|column| &column.name))?;
        for row in 0..self.rows {
            let cells = self
                .columns
                .iter()
                .map(|column| column.cells.show(row, None));
            writer.write_record(cells.map(Option::unwrap_or_default))?;
        }
        let bytes = writer.into_inner();
        bytes.map_err(|error| csv::Error::from(error.into_error()).into())
    }

    /// As a `tabular` for LaTeX with the package booktabs: the settings and the test errors.
    pub fn to_latex(&self) -> String {
        let columns = self.columns.iter().filter(|column| column.is_for_people);
        let columns: Vec<_> = columns.collect();
        let kinds: String = columns
            .iter()
            .map(|column| column.cells.alignment())
            .collect();
        // Writing to a `String` cannot fail.
        let mut text = String::from("% \\usepackage{booktabs}\n");
        let _ = writeln!(text, "% {} {}", self.measure.heading, self.measure.unit);
        let _ = writeln!(text, "\\begin{{tabular}}{{{kinds}}}\n\\toprule");
        let names = columns
            .iter()
            .map(|column| latex::escape(&heading(&column.name)));
        let _ = writeln!(
            text,
            "{} \\\\\n\\midrule",
            names.collect::<Vec<_>>().join(" & ")
        );
        for row in 0..self.rows {
            let cells = columns.iter().map(|column| {
                let decimals = (!column.name.starts_with("hp_")).then_some(self.measure.decimals);
                let cell = column.cells.show(row, decimals);
                latex::escape(cell.as_deref().unwrap_or("—"))
            });
            let _ = writeln!(text, "{} \\\\", cells.collect::<Vec<_>>().join(" & "));
        }
        text.push_str("\\bottomrule\n\\end{tabular}\n");
        text
    }
}

/// The name of a column as a paper has it: `test error (validation epoch)`.
fn heading(name: &str) -> String {
    let name = name.strip_prefix("hp_").unwrap_or(name);
    for choice in ["best_epoch", "last_epoch", "validation_epoch"] {
        if let Some(stem) = name.strip_suffix(choice) {
            let stem = stem.trim_end_matches('_');
            return format!("{stem} ({choice})").replace('_', " ");
        }
    }
    name.replace('_', " ")
}

/// The values by name, those of tables within under dotted names.
fn flatten(values: &Map<String, Value>) -> BTreeMap<String, &Value> {
    let mut flat = BTreeMap::new();
    let mut rest: Vec<_> = values
        .iter()
        .map(|(name, value)| (name.clone(), value))
        .collect();
    while let Some((name, value)) = rest.pop() {
        match value {
            Value::Object(fields) => {
                let fields = fields.iter();
                rest.extend(fields.map(|(field, value)| (format!("{name}.{field}"), value)));
            }
            value => {
                flat.insert(name, value);
            }
        }
    }
    flat
}

/// The cells of a column of the narrowest type that has all values; of values of several types, their
/// JSON.
fn cells(values: &[Option<&Value>], is_real: bool) -> Cells {
    let there = || values.iter().flatten();
    let all = |is: fn(&Value) -> bool| there().all(|value| is(value) || value.is_null());
    if !is_real && all(Value::is_boolean) {
        Cells::Truth(values.iter().map(|it| (*it)?.as_bool()).collect())
    } else if !is_real && all(Value::is_i64) {
        Cells::Integer(values.iter().map(|it| (*it)?.as_i64()).collect())
    } else if all(Value::is_number) {
        Cells::Number(values.iter().map(|it| (*it)?.as_f64()).collect())
    } else if all(Value::is_string) {
        let texts = values.iter().map(|it| Some((*it)?.as_str()?.to_owned()));
        Cells::Text(texts.collect())
    } else {
        Cells::Text(values.iter().map(|it| it.map(Value::to_string)).collect())
    }
}

impl Cells {
    const fn data_type(&self) -> DataType {
        match self {
            Self::Text(_) => DataType::Utf8,
            Self::Integer(_) => DataType::Int64,
            Self::Count(_) => DataType::UInt64,
            Self::Number(_) => DataType::Float64,
            Self::Truth(_) => DataType::Boolean,
        }
    }

    fn to_arrow(&self) -> ArrayRef {
        match self {
            Self::Text(cells) => {
                Arc::new(cells.iter().map(Option::as_deref).collect::<StringArray>())
            }
            Self::Integer(cells) => Arc::new(cells.iter().copied().collect::<Int64Array>()),
            Self::Count(cells) => Arc::new(cells.iter().copied().collect::<UInt64Array>()),
            Self::Number(cells) => Arc::new(cells.iter().copied().collect::<Float64Array>()),
            Self::Truth(cells) => Arc::new(cells.iter().copied().collect::<BooleanArray>()),
        }
    }

    /// A cell as text, its number with so many decimals or in full.
    fn show(&self, row: usize, decimals: Option<usize>) -> Option<String> {
        match self {
            Self::Text(cells) => cells.get(row)?.clone(),
            Self::Integer(cells) => (*cells.get(row)?).map(|cell| cell.to_string()),
            Self::Count(cells) => (*cells.get(row)?).map(|cell| cell.to_string()),
            Self::Truth(cells) => (*cells.get(row)?).map(|cell| cell.to_string()),
            Self::Number(cells) => (*cells.get(row)?).map(|cell| match decimals {
                Some(decimals) => format!("{cell:.decimals$}"),
                None => cell.to_string(),
            }),
        }
    }

    const fn alignment(&self) -> char {
        match self {
            Self::Text(_) | Self::Truth(_) => 'l',
            Self::Integer(_) | Self::Count(_) | Self::Number(_) => 'r',
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(values: &[Value]) -> Cells {
        let values: Vec<_> = values.iter().map(Some).collect();
        cells(&values, false)
    }

    #[test]
    fn columns_have_the_type_of_their_values() {
        assert!(matches!(of(&[json!(1), json!(2)]), Cells::Integer(_)));
        assert!(matches!(of(&[json!(1), json!(0.5)]), Cells::Number(_)));
        assert!(matches!(of(&[json!(true)]), Cells::Truth(_)));
        assert!(matches!(of(&[json!("a"), json!("b")]), Cells::Text(_)));
        let mixed = of(&[json!("a"), json!(1), json!([1, 2])]);
        let shown: Vec<_> = (0..3).map(|row| mixed.show(row, None).unwrap()).collect();
        assert_eq!(shown, ["\"a\"", "1", "[1,2]"]);
        let some = [None, Some(&json!(3))];
        assert_eq!(cells(&some, false).show(0, None), None);
        assert!(matches!(cells(&some, true), Cells::Number(_)));
    }

    #[test]
    fn tables_within_have_dotted_names() {
        let values = json!({"inverse": {"rate": 0.5, "steps": 2}, "rate": 1});
        let flat = flatten(values.as_object().unwrap());
        let names: Vec<_> = flat.keys().collect();
        assert_eq!(names, ["inverse.rate", "inverse.steps", "rate"]);
    }
}
