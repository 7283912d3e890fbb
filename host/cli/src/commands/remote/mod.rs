//! `pipeline remote`: names for the places where runs are kept, and the runs that are there.

mod pin;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;

use assay_core::RunHash;
use assay_engine::Cancel;
use assay_remote::{Access, LookUpTrust, Place, Remote};
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use crate::arguments::GRACE;
use crate::arguments::remote::{REMOTE_HELP, names, place};
use crate::error::CliError;
use crate::ui;
use crate::ui::bytes::watched;
use crate::ui::words::{count, moment, path, plain, size};
use pin::{PinArguments, UnpinArguments};

#[derive(Debug, Subcommand)]
pub(crate) enum RemoteVerb {
    /// Give a place a name, for push and pull.
    Add(AddArguments),
    /// List the names of remotes and their places.
    List(ListArguments),
    /// Forget a name; what lies there stays.
    Remove(RemoveArguments),
    /// List the runs that a remote has.
    Runs(RunsArguments),
    /// Have a remote forget a run; `gc` then removes what only that run kept.
    Forget(ForgetArguments),
    /// Pin a run of a remote, or something else there, so that `forget` and `gc` keep it; list the pins.
    Pin(PinArguments),
    /// Remove a pin of a remote; what it pinned stays until the next `gc`.
    Unpin(UnpinArguments),
    /// Remove from a remote what none of its runs and pins rests on.
    Gc(GcArguments),
}

const ADD_EXAMPLES: &str = "\
Examples:
  pipeline remote add lab s3://lab-results/assay
  pipeline remote add shared /mnt/group/assay --look-up signed
  pipeline remote add paper s3://lab-paper/table-1 --url https://lab-paper.s3.amazonaws.com/table-1

Names stand in remotes.toml in your configuration folder, without credentials: those of a bucket
are AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment, or the role of the machine.
AWS_REGION, AWS_ENDPOINT_URL (a server other than Amazon's) and AWS_ALLOW_HTTP=true are read too.

Exit codes: 0 done, 2 that is no place, or the file cannot be written.";

#[derive(Args, Debug)]
#[command(after_help = ADD_EXAMPLES)]
pub(crate) struct AddArguments {
    /// The name
    name: String,

    /// `s3://BUCKET/PREFIX`, a folder, or `https://HOST/PATH`, which can be read and not written
    place: String,

    /// Let `pipeline run` ask it for results, and take these: any, those signed by a key that you trust,
    /// or those that you signed (`pipeline push --sign`)
    #[arg(long, value_enum, value_name = "WHOSE")]
    look_up: Option<Whose>,

    /// The URL below which a web server shows this bucket or folder to everybody; `pipeline push` then prints
    /// the URL of a run
    #[arg(long)]
    url: Option<String>,
}

/// Whose results count.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Whose {
    Any,
    Signed,
    Mine,
}

impl Whose {
    const fn trust(self) -> LookUpTrust {
        match self {
            Self::Any => LookUpTrust::Any,
            Self::Signed => LookUpTrust::Signed,
            Self::Mine => LookUpTrust::Mine,
        }
    }
}

const LIST_EXAMPLES: &str = "\
Examples:
  pipeline remote list
  pipeline remote list --json

Exit codes: 0 done, 2 the file of remotes cannot be read.";

#[derive(Args, Debug)]
#[command(after_help = LIST_EXAMPLES)]
pub(crate) struct ListArguments {
    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,
}

const REMOVE_EXAMPLES: &str = "\
Examples:
  pipeline remote remove lab

Exit codes: 0 done, 2 there is no such name, or the file cannot be written.";

#[derive(Args, Debug)]
#[command(after_help = REMOVE_EXAMPLES)]
pub(crate) struct RemoveArguments {
    /// The name
    name: String,
}

const RUNS_EXAMPLES: &str = "\
Examples:
  pipeline remote runs lab
  pipeline remote runs s3://lab-results/assay --json

Exit codes: 0 done, 2 the remote cannot be asked.";

