//! `pipeline run`: preview or run a pipeline file, and show the reports it made.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use assay_cluster::{Admitted, Cluster, LookUp, Sites};
use assay_core::{
    ActionKey, Advice, ArtifactHash, Containment, Limits, RunHash, StageKind, StageOutcome,
    canonical_json,
};
use assay_engine::{
    Cancel, DeviceError, Elsewhere, EventFile, Executor, Failure, Labels, LockMode, MOST_PER_CARD,
    Observer, PerCard, REPORT_TABLE, ResultSource, RunOutcome, RunReport, Session, Settings,
    StageReport, TensorBoardFolder, TrainingParameters,
};
use assay_remote::{Access, LookUpTrust, Remote};
use assay_report::{
    Conditions, ErrorMeasure, Quantity, ReportRow, SearchSummary, Statistic, TableError, Task,
    read_table, shortfalls,
};
use assay_store::Store;
use clap::Args;
use serde::Serialize;

use crate::arguments::MOST_JOBS;
use crate::arguments::plan::PlanArguments;
use crate::arguments::remote::{HUB_HELP, names, place};
use crate::arguments::user::{executors_file, remotes_file};
use crate::error::{CliError, STOPPED};
use crate::export::{export_report, failed};
use crate::signing::{own_public_key, trusted_keys};
use crate::ui::action::outcomes;
use crate::ui::preview::PlanView;
use crate::ui::progress::ProgressView;
use crate::ui::terminal::say;
use crate::ui::words::{ShownPath, lines, plain, right, table, wrap};
use crate::ui::{self, duration, error, terminal};

const EXAMPLES: &str = "\
Examples:
  pipeline run pipelines/quickstart.toml
  pipeline run pipelines/quickstart.toml --dry-run
  pipeline run pipelines/quickstart.toml --set train.epochs=10 --jobs 4
  pipeline run pipelines/quickstart.toml --only train/bp
  pipeline run pipelines/mnist.toml --device cuda:all
  pipeline run pipelines/mnist.toml --device cuda --portable --per-device 16
  pipeline run pipelines/quickstart.toml --events events.jsonl
  pipeline run pipelines/quickstart.toml --executor slurm --hub /shared/me/hub
  pipeline run pipelines/quickstart.toml --tensorboard curves
  pipeline run pipelines/quickstart.toml --lock
  pipeline run pipelines/quickstart.toml --locked --trusted-only
  pipeline run pipelines/quickstart.toml --set method.bp.hyperparameters.learning_rate=0.001

Exit codes: 0 done (or, with --dry-run, planned), 1 a stage failed, 2 the pipeline or the store
cannot be used, or standard output takes no table (the run is recorded all the same), 130 stopped.

Ctrl-C stops within a second; where stages run, each ends its step first and keeps its checkpoint.
A second Ctrl-C stops at once.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RunArguments {
    #[command(flatten)]
    plan: PlanArguments,

    /// Run only these stages and what they need; `train/bp` stands for everything below it
    #[arg(long, value_name = "STAGE")]
    only: Vec<String>,

    /// Say what would run and why, and run nothing
    #[arg(long)]
    dry_run: bool,

    /// Stages to run at a time; on cards, shared evenly among them [default: processors / threads, and
    /// one at a time on each card]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MOST_JOBS))]
    jobs: Option<u32>,

    /// Trainings, or evaluations, that one worker executes at once on each card, each on a stream of its own:
    /// many small networks fill a card that one leaves idle. `auto` begins with four and doubles while they
    /// get faster together [default with --portable: auto]
    #[arg(long, value_name = "N|auto", requires = "portable", value_parser = per_card)]
    per_device: Option<PerCard>,

    /// After a failure, go on with the stages that do not depend on it
    #[arg(long, short)]
    keep_going: bool,

    #[command(flatten)]
    lock: LockArguments,

    /// Where to lay out reports [default: STORE/reports/PIPELINE, and with a profile or --set a folder of
    /// their own beside it]
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,

    /// Append what happens to this file while it happens, as JSON, one event a line
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    events: Option<PathBuf>,

    /// Write the curves of the trainings below this folder while they run, for TensorBoard
    #[arg(long, value_name = "DIR", conflicts_with = "dry_run")]
    tensorboard: Option<PathBuf>,

    /// Print one JSON document instead of tables
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    elsewhere: ElsewhereArguments,
}

