//! `pipeline pull`: a run of a remote, verified and taken into the store.

use std::fmt::Write as _;
use std::io;
use std::process::ExitCode;

use assay_core::{Advice, RunHash, parse_memory};
use assay_engine::Cancel;
use assay_remote::{Access, PullOptions, Pulled, Remote};
use assay_store::Store;
use clap::Args;
use serde::Serialize;

use crate::arguments::StoreArguments;
use crate::arguments::remote::place_or_run;
use crate::error::CliError;
use crate::ui;
use crate::ui::bytes::watched;
use crate::ui::words::{count, path, plain, size};

const EXAMPLES: &str = "\
Examples:
  pipeline pull lab
  pipeline pull lab 1165ccfa --dry-run
  pipeline pull s3://lab-results/assay latest --results-only
  pipeline pull /mnt/group/assay 1165ccfa --store theirs
  pipeline pull https://lab.org/assay/contents/HASH.json

A URL as in the last line, which `pipeline push` prints, is a run that anybody can take from a web
server. A run there can be named by its whole hash too, and by nothing shorter.

Every byte is checked against its hash, and the documents of the run with each other, before the run
enters the store; nothing of it is executed. What the store has is not fetched again. Run a pull that
broke off again, and it goes on where it was.

Exit codes: 0 done, 1 the remote has wrong bytes or documents, 2 it cannot be asked or the store
cannot be written, 130 stopped by Ctrl-C.";

const FROM_HELP: &str = "The remote: its name (`pipeline remote add`), s3://BUCKET/PREFIX, https://HOST/PATH, or a folder as /PATH or ./PATH; or the URL of a run";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PullArguments {
    #[arg(help = FROM_HELP)]
    remote: String,

    /// The run: its hash or the beginning of it, or `latest` (see `pipeline remote runs`) [default: latest]
    run: Option<String>,

    /// Say what would be fetched, and fetch only the documents that say it
    #[arg(long)]
    dry_run: bool,

    /// Leave out libraries, images and weights: what is left is what was measured and how
    #[arg(long)]
    results_only: bool,

    /// The most to fetch
    #[arg(long, value_name = "SIZE", value_parser = parse_memory, default_value = "64 GiB")]
    max_size: u64,

    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    store: StoreArguments,
}

/// There is no room for a store that nobody keeps.
#[derive(Debug, thiserror::Error)]
#[error("cannot make a temporary folder")]
struct TemporaryError(#[source] io::Error);

impl Advice for TemporaryError {}

pub(crate) fn run(arguments: &PullArguments, cancel: &Cancel) -> Result<ExitCode, CliError> {
    let (place, run) = place_or_run(&arguments.remote)?;
    let remote = Remote::open(place, Access::Read)?;
    let name = match (run, &arguments.run) {
        (Some(run), Some(_)) => {
            let problem = format!("the URL names the run {run} already; leave the other name away");
            return Err(CliError::Arguments(problem));
        }
        (Some(run), None) => run.to_string(),
        (None, Some(name)) => name.clone(),
        (None, None) => "latest".to_owned(),
    };
    let found = remote.find_run(&name)?;
    // Whoever only asks gets no store.
    let nowhere = tempfile::tempdir().map_err(TemporaryError)?;
    let store = match arguments.store.open_existing() {
        Err(_) if arguments.dry_run => Store::open(nowhere.path())?,
        _ => Store::open(&arguments.store.path)?,
    };
    // Holds off garbage collection until the run names what was fetched.
    let _hold = store.hold()?;
    let options = PullOptions {
        dry_run: arguments.dry_run,
        results_only: arguments.results_only,
        max_size: arguments.max_size,
    };
    let pulled = watched("pulling", cancel, |watch| {
        remote.pull(found, &store, options, watch)
    })?;
    let view = PullView::of(pulled, &remote, arguments);
    ui::print_view(&view, arguments.json, text)?;
    Ok(ExitCode::SUCCESS)
}

#[derive(Serialize)]
struct PullView {
    run: RunHash,
    pipeline: String,
    place: String,
    store: String,
    dry_run: bool,
    already: bool,
    files: u64,
    bytes: u64,
    left_out: u64,
    #[serde(skip)]
    shown_store: String,
}

impl PullView {
    fn of(pulled: Pulled, remote: &Remote, arguments: &PullArguments) -> Self {
        Self {
            run: pulled.run,
            pipeline: pulled.pipeline,
            place: remote.place().to_string(),
            store: arguments.store.path.display().to_string(),
            dry_run: arguments.dry_run,
            already: pulled.already,
            files: pulled.files,
            bytes: pulled.bytes,
            left_out: pulled.left_out,
            shown_store: path(&arguments.store.path),
        }
    }
}

fn text(view: &PullView) -> String {
    let run = view.run.short();
    let what = format!("run {run} of `{}`", plain(&view.pipeline));
    let store = &view.shown_store;
    let moved = format!("{}, {}", count(view.files, "file"), size(view.bytes));
    let place = plain(&view.place);
    let mut text = match (view.dry_run, view.already && view.files == 0) {
        (_, true) => format!("{what} was in the store {store} already\n"),
        (true, false) => format!("would fetch {what} from {place}: {moved}\n"),
        (false, false) => format!("took {what} from {place} into the store {store}: {moved}\n"),
    };
    if view.left_out > 0 {
        let _ = writeln!(
            text,
            "  without {} of libraries, images and weights: its numbers can be read and compared",
            count(view.left_out, "file")
        );
    }
    if !view.dry_run {
        let _ = write!(text, "\nnext:\n  pipeline show {run} --store {store}\n");
    }
    text
}
