//! `pipeline rm`: forgets runs.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use assay_audit::{Index, Subject};
use assay_core::RunHash;
use assay_store::{Store, StoreError};
use clap::Args;
use serde::Serialize;

use crate::arguments::{GRACE, StoreArguments, remembered_index, retention};
use crate::error::CliError;
use crate::ui;
use crate::ui::run::ListedRun;
use crate::ui::words::{moment, plain, size};

const EXAMPLES: &str = "\
Examples:
  pipeline rm 0123456789ab --dry-run
  pipeline rm 0123456789ab 3f2a9c81
  pipeline rm quickstart --json

A run that is forgotten is listed nowhere and keeps nothing. Its files stay until `pipeline gc`
removes what no other run, no pin and nobody at work needs. Several runs are forgotten together or,
if one of them is pinned or in use, not at all.

Exit codes: 0 done, 2 nothing has that name, a run is pinned or in use, or the store cannot be used.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RmArguments {
    /// Runs: a hash, the beginning of one, a pipeline's latest run by name, or `latest`
    #[arg(required = true, value_name = "RUN")]
    names: Vec<String>,

    /// Say what would be forgotten, and forget nothing
    #[arg(long)]
    dry_run: bool,

    /// Print one JSON document instead of words
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    store: StoreArguments,
}

/// The runs that are forgotten, and the room that a collection gives back then.
#[derive(Serialize)]
struct ForgottenView<'a> {
    dry_run: bool,
    runs: Vec<ListedRun<'a>>,
    gc: Freed,
}

/// The bytes that a collection removes.
#[derive(Serialize)]
struct Freed {
    /// With its usual grace for results that no run names.
    bytes: u64,
    /// Without it.
    bytes_without_grace: u64,
}

pub(crate) fn run(arguments: &RmArguments) -> Result<ExitCode, CliError> {
    let store = arguments.store.open_existing()?;
    let index = remembered_index(&store)?;
    let mut runs = BTreeSet::new();
    for name in &arguments.names {
        runs.insert(Subject::find_run(&store, index, name)?);
    }
    if arguments.dry_run {
        store.check_forgettable(&runs)?;
    } else {
        store.forget(&runs)?;
    }
    let view = ForgottenView {
        dry_run: arguments.dry_run,
        runs: views(index, &runs),
        gc: Freed::of(&store, &runs)?,
    };
    ui::print_view(&view, arguments.json, text)?;
    Ok(ExitCode::SUCCESS)
}

fn views<'a>(index: &'a Index, runs: &BTreeSet<RunHash>) -> Vec<ListedRun<'a>> {
    let entries = index.runs().iter().filter(|(run, _)| runs.contains(run));
    let views = entries.map(|(run, entry)| ListedRun {
        run: *run,
        pipeline: &entry.run.pipeline,
        started_ms: entry.started_ms,
    });
    let mut views: Vec<_> = views.collect();
    views.sort_by_key(|view| view.started_ms);
    views
}

impl Freed {
    fn of(store: &Store, runs: &BTreeSet<RunHash>) -> Result<Self, StoreError> {
        let garbage = |grace| store.garbage_without(&retention(None, grace), runs);
        Ok(Self {
            bytes: garbage(GRACE)?.bytes(),
            bytes_without_grace: garbage(Duration::ZERO)?.bytes(),
        })
    }
}

fn text(view: &ForgottenView<'_>) -> String {
    let (forgot, freed) = if view.dry_run {
        ("would forget", "would free")
    } else {
        ("forgot", "frees")
    };
    let mut text = String::new();
    for run in &view.runs {
        let (started, pipeline) = (moment(run.started_ms), plain(run.pipeline));
        let _ = writeln!(text, "{forgot} {}  {started}  {pipeline}", run.run.short());
    }
    let _ = write!(
        text,
        "\nNo files were removed: `pipeline gc` {freed} {}",
        size(view.gc.bytes)
    );
    let later = view.gc.bytes_without_grace.saturating_sub(view.gc.bytes);
    if later > 0 {
        let grace = humantime::format_duration(GRACE);
        let _ = write!(
            text,
            ", and {} more once those\nresults are older than {grace} (`--grace 0s`: at once)",
            size(later)
        );
    }
    text.push_str(".\n");
    text
}
