//! `pipeline ls`: what a store holds, and what takes space in it.

mod rows;

use std::fmt::Write as _;
use std::process::ExitCode;

use assay_audit::{Census, Index};
use assay_core::{ActionKey, ArtifactHash, ObjectHash, PluginPin, RunHash};
use assay_store::Store;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::arguments::{StoreArguments, remembered_index};
use crate::error::CliError;
use crate::ui::action::source;
use crate::ui::action::{ending, outcomes};
use crate::ui::json::document;
use crate::ui::role::{first_role, pins};
use crate::ui::words::{count, cut, digits, lines, moment, plain, right, size, table};
use crate::ui::{self, duration};

const EXAMPLES: &str = "\
Examples:
  pipeline ls
  pipeline ls runs --pipeline quickstart --all
  pipeline ls artifacts --size
  pipeline ls objects --size --limit 10
  pipeline ls --json

The size of a run or an action is that of the files it gave; files that several gave count for each.

Exit codes: 0 listed, 2 the store cannot be read.";

/// What a store holds.
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
    #[arg(value_enum, default_value_t = Listed::Runs)]
    what: Listed,

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
    pub(crate) fn most(&self) -> usize {
        if self.all { usize::MAX } else { self.limit }
    }
}

/// A listing: its rows, and how much there is in all.
struct Listing<'a> {
    index: &'a Index,
    rows: Rows,
    /// How many more there are.
    more: usize,
    /// The objects of the whole store.
    census: Census,
    store: &'a Store,
}

/// The things that are listed, each with its size in bytes.
enum Rows {
    Runs(Vec<(RunHash, u64)>),
    Actions(Vec<(ActionKey, u64)>),
    Artifacts(Vec<(ArtifactHash, u64)>),
    Datasets(Vec<ListedDataset>),
    Plugins(Vec<ListedPlugin>),
    Objects(Vec<(ObjectHash, u64)>),
}

/// A dataset that was prepared.
struct ListedDataset {
    action: ActionKey,
    /// Its source, as the action has it.
    source: Option<serde_json::Value>,
    artifact: Option<ArtifactHash>,
    size: u64,
}

/// A plugin's library.
pub(crate) struct ListedPlugin {
    pin: PluginPin,
    /// Whether the library is in the store, and its size.
    size: Option<u64>,
    /// The actions that use it.
    actions: usize,
    /// When one of them last began, in milliseconds since 1970.
    last_ms: Option<u64>,
}