/// Other machines' part in a run.
#[derive(Args, Debug)]
struct ElsewhereArguments {
    /// Who executes the stages that load a plugin: local, an executor of executors.toml, or slurm or
    /// hyperqueue with --hub
    #[arg(long, value_name = "NAME", default_value = LOCAL)]
    executor: String,

    #[arg(long, value_name = "PLACE", help = HUB_HELP)]
    hub: Option<String>,

    /// Ask no remote for results (`pipeline remote add --look-up` says which are asked)
    #[arg(long)]
    no_look_up: bool,
}

const LOCAL: &str = "local";

impl ElsewhereArguments {
    /// The remotes that are asked for results, if any are.
    fn look_up(&self) -> Result<Option<LookUp>, CliError> {
        if self.no_look_up || remotes_file().is_none() {
            return Ok(None);
        }
        let names = names()?;
        let mut remotes = Vec::new();
        for named in names.iter() {
            let admitted = match named.look_up {
                None => continue,
                Some(LookUpTrust::Any) => Admitted::Any,
                Some(LookUpTrust::Mine) => Admitted::SignedBy(vec![own_public_key()?]),
                Some(LookUpTrust::Signed) => {
                    let keys = trusted_keys()?.into_iter();
                    Admitted::SignedBy(keys.map(|trusted| trusted.key).collect())
                }
            };
            match Remote::open(names.find(named.name)?, Access::Read) {
                Ok(remote) => remotes.push((remote, admitted)),
                // As when a server is down.
                Err(error) => say(&format!(
                    "going on without the remote {}: {error}",
                    named.name
                )),
            }
        }
        Ok((!remotes.is_empty()).then(|| LookUp::new(remotes)))
    }

    /// The cluster that executes stages, if one does; of cards for `portable` algorithms it knows nothing.
    fn cluster(&self, portable: bool) -> Result<Option<Cluster>, CliError> {
        if portable && self.executor != LOCAL {
            let message = "--portable is for cards of this machine, not for an --executor";
            return Err(CliError::Arguments(message.to_owned()));
        }
        let hub = self.hub.as_deref().map(place).transpose()?;
        if self.executor == LOCAL {
            return match hub {
                None => Ok(None),
                Some(_) => Err(CliError::Arguments("--hub needs an --executor".to_owned())),
            };
        }
        let sites = Sites::read(executors_file())?;
        Ok(Some(Cluster::open(
            sites.find(&self.executor, hub.as_ref())?,
        )?))
    }
}

/// A number of trainings, or `auto`.
fn per_card(text: &str) -> Result<PerCard, String> {
    if text == "auto" {
        return Ok(PerCard::Measured);
    }
    let count = text.parse().ok();
    let count = count.filter(|count| (1..=MOST_PER_CARD).contains(count));
    let count =
        count.ok_or_else(|| format!("give a number from 1 to {MOST_PER_CARD}, or `auto`"))?;
    Ok(PerCard::Most(count))
}

/// The part that the pipeline file's lock has in a run.
#[derive(Args, Debug)]
struct LockArguments {
    /// Write what the run uses to the lock beside the file: NAME.lock, for version control
    #[arg(long, conflicts_with = "locked")]
    lock: bool,

    /// Run nothing whose plugin or dataset is not as the lock has it
    #[arg(long)]
    locked: bool,
}

impl RunArguments {
    fn settings(&self, cancel: &Cancel) -> Result<Settings, DeviceError> {
        let settings = self.plan.settings(self.jobs, self.keep_going, cancel)?;
        Ok(Settings {
            per_card: self.per_device.unwrap_or(PerCard::Measured),
            ..settings
        })
    }

    /// The file of events, if one is wanted.
    fn event_file(&self) -> Result<Option<EventFile>, CliError> {
        let opened = self
            .events
            .as_ref()
            .map(|path| EventFile::open(path).map_err(failed("append events to", path)));
        opened.transpose()
    }

