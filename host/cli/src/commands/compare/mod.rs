//! `pipeline compare`: whether one method is better than another, and how sure that is.

mod text;
mod view;

use std::process::ExitCode;

use assay_audit::{AuditError, Index, Subject};
use assay_core::{Advice, ArtifactHash, StageKind};
use assay_engine::{PREDICTIONS, REPORT_METRICS, REPORT_TABLE};
use assay_report::{
    Cell, ErrorMeasure, Quantity, ReportTraining, State, TableError, Task, compare,
    read_predictions, read_table, read_trainings,
};
use assay_statistics::CONFIDENCE;
use assay_store::{Store, StoreError};
use clap::Args;

use crate::arguments::StoreArguments;
use crate::error::CliError;
use crate::ui;
use text::text;
use view::CompareView;

const EXAMPLES: &str = "\
Examples:
  pipeline compare mnist
  pipeline compare mnist --row dtp --row sdtp --against bp
  pipeline compare mnist --metric test_error_last_epoch
  pipeline compare 3f2a9c 81d0e7 --row dtp

Of one run, every row of its report is compared with that of `--against`, on the same dataset and
network. Of two runs, each row of the first is compared with the same row of the second.

Trainings from the same seed are compared in pairs. Below the interval of a difference for new seeds
stands the one for new seeds and new images, where the store has the predictions. A difference is
called significant if its p-value, adjusted for all comparisons of the call, is at most 0.05.
docs/statistics.md has the formulas.

Exit codes: 0 compared, 2 a run has no report, or no such row or metric, or cannot be read.";

/// One or two reports.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CompareArguments {
    /// A run, or a report stage of one: HASH, PREFIX, PIPELINE (its latest run), latest, RUN:STAGE
    #[arg(value_name = "RUN", required = true, num_args = 1..=2)]
    names: Vec<String>,

    /// Compare only this method; may be given many times
    #[arg(long = "row", value_name = "METHOD")]
    rows: Vec<String>,

    /// The method that the others are compared with [default: bp, or else the first of the report]
    #[arg(long, value_name = "METHOD")]
    against: Option<String>,

    /// The number to compare: a column of the report's table, without `_mean` [default:
    /// `test_error_validation_epoch`, or `test_error_best_epoch` where nothing was held out]
    #[arg(long, value_name = "NAME")]
    metric: Option<String>,

    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    store: StoreArguments,
}

/// A failure of this verb alone.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CompareError {
    #[error("{0}")]
    Request(String),
    #[error(transparent)]
    Table(#[from] TableError),
}

impl Advice for CompareError {}

/// A report that rows are taken from.
struct Source {
    artifact: ArtifactHash,
    task: Task,
    trainings: Vec<ReportTraining>,
    /// The methods, in the order of the table.
    methods: Vec<String>,
}

pub(crate) fn run(arguments: &CompareArguments) -> Result<ExitCode, CliError> {
    let store = arguments.store.open_existing()?;
    let index = Index::read_cached(&store)?;
    let sources = arguments.names.iter();
    let sources = sources.map(|name| Source::find(&store, &index, name));
    let sources = sources.collect::<Result<Vec<_>, CliError>>()?;
    let view = view(&store, &sources, arguments)?;
    ui::print_view(&view, arguments.json, text)?;
    Ok(ExitCode::SUCCESS)
}

impl Source {
    fn find(store: &Store, index: &Index, name: &str) -> Result<Self, CliError> {
        let artifact = report_of(store, index, name)?;
        let path = |file: &str| -> Result<_, StoreError> {
            let object = store
                .artifact(artifact)?
                .files
                .get(file)
                .map(|it| it.object);
            let object = object.ok_or_else(|| StoreError::NoSuchFile {
                artifact,
                name: file.to_owned(),
            })?;
            store.verify(object)?;
            Ok(store.object_path(object))
        };
        let rows = read_table(&path(REPORT_TABLE)?).map_err(CompareError::from)?;
        let trainings = read_trainings(&path(REPORT_METRICS)?).map_err(CompareError::from)?;
        let Some(first) = rows.first() else {
            return Err(CompareError::Request(format!("the report of `{name}` is empty")).into());
        };
        let mut methods: Vec<String> = Vec::new();
        for row in &rows {
            if !methods.contains(&row.label.method) {
                methods.push(row.label.method.clone());
            }
        }
        Ok(Self {
            artifact,
            task: first.task,
            trainings,
            methods,
        })
    }

