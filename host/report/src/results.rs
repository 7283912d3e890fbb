//! The rows of a report and their Parquet form, `table.parquet`. It owns the wide table's columns
//! and how a number is shown; it never computes a number.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array, StringArray, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema};
use assay_network::Task;
use serde_json::{Map, Value};

use crate::conditions::{Conditions, PublishedConditions};
use crate::measure::ErrorMeasure;
use crate::metrics::{Split, name};
use crate::reference::{Difference, Figures};
use crate::search::SearchSummary;
use crate::summary::{Choice, EpochRange, Quantity, Statistic};
use crate::table::{Columns, Decode, Encode, Form, TableError, TableProblem, read_rows};

/// Key of a row; unique within a report.
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
    /// Key of the row.
    pub label: Label,
    /// Task of the network; all rows of a report have the same.
    pub task: Task,
    /// The plugin's algorithm.
    pub algorithm: String,
    /// Epochs of each training.
    pub epochs: u32,
    /// Samples in a batch.
    pub batch_size: u32,
    /// The data that the numbers are from, and the device.
    pub conditions: Conditions,
    /// How many trainings.
    pub seeds: u32,
    /// How many of them diverged; they are in no statistic.
    pub diverged: u32,
    /// The epochs in which a value of those became infinite or not a number.
    pub diverged_in_epoch: Option<EpochRange>,
    /// Every hyper-parameter.
    pub hyperparameters: Map<String, Value>,
    /// Published figures of this method on this network.
    pub figures: Option<Figures>,
    /// The search that the configuration came from.
    pub search: Option<SearchSummary>,
    /// By [`Choice`].
    pub(crate) chosen_epochs: [Option<EpochRange>; Choice::ALL.len()],
    pub(crate) statistics: [Option<Statistic>; Quantity::ALL.len()],
}

impl ReportRow {
    /// The epochs that the seeds chose in some way; absent where none was chosen so.
    pub fn epochs_of(&self, choice: Choice) -> Option<EpochRange> {
        self.chosen_epochs[choice as usize]
    }

    /// Mean and spread of a quantity over the seeds; absent where no training measured it.
    pub fn get(&self, quantity: Quantity) -> Option<Statistic> {
        self.statistics[quantity as usize]
    }

    /// The method as people read it, with a mark where its configuration was chosen on the test set.
    pub fn show_method(&self) -> String {
        let mark = if self.is_marked() { " †" } else { "" };
        format!("{}{mark}", self.label.method)
    }

    /// Whether its configuration was chosen on the test set, as the paper does.
    pub fn is_marked(&self) -> bool {
        let search = self.search.as_ref();
        search.is_some_and(|search| search.chosen_on == Split::Test)
    }

    /// The number of trainings as people read it: `3`, `3, 1 diverged`, or `1, diverged in epoch 2`.
    pub fn show_seeds(&self) -> String {
        let all = self.diverged == self.seeds;
        match self.diverged_in_epoch.filter(|_| self.diverged > 0) {
            Some(epoch) if all => format!("{}, diverged in epoch {epoch}", self.seeds),
            Some(epoch) => format!(
                "{}, {} diverged in epoch {epoch}",
                self.seeds, self.diverged
            ),
            None if all && self.diverged > 0 => format!("{}, diverged", self.seeds),
            None => with_diverged(self.seeds, self.diverged),
        }
    }

    /// The epochs that the seeds chose in some way, as people read them: `12`, `12–25`, or `—`.
    pub fn show_epochs(&self, choice: Choice) -> String {
        self.epochs_of(choice)
            .map_or_else(|| "—".to_owned(), |epochs| epochs.to_string())
    }

    /// A quantity as people read it, in the unit of the task: `1.83 ± 0.05`, `1.83` for one seed,
    /// `—` where absent, and `1.83 (1 of 3)` where some seeds lack it.
    pub fn show(&self, quantity: Quantity) -> String {
        let Some(statistic) = self.get(quantity) else {
            return "—".to_owned();
        };
        let (mean, decimals) = (statistic.mean, ErrorMeasure::of(self.task).decimals);
        let spread = statistic
            .sd
            .map_or(String::new(), |sd| format!(" ± {sd:.decimals$}"));
        if statistic.n < self.seeds {
            return format!(
                "{mean:.decimals$}{spread} ({} of {})",
                statistic.n, self.seeds
            );
        }
        format!("{mean:.decimals$}{spread}")
    }

    /// A published figure of a quantity, and ours less it: `1.48`, `+0.42`; `—` where absent.
    pub fn show_beside(&self, published: Option<f64>, quantity: Quantity) -> [String; 2] {
        let absent = || "—".to_owned();
        let measured = self.get(quantity).map(|statistic| statistic.mean);
        let difference = published
            .zip(measured)
            .map(|(published, measured)| Difference {
                published,
                measured,
            });
        [
            published.map_or_else(absent, |figure| format!("{figure:.2}")),
            difference.map_or_else(absent, |difference| difference.to_string()),
        ]
    }
}