    /// The folder of curves, if one is wanted.
    fn curves<'a>(&self, store: &'a Store) -> Result<Option<TensorBoardFolder<'a>>, CliError> {
        let made = self.tensorboard.as_ref();
        let made =
            made.map(|path| TensorBoardFolder::new(path, store).map_err(failed("create", path)));
        made.transpose()
    }

    fn lock_mode(&self) -> LockMode {
        match (self.lock.lock, self.lock.locked) {
            (true, _) => LockMode::Write,
            (false, true) => LockMode::Enforce,
            (false, false) => LockMode::Remark,
        }
    }
}

/// The table of a report is not what it should be.
#[derive(Debug, thiserror::Error)]
#[error("the report's table cannot be read")]
struct UnreadableTable(#[source] TableError);

impl Advice for UnreadableTable {}

/// A report of a run, laid out for a person.
struct ExportedReport {
    /// The report stage.
    stage: String,
    /// Its table.
    rows: Vec<ReportRow>,
    /// Its files.
    paths: Vec<PathBuf>,
}

pub(crate) fn run(arguments: &RunArguments, cancel: &Cancel) -> Result<ExitCode, CliError> {
    let plan = &arguments.plan;
    let trust = plan.trust.policy()?;
    let request = plan.request(&arguments.only, &trust, arguments.lock_mode());
    // Before anything is made or started: a device or a cluster that is not there leaves no trace.
    let settings = arguments.settings(cancel)?;
    if arguments.per_device.is_some() && settings.device.cards().is_none() {
        let message = "--per-device is for cards (`--device cuda`): on a processor `--jobs` says how \
                       many stages run at a time";
        return Err(CliError::Arguments(message.to_owned()));
    }
    let cluster = if arguments.dry_run {
        None
    } else {
        arguments.elsewhere.cluster(plan.portable)?
    };
    ui::print_containment_notice();
    let store = Store::open(&plan.places.store.path)?;
    let session = Session::open(store, settings, request, cancel)?;
    ui::notice::print(&session.notices());
    if arguments.dry_run {
        let previews = session.preview(cancel)?;
        let view = PlanView::of(&previews);
        let printed = ui::print_view(&view, arguments.json, ui::preview::text);
        session.leave();
        printed?;
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.lock.lock {
        ui::notice::print_written(session.write_lock()?);
    }
    let look_up = arguments.elsewhere.look_up()?;
    let events = arguments.event_file()?;
    let curves = arguments.curves(session.store())?;
    let view = ProgressView::new(session.stage_names());
    let mut observers: Vec<&dyn Observer> = vec![&view];
    observers.extend(events.iter().map(|events| events as &dyn Observer));
    observers.extend(curves.iter().map(|curves| curves as &dyn Observer));
    let elsewhere = Elsewhere {
        results: look_up.as_ref().map(|it| it as &dyn ResultSource),
        executor: cluster.as_ref().map(|it| it as &dyn Executor),
    };
    let report = session.run(cancel, &observers, elsewhere);
    view.finish();
    let report = report?;
    print_unwritten("events", events.and_then(EventFile::failure));
    print_unwritten("curves", curves.and_then(TensorBoardFolder::failure));
    let reports = export_reports(arguments, &session, &report)?;
    let printed = ui::print_view(
        &RunView::of(&report, &reports, session.store()),
        arguments.json,
        text,
    );
    // The run is recorded, and what failed is told, whoever takes the table.
    print_failures(&report, arguments);
    session.leave();
    printed?;
    Ok(match report.outcome {
        RunOutcome::Complete => ExitCode::SUCCESS,
        RunOutcome::Failed => ExitCode::FAILURE,
        RunOutcome::Stopped => ExitCode::from(STOPPED),
    })
}

/// Says that some of what happened could not be written down, if so.
fn print_unwritten(what: &str, failure: Option<io::Error>) {
    if let Some(source) = failure {
        say(&format!(
            "cannot write {what} any more ({source}); the run went on without them"
        ));
    }
}

fn export_reports(
    arguments: &RunArguments,
    session: &Session,
    report: &RunReport,
) -> Result<Vec<ExportedReport>, CliError> {
    let folder = arguments.output.clone().unwrap_or_else(|| {
        let name = arguments.plan.report_folder(session.name());
        session.store().root().join("reports").join(name)
    });
    let mut exported = Vec::new();
    for stage in &report.stages {
        let (StageKind::Report, Some(key), Some(result)) =
            (stage.planned.kind(), stage.key, &stage.result)
        else {
            continue;
        };
        let trainings = report.stages.iter();
        let trainings = trainings.filter(|it| it.planned.kind() == StageKind::Train);
        let paths = export_report(
            session.store(),
            (key, result.artifact),
            trainings.filter_map(|training| training.result.as_ref()),
            &folder.join(&stage.planned.name),
        )?;
        let table = session
            .store()
            .artifact_file_path(result.artifact, REPORT_TABLE)?;
        let rows = read_table(&table).map_err(UnreadableTable)?;
        exported.push(ExportedReport {
            stage: stage.planned.name.clone(),
            rows,
            paths,
        });
    }
    Ok(exported)
}

/// A run, its stages and its reports.
#[derive(Serialize)]
struct RunView<'a> {
    run: RunHash,
    outcome: &'static str,
    stages: Vec<StageView<'a>>,
    reports: Vec<ReportView<'a>>,
}

#[derive(Serialize)]
struct StageView<'a> {
    name: &'a str,
    kind: &'static str,
    outcome: StageOutcome,
    action: Option<ActionKey>,
    artifact: Option<ArtifactHash>,
    duration_ms: Option<u64>,
    peak_memory: Option<u64>,
    containment: Option<Containment>,
    limits: Option<Limits>,
    failure: Option<String>,
}