    /// The rows, with the images that their trainings get wrong where the store has them.
    fn cells(&self, store: &Store, quantity: Quantity) -> Result<Vec<Cell>, CliError> {
        let mut cells = Cell::all(&self.trainings, quantity, self.task);
        let Some(state) = quantity.state() else {
            return Ok(cells);
        };
        for cell in &mut cells {
            let of_cell = |it: &&ReportTraining| it.label == cell.label;
            for training in self.trainings.iter().filter(of_cell) {
                let wrong = wrong_images(store, &training.sources.evaluation, state)?;
                cell.wrong.extend(wrong.map(|wrong| (training.seed, wrong)));
            }
        }
        Ok(cells)
    }

    /// Whether any training has the quantity.
    fn has(&self, quantity: Quantity) -> bool {
        let mut trainings = self.trainings.iter();
        trainings.any(|training| training.value(quantity, self.task).is_some())
    }

    fn check_method(&self, method: &str) -> Result<(), CompareError> {
        if self.methods.iter().any(|known| known == method) {
            return Ok(());
        }
        let known = self.methods.join("`, `");
        Err(CompareError::Request(format!(
            "the report has no row `{method}`; it has `{known}`"
        )))
    }
}

/// Which images of the test set a saved state gets wrong, if the store has the evaluation with its
/// predictions.
fn wrong_images(
    store: &Store,
    evaluation: &str,
    state: State,
) -> Result<Option<Vec<bool>>, CliError> {
    let Ok(artifact) = evaluation.parse::<ArtifactHash>() else {
        return Ok(None);
    };
    if !store.is_intact(artifact)? {
        return Ok(None);
    }
    let Some(file) = store.artifact(artifact)?.files.remove(PREDICTIONS) else {
        return Ok(None);
    };
    store.verify(file.object)?;
    let predictions = read_predictions(&store.object_path(file.object));
    let predictions = predictions.map_err(CompareError::from)?.into_iter();
    let of_state = predictions.filter(|it| it.state == state);
    Ok(Some(of_state.map(|it| it.predicted != it.label).collect()))
}

/// The report that the name stands for: of a run, that of its only report stage.
fn report_of(store: &Store, index: &Index, name: &str) -> Result<ArtifactHash, CliError> {
    let no_report = |message: String| CliError::from(CompareError::Request(message));
    let unfinished = || no_report(format!("the report of `{name}` has not been made"));
    match Subject::find(store, index, name)? {
        Subject::Run(run) => {
            let stages = index.runs().get(&run).map(|entry| &entry.run.stages);
            let is_report = |action| {
                let document = index.document(action);
                document.is_some_and(|document| document.kind == StageKind::Report)
            };
            let stages = stages.into_iter().flatten();
            let reports = stages.filter(|stage| stage.action.is_some_and(is_report));
            let reports: Vec<_> = reports.collect();
            match reports.as_slice() {
                [] => Err(no_report(format!("the run `{name}` has no report"))),
                [report] => report.artifact.ok_or_else(unfinished),
                several => {
                    let names = several.iter().map(|stage| stage.name.as_str());
                    let names = names.collect::<Vec<_>>().join("`, `");
                    Err(no_report(format!(
                        "the run `{name}` has several reports, `{names}`; name one, as in \
                         `{name}:{}`",
                        several
                            .first()
                            .map_or("report", |stage| stage.name.as_str())
                    )))
                }
            }
        }
        Subject::Stage { artifact, .. } => artifact.ok_or_else(unfinished),
        Subject::Artifact(artifact) => Ok(artifact),
        other => Err(AuditError::NotARun {
            name: name.to_owned(),
            what: other.what(),
            object: other.object(),
        }
        .into()),
    }
}

