//! `pipeline push`: runs with everything that they rest on, written to a remote.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use assay_audit::{Index, Subject};
use assay_bundle::Contents;
use assay_core::RunHash;
use assay_engine::Cancel;
use assay_remote::{Access, PushOptions, Pushed, Remote};
use assay_store::Store;
use clap::Args;
use minisign::SecretKey;
use serde::Serialize;

use crate::arguments::StoreArguments;
use crate::arguments::remote::{REMOTE_HELP, place, public};
use crate::error::CliError;
use crate::signing::{Signed, key_file, public_key, read_key, sign};
use crate::ui;
use crate::ui::bytes::watched;
use crate::ui::words::{count, plain, size};

const EXAMPLES: &str = "\
Examples:
  pipeline push lab
  pipeline push lab mnist --dry-run
  pipeline push s3://lab-results/assay 1165ccfa
  pipeline push ./shared latest --verify
  pipeline push lab --sign

What the remote has is not sent again. The marker of a run goes last, so nobody sees a push that
broke off; run it again and it goes on where it was. Every object is checked against its hash on
the way. A remote in a folder can be read as a store (`--store`). Of a remote with a public URL
(`pipeline remote add --url`) the URL of the run is printed, by which anybody can pull it.

Exit codes: 0 done, 2 the run is not whole in the store, or the remote cannot be written, 130
stopped by Ctrl-C.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PushArguments {
    #[arg(help = REMOTE_HELP)]
    remote: String,

    /// The runs: a hash or the beginning of it, the name of a pipeline (its latest run), or `latest`
    #[arg(default_value = "latest")]
    runs: Vec<String>,

    /// Say what would be sent, and send nothing
    #[arg(long)]
    dry_run: bool,

    /// Look for every file, of runs that the remote has already too
    #[arg(long)]
    verify: bool,

    #[command(flatten)]
    signing: SigningArguments,

    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    store: StoreArguments,
}

/// Options for signing results.
#[derive(Args, Debug)]
struct SigningArguments {
    /// Sign the results too, so that runs of others can take them (`pipeline remote add --look-up signed`)
    #[arg(long, conflicts_with = "dry_run")]
    sign: bool,

    /// The secret key to sign with [default: signing.key beside your trust store]
    #[arg(long, value_name = "FILE", requires = "sign")]
    key: Option<PathBuf>,
}

pub(crate) fn run(arguments: &PushArguments, cancel: &Cancel) -> Result<ExitCode, CliError> {
    let store = arguments.store.open_existing()?;
    // Holds off garbage collection until everything is sent.
    let _hold = store.hold()?;
    let index = Index::read(&store)?;
    let mut runs = Vec::new();
    for name in &arguments.runs {
        runs.push(Subject::find_run(&store, &index, name)?);
    }
    let access = if arguments.dry_run {
        Access::Survey
    } else {
        Access::Write
    };
    let signing = &arguments.signing;
    let key = if signing.sign {
        Some(read_key(&key_file(signing.key.as_deref())?)?)
    } else {
        None
    };
    let remote = Remote::open(place(&arguments.remote)?, access)?;
    let options = PushOptions {
        dry_run: arguments.dry_run,
        verify: arguments.verify,
    };
    let public = public(&arguments.remote)?;
    let mut view = PushView {
        place: remote.place().to_string(),
        dry_run: arguments.dry_run,
        runs: Vec::new(),
    };
    for run in runs {
        let contents = Contents::of_run(&store, &index, run)?;
        let pushed = watched("pushing", cancel, |watch| {
            remote.push(&store, &contents, options, watch)
        })?;
        let signed = match &key {
            Some(key) => sign_results(&remote, &store, &contents, key)?,
            None => 0,
        };
        let url = public.as_ref().and_then(|place| place.run_url(run));
        view.runs
            .push(RunView::of(run, contents.pipeline(), pushed, signed, url));
    }
    ui::print_view(&view, arguments.json, text)?;
    Ok(ExitCode::SUCCESS)
}

/// Signs the results of a run that have no signature of this key yet; how many.
fn sign_results(
    remote: &Remote,
    store: &Store,
    contents: &Contents,
    key: &SecretKey,
) -> Result<u64, CliError> {
    let public = public_key(key)?;
    let actions: BTreeMap<_, _> = contents
        .record_names()
        .map(|(action, record)| (record, action))
        .collect();
    let records: Vec<_> = actions.keys().copied().collect();
    let mut signatures = Vec::new();
    for record in remote.unsigned(&public, &records)? {
        let bytes = store.record_bytes(actions[&record], record)?;
        let signed = Signed {
            what: "a result",
            name: &record.to_string(),
            content: bytes.as_slice(),
            hash: record,
        };
        signatures.push((record, sign(key, signed)?));
    }
    let count = signatures.len() as u64;
    remote.write_signatures(&public, signatures)?;
    Ok(count)
}

#[derive(Serialize)]
struct PushView {
    place: String,
    dry_run: bool,
    runs: Vec<RunView>,
}

#[derive(Serialize)]
struct RunView {
    run: RunHash,
    pipeline: String,
    already: bool,
    files: u64,
    bytes: u64,
    there: u64,
    signed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

impl RunView {
    fn of(run: RunHash, pipeline: &str, pushed: Pushed, signed: u64, url: Option<String>) -> Self {
        Self {
            run,
            pipeline: pipeline.to_owned(),
            already: pushed.already,
            files: pushed.files,
            bytes: pushed.bytes,
            there: pushed.there,
            signed,
            url,
        }
    }
}

fn text(view: &PushView) -> String {
    let place = plain(&view.place);
    let line = |it: &RunView| {
        let what = format!("run {} of `{}`", it.run.short(), plain(&it.pipeline));
        let signed = match it.signed {
            0 => String::new(),
            signed => format!("; signed {}", count(signed, "result")),
        };
        let url = it.url.as_ref().map_or(String::new(), |url| {
            let verb = if view.dry_run { "will pull" } else { "pulls" };
            format!("  anybody {verb} it with: pipeline pull {}\n", plain(url))
        });
        if it.already {
            return format!("{place} has {what} already{signed}\n{url}");
        }
        let sent = format!("{}, {}", count(it.files, "file"), size(it.bytes));
        let verb = if view.dry_run { "would send" } else { "sent" };
        let there = match it.there {
            0 => String::new(),
            there => format!("; {} were there", count(there, "file")),
        };
        format!("{verb} {what} to {place}: {sent}{there}{signed}\n{url}")
    };
    view.runs.iter().map(line).collect()
}
