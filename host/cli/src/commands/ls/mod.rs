//! `pipeline ls`: what a store holds, and what takes space in it.

mod rows;

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use assay_audit::{Census, Index};
use assay_engine::runs_under_way;
use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::arguments::{StoreArguments, remembered_index};
use crate::error::CliError;
use crate::ui::action::{outcomes, source};
use crate::ui::role::first_role;
use crate::ui::terminal;
use crate::ui::under_way::RunUnderWay;
use crate::ui::words::{count, cut, digits, lines, moment, path, plain, right, size, table};
use crate::ui::{self, duration};
use rows::{
    ActionView, ListedAction, ListedArtifact, ListedDataset, ListedObject, ListedPlugin, ListedRun,
};

const EXAMPLES: &str = "\
Examples:
  pipeline ls
  pipeline ls runs --pipeline quickstart --all
  pipeline ls artifacts --size
  pipeline ls objects --size --limit 10
  pipeline ls --json

The size of a run or an action is that of the files it gave; files that several gave count for each.

Exit codes: 0 listed, 2 the store cannot be read.";

/// A kind of thing that a store holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Listed {
    /// Executions of pipelines
    Runs,
    /// What stages did
    Actions,
    /// What stages gave
    Artifacts,
    /// Datasets that were prepared
    Datasets,
    /// Libraries of plugins
    Plugins,
    /// All bytes under their hashes
    Objects,
}

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct LsArguments {
    /// What to list
    #[arg(value_enum, value_name = "WHAT", default_value_t = Listed::Runs)]
    listed: Listed,

    /// Of the runs, only those of this pipeline
    #[arg(long, value_name = "NAME")]
    pipeline: Option<String>,

    /// List what is largest first [default: what is newest]
    #[arg(long)]
    size: bool,

    /// The most that is listed
    #[arg(long, value_name = "N", default_value_t = 50, conflicts_with = "all")]
    limit: usize,

    /// List everything
    #[arg(long)]
    all: bool,

    /// Print one JSON document instead of a table
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    store: StoreArguments,
}

impl LsArguments {
    /// The most that is listed.
    fn most(&self) -> usize {
        if self.all { usize::MAX } else { self.limit }
    }
}

/// A listing: its rows, how many more there are, and the objects of the whole store.
#[derive(Serialize)]
struct Listing<'a> {
    /// The runs under way, where runs are listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    running: Option<Vec<RunUnderWay<'a>>>,
    #[serde(flatten)]
    rows: Rows<'a>,
    more: usize,
    store: StoreView<'a>,
}

#[derive(Serialize)]
struct StoreView<'a> {
    objects: u64,
    bytes: u64,
    unreadable: usize,
    #[serde(skip)]
    root: &'a Path,
}

