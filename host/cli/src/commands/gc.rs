//! `pipeline gc`: removes what nothing needs.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, IsTerminal};
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::time::Duration;

use assay_core::{ActionKey, Advice, ObjectHash, RunHash, StageKind};
use assay_engine::shared_file_system;
use assay_store::{Amount, Garbage, GarbageFile, GarbageItem, GarbageKind};
use clap::Args;
use comfy_table::Table;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::arguments::{GRACE, StoreArguments, retention};
use crate::error::CliError;
use crate::ui;
use crate::ui::run::ListedRun;
use crate::ui::words::{count, digits, lines, moment, plain, right, size, table};

const GC_EXAMPLES: &str = "\
Examples:
  pipeline gc --dry-run
  pipeline gc
  pipeline gc --keep-last 3 --dry-run
  pipeline gc --keep-last 1 --grace 0s

Stays: every run and what it names, pins, what processes at work use, results younger than --grace
that no run names, and what plugins said of themselves whose libraries stay.
Goes: results that none of these reach, objects that nothing names, working folders of actions that
have finished or were given up, leftovers of processes that have ended.

It may run beside `pipeline run`: others wait while it removes, and lose nothing. Stopped at any
moment it has done no harm; run it again.

Exit codes: 0 done, 2 the store cannot be used.";

/// Others may be using the store unseen.
#[derive(Debug, thiserror::Error)]
#[error(
    "the store lies in a file system ({0}) that other machines may use too, and their work cannot be seen from here"
)]
struct SharedStore(String);

impl Advice for SharedStore {
    fn help(&self) -> Cow<'_, str> {
        "if nobody else uses the store now, say so with --alone".into()
    }
}

#[derive(Args, Debug)]
#[command(after_help = GC_EXAMPLES)]
pub(crate) struct GcArguments {
    /// Say what would go and what would stay, and remove nothing
    #[arg(long)]
    dry_run: bool,

    /// Keep the newest N complete runs of each pipeline, whatever began after them and what is
    /// pinned; forget older runs [default: keep all]
    #[arg(long, value_name = "N")]
    keep_last: Option<NonZeroUsize>,

    /// How long results that no run names are kept, which a killed run leaves, and the working
    /// folders of unfinished actions
    #[arg(long, value_name = "DURATION", default_value_t = GRACE.into())]
    grace: humantime::Duration,

    /// Nobody else uses this store, on this machine or another: on a file system of a network that
    /// cannot be seen from here
    #[arg(long)]
    alone: bool,

    /// Print one JSON document instead of tables
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    store: StoreArguments,
}

pub(crate) fn gc(arguments: &GcArguments) -> Result<ExitCode, CliError> {
    let store = arguments.store.open_existing()?;
    if !(arguments.alone || arguments.dry_run)
        && let Some(kind) = shared_file_system(store.root())
    {
        return Err(SharedStore(kind).into());
    }
    let keep_last = arguments.keep_last.map(NonZeroUsize::get);
    let retention = retention(keep_last, *arguments.grace);
    let shown = |garbage: &_| {
        let view = || GarbageView::of(garbage, arguments.dry_run);
        ui::print_either(arguments.json, view, || garbage_text(garbage, arguments))
    };
    if arguments.dry_run {
        shown(&store.garbage(&retention)?)?;
    } else {
        let view = RemovalProgress::new();
        let collection = store.collection(&retention)?;
        view.start(collection.garbage().items.len());
        collection.remove(|_| view.removed())?;
        view.finish();
        shown(collection.garbage())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// How many runs that go are named.
const NAMED_RUNS: usize = 10;

const KINDS: [GarbageKind; 6] = [
    GarbageKind::Runs,
    GarbageKind::Results,
    GarbageKind::Objects,
    GarbageKind::Scratch,
    GarbageKind::Temporary,
    GarbageKind::Locks,
];

fn garbage_text(garbage: &Garbage, arguments: &GcArguments) -> String {
    let mut text = lines(&amounts(garbage, arguments.dry_run));
    let kinds = result_kinds(garbage);
    if !kinds.is_empty() {
        let kinds: Vec<_> = kinds
            .iter()
            .map(|(kind, count)| format!("{count} {kind}"))
            .collect();
        let _ = writeln!(text, "\nResults by kind: {}.", kinds.join(", "));
    }
    let runs: Vec<_> = runs(garbage).collect();
    if !runs.is_empty() {
        let verb = if arguments.dry_run {
            "would go"
        } else {
            "went"
        };
        let _ = writeln!(text, "\nRuns that {verb}:");
        for run in runs.iter().take(NAMED_RUNS) {
            let (started, pipeline) = (moment(run.started_ms), plain(run.pipeline));
            let _ = writeln!(text, "  {}  {started}  {pipeline}", run.run.short());
        }
        if runs.len() > NAMED_RUNS {
            let _ = writeln!(text, "  and {} more", runs.len() - NAMED_RUNS);
        }
    }
    let young = garbage.young_results.count;
    if young > 0 && garbage.unreadable_runs.is_empty() {
        let _ = writeln!(
            text,
            "\n{} that no run names stay{}, being younger than {} (--grace).",
            count(young, "result"),
            if young == 1 { "s" } else { "" },
            arguments.grace,
        );
    }
    for run in &garbage.unreadable_runs {
        let _ = writeln!(
            text,
            "\nThe manifest of the run {run}\ncannot be read. What it names is not known, so every \
             result stays; `pipeline audit` says more."
        );
    }
    text
}

fn amounts(garbage: &Garbage, dry_run: bool) -> Table {
    let goes = if dry_run { "would go" } else { "removed" };
    let stays = if dry_run { "would stay" } else { "kept" };
    let mut table = table(&["", goes, "size", stays, "size"]);
    let going = garbage.amounts();
    let (mut all_going, mut all_staying) = (Amount::default(), Amount::default());
    for kind in KINDS {
        let of = |amounts: &BTreeMap<GarbageKind, Amount>| {
            amounts.get(&kind).copied().unwrap_or_default()
        };
        let (going, staying) = (of(&going), of(&garbage.kept));
        for (all, one) in [(&mut all_going, going), (&mut all_staying, staying)] {
            all.count += one.count;
            all.bytes += one.bytes;
        }
        table.add_row(row(kind.name(), going, staying));
    }
    table.add_row(row("together", all_going, all_staying));
    right(&mut table, &[1, 2, 3, 4]);
    table
}

fn row(name: &str, going: Amount, staying: Amount) -> [String; 5] {
    let [(goes, gone_size), (stays, kept_size)] = [going, staying].map(|amount| {
        if amount.count == 0 {
            ("—".to_owned(), String::new())
        } else {
            (digits(amount.count), room(amount.bytes))
        }
    });
    [name.to_owned(), goes, gone_size, stays, kept_size]
}

/// Nothing for nothing.
fn room(bytes: u64) -> String {
    match bytes {
        0 => String::new(),
        bytes => size(bytes),
    }
}

fn result_kinds(garbage: &Garbage) -> BTreeMap<&'static str, usize> {
    let mut kinds = BTreeMap::new();
    for item in &garbage.items {
        if let GarbageItem::Result { kind, .. } = item.item {
            let kind = kind.map_or("unknown", StageKind::name);
            *kinds.entry(kind).or_default() += 1;
        }
    }
    kinds
}

/// The runs that go.
fn runs(garbage: &Garbage) -> impl Iterator<Item = ListedRun<'_>> {
    garbage.items.iter().filter_map(|file| match &file.item {
        GarbageItem::Run {
            run,
            pipeline,
            started_ms,
        } => Some(ListedRun {
            run: *run,
            pipeline,
            started_ms: *started_ms,
        }),
        GarbageItem::Result { .. }
        | GarbageItem::Object(_)
        | GarbageItem::Scratch
        | GarbageItem::Temporary
        | GarbageItem::Lock => None,
    })
}

