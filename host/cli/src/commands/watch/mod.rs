//! `pipeline watch`: a run of another process, while it runs.

mod chart;
mod frame;

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use assay_core::{Advice, ArtifactHash, Ending, RunHash, StageKind, printable};
use assay_engine::{
    Cancel, Epoch, Event, FollowedRun, Following, RunEvent, RunOutcome, RunState, StageState,
    StageStatus, runs_under_way, stored_curve,
};
use assay_store::Store;
use clap::Args;
use serde::Serialize;

use crate::arguments::StoreArguments;
use crate::error::{CliError, STOPPED};
use crate::ui::terminal::say;
use crate::ui::under_way::now_ms;
use crate::ui::words::{count, path, plain};
use crate::ui::{self, duration, terminal, training};

const EXAMPLES: &str = "\
Examples:
  pipeline watch
  pipeline watch quickstart
  pipeline watch quickstart --once
  pipeline watch --store /mnt/shared/artifacts
  pipeline watch --once --json
  pipeline watch --json > events.jsonl

Run it in another terminal, or on another machine that has the store. Ctrl-C ends the watching and
leaves the run alone. Without a RUN it is the one that began last.

With --json it prints the run's events as they come (docs/watching.md), with --once too one document.

Exit codes: 0 the run is complete (with --once: it was shown), 1 no such run is under way, or it
failed, was stopped or was killed, 2 the store cannot be read, 130 stopped by Ctrl-C.";

/// How long to wait before another look.
const INTERVAL: Duration = Duration::from_millis(100);
/// How often the picture is drawn where nothing happens: the time left runs on.
const REDRAW: Duration = Duration::from_secs(1);

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct WatchArguments {
    /// A run under way: the name of its pipeline, or the beginning of its name in `pipeline ls`
    #[arg(value_name = "RUN")]
    name: Option<String>,

    /// Show how it is now, and end
    #[arg(long)]
    once: bool,

    /// Print the events as JSON, one a line; with --once one JSON document of how it is
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    store: StoreArguments,
}

/// There is no such run to follow.
#[derive(Debug, thiserror::Error)]
enum NothingToWatch {
    #[error("no run is under way in {}", path(.0))]
    None(PathBuf),
    #[error("no run `{name}` is under way in {}", path(root))]
    NotFound {
        name: String,
        root: PathBuf,
        others: Vec<String>,
    },
}

impl Advice for NothingToWatch {
    fn help(&self) -> Cow<'_, str> {
        match self {
            Self::None(_) => {
                "`pipeline ls` lists the runs that have ended; --store names another store".into()
            }
            Self::NotFound { others, .. } if others.is_empty() => {
                "no other is either; `pipeline ls` lists the runs that have ended".into()
            }
            Self::NotFound { others, .. } => format!("under way are {}", others.join(", ")).into(),
        }
    }

    fn ending(&self) -> Ending {
        Ending::Failed
    }
}