/// A number of trainings as people read it: `3`, or `3, 1 diverged`.
pub(crate) fn with_diverged(trainings: u32, diverged: u32) -> String {
    match diverged {
        0 => trainings.to_string(),
        diverged => format!("{trainings}, {diverged} diverged"),
    }
}

/// Reads `table.parquet` of a report back into its rows. The file is not trusted.
///
/// # Errors
/// A file that is missing, damaged, another table, or has a cell its column does not allow.
pub fn read_table(path: &Path) -> Result<Vec<ReportRow>, TableError> {
    read_rows(path)
}

const CLASSIFICATION_TABLE: &str = "report";
const RECONSTRUCTION_TABLE: &str = "reconstruction_report";

/// Name, columns and units of a task's table.
fn form(task: Task) -> Form {
    let mut fields: Vec<Field> = ["dataset", "network", "method", "algorithm"]
        .map(|name| Field::new(name, DataType::Utf8, false))
        .into();
    fields.push(Field::new("hyperparameters", DataType::Utf8, false));
    fields.push(Field::new("epochs", DataType::UInt32, false));
    fields.push(Field::new("seeds", DataType::UInt32, false));
    fields.push(Field::new("diverged", DataType::UInt32, false));
    fields.extend([
        Field::new("diverged_in_epoch_lowest", DataType::UInt32, true),
        Field::new("diverged_in_epoch_highest", DataType::UInt32, true),
        Field::new("batch_size", DataType::UInt32, false),
        Field::new("train_images", DataType::UInt32, false),
        Field::new("validation_images", DataType::UInt32, true),
        Field::new("test_images", DataType::UInt32, false),
        Field::new("device", DataType::Utf8, false),
    ]);
    for choice in Choice::ALL {
        fields.extend(
            ["lowest", "highest"]
                .map(|end| Field::new(format!("{}_{end}", choice.name()), DataType::UInt32, true)),
        );
    }
    for quantity in Quantity::of(task) {
        let [mean, sd, n] = column_names(*quantity, task);
        fields.push(Field::new(mean, DataType::Float64, true));
        fields.push(Field::new(sd, DataType::Float64, true));
        fields.push(Field::new(n, DataType::UInt32, false));
    }
    fields.extend([
        Field::new("search_chosen_on", DataType::Utf8, true),
        Field::new("search_trials", DataType::UInt32, true),
        Field::new("search_diverged", DataType::UInt32, true),
        Field::new("search_error", DataType::Float64, true),
        Field::new("optimism", DataType::Float64, true),
    ]);
    let published = published(task).iter();
    fields.extend(published.map(|it| Field::new(it.column, DataType::Float64, true)));
    let conditions = published_conditions(task).iter();
    fields.extend(conditions.map(|it| Field::new(it.column, DataType::UInt32, true)));
    let (table, units) = match task {
        Task::Classification => (
            CLASSIFICATION_TABLE,
            "one row per dataset, network and method; every *_error_* is \
             percent of samples, 0 to 100; _mean, _sd (sample standard deviation, null for one value) \
             and _n are over the seeds that did not diverge; best_epoch: lowest test error over the \
             epochs, chosen on the test set; last_epoch: after the last epoch; validation_epoch: the epoch chosen on the \
             validation split; best_epoch_lowest, _highest and validation_epoch_lowest, _highest: the epochs \
             that the seeds chose; *_images: of each split; search_*, optimism: of the search that the configuration came from, \
             null without one (docs/statistics.md); published_*: a paper's figure, null where it \
             has none, or a condition of it; hyperparameters: JSON",
        ),
        Task::Reconstruction => (
            RECONSTRUCTION_TABLE,
            "one row per dataset, network and method; every *_reconstruction_error_* is the squared \
             distance ‖h_L − x‖² of an output from its input, the sum over values and the mean over \
             samples; _mean, _sd (sample standard deviation, null for one value) and _n are over the \
             seeds that did not diverge; best_epoch: lowest test error over the epochs, chosen on the test set; \
             last_epoch: after the last epoch; validation_epoch: the epoch chosen on the validation \
             split; best_epoch_lowest, _highest and validation_epoch_lowest, _highest: the epochs that the \
             seeds chose; *_images: of each split; search_*, optimism: of the search that the configuration came from, null without one; \
             hyperparameters: JSON",
        ),
    };
    Form {
        table,
        units: units.into(),
        schema: Schema::new(fields),
    }
}

/// The task of a report, which is that of every row.
pub(crate) fn task_of(rows: &[ReportRow]) -> Task {
    rows.first().map_or(Task::Classification, |row| row.task)
}