#[derive(Serialize)]
struct ReportView<'a> {
    stage: &'a str,
    files: Vec<ShownPath<'a>>,
    rows: Vec<RowView<'a>>,
}

#[derive(Serialize)]
struct RowView<'a> {
    dataset: &'a str,
    network: &'a str,
    method: &'a str,
    task: &'static str,
    algorithm: &'a str,
    epochs: u32,
    seeds: u32,
    diverged: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    search: Option<&'a SearchSummary>,
    conditions: &'a Conditions,
    batch_size: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    published: Option<PublishedView>,
    /// In what the row falls short of the conditions of the published figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    shortfall: Option<String>,
    #[serde(flatten)]
    measured: BTreeMap<String, StatisticView>,
    #[serde(skip)]
    row: &'a ReportRow,
    /// The mean time of the row's trainings, where there is one.
    #[serde(skip)]
    training_ms: Option<u64>,
}

#[derive(Serialize)]
struct PublishedView {
    #[serde(rename = "train_error")]
    train: Option<f64>,
    #[serde(rename = "test_error")]
    test: Option<f64>,
    #[serde(rename = "test_top_5_error")]
    test_top_5: Option<f64>,
}

#[derive(Serialize)]
struct StatisticView {
    mean: f64,
    sd: Option<f64>,
    n: u32,
}

impl<'a> RunView<'a> {
    fn of(run: &'a RunReport, reports: &'a [ExportedReport], store: &Store) -> Self {
        let trainings = trainings(run, store);
        let reports = reports.iter().map(|report| ReportView {
            stage: &report.stage,
            files: report.paths.iter().map(|path| ShownPath(path)).collect(),
            rows: report
                .rows
                .iter()
                .map(|row| RowView::of(row, &trainings))
                .collect(),
        });
        Self {
            run: run.hash,
            outcome: match run.outcome {
                RunOutcome::Complete => "complete",
                RunOutcome::Failed => "failed",
                RunOutcome::Stopped => "stopped",
            },
            stages: run.stages.iter().map(StageView::of).collect(),
            reports: reports.collect(),
        }
    }
}

impl<'a> StageView<'a> {
    fn of(stage: &'a StageReport) -> Self {
        let result = stage.result.as_ref();
        Self {
            name: &stage.planned.name,
            kind: stage.planned.kind().name(),
            outcome: stage.outcome,
            action: stage.key,
            artifact: result.map(|result| result.artifact),
            duration_ms: result.map(|result| result.duration_ms),
            peak_memory: result.map(|result| result.peak_memory),
            containment: result.and_then(|result| result.containment),
            limits: result.map(|result| result.limits),
            failure: stage.failure.as_ref().map(ToString::to_string),
        }
    }
}

