//! `pipeline compare`: whether one method is better than another, and how sure that is.

use std::fmt::Write as _;
use std::process::ExitCode;

use assay_audit::{AuditError, Index, Subject};
use assay_core::{Advice, ArtifactHash, StageKind};
use assay_report::{
    Cell, Comparison, ErrorMeasure, Label, Measured, Quantity, ReportTraining, TableError, Task,
    Verdict, compare, read_table, read_trainings,
};
use assay_statistics::{CONFIDENCE, Interval, Sample, seeds_for_family};
use assay_store::{Store, StoreError};
use clap::Args;
use serde::Serialize;

use crate::arguments::StoreArguments;
use crate::error::CliError;
use crate::ui;
use crate::ui::words::{count, plain, right, table};

const EXAMPLES: &str = "\
Examples:
  pipeline compare mnist
  pipeline compare mnist --row dtp --row sdtp --against bp
  pipeline compare mnist --metric test_error_last_epoch
  pipeline compare 3f2a9c 81d0e7 --row dtp

Of one run, every row of its report is compared with that of `--against`, on the same dataset and
network. Of two runs, each row of the first is compared with the same row of the second.

Trainings from the same seed are compared in pairs. A difference is called significant if its p-value,
adjusted for all comparisons of the call, is at most 0.05. docs/statistics.md has the formulas.

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
    NoReport(String),
    #[error("{0}")]
    Unknown(String),
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

/// Comparisons, and what they are about.
#[derive(Serialize)]
struct CompareView {
    reports: Vec<ArtifactHash>,
    metric: String,
    unit: &'static str,
    chosen_on_test: bool,
    confidence: f64,
    comparisons: Vec<ComparisonView>,
    #[serde(skip)]
    decimals: usize,
    /// Whether the rows compared are of two runs.
    #[serde(skip)]
    of_two_runs: bool,
}

#[derive(Serialize)]
struct ComparisonView {
    first: RowView,
    second: RowView,
    #[serde(flatten)]
    measured: Measured,
    p_adjusted: Option<f64>,
    verdict: Verdict,
    seeds_needed: Option<usize>,
}

#[derive(Serialize)]
struct RowView {
    dataset: String,
    network: String,
    method: String,
    seeds: usize,
    /// Trainings without a value, as those that diverged.
    missing: usize,
    mean: Option<f64>,
    standard_deviation: Option<f64>,
    interval: Option<Interval>,
}

impl From<&Cell> for RowView {
    fn from(cell: &Cell) -> Self {
        let Label {
            dataset,
            network,
            method,
        } = cell.label.clone();
        let sample = cell.sample();
        let sample = sample.as_ref();
        Self {
            dataset,
            network,
            method,
            seeds: cell.values.len(),
            missing: cell.missing(),
            mean: sample.map(Sample::mean),
            standard_deviation: sample.and_then(Sample::standard_deviation),
            interval: sample.and_then(Sample::mean_interval),
        }
    }
}

impl From<Comparison> for ComparisonView {
    fn from(comparison: Comparison) -> Self {
        Self {
            first: (&comparison.first).into(),
            second: (&comparison.second).into(),
            measured: comparison.measured,
            p_adjusted: comparison.p_adjusted,
            verdict: comparison.verdict,
            seeds_needed: comparison.seeds_needed,
        }
    }
}

pub(crate) fn run(arguments: &CompareArguments) -> Result<ExitCode, CliError> {
    let store = arguments.store.open_existing()?;
    let index = Index::read_cached(&store)?;
    let sources = arguments.names.iter();
    let sources = sources.map(|name| Source::find(&store, &index, name));
    let sources = sources.collect::<Result<Vec<_>, CliError>>()?;
    let view = view(&sources, arguments)?;
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
        let rows = read_table(&path("table.parquet")?).map_err(CompareError::from)?;
        let trainings = read_trainings(&path("metrics.parquet")?).map_err(CompareError::from)?;
        let Some(first) = rows.first() else {
            return Err(CompareError::NoReport(format!("the report of `{name}` is empty")).into());
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

    fn cells(&self, quantity: Quantity) -> Vec<Cell> {
        Cell::all(&self.trainings, quantity, self.task)
    }

    /// Whether any training has the quantity.
    fn has(&self, quantity: Quantity) -> bool {
        let cells = self.cells(quantity);
        cells.iter().any(|cell| cell.sample().is_some())
    }

    fn check_method(&self, method: &str) -> Result<(), CompareError> {
        if self.methods.iter().any(|known| known == method) {
            return Ok(());
        }
        let known = self.methods.join("`, `");
        Err(CompareError::Unknown(format!(
            "the report has no row `{method}`; it has `{known}`"
        )))
    }
}

/// The report that the name stands for: of a run, that of its only report stage.
fn report_of(store: &Store, index: &Index, name: &str) -> Result<ArtifactHash, CliError> {
    let no_report = |message: String| CliError::from(CompareError::NoReport(message));
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
        }
        .into()),
    }
}

fn view(sources: &[Source], arguments: &CompareArguments) -> Result<CompareView, CompareError> {
    let unknown = |message: String| Err(CompareError::Unknown(message));
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
    let pairs = match second {
        Some(second) => {
            if arguments.against.is_some() {
                return unknown(
                    "`--against` is for the rows of one run; of two runs, the same rows are compared"
                        .to_owned(),
                );
            }
            same_rows(&first.cells(quantity), &second.cells(quantity))
        }
        None => against(first, quantity, arguments.against.as_deref())?,
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
        CompareError::Unknown(format!("there is no metric `{name}`; there are `{known}`"))
    })
}