impl Encode for ReportRow {
    fn form(rows: &[Self]) -> Form {
        form(task_of(rows))
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
            count(|row| row.diverged),
        ];
        let range = |of: &dyn Fn(&Self) -> Option<EpochRange>| -> [ArrayRef; 2] {
            let first = rows.iter().map(|row| Some(of(row)?.first));
            let last = rows.iter().map(|row| Some(of(row)?.last));
            [
                Arc::new(first.collect::<UInt32Array>()),
                Arc::new(last.collect::<UInt32Array>()),
            ]
        };
        columns.extend(range(&|row| row.diverged_in_epoch));
        let validation = rows.iter().map(|row| row.conditions.validation_images);
        columns.extend([
            count(|row| row.batch_size),
            count(|row| row.conditions.train_images),
            Arc::new(validation.collect::<UInt32Array>()),
            count(|row| row.conditions.test_images),
            text(|row| &row.conditions.device),
        ]);
        for choice in Choice::ALL {
            columns.extend(range(&|row| row.epochs_of(choice)));
        }
        for quantity in Quantity::of(task_of(rows)) {
            let all = || rows.iter().map(|row| row.get(*quantity));
            let mean: Float64Array = all().map(|one| Some(one?.mean)).collect();
            let sd: Float64Array = all().map(|one| one?.sd).collect();
            let n = UInt32Array::from_iter_values(all().map(|one| one.map_or(0, |one| one.n)));
            columns.extend([Arc::new(mean) as ArrayRef, Arc::new(sd), Arc::new(n)]);
        }
        let search = || rows.iter().map(|row| row.search.as_ref());
        let chosen_on = search().map(|it| Some(it?.chosen_on.to_string()));
        columns.extend([
            Arc::new(chosen_on.collect::<StringArray>()) as ArrayRef,
            Arc::new(search().map(|it| Some(it?.trials)).collect::<UInt32Array>()),
            Arc::new(
                search()
                    .map(|it| Some(it?.diverged))
                    .collect::<UInt32Array>(),
            ),
            Arc::new(search().map(|it| it?.error).collect::<Float64Array>()),
            Arc::new(search().map(|it| it?.optimism).collect::<Float64Array>()),
        ]);
        for published in published(task_of(rows)) {
            let figures = rows
                .iter()
                .map(|row| *(published.figure)(&mut row.figures?));
            columns.push(Arc::new(figures.collect::<Float64Array>()));
        }
        for published in published_conditions(task_of(rows)) {
            let conditions = rows
                .iter()
                .map(|row| *(published.condition)(&mut row.figures?.conditions));
            columns.push(Arc::new(conditions.collect::<UInt32Array>()));
        }
        Ok(columns)
    }
}

impl Decode for ReportRow {
    fn forms() -> Vec<Form> {
        [Task::Classification, Task::Reconstruction]
            .map(form)
            .into()
    }