impl<'a> RowView<'a> {
    fn of(row: &'a ReportRow, trainings: &[Training<'_>]) -> Self {
        let measured = Quantity::of(row.task).iter().filter_map(|quantity| {
            let Statistic { mean, sd, n } = row.get(*quantity)?;
            Some((quantity.name(row.task), StatisticView { mean, sd, n }))
        });
        Self {
            dataset: &row.label.dataset,
            network: &row.label.network,
            method: &row.label.method,
            task: row.task.name(),
            algorithm: &row.algorithm,
            epochs: row.epochs,
            seeds: row.seeds,
            diverged: row.diverged,
            search: row.search.as_ref(),
            conditions: &row.conditions,
            batch_size: row.batch_size,
            shortfall: row.shortfall(),
            published: row.figures.map(|figures| PublishedView {
                train: figures.train_error,
                test: figures.test_error,
                test_top_5: figures.test_top_5_error,
            }),
            measured: measured.collect(),
            row,
            training_ms: training_time(row, trainings),
        }
    }
}

/// A training of a run that tables have as a row.
struct Training<'a> {
    labels: &'a Labels,
    parameters: Cow<'a, TrainingParameters>,
    /// Its hyper-parameters as canonical JSON, which writes equal numbers alike: a `1.0` of the
    /// pipeline file is a `1` in a report's table.
    hyperparameters: Vec<u8>,
    duration_ms: u64,
}

fn trainings<'a>(run: &'a RunReport, store: &Store) -> Vec<Training<'a>> {
    let trainings = run.stages.iter().filter_map(|stage| {
        let parameters = stage.training(store)?;
        Some(Training {
            labels: stage.planned.labels.as_ref()?,
            duration_ms: stage.result.as_ref()?.duration_ms,
            hyperparameters: canonical_json(&parameters.hyperparameters).ok()?,
            parameters,
        })
    });
    trainings.collect()
}