#[derive(Args, Debug)]
#[command(after_help = RUNS_EXAMPLES)]
pub(crate) struct RunsArguments {
    #[arg(help = REMOTE_HELP)]
    remote: String,

    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,
}

const FORGET_EXAMPLES: &str = "\
Examples:
  pipeline remote forget lab 1165ccfa

Whoever has pulled the run keeps it. A run that is pinned there is not forgotten.

Exit codes: 0 done, 2 there is no such run, it is pinned, or the remote cannot be written.";

#[derive(Args, Debug)]
#[command(after_help = FORGET_EXAMPLES)]
pub(crate) struct ForgetArguments {
    #[arg(help = REMOTE_HELP)]
    remote: String,

    /// The run: its hash or the beginning of it, or `latest`
    run: String,
}

const GC_EXAMPLES: &str = "\
Examples:
  pipeline remote gc lab --dry-run
  pipeline remote gc lab
  pipeline remote gc /shared/me/assay-hub --grace 2days

Stays: every run and pin and what it rests on, results younger than --grace with what they rest on, and
every file that is itself younger, such as those of a push under way.
Goes: everything else, the notes and logs of a hub included, what names others before what it names.

A push that finds an old file there does not send it again. If one is under way while that very file
is removed, `pipeline push --verify` mends the run. Stopped at any moment it has done no harm.

Exit codes: 0 done, 1 a run or pin of the remote is damaged, so that nobody knows what it needs, 2 the
remote cannot be used, 130 stopped.";

#[derive(Args, Debug)]
#[command(after_help = GC_EXAMPLES)]
pub(crate) struct GcArguments {
    #[arg(help = REMOTE_HELP)]
    remote: String,

    /// Say what would go, and remove nothing
    #[arg(long)]
    dry_run: bool,