    fn rows(batch: &Columns<'_>) -> Result<Vec<Self>, TableProblem> {
        let task = match batch.table() {
            RECONSTRUCTION_TABLE => Task::Reconstruction,
            _ => Task::Classification,
        };
        let text = |name: &str| batch.get::<StringArray>(name);
        let datasets = text("dataset")?;
        let networks = text("network")?;
        let methods = text("method")?;
        let algorithms = text("algorithm")?;
        let settings = text("hyperparameters")?;
        let epochs: &UInt32Array = batch.get("epochs")?;
        let seeds: &UInt32Array = batch.get("seeds")?;
        let diverged: &UInt32Array = batch.get("diverged")?;
        let batch_sizes: &UInt32Array = batch.get("batch_size")?;
        let train_images: &UInt32Array = batch.get("train_images")?;
        let validation_images: &UInt32Array = batch.get("validation_images")?;
        let test_images: &UInt32Array = batch.get("test_images")?;
        let devices = text("device")?;
        let diverged_in_epoch = EpochColumns::of(batch, "diverged_in_epoch")?;
        let [best_epochs, validation_epochs] =
            Choice::ALL.map(|choice| EpochColumns::of(batch, choice.name()));
        let chosen_epochs = [best_epochs?, validation_epochs?];
        let row = |row: usize| -> Result<Self, TableProblem> {
            let hyperparameters = serde_json::from_str(settings.value(row))
                .map_err(|error| batch.problem(row, "hyperparameters", &error))?;
            Ok(Self {
                label: Label {
                    dataset: datasets.value(row).to_owned(),
                    network: networks.value(row).to_owned(),
                    method: methods.value(row).to_owned(),
                },
                task,
                algorithm: algorithms.value(row).to_owned(),
                epochs: epochs.value(row),
                seeds: seeds.value(row),
                diverged: diverged.value(row),
                diverged_in_epoch: diverged_in_epoch.get(row),
                batch_size: batch_sizes.value(row),
                conditions: Conditions {
                    train_images: train_images.value(row),
                    validation_images: validation_images
                        .is_valid(row)
                        .then(|| validation_images.value(row)),
                    test_images: test_images.value(row),
                    device: devices.value(row).to_owned(),
                },
                chosen_epochs: chosen_epochs.each_ref().map(|columns| columns.get(row)),
                hyperparameters,
                figures: None,
                search: None,
                statistics: [None; Quantity::ALL.len()],
            })
        };
        let mut rows = (0..batch.len()).map(row).collect::<Result<Vec<_>, _>>()?;
        for quantity in Quantity::of(task) {
            fill_statistics(batch, *quantity, task, &mut rows)?;
        }
        fill_searches(batch, &mut rows)?;
        for published in published(task) {
            let column: &Float64Array = batch.get(published.column)?;
            for (index, row) in rows.iter_mut().enumerate() {
                if column.is_valid(index) {
                    let figures = row.figures.get_or_insert_default();
                    *(published.figure)(figures) = Some(column.value(index));
                }
            }
        }
        for published in published_conditions(task) {
            let column: &UInt32Array = batch.get(published.column)?;
            for (index, row) in rows.iter_mut().enumerate() {
                if column.is_valid(index) {
                    let figures = row.figures.get_or_insert_default();
                    *(published.condition)(&mut figures.conditions) = Some(column.value(index));
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

/// The columns of published figures: papers give those of classifications.
fn published(task: Task) -> &'static [Published] {
    match task {
        Task::Classification => &PUBLISHED,
        Task::Reconstruction => &[],
    }
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

/// A column of the conditions of published figures.
struct PublishedCondition {
    column: &'static str,
    condition: fn(&mut PublishedConditions) -> &mut Option<u32>,
}

fn published_conditions(task: Task) -> &'static [PublishedCondition] {
    match task {
        Task::Classification => &PUBLISHED_CONDITIONS,
        Task::Reconstruction => &[],
    }
}

const PUBLISHED_CONDITIONS: [PublishedCondition; 4] = [
    PublishedCondition {
        column: "published_epochs",
        condition: |it| &mut it.epochs,
    },
    PublishedCondition {
        column: "published_train_images",
        condition: |it| &mut it.train_images,
    },
    PublishedCondition {
        column: "published_test_images",
        condition: |it| &mut it.test_images,
    },
    PublishedCondition {
        column: "published_configurations",
        condition: |it| &mut it.configurations,
    },
];

/// The two columns of a range of epochs.
struct EpochColumns<'a> {
    first: &'a UInt32Array,
    last: &'a UInt32Array,
}

impl<'a> EpochColumns<'a> {
    fn of(batch: &Columns<'a>, name: &str) -> Result<Self, TableProblem> {
        Ok(Self {
            first: batch.get(&format!("{name}_lowest"))?,
            last: batch.get(&format!("{name}_highest"))?,
        })
    }

    fn get(&self, row: usize) -> Option<EpochRange> {
        let is_there = self.first.is_valid(row) && self.last.is_valid(row);
        is_there.then(|| EpochRange {
            first: self.first.value(row),
            last: self.last.value(row),
        })
    }
}

fn fill_searches(batch: &Columns<'_>, rows: &mut [ReportRow]) -> Result<(), TableProblem> {
    let chosen_on: &StringArray = batch.get("search_chosen_on")?;
    let trials: &UInt32Array = batch.get("search_trials")?;
    let diverged: &UInt32Array = batch.get("search_diverged")?;
    let errors: &Float64Array = batch.get("search_error")?;
    let optimism: &Float64Array = batch.get("optimism")?;
    for (index, row) in rows.iter_mut().enumerate() {
        if !chosen_on.is_valid(index) {
            continue;
        }
        row.search = Some(SearchSummary {
            chosen_on: name(batch, chosen_on, index, "search_chosen_on")?,
            trials: trials.value(index),
            diverged: diverged.value(index),
            error: errors.is_valid(index).then(|| errors.value(index)),
            optimism: optimism.is_valid(index).then(|| optimism.value(index)),
        });
    }
    Ok(())
}

fn fill_statistics(
    batch: &Columns<'_>,
    quantity: Quantity,
    task: Task,
    rows: &mut [ReportRow],
) -> Result<(), TableProblem> {
    let [mean, sd, n] = column_names(quantity, task);
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

fn column_names(quantity: Quantity, task: Task) -> [String; 3] {
    ["mean", "sd", "n"].map(|part| format!("{}_{part}", quantity.name(task)))
}

/// Compact JSON with sorted keys: `serde_json` keeps insertion order if any crate of the build
/// asks it to, and the bytes here must not depend on that.
pub(crate) fn settings_json(settings: &Map<String, Value>) -> String {
    let mut sorted = Value::Object(settings.clone());
    sorted.sort_all_objects();
    sorted.to_string()
}