pub(crate) fn run(arguments: &WatchArguments, cancel: &Cancel) -> Result<ExitCode, CliError> {
    let store = arguments.store.open_existing()?;
    let mut followed = find(&store, arguments.name.as_deref())?;
    let mut curves = StoredCurves::new(&store);
    if arguments.once {
        print_passed_over(&followed);
        let state = followed.state();
        let curves = RefCell::new(curves);
        ui::print_either(
            arguments.json,
            || StateView::of(state, &mut curves.borrow_mut()),
            || frame::text(state, &mut curves.borrow_mut(), None),
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    let ended = if arguments.json {
        follow_json(&mut followed, cancel)?
    } else if io::stdout().is_terminal() {
        follow_picture(&mut followed, &mut curves, cancel)?
    } else {
        follow_lines(&mut followed, cancel)?
    };
    print_passed_over(&followed);
    Ok(match (ended, followed.state().ended) {
        (Some(Following::Ended), Some((RunOutcome::Complete, _))) => ExitCode::SUCCESS,
        (Some(_), _) => ExitCode::FAILURE,
        (None, _) if cancel.is_requested() => ExitCode::from(STOPPED),
        // Whoever reads the output has seen enough.
        (None, _) => ExitCode::SUCCESS,
    })
}

/// Says that the run told something that this version does not understand, if so.
fn print_passed_over(followed: &FollowedRun) {
    let lines = followed.passed_over();
    if lines > 0 {
        say(&format!(
            "passed over {}: another version of assay may have written them",
            count(lines, "event")
        ));
    }
}

/// The run of this name that is under way, or the one that began last.
fn find(store: &Store, name: Option<&str>) -> Result<FollowedRun, CliError> {
    let mut runs = runs_under_way(store)?;
    let is_named = |run: &FollowedRun| {
        let state = run.state();
        name.is_none_or(|name| state.pipeline == name || state.id.starts_with(name))
    };
    let found = runs.iter().rposition(is_named);
    if let Some(at) = found {
        return Ok(runs.swap_remove(at));
    }
    let root = store.root().to_owned();
    let Some(name) = name else {
        return Err(NothingToWatch::None(root).into());
    };
    let others = runs.iter().map(|run| {
        let state = run.state();
        format!("{} ({})", plain(&state.pipeline), plain(&state.id))
    });
    Err(NothingToWatch::NotFound {
        name: plain(name),
        root,
        others: others.collect(),
    }
    .into())
}

/// Curves of trainings whose results were in the store already.
struct StoredCurves<'a> {
    store: &'a Store,
    read: HashMap<ArtifactHash, Vec<Epoch>>,
}

impl<'a> StoredCurves<'a> {
    fn new(store: &'a Store) -> Self {
        Self {
            store,
            read: HashMap::new(),
        }
    }

    /// The epochs of a training: those that the run told, or those of its result. One that cannot be
    /// read shows none; an audit says why.
    fn of<'s>(&'s mut self, stage: &'s StageState) -> &'s [Epoch] {
        match (stage.curve.is_empty(), stage.artifact) {
            (true, Some(artifact)) => {
                let read = self.read.entry(artifact);
                read.or_insert_with(|| stored_curve(self.store, artifact).unwrap_or_default())
            }
            _ => &stage.curve,
        }
    }
}

/// Follows the run until it ends (`Some`), nobody reads on or Ctrl-C (`None`). `shown` is called for
/// what happened since the last look, and says whether somebody still reads.
fn follow(
    followed: &mut FollowedRun,
    cancel: &Cancel,
    mut shown: impl FnMut(&RunState, &[RunEvent], Following) -> Result<bool, CliError>,
) -> Result<Option<Following>, CliError> {
    loop {
        let mut events = Vec::new();
        let following = followed.update(|event| events.push(event.clone()))?;
        if !shown(followed.state(), &events, following)? {
            return Ok(None);
        }
        if following != Following::UnderWay {
            return Ok(Some(following));
        }
        if cancel.is_requested() {
            return Ok(None);
        }
        thread::sleep(INTERVAL);
    }
}

/// Prints every event as it comes, those before this began too.
fn follow_json(followed: &mut FollowedRun, cancel: &Cancel) -> Result<Option<Following>, CliError> {
    followed.rewind();
    follow(followed, cancel, |_, events, _| {
        for event in events {
            let line = serde_json::to_string(event).map_err(CliError::Json)?;
            let line = ui::json::escaped(line) + "\n";
            if !ui::print_bytes(line.as_bytes())? {
                return Ok(false);
            }
        }
        Ok(true)
    })
}

/// Prints what happens, a line for each.
fn follow_lines(
    followed: &mut FollowedRun,
    cancel: &Cancel,
) -> Result<Option<Following>, CliError> {
    let begin = frame::heading(followed.state()) + "\n";
    if !ui::print_bytes(printable(&begin).as_bytes())? {
        return Ok(None);
    }
    follow(followed, cancel, |state, events, following| {
        let mut text = String::new();
        for line in events.iter().filter_map(|event| line(state, event)) {
            text += &plain(&line);
            text.push('\n');
        }
        if following == Following::Killed {
            text += frame::KILLED;
            text.push('\n');
        }
        Ok(text.is_empty() || ui::print_bytes(printable(&text).as_bytes())?)
    })
}

/// An event in words, where it is worth a line.
fn line(state: &RunState, event: &RunEvent) -> Option<String> {
    Some(match &event.event {
        Event::StageStarted { stage, .. } => format!("{stage}: started"),
        Event::StageQueued { stage, .. } => format!("{stage}: queued"),
        Event::Remark { message } => message.clone(),
        Event::StageWaiting { stage, .. } => format!("{stage}: another run is at it"),
        Event::Epoch { stage, epoch } if !epoch.restored => {
            let words = training::errors(epoch);
            format!(
                "{stage}: epoch {}/{}, {}",
                epoch.epoch,
                epoch.epochs,
                words.join(", ")
            )
        }
        Event::Diverged { stage, epoch } => format!("{stage}: diverged in epoch {epoch}"),
        Event::StageFinished {
            stage, duration_ms, ..
        } => format!("{stage}: done in {}", duration(*duration_ms)),
        Event::StageFailed { stage, message } => format!("{stage}: failed: {message}"),
        Event::StageStopped { stage } => format!("{stage}: stopped"),
        Event::RunFinished { .. } => frame::ending(state)?,
        _ => return None,
    })
}

/// Draws the run again and again in the same place of the terminal.
fn follow_picture(
    followed: &mut FollowedRun,
    curves: &mut StoredCurves<'_>,
    cancel: &Cancel,
) -> Result<Option<Following>, CliError> {
    let mut drawn = 0;
    let mut last: Option<Instant> = None;
    follow(followed, cancel, |state, events, following| {
        let is_due = last.is_none_or(|last| last.elapsed() >= REDRAW);
        if following == Following::UnderWay && !is_due && events.is_empty() {
            return Ok(true);
        }
        // Many events a second are drawn together.
        if following == Following::UnderWay && last.is_some_and(|it| it.elapsed() < 2 * INTERVAL) {
            return Ok(true);
        }
        last = Some(Instant::now());
        let mut text = frame::text(state, curves, Some(terminal::height()));
        if following == Following::Killed {
            text += frame::KILLED;
            text.push('\n');
        }
        // What has scrolled away cannot be drawn again.
        let most = terminal::height().saturating_sub(1).max(1);
        let text = text.lines().take(most).collect::<Vec<_>>().join("\n") + "\n";
        let mut picture = String::new();
        if drawn > 0 {
            picture = format!("\u{1b}[{drawn}A\r\u{1b}[J");
        }
        drawn = text.lines().count();
        picture += &printable(&text);
        ui::print_bytes(picture.as_bytes())
    })
}

/// How a run is, for scripts.
#[derive(Serialize)]
struct StateView<'a> {
    id: &'a str,
    pipeline: &'a str,
    host: &'a str,
    pid: u32,
    started_ms: u64,
    ended: Option<RunOutcome>,
    run: Option<RunHash>,
    stages: Vec<StageView<'a>>,
}

