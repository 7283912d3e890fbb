//! The rows of a report and their Parquet form, `table.parquet`. It owns the wide table's columns
//! and how a number is shown; it never computes a number.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array, StringArray, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema};
use serde_json::{Map, Value};

use crate::reference::Figures;
use crate::summary::{Quantity, Statistic};
use crate::table::{Columns, Decode, Encode, TableError, TableProblem, read_rows};

/// What a row is about; unique within a report.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label {
    /// The dataset's name.
    pub dataset: String,
    /// The network's name.
    pub network: String,
    /// The method's name, followed by the settings that tell it apart where one name has several.
    pub method: String,
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` on {}, {}", self.method, self.dataset, self.network)
    }
}

/// The trainings that differ only in seed, as one row.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportRow {
    /// What the row is about.
    pub label: Label,
    /// The plugin's algorithm.
    pub algorithm: String,
    /// Epochs of each training.
    pub epochs: u32,
    /// How many trainings.
    pub seeds: u32,
    /// Every hyper-parameter.
    pub hyperparameters: Map<String, Value>,
    /// What is published of this method on this network.
    pub figures: Option<Figures>,
    pub(crate) statistics: [Option<Statistic>; Quantity::ALL.len()],
}

impl ReportRow {
    /// Mean and spread of a quantity over the seeds; absent where no training measured it.
    pub fn get(&self, quantity: Quantity) -> Option<Statistic> {
        self.statistics[quantity as usize]
    }

    /// A quantity as people read it, in percent: `1.83 ± 0.05`, `1.83` for one seed, `—` where
    /// absent, and `1.83 (1 of 3)` where some seeds lack it.
    pub fn show(&self, quantity: Quantity) -> String {
        let Some(statistic) = self.get(quantity) else {
            return "—".to_owned();
        };
        let mean = statistic.mean;
        let spread = statistic
            .sd
            .map_or(String::new(), |sd| format!(" ± {sd:.2}"));
        if statistic.n < self.seeds {
            return format!("{mean:.2}{spread} ({} of {})", statistic.n, self.seeds);
        }
        format!("{mean:.2}{spread}")
    }
}

/// Reads `table.parquet` of a report back into its rows. The file is not trusted.
///
/// # Errors
/// A file that is missing, damaged, another table, or has a cell its column does not allow.
pub fn read_table(path: &Path) -> Result<Vec<ReportRow>, TableError> {
    read_rows(path)
}

impl Encode for ReportRow {
    const TABLE: &'static str = "report";
    const UNITS: &'static str = "one row per dataset, network and method; every *_error_* is \
         percent of samples, 0 to 100; _mean, _sd (sample standard deviation, null for one value) \
         and _n are over seeds; best_epoch: lowest test error over the epochs, chosen on the test \
         set; last_epoch: after the last epoch; validation_epoch: the epoch chosen on the \
         validation split; published_*: a paper's figure, null where it has none; hyperparameters: \
         JSON";

    fn schema() -> Schema {
        let mut fields: Vec<Field> = ["dataset", "network", "method", "algorithm"]
            .map(|name| Field::new(name, DataType::Utf8, false))
            .into();
        fields.push(Field::new("hyperparameters", DataType::Utf8, false));
        fields.push(Field::new("epochs", DataType::UInt32, false));
        fields.push(Field::new("seeds", DataType::UInt32, false));
        for quantity in Quantity::ALL {
            let [mean, sd, n] = column_names(quantity);
            fields.push(Field::new(mean, DataType::Float64, true));
            fields.push(Field::new(sd, DataType::Float64, true));
            fields.push(Field::new(n, DataType::UInt32, false));
        }
        let published = PUBLISHED.map(|it| Field::new(it.column, DataType::Float64, true));
        fields.extend(published);
        Schema::new(fields)
    }

    fn columns(rows: &[Self]) -> Result<Vec<ArrayRef>, TableProblem> {
        let text = |field: fn(&Self) -> &str| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(rows.iter().map(field)))
        };
        let count = |field: fn(&Self) -> u32| -> ArrayRef {
            Arc::new(UInt32Array::from_iter_values(rows.iter().map(field)))
        };
        let mut columns = vec![
            text(|row| &row.label.dataset),
            text(|row| &row.label.network),
            text(|row| &row.label.method),
            text(|row| &row.algorithm),
            Arc::new(StringArray::from_iter_values(
                rows.iter().map(|row| settings_json(&row.hyperparameters)),
            )),
            count(|row| row.epochs),
            count(|row| row.seeds),
        ];
        for quantity in Quantity::ALL {
            let all = || rows.iter().map(|row| row.get(quantity));
            let mean: Float64Array = all().map(|one| Some(one?.mean)).collect();
            let sd: Float64Array = all().map(|one| one?.sd).collect();
            let n = UInt32Array::from_iter_values(all().map(|one| one.map_or(0, |one| one.n)));
            columns.extend([Arc::new(mean) as ArrayRef, Arc::new(sd), Arc::new(n)]);
        }
        for published in PUBLISHED {
            let figures = rows
                .iter()
                .map(|row| *(published.figure)(&mut row.figures?));
            columns.push(Arc::new(figures.collect::<Float64Array>()));
        }
        Ok(columns)
    }
}

impl Decode for ReportRow {
    fn rows(batch: &Columns<'_>) -> Result<Vec<Self>, TableProblem> {
        let text = |name: &str| batch.get::<StringArray>(name);
        let datasets = text("dataset")?;
        let networks = text("network")?;
        let methods = text("method")?;
        let algorithms = text("algorithm")?;
        let settings = text("hyperparameters")?;
        let epochs: &UInt32Array = batch.get("epochs")?;
        let seeds: &UInt32Array = batch.get("seeds")?;
        let row = |row: usize| -> Result<Self, TableProblem> {
            let hyperparameters = serde_json::from_str(settings.value(row))
                .map_err(|error| batch.problem(row, "hyperparameters", &error))?;
            Ok(Self {
                label: Label {
                    dataset: datasets.value(row).to_owned(),
                    network: networks.value(row).to_owned(),
                    method: methods.value(row).to_owned(),
                },
                algorithm: algorithms.value(row).to_owned(),
                epochs: epochs.value(row),
                seeds: seeds.value(row),
                hyperparameters,
                figures: None,
                statistics: [None; Quantity::ALL.len()],
            })
        };
        let mut rows = (0..batch.len()).map(row).collect::<Result<Vec<_>, _>>()?;
        for quantity in Quantity::ALL {
            fill_statistics(batch, quantity, &mut rows)?;
        }
        for published in PUBLISHED {
            let column: &Float64Array = batch.get(published.column)?;
            for (index, row) in rows.iter_mut().enumerate() {
                if column.is_valid(index) {
                    let figures = row.figures.get_or_insert_default();
                    *(published.figure)(figures) = Some(column.value(index));
                }
            }
        }
        Ok(rows)
    }
}

/// A column of published figures.
struct Published {
    column: &'static str,
    figure: fn(&mut Figures) -> &mut Option<f64>,
}

const PUBLISHED: [Published; 3] = [
    Published {
        column: "published_test_error",
        figure: |it| &mut it.test_error,
    },
    Published {
        column: "published_train_error",
        figure: |it| &mut it.train_error,
    },
    Published {
        column: "published_test_top_5_error",
        figure: |it| &mut it.test_top_5_error,
    },
];

fn fill_statistics(
    batch: &Columns<'_>,
    quantity: Quantity,
    rows: &mut [ReportRow],
) -> Result<(), TableProblem> {
    let [mean, sd, n] = column_names(quantity);
    let means: &Float64Array = batch.get(&mean)?;
    let sds: &Float64Array = batch.get(&sd)?;
    let ns: &UInt32Array = batch.get(&n)?;
    for (index, row) in rows.iter_mut().enumerate() {
        row.statistics[quantity as usize] = means.is_valid(index).then(|| Statistic {
            mean: means.value(index),
            sd: sds.is_valid(index).then(|| sds.value(index)),
            n: ns.value(index),
        });
    }
    Ok(())
}

fn column_names(quantity: Quantity) -> [String; 3] {
    ["mean", "sd", "n"].map(|part| format!("{}_{part}", quantity.name()))
}

/// Compact JSON with sorted keys: `serde_json` keeps insertion order if any crate of the build
/// asks it to, and the bytes here must not depend on that.
pub(crate) fn settings_json(settings: &Map<String, Value>) -> String {
    let mut sorted = Value::Object(settings.clone());
    sorted.sort_all_objects();
    sorted.to_string()
}