/// Items that a collection removes, or would remove.
#[derive(Serialize)]
struct GarbageView<'a> {
    dry_run: bool,
    removed: BTreeMap<&'static str, AmountView>,
    kept: BTreeMap<&'static str, AmountView>,
    runs: Vec<ListedRun<'a>>,
    young_results: u64,
    unreadable_runs: &'a [RunHash],
    items: Vec<ItemView>,
}

#[derive(Serialize)]
struct AmountView {
    count: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct ItemView {
    sort: &'static str,
    bytes: u64,
    #[serde(flatten)]
    item: ItemName,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ItemName {
    Run {
        run: RunHash,
    },
    Result {
        action: ActionKey,
        kind: Option<&'static str>,
    },
    Object {
        object: ObjectHash,
    },
    Path {
        path: String,
    },
}

impl<'a> GarbageView<'a> {
    fn of(garbage: &'a Garbage, dry_run: bool) -> Self {
        let amounts = |amounts: &BTreeMap<GarbageKind, Amount>| {
            let each = amounts.iter().map(|(kind, amount)| {
                let (count, bytes) = (amount.count, amount.bytes);
                (kind.name(), AmountView { count, bytes })
            });
            each.collect()
        };
        Self {
            dry_run,
            removed: amounts(&garbage.amounts()),
            kept: amounts(&garbage.kept),
            runs: runs(garbage).collect(),
            young_results: garbage.young_results.count,
            unreadable_runs: &garbage.unreadable_runs,
            items: garbage.items.iter().map(ItemView::of).collect(),
        }
    }
}

impl ItemView {
    fn of(file: &GarbageFile) -> Self {
        Self {
            sort: file.kind().name(),
            bytes: file.bytes,
            item: match &file.item {
                GarbageItem::Run { run, .. } => ItemName::Run { run: *run },
                GarbageItem::Result { action, kind } => ItemName::Result {
                    action: *action,
                    kind: kind.map(StageKind::name),
                },
                GarbageItem::Object(object) => ItemName::Object { object: *object },
                GarbageItem::Scratch | GarbageItem::Temporary | GarbageItem::Lock => {
                    ItemName::Path {
                        path: file.path.display().to_string(),
                    }
                }
            },
        }
    }
}

/// The progress of a collection on a terminal.
struct RemovalProgress {
    bar: Option<ProgressBar>,
}

impl RemovalProgress {
    fn new() -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            bar.set_message("looking at what the store holds, once nobody writes to it");
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Self { bar }
    }

    pub(crate) fn start(&self, items: usize) {
        let style = ProgressStyle::with_template("removing {bar:24} {pos}/{len}");
        if let Some(bar) = &self.bar {
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_length(items as u64);
        }
    }

    pub(crate) fn removed(&self) {
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }

    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
