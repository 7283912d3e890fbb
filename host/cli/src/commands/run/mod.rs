//! `pipeline run`: preview or run a pipeline file, and show the reports it made.

mod text;
mod view;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use assay_cluster::{Admitted, Cluster, LookUp, Sites};
use assay_core::{Advice, StageKind, StageOutcome};
use assay_engine::{
    Cancel, DeviceError, Elsewhere, EventFile, Executor, Failure, LockMode, MOST_PER_CARD,
    Observer, PerCard, REPORT_TABLE, ResultSource, RunOutcome, RunReport, Session, Settings,
    TensorBoardFolder,
};
use assay_remote::{Access, LookUpTrust, Remote};
use assay_report::{ReportRow, TableError, read_table};
use assay_store::Store;
use clap::Args;

use self::view::RunView;
use crate::arguments::MOST_JOBS;
use crate::arguments::plan::PlanArguments;
use crate::arguments::remote::{HUB_HELP, names, place};
use crate::arguments::user::{executors_file, remotes_file};
use crate::error::{CliError, STOPPED};
use crate::export::{export_report, failed};
use crate::signing::{own_public_key, trusted_keys};
use crate::ui::preview::PlanView;
use crate::ui::progress::ProgressView;
use crate::ui::terminal::say;
use crate::ui::{self, error};

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
        text::text,
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