#[derive(Serialize)]
struct StageView<'a> {
    stage: &'a str,
    kind: Option<StageKind>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    fraction: Option<f64>,
    left_ms: Option<u64>,
    diverged: Option<u32>,
    epochs: Vec<Epoch>,
}

impl<'a> StateView<'a> {
    fn of(state: &'a RunState, curves: &mut StoredCurves<'_>) -> Self {
        let now_ms = now_ms();
        let stages = state.stages.iter().map(|stage| StageView {
            stage: &stage.name,
            kind: stage.kind,
            status: frame::status(&stage.status),
            message: match &stage.status {
                StageStatus::Failed { message } => Some(message),
                _ => None,
            },
            fraction: stage.progress.as_ref().map(|it| it.fraction),
            left_ms: stage.left_ms(now_ms),
            diverged: stage.diverged,
            epochs: if stage.kind == Some(StageKind::Train) {
                curves.of(stage).to_vec()
            } else {
                Vec::new()
            },
        });
        Self {
            id: &state.id,
            pipeline: &state.pipeline,
            host: &state.host,
            pid: state.pid,
            started_ms: state.started_ms,
            ended: state.ended.map(|(outcome, _)| outcome),
            run: state.ended.and_then(|(_, run)| run),
            stages: stages.collect(),
        }
    }
}