/// The mean time of the row's trainings. Times are facts of executions and lie in their results,
/// so a cached training has the time it once took.
fn training_time(row: &ReportRow, trainings: &[Training<'_>]) -> Option<u64> {
    let hyperparameters = canonical_json(&row.hyperparameters).ok()?;
    let of_row = trainings.iter().filter(|training| {
        training.labels.dataset == row.label.dataset
            && training.labels.network == row.label.network
            && training.parameters.algorithm == row.algorithm
            && training.parameters.epochs == row.epochs
            && training.hyperparameters == hyperparameters
    });
    let times: Vec<_> = of_row.map(|training| training.duration_ms).collect();
    times.iter().sum::<u64>().checked_div(times.len() as u64)
}

fn text(run: &RunView<'_>) -> String {
    let mut text = String::new();
    for report in &run.reports {
        let _ = writeln!(text, "{}", report_table(&report.rows));
        text.push_str(&fitted(&notes(report)));
        text.push('\n');
        for path in &report.files {
            let _ = writeln!(text, "  {path}");
        }
    }
    let outcomes = outcomes(&run.stages.iter().map(|stage| stage.outcome).collect());
    let _ = writeln!(text, "\nrun {}: {outcomes}", run.run);
    text.trim_start().to_owned()
}

/// What the columns of a report's table mean, and what its numbers cannot be compared with.
fn notes(report: &ReportView<'_>) -> String {
    let mut text = String::new();
    // All rows of a report have the same task.
    let task = report.rows.first().map(|row| row.row.task);
    let measure = ErrorMeasure::of(task.unwrap_or(Task::Classification));
    let _ = writeln!(
        text,
        "{} {}.\nBest epoch: lowest test error over the epochs, as the paper reports it (chosen on \
         the test set).\nLast: after the last epoch. Validation: test error of the epoch chosen on \
         held-out training data.",
        measure.heading, measure.unit
    );
    if report.rows.iter().any(|row| row.search.is_some()) {
        text.push_str(
            "Optimism: what trainings from fresh seeds have more of the error that the search chose by.\n",
        );
    }
    if report.rows.iter().any(|row| row.row.is_marked()) {
        text.push_str("†: the configuration was chosen on the test set, as the paper does.\n");
    }
    let published = report.rows.iter().filter(|row| row.row.figures.is_some());
    let published = published.count();
    for (shortfall, rows) in shortfalls(report.rows.iter().map(|row| row.row)) {
        let _ = write!(text, "Not comparable with the paper: {shortfall}");
        if rows.len() < published {
            let methods = rows.iter().map(|row| plain(&row.label.method));
            let _ = write!(text, " ({})", methods.collect::<Vec<_>>().join(", "));
        }
        text.push_str(".\n");
    }
    text
}

/// The lines as they are, and on a terminal broken into lines that fit.
fn fitted(text: &str) -> String {
    let Some(columns) = terminal::columns() else {
        return text.to_owned();
    };
    let lines = text.lines().flat_map(|line| wrap(line, columns));
    lines.map(|line| line + "\n").collect()
}

fn report_table(rows: &[RowView<'_>]) -> String {
    let first = rows.first();
    let is_shown = |differs: fn(&RowView<'_>, &RowView<'_>) -> bool| {
        first.is_some_and(|first| rows.iter().any(|row| differs(row, first)))
    };
    // A column with the same value in every row says nothing in a table.
    let with_dataset = is_shown(|row, first| row.dataset != first.dataset);
    let with_network = is_shown(|row, first| row.network != first.network);
    let with_diverged = rows.iter().any(|row| row.diverged > 0);
    let with_search = rows.iter().any(|row| row.search.is_some());
    let with_published = rows.iter().any(|row| published_test_error(row).is_some());
    let mut header = Vec::new();
    header.extend(with_dataset.then_some("dataset"));
    header.extend(with_network.then_some("network"));
    let names = header.len() + 1;
    header.extend([
        "method",
        "epochs",
        "train error\nbest epoch",
        "test error\nbest epoch",
    ]);
    if with_diverged {
        header.insert(names + 1, "diverged");
    }
    if with_published {
        header.extend(["paper", "difference"]);
    }
    header.extend(["test error\nlast", "test error\nvalidation"]);
    header.extend(with_search.then_some("optimism"));
    header.push("time");
    let numbers: Vec<_> = (names..header.len()).collect();
    let mut shown = table(&header);
    for row in rows {
        let show = |quantity| row.row.show(quantity);
        let mut cells = Vec::new();
        cells.extend(with_dataset.then(|| plain(row.dataset)));
        cells.extend(with_network.then(|| plain(row.network)));
        cells.extend([plain(&row.row.show_method()), row.epochs.to_string()]);
        cells.extend(with_diverged.then(|| format!("{} of {}", row.diverged, row.seeds)));
        cells.extend([Quantity::TrainErrorBestEpoch, Quantity::TestErrorBestEpoch].map(show));
        if with_published {
            let figure = published_test_error(row);
            cells.extend(row.row.show_beside(figure, Quantity::TestErrorBestEpoch));
        }
        cells.extend(
            [
                Quantity::TestErrorLastEpoch,
                Quantity::TestErrorValidationEpoch,
            ]
            .map(show),
        );
        if with_search {
            let decimals = ErrorMeasure::of(row.row.task).decimals;
            let optimism = row.search.and_then(|search| search.optimism);
            cells.push(optimism.map_or("—".to_owned(), |it| format!("{it:+.decimals$}")));
        }
        cells.push(row.training_ms.map_or("—".to_owned(), duration));
        shown.add_row(cells);
    }
    right(&mut shown, &numbers);
    lines(&shown)
}

fn published_test_error(row: &RowView<'_>) -> Option<f64> {
    row.published.as_ref()?.test
}

/// Failed stages on standard error, and how to go on after a stop.
fn print_failures(run: &RunReport, arguments: &RunArguments) {
    for stage in &run.stages {
        match &stage.failure {
            None | Some(Failure::Cancelled) => {}
            Some(failure) => say(&error::stage(&stage.planned.name, failure)),
        }
    }
    let skipped = run
        .stages
        .iter()
        .any(|stage| stage.outcome == StageOutcome::Skipped);
    match run.outcome {
        RunOutcome::Failed if skipped && !arguments.keep_going => {
            say("the rest was not run; --keep-going runs what does not depend on a failure");
        }
        RunOutcome::Complete | RunOutcome::Failed => {}
        RunOutcome::Stopped => {
            say("stopped; the same command goes on from the last checkpoints");
        }
    }
}