/// The rows of one kind. In JSON the kind is the name of their list.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
enum Rows<'a> {
    Runs(Vec<ListedRun<'a>>),
    Actions(Vec<ListedAction<'a>>),
    Artifacts(Vec<ListedArtifact<'a>>),
    Datasets(Vec<ListedDataset>),
    Plugins(Vec<ListedPlugin>),
    Objects(Vec<ListedObject>),
}

pub(crate) fn run(arguments: &LsArguments) -> Result<ExitCode, CliError> {
    let store = arguments.store.open_existing()?;
    let index = remembered_index(&store)?;
    let (by_size, most) = (arguments.size, arguments.most());
    let (rows, more) = match arguments.listed {
        Listed::Runs => {
            let runs = rows::runs(index, arguments.pipeline.as_deref(), by_size);
            let (runs, more) = limited(runs, most);
            let runs = runs.into_iter();
            let runs = runs.filter_map(|run| ListedRun::of(index, run));
            (Rows::Runs(runs.collect()), more)
        }
        Listed::Actions => {
            let (actions, more) = limited(rows::actions(index, by_size), most);
            let actions = actions.into_iter();
            let actions = actions.map(|action| ListedAction::of(index, action));
            (Rows::Actions(actions.collect()), more)
        }
        Listed::Artifacts => {
            let (artifacts, more) = limited(rows::artifacts(index, by_size), most);
            let artifacts = artifacts.into_iter();
            let artifacts = artifacts.map(|it| ListedArtifact::of(index, it));
            (Rows::Artifacts(artifacts.collect()), more)
        }
        Listed::Datasets => {
            let (datasets, more) = limited(rows::datasets(&store, index, by_size), most);
            (Rows::Datasets(datasets), more)
        }
        Listed::Plugins => {
            let (plugins, more) = limited(rows::plugins(&store, index, by_size)?, most);
            (Rows::Plugins(plugins), more)
        }
        Listed::Objects => {
            let (objects, more) = limited(rows::objects(&store, by_size)?, most);
            (Rows::Objects(objects), more)
        }
    };
    let census = Census::take(&store)?;
    let under_way = if arguments.listed == Listed::Runs {
        Some(runs_under_way(&store)?)
    } else {
        None
    };
    let running = under_way.as_ref().map(|runs| {
        let runs = runs.iter().map(|run| RunUnderWay::of(run.state()));
        let wanted = arguments.pipeline.as_deref();
        runs.filter(|run| wanted.is_none_or(|name| run.pipeline == name))
            .collect()
    });
    let listing = Listing {
        running,
        rows,
        more,
        store: StoreView {
            objects: census.objects,
            bytes: census.bytes,
            unreadable: index.unreadable().len(),
            root: store.root(),
        },
    };
    ui::print_view(&listing, arguments.json, |listing| text(index, listing))?;
    Ok(ExitCode::SUCCESS)
}

/// The first rows, and how many more there are.
fn limited<T>(mut rows: Vec<T>, most: usize) -> (Vec<T>, usize) {
    let more = rows.len().saturating_sub(most);
    rows.truncate(most);
    (rows, more)
}

/// The most characters of the names of stages and roles.
const NAME: usize = 40;

fn text(index: &Index, listing: &Listing<'_>) -> String {
    let running = listing.running.as_deref().unwrap_or_default();
    let mut text = match &listing.rows {
        Rows::Runs(rows) => under_way(running) + &runs(rows),
        Rows::Actions(rows) => actions(rows),
        Rows::Artifacts(rows) => artifacts(rows),
        Rows::Datasets(rows) => datasets(rows),
        Rows::Plugins(rows) => plugins(rows),
        Rows::Objects(rows) => objects(index, rows),
    };
    if listing.more > 0 {
        let more = digits(listing.more as u64);
        let _ = writeln!(text, "and {more} more: --all lists them");
    }
    let _ = writeln!(
        text,
        "\n{}, {} in {}",
        count(listing.store.objects, "object"),
        size(listing.store.bytes),
        path(listing.store.root)
    );
    let unreadable = listing.store.unreadable as u64;
    if unreadable > 0 {
        let documents = count(unreadable, "document");
        let _ = writeln!(
            text,
            "DAMAGED: {documents} cannot be read; `pipeline audit --all` says which"
        );
    }
    text
}

/// A line for each run under way, and one for each of its stages that a worker is at.
fn under_way(runs: &[RunUnderWay<'_>]) -> String {
    let mut text = String::new();
    for run in runs {
        let _ = writeln!(
            text,
            "RUNNING  {}  began {} UTC, {} of {} done, on {} (process {})",
            cut(&plain(run.pipeline), NAME),
            moment(run.started_ms),
            run.done,
            count(run.stages as u64, "stage"),
            plain(run.host),
            run.pid
        );
        for stage in run.running.iter().take(MOST_RUNNING) {
            let name = cut(&plain(stage.stage), NAME);
            let room = terminal::width().saturating_sub(name.chars().count() + 4);
            let _ = writeln!(text, "  {name}: {}", plain(&stage.words(room)));
        }
        if let Some(more @ 1..) = run.running.len().checked_sub(MOST_RUNNING) {
            let _ = writeln!(text, "  and {}", count(more as u64, "more stage"));
        }
    }
    if !runs.is_empty() {
        text.push_str("`pipeline watch` follows it\n\n");
    }
    text
}

/// The most stages of a run under way that are listed.
const MOST_RUNNING: usize = 8;

fn runs(rows: &[ListedRun<'_>]) -> String {
    if rows.is_empty() {
        return "no runs\n".to_owned();
    }
    let header = [
        "run",
        "began (UTC)",
        "pipeline",
        "ended",
        "stages",
        "time",
        "size",
        "pinned as",
    ];
    // A column for those who pin.
    let is_any_pinned = rows.iter().any(|row| !row.pinned_as.is_empty());
    let columns = header.len() - usize::from(!is_any_pinned);
    let mut shown = table(header.get(..columns).unwrap_or(&header));
    for row in rows {
        let cells = [
            row.run.short(),
            moment(row.started_ms),
            cut(&plain(row.pipeline), NAME),
            row.outcome.to_owned(),
            outcomes(&row.stages),
            duration(row.duration_ms),
            size(row.size),
            row.pinned_as.join(", "),
        ];
        shown.add_row(cells.into_iter().take(columns));
    }
    right(&mut shown, &[5, 6]);
    lines(&shown)
}

/// The cells of an action in a table, or of what it made: its last beginning, kind, last stage and
/// plugin; `—` for each that is not known.
fn action_columns(action: Option<&ActionView<'_>>) -> [String; 4] {
    let cell = |known: Option<String>| known.unwrap_or_else(|| "—".to_owned());
    let name = |name: &str| cut(&plain(name), NAME);
    [
        cell(action.and_then(|action| action.began_ms).map(moment)),
        cell(action.and_then(|action| action.kind).map(str::to_owned)),
        cell(action.and_then(|action| action.stage.as_deref()).map(name)),
        cell(action.and_then(|action| action.plugin).map(name)),
    ]
}

fn actions(rows: &[ListedAction<'_>]) -> String {
    let header = [
        "action",
        "last ran (UTC)",
        "kind",
        "stage",
        "plugin",
        "times",
        "size",
    ];
    let mut shown = table(&header);
    for row in rows {
        let [began, kind, stage, plugin] = action_columns(Some(&row.shown));
        shown.add_row([
            row.action.short(),
            began,
            kind,
            stage,
            plugin,
            row.results.unwrap_or(0).to_string(),
            size(row.size),
        ]);
    }
    right(&mut shown, &[5, 6]);
    lines(&shown)
}

fn artifacts(rows: &[ListedArtifact<'_>]) -> String {
    let header = [
        "artifact",
        "last made (UTC)",
        "kind",
        "stage",
        "plugin",
        "files",
        "size",
    ];
    let mut shown = table(&header);
    for row in rows {
        let [began, kind, stage, plugin] = action_columns(row.maker.as_ref());
        let files = row.files.map(|files| files.to_string());
        shown.add_row([
            row.artifact.short(),
            began,
            kind,
            stage,
            plugin,
            files.unwrap_or_else(|| "—".to_owned()),
            size(row.size),
        ]);
    }
    right(&mut shown, &[5, 6]);
    lines(&shown)
}

fn datasets(rows: &[ListedDataset]) -> String {
    let mut shown = table(&["dataset", "action", "artifact", "size"]);
    for row in rows {
        let name = row.source.as_ref().and_then(source);
        shown.add_row([
            name.unwrap_or_else(|| "—".to_owned()),
            row.action.short(),
            row.artifact
                .map_or("—".to_owned(), |artifact| artifact.short()),
            size(row.size),
        ]);
    }
    right(&mut shown, &[3]);
    lines(&shown)
}

fn plugins(rows: &[ListedPlugin]) -> String {
    let mut shown = table(&[
        "plugin",
        "library",
        "ABI",
        "last used (UTC)",
        "actions",
        "size",
    ]);
    for row in rows {
        shown.add_row([
            plain(&row.name),
            row.hash.short(),
            plain(&row.abi),
            row.last_used_ms.map_or("—".to_owned(), moment),
            digits(row.actions as u64),
            row.size.map_or("MISSING".to_owned(), size),
        ]);
    }
    right(&mut shown, &[4, 5]);
    lines(&shown)
}

fn objects(index: &Index, rows: &[ListedObject]) -> String {
    let mut shown = table(&["object", "what it is", "size"]);
    for row in rows {
        let role = first_role(index, row.object);
        shown.add_row([row.object.short(), cut(&role, 60), size(row.size)]);
    }
    right(&mut shown, &[2]);
    lines(&shown)
}