fn view(
    store: &Store,
    sources: &[Source],
    arguments: &CompareArguments,
) -> Result<CompareView, CliError> {
    let unknown = |message: String| Err(CompareError::Request(message).into());
    let (first, second) = match sources {
        [only] => (only, None),
        [first, second] => (first, Some(second)),
        _ => return unknown("one or two runs can be compared".to_owned()),
    };
    let task = first.task;
    if second.is_some_and(|second| second.task != task) {
        return unknown("one run classifies, and the other reconstructs".to_owned());
    }
    let quantity = quantity(first, task, arguments.metric.as_deref())?;
    for method in &arguments.rows {
        first.check_method(method)?;
    }
    let cells = first.cells(store, quantity)?;
    let pairs = if let Some(second) = second {
        if arguments.against.is_some() {
            return unknown(
                "`--against` is for the rows of one run; of two runs, the same rows are compared"
                    .to_owned(),
            );
        }
        same_rows(&cells, &second.cells(store, quantity)?)
    } else {
        against(first, &cells, arguments.against.as_deref())?
    };
    let asked_for =
        |cell: &Cell| arguments.rows.is_empty() || arguments.rows.contains(&cell.label.method);
    let pairs: Vec<_> = pairs
        .into_iter()
        .filter(|(first, _)| asked_for(first))
        .collect();
    if pairs.is_empty() {
        return unknown("there are no two rows to compare".to_owned());
    }
    let measure = ErrorMeasure::of(task);
    Ok(CompareView {
        reports: sources.iter().map(|source| source.artifact).collect(),
        metric: quantity.name(task),
        unit: measure.unit,
        chosen_on_test: quantity.is_chosen_on_test(),
        confidence: CONFIDENCE,
        comparisons: compare(pairs).into_iter().map(Into::into).collect(),
        decimals: measure.decimals,
        of_two_runs: second.is_some(),
    })
}

fn quantity(source: &Source, task: Task, name: Option<&str>) -> Result<Quantity, CompareError> {
    let Some(name) = name else {
        let honest = Quantity::TestErrorValidationEpoch;
        return Ok(if source.has(honest) {
            honest
        } else {
            Quantity::TestErrorBestEpoch
        });
    };
    let mut known = Quantity::of(task).iter();
    let found = known.find(|quantity| quantity.name(task) == name);
    found.copied().ok_or_else(|| {
        let known = Quantity::of(task).iter().map(|it| it.name(task));
        let known = known.collect::<Vec<_>>().join("`, `");
        CompareError::Request(format!("there is no metric `{name}`; there are `{known}`"))
    })
}

/// Each row beside the row of the reference on its dataset and network.
fn against(
    source: &Source,
    cells: &[Cell],
    reference: Option<&str>,
) -> Result<Vec<(Cell, Cell)>, CompareError> {
    if let Some(reference) = reference {
        source.check_method(reference)?;
    }
    let mut methods = source.methods.iter().map(String::as_str);
    let backpropagation = methods.clone().find(|method| *method == "bp");
    let reference = reference.or(backpropagation).or_else(|| methods.next());
    let is_reference = |cell: &&Cell| Some(cell.label.method.as_str()) == reference;
    let mut pairs = Vec::new();
    for method in &source.methods {
        for cell in cells.iter().filter(|cell| cell.label.method == *method) {
            let mut others = cells.iter().filter(is_reference);
            let other = others.find(|other| {
                (&other.label.dataset, &other.label.network)
                    == (&cell.label.dataset, &cell.label.network)
            });
            if let Some(other) = other.filter(|other| other.label != cell.label) {
                pairs.push((cell.clone(), other.clone()));
            }
        }
    }
    Ok(pairs)
}

/// The rows that two reports have both.
fn same_rows(first: &[Cell], second: &[Cell]) -> Vec<(Cell, Cell)> {
    let other = |cell: &Cell| second.iter().find(|other| other.label == cell.label);
    let pairs = first
        .iter()
        .filter_map(|cell| Some((cell.clone(), other(cell)?.clone())));
    pairs.collect()
}