    /// Keep files that nobody needs for so long
    #[arg(long, value_name = "DURATION", default_value_t = GRACE.into())]
    grace: humantime::Duration,

    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(verb: &RemoteVerb, cancel: &Cancel) -> Result<ExitCode, CliError> {
    match verb {
        RemoteVerb::Add(arguments) => add(arguments)?,
        RemoteVerb::List(arguments) => list(arguments)?,
        RemoteVerb::Remove(arguments) => remove(arguments)?,
        RemoteVerb::Runs(arguments) => runs(arguments)?,
        RemoteVerb::Forget(arguments) => forget(arguments)?,
        RemoteVerb::Pin(arguments) => pin::pin(arguments)?,
        RemoteVerb::Unpin(arguments) => pin::unpin(arguments)?,
        RemoteVerb::Gc(arguments) => gc(arguments, cancel)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn add(arguments: &AddArguments) -> Result<(), CliError> {
    let mut place = Place::parse(&arguments.place)?;
    // The name holds wherever it is used from.
    if let Place::Folder(folder) = &mut place {
        *folder = std::path::absolute(&*folder).unwrap_or_else(|_| folder.clone());
    }
    let mut names = names()?;
    let look_up = arguments.look_up.map(Whose::trust);
    let url = arguments.url.as_deref().map(Place::parse).transpose()?;
    names.add(&arguments.name, &place, look_up, url.as_ref())?;
    let (name, place) = (plain(&arguments.name), plain(&place.to_string()));
    let file = path(names.path());
    ui::print(&format!("{name} is {place} (in {file})\n"))?;
    Ok(())
}

fn forget(arguments: &ForgetArguments) -> Result<(), CliError> {
    let remote = Remote::open(place(&arguments.remote)?, Access::Change)?;
    let run = remote.forget(&arguments.run)?;
    let place = plain(&remote.place().to_string());
    ui::print(&format!("{place} has no run {} any more\n", run.short()))?;
    Ok(())
}

#[derive(Serialize)]
struct GarbageView {
    dry_run: bool,
    folders: BTreeMap<String, AmountView>,
    young: u64,
}

#[derive(Serialize)]
struct AmountView {
    files: u64,
    bytes: u64,
}

fn gc(arguments: &GcArguments, cancel: &Cancel) -> Result<(), CliError> {
    let remote = Remote::open(place(&arguments.remote)?, Access::Change)?;
    let garbage = watched("looking", cancel, |watch| {
        remote.garbage(*arguments.grace, watch)
    })?;
    if !arguments.dry_run {
        watched("removing", cancel, |watch| {
            remote.remove_garbage(&garbage, watch)
        })?;
    }
    let folders = garbage.folders.into_iter();
    let folders = folders.map(|(folder, (files, bytes))| (folder, AmountView { files, bytes }));
    let view = GarbageView {
        dry_run: arguments.dry_run,
        folders: folders.collect(),
        young: garbage.young,
    };
    ui::print_view(&view, arguments.json, garbage_text)?;
    Ok(())
}

fn garbage_text(view: &GarbageView) -> String {
    let verb = if view.dry_run { "would go" } else { "went" };
    let mut text = String::new();
    for (folder, amount) in &view.folders {
        let files = count(amount.files, "file");
        let _ = writeln!(text, "{files} of {folder} {verb}, {}", size(amount.bytes));
    }
    if view.folders.is_empty() {
        text.push_str("there is nothing to remove\n");
    }
    if view.young > 0 {
        let young = count(view.young, "file");
        let _ = writeln!(
            text,
            "{young} that nobody needs stay, being younger than --grace"
        );
    }
    text
}

fn remove(arguments: &RemoveArguments) -> Result<(), CliError> {
    names()?.remove(&arguments.name)?;
    ui::print(&format!("forgot {}\n", plain(&arguments.name)))?;
    Ok(())
}

#[derive(Serialize)]
struct NamesView {
    remotes: Vec<NameView>,
}

#[derive(Serialize)]
struct NameView {
    name: String,
    place: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    look_up: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

fn list(arguments: &ListArguments) -> Result<(), CliError> {
    let names = names()?;
    let remotes = names.iter().map(|remote| NameView {
        name: remote.name.to_owned(),
        place: remote.place.to_owned(),
        look_up: remote.look_up.map(LookUpTrust::name),
        url: remote.url.map(str::to_owned),
    });
    let view = NamesView {
        remotes: remotes.collect(),
    };
    ui::print_view(&view, arguments.json, |view| {
        if view.remotes.is_empty() {
            return "no remote has a name; `pipeline remote add NAME PLACE` gives one\n".to_owned();
        }
        let width = view.remotes.iter().map(|remote| remote.name.len()).max();
        let width = width.unwrap_or_default();
        let line = |it: &NameView| {
            let asked = it.look_up.map_or(String::new(), |whose| {
                format!("  (runs take {whose} results)")
            });
            let url = it.url.as_ref();
            let url = url.map_or(String::new(), |url| format!("  (public: {})", plain(url)));
            format!(
                "{:width$}  {}{asked}{url}\n",
                plain(&it.name),
                plain(&it.place)
            )
        };
        view.remotes.iter().map(line).collect()
    })?;
    Ok(())
}

#[derive(Serialize)]
struct RunsView {
    place: String,
    runs: Vec<RunView>,
}

#[derive(Serialize)]
struct RunView {
    run: RunHash,
    started_ms: u64,
}

fn runs(arguments: &RunsArguments) -> Result<(), CliError> {
    let remote = Remote::open(place(&arguments.remote)?, Access::Read)?;
    let runs = remote.runs()?.into_iter();
    let view = RunsView {
        place: remote.place().to_string(),
        runs: runs
            .map(|(started_ms, run)| RunView { run, started_ms })
            .collect(),
    };
    ui::print_view(&view, arguments.json, |view| {
        if view.runs.is_empty() {
            return format!("{} has no runs\n", plain(&view.place));
        }
        let line = |it: &RunView| format!("{}  {}\n", it.run.short(), moment(it.started_ms));
        view.runs.iter().map(line).collect()
    })?;
    Ok(())
}