pub(crate) fn run(arguments: &LsArguments) -> Result<ExitCode, CliError> {
    let store = arguments.store.open_existing()?;
    let index = remembered_index(&store)?;
    let (by_size, most) = (arguments.size, arguments.most());
    let (rows, more) = match arguments.what {
        Listed::Runs => {
            let runs = rows::runs(index, arguments.pipeline.as_deref(), by_size);
            limited(runs, most, Rows::Runs)
        }
        Listed::Actions => limited(rows::actions(index, by_size), most, Rows::Actions),
        Listed::Artifacts => limited(rows::artifacts(index, by_size), most, Rows::Artifacts),
        Listed::Datasets => {
            let datasets = rows::datasets(&store, index, by_size);
            limited(datasets, most, Rows::Datasets)
        }
        Listed::Plugins => limited(rows::plugins(&store, index, by_size)?, most, Rows::Plugins),
        Listed::Objects => limited(rows::objects(&store, by_size)?, most, Rows::Objects),
    };
    let listing = Listing {
        index,
        rows,
        more,
        census: Census::take(&store)?,
        store: &store,
    };
    ui::print(&if arguments.json {
        json(&listing)
    } else {
        text(&listing)
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The first rows, and how many more there are.
fn limited<T>(mut rows: Vec<T>, most: usize, kind: impl Fn(Vec<T>) -> Rows) -> (Rows, usize) {
    let more = rows.len().saturating_sub(most);
    rows.truncate(most);
    (kind(rows), more)
}

/// The most characters of the names of stages and roles.
const NAME: usize = 40;

fn text(listing: &Listing<'_>) -> String {
    let index = listing.index;
    let mut text = match &listing.rows {
        Rows::Runs(rows) => runs(index, rows),
        Rows::Actions(rows) => actions(index, rows),
        Rows::Artifacts(rows) => artifacts(index, rows),
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
        count(listing.census.objects, "object"),
        size(listing.census.bytes),
        crate::ui::words::path(listing.store.root())
    );
    let unreadable = listing.index.unreadable().len() as u64;
    if unreadable > 0 {
        let documents = count(unreadable, "document");
        let _ = writeln!(
            text,
            "DAMAGED: {documents} cannot be read; `pipeline audit --all` says which"
        );
    }
    text
}

fn runs(index: &Index, rows: &[(RunHash, u64)]) -> String {
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
    let is_pinned = |(hash, _): &(RunHash, u64)| index.labels((*hash).into()).next().is_some();
    let columns = header.len() - usize::from(!rows.iter().any(is_pinned));
    let mut shown = table(header.get(..columns).unwrap_or(&header));
    for (hash, bytes) in rows {
        let Some(entry) = index.runs().get(hash) else {
            continue;
        };
        let row = [
            hash.short(),
            moment(entry.started_ms),
            cut(&plain(&entry.run.pipeline), NAME),
            ending(&entry.run).to_owned(),
            outcomes(&entry.run),
            duration(entry.run.duration_ms),
            size(*bytes),
            pins(index, (*hash).into()),
        ];
        shown.add_row(row.into_iter().take(columns));
    }
    right(&mut shown, &[5, 6]);
    lines(&shown)
}

/// The kind of the action, its last stage in a run, and its plugin; `—` for each that is not known.
fn deed(index: &Index, key: ActionKey) -> [String; 3] {
    let entry = index.actions().get(&key);
    let document = entry.and_then(|entry| entry.document.as_ref());
    let kind = document.map_or("—", |document| document.kind.name());
    let plugin = document.and_then(|document| document.plugin.as_ref());
    let stage = index.stages(key).last();
    [
        kind.to_owned(),
        stage.map_or("—".to_owned(), |at| cut(&plain(&at.stage), NAME)),
        plugin.map_or("—".to_owned(), |pin| cut(&plain(&pin.name), NAME)),
    ]
}

fn began(index: &Index, key: ActionKey) -> String {
    let results = index.actions().get(&key).map(|entry| &entry.results);
    let last = results.and_then(|results| results.last());
    last.map_or("—".to_owned(), |(_, result)| moment(result.started_ms))
}

fn actions(index: &Index, rows: &[(ActionKey, u64)]) -> String {
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
    for (key, bytes) in rows {
        let times = index
            .actions()
            .get(key)
            .map_or(0, |entry| entry.results.len());
        let [kind, stage, plugin] = deed(index, *key);
        shown.add_row([
            key.short(),
            began(index, *key),
            kind,
            stage,
            plugin,
            times.to_string(),
            size(*bytes),
        ]);
    }
    right(&mut shown, &[5, 6]);
    lines(&shown)
}

fn artifacts(index: &Index, rows: &[(ArtifactHash, u64)]) -> String {
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
    for (artifact, bytes) in rows {
        let files = index
            .artifacts()
            .get(artifact)
            .map(|it| it.files.len().to_string());
        let maker = index.producers(*artifact).last();
        let nothing = || [(); 3].map(|()| "—".to_owned());
        let [kind, stage, plugin] = maker.map_or_else(nothing, |maker| deed(index, maker));
        shown.add_row([
            artifact.short(),
            maker.map_or("—".to_owned(), |maker| began(index, maker)),
            kind,
            stage,
            plugin,
            files.unwrap_or_else(|| "—".to_owned()),
            size(*bytes),
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
            plain(&row.pin.name),
            row.pin.hash.short(),
            plain(&row.pin.abi),
            row.last_ms.map_or("—".to_owned(), moment),
            digits(row.actions as u64),
            row.size.map_or("MISSING".to_owned(), size),
        ]);
    }
    right(&mut shown, &[4, 5]);
    lines(&shown)
}

fn objects(index: &Index, rows: &[(ObjectHash, u64)]) -> String {
    let mut shown = table(&["object", "what it is", "size"]);
    for (object, bytes) in rows {
        let what = first_role(index, *object);
        shown.add_row([object.short(), cut(&what, 60), size(*bytes)]);
    }
    right(&mut shown, &[2]);
    lines(&shown)
}

fn json(listing: &Listing<'_>) -> String {
    let index = listing.index;
    let (kind, rows): (_, Vec<_>) = match &listing.rows {
        Rows::Runs(rows) => (
            "runs",
            rows.iter().map(|row| run_json(index, row)).collect(),
        ),
        Rows::Actions(rows) => {
            let rows = rows.iter().map(|(action, bytes)| {
                let results = index.actions().get(action).map(|entry| entry.results.len());
                let [kind, _, _] = deed(index, *action);
                json!({ "action": action, "kind": kind, "results": results, "size": bytes })
            });
            ("actions", rows.collect())
        }
        Rows::Artifacts(rows) => {
            let rows = rows.iter().map(|(artifact, bytes)| {
                let makers: Vec<_> = index.producers(*artifact).collect();
                json!({ "artifact": artifact, "made_by": makers, "size": bytes })
            });
            ("artifacts", rows.collect())
        }
        Rows::Datasets(rows) => {
            let rows = rows.iter().map(|row| {
                json!({
                    "action": row.action,
                    "source": row.source,
                    "artifact": row.artifact,
                    "size": row.size,
                })
            });
            ("datasets", rows.collect())
        }
        Rows::Plugins(rows) => {
            let rows = rows.iter().map(|row| {
                json!({
                    "name": row.pin.name,
                    "hash": row.pin.hash,
                    "abi": row.pin.abi,
                    "actions": row.actions,
                    "last_used_ms": row.last_ms,
                    "size": row.size,
                })
            });
            ("plugins", rows.collect())
        }
        Rows::Objects(rows) => {
            let rows = rows
                .iter()
                .map(|(object, bytes)| json!({ "object": object, "size": bytes }));
            ("objects", rows.collect())
        }
    };
    let mut value = json!({
        "more": listing.more,
        "store": {
            "objects": listing.census.objects,
            "bytes": listing.census.bytes,
            "unreadable": listing.index.unreadable().len(),
        },
    });
    value[kind] = rows.into();
    document(&value)
}

fn run_json(index: &Index, (hash, bytes): &(RunHash, u64)) -> Value {
    let entry = index.runs().get(hash);
    let run = entry.map(|entry| &entry.run);
    let count = |wanted| {
        let stages = run.into_iter().flat_map(|run| &run.stages);
        stages.filter(|stage| stage.outcome == wanted).count()
    };
    json!({
        "run": hash,
        "pinned_as": index.labels((*hash).into()).collect::<Vec<_>>(),
        "pipeline": run.map(|run| &run.pipeline),
        "started_ms": entry.map(|entry| entry.started_ms),
        "duration_ms": run.map(|run| run.duration_ms),
        "outcome": run.map(ending),
        "ran": count(assay_core::StageOutcome::Ran),
        "cached": count(assay_core::StageOutcome::Cached),
        "failed": count(assay_core::StageOutcome::Failed),
        "skipped": count(assay_core::StageOutcome::Skipped),
        "size": bytes,
    })
}