/// Each row beside the row of the reference on its dataset and network.
fn against(
    source: &Source,
    quantity: Quantity,
    reference: Option<&str>,
) -> Result<Vec<(Cell, Cell)>, CompareError> {
    if let Some(reference) = reference {
        source.check_method(reference)?;
    }
    let mut methods = source.methods.iter().map(String::as_str);
    let backpropagation = methods.clone().find(|method| *method == "bp");
    let reference = reference.or(backpropagation).or_else(|| methods.next());
    let cells = source.cells(quantity);
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

fn text(view: &CompareView) -> String {
    let mut text = format!("{}, {}", view.metric.replace('_', " "), view.unit);
    if view.chosen_on_test {
        text.push_str(" (the epoch is chosen on the test set)");
    }
    text.push_str("\n\n");
    let mut rows = table(&[
        "rows",
        "means",
        "difference\n(95 % interval)",
        "p\n(Holm)",
        "lower\nin",
        "seeds",
    ]);
    for comparison in &view.comparisons {
        rows.add_row(comparison.columns(view));
    }
    right(&mut rows, &[1, 2, 3, 4, 5]);
    let _ = writeln!(text, "{rows}\n");
    for comparison in &view.comparisons {
        let _ = writeln!(text, "{}", comparison.sentence(view));
    }
    text
}

impl ComparisonView {
    fn columns(&self, view: &CompareView) -> [String; 6] {
        let absent = || "—".to_owned();
        let number =
            |value: Option<f64>| value.map_or_else(absent, |it| format!("{it:.*}", view.decimals));
        let seeds = |row: &RowView| match row.missing {
            0 => row.seeds.to_string(),
            missing => format!("{} of {}", row.seeds - missing, row.seeds),
        };
        let seeds = match (seeds(&self.first), seeds(&self.second)) {
            (first, second) if first == second => first,
            (first, second) => format!("{first}, {second}"),
        };
        let lower = match &self.measured {
            Measured::Paired(paired) => Some(paired.lower.estimate),
            Measured::Unpaired(unpaired) => Some(unpaired.lower),
            Measured::Missing => None,
        };
        let interval = self
            .measured
            .interval()
            .map(|Interval { low, high }| format!(" ({low:.0$} to {high:.0$})", view.decimals));
        let difference = self.measured.difference().map(|difference| {
            let interval = interval.unwrap_or_default();
            format!("{difference:+.*}{interval}", view.decimals)
        });
        let rows = if view.of_two_runs {
            self.first.method.clone()
        } else {
            format!("{} − {}", self.first.method, self.second.method)
        };
        [
            plain(&rows),
            format!("{} − {}", number(self.first.mean), number(self.second.mean)),
            difference.unwrap_or_else(absent),
            self.p_adjusted.map_or_else(absent, p_value),
            lower.map_or_else(absent, |it| format!("{:.0} %", 100.0 * it)),
            seeds,
        ]
    }

    /// The conclusion in words.
    fn sentence(&self, view: &CompareView) -> String {
        let RowView {
            dataset,
            network,
            method,
            ..
        } = &self.first;
        let other = if view.of_two_runs {
            format!("{method} of the second run")
        } else {
            self.second.method.clone()
        };
        let place = format!("on {dataset}, {network}");
        let how = match self.measured {
            Measured::Unpaired(_) => " (unpaired: the rows do not share their seeds)",
            Measured::Paired(_) | Measured::Missing => "",
        };
        let sentence = match (self.verdict, &self.measured) {
            (_, Measured::Missing) => {
                format!("{method} and {other} {place} cannot be compared: one has no value.")
            }
            (Verdict::Better, _) => format!(
                "{method} is better than {other} {place}: lower by {}{how}.",
                self.size(view)
            ),
            (Verdict::Worse, _) => format!(
                "{method} is worse than {other} {place}: higher by {}{how}.",
                self.size(view)
            ),
            (Verdict::NotMeaningful, _) => format!(
                "{method} and {other} differ {place}, but not meaningfully: which is lower changes \
                 from seed to seed{how}."
            ),
            (Verdict::NotSignificant, _) => format!(
                "{method} and {other} {place}: not significant{how}.{}",
                self.advice(view.comparisons.len())
            ),
        };
        plain(&sentence)
    }

    /// The size of the difference with its interval, both without the sign of the difference.
    fn size(&self, view: &CompareView) -> String {
        let difference = self.measured.difference().unwrap_or_default();
        let sign = difference.signum();
        let number = |value: f64| format!("{:.*}", view.decimals, sign * value);
        match self.measured.interval() {
            Some(Interval { low, high }) => {
                let (near, far) = if sign < 0.0 { (high, low) } else { (low, high) };
                format!(
                    "{} ({} to {})",
                    number(difference),
                    number(near),
                    number(far)
                )
            }
            None => number(difference),
        }
    }

    /// How many seeds would tell.
    fn advice(&self, family: usize) -> String {
        let Measured::Paired(paired) = &self.measured else {
            return String::new();
        };
        let least = seeds_for_family(family);
        let comparisons = count(family as u64, "comparison");
        if paired.pairs < least {
            return format!(
                " With {} nothing can be: {comparisons} need {least} or more{}.",
                count(paired.pairs as u64, "common seed"),
                match self.seeds_needed.filter(|needed| *needed > least) {
                    Some(needed) => format!(", and a difference like this one about {needed}"),
                    None => String::new(),
                }
            );
        }
        match self.seeds_needed.filter(|needed| *needed > paired.pairs) {
            Some(needed) => format!(
                " To find a difference like this one takes about {needed} seeds, {} more.",
                needed - paired.pairs
            ),
            None => String::new(),
        }
    }
}

fn p_value(p: f64) -> String {
    if p < 0.001 {
        "< 0.001".to_owned()
    } else {
        format!("{p:.3}")
    }
}
