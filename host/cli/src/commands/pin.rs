//! `pipeline pin` and `unpin`: what stays whatever a collection is told.

use std::process::ExitCode;

use assay_audit::{Index, Subject, check_label};
use assay_core::graph::Node;
use assay_core::{Advice, ObjectHash};
use assay_store::Store;
use clap::Args;
use serde::Serialize;

use crate::arguments::{StoreArguments, remembered_index};
use crate::error::CliError;
use crate::ui;

const PIN_EXAMPLES: &str = "\
Examples:
  pipeline pin latest --as submitted
  pipeline pin quickstart:report --as table-1
  pipeline pin 0123456789ab
  pipeline pin

What is pinned stays with all that it rests on, whatever `pipeline gc` is told: of a run every stage,
of an action or an artifact also what led to it, of a file its bytes alone. Without NAME the pins are
listed.

Exit codes: 0 done, 2 nothing has that name, or the store cannot be used.";

#[derive(Args, Debug)]
#[command(after_help = PIN_EXAMPLES)]
pub(crate) struct PinArguments {
    /// A hash, the beginning of one, a pipeline's latest run by name, `latest`, or another pin;
    /// `:STAGE` and `:FILE` go deeper
    name: Option<String>,

    /// The pin's name [default: the first 12 digits of the hash]
    #[arg(long = "as", value_name = "LABEL", requires = "name")]
    label: Option<String>,

    /// Print one JSON document instead of words
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    store: StoreArguments,
}

const UNPIN_EXAMPLES: &str = "\
Examples:
  pipeline unpin submitted
  pipeline unpin 0123456789ab

Nothing is removed but the pin; `pipeline gc` removes what it alone kept.

Exit codes: 0 done, 2 there is no such pin, or the store cannot be used.";

#[derive(Args, Debug)]
#[command(after_help = UNPIN_EXAMPLES)]
pub(crate) struct UnpinArguments {
    /// The pin's name, or what it pins, as `pipeline pin` takes it
    name: String,

    /// Print one JSON document instead of words
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    store: StoreArguments,
}

/// Nothing has that name among the pins.
#[derive(Debug, thiserror::Error)]
#[error("nothing is pinned as `{0}`; `pipeline pin` lists what is")]
struct NotNode(String);

impl Advice for NotNode {}

pub(crate) fn pin(arguments: &PinArguments) -> Result<ExitCode, CliError> {
    let store = arguments.store.open_existing()?;
    let Some(name) = &arguments.name else {
        let pins = store.pins()?;
        ui::print_view(&PinsView::of(&pins), arguments.json, listed)?;
        return Ok(ExitCode::SUCCESS);
    };
    let index = remembered_index(&store)?;
    let pinned = find(&store, index, name)?;
    let label = arguments.label.clone();
    let label = label.unwrap_or_else(|| pinned.object().short());
    check_label(index, &label, pinned.object())?;
    store.pin(&label, pinned)?;
    let view = PinsView::of([(&label, &pinned)]);
    ui::print_view(&view, arguments.json, |view| {
        view.lines(|pin| format!("pinned {} as {}\n", pin.pinned, pin.label))
    })?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn unpin(arguments: &UnpinArguments) -> Result<ExitCode, CliError> {
    let store = arguments.store.open_existing()?;
    let mut pins = store.pins()?;
    if pins.contains_key(&arguments.name) {
        pins.retain(|label, _| *label == arguments.name);
    } else {
        let pinned = find(&store, remembered_index(&store)?, &arguments.name)?;
        pins.retain(|_, other| *other == pinned);
    }
    if pins.is_empty() {
        return Err(NotNode(arguments.name.clone()).into());
    }
    for label in pins.keys() {
        store.unpin(label)?;
    }
    ui::print_view(&PinsView::of(&pins), arguments.json, |view| {
        view.lines(|pin| format!("unpinned {}, which was {}\n", pin.pinned, pin.label))
    })?;
    Ok(ExitCode::SUCCESS)
}

fn find(store: &Store, index: &Index, name: &str) -> Result<Node, CliError> {
    Ok(match Subject::find(store, index, name)? {
        Subject::Run(run) => Node::Run(run),
        Subject::Stage { action, .. }
        | Subject::Action(action)
        | Subject::Result { action, .. } => Node::Action(action),
        Subject::Artifact(artifact) => Node::Artifact(artifact),
        Subject::File { object, .. } | Subject::Object(object) => Node::Object(object),
    })
}

/// The pins of a store, or some of them.
#[derive(Serialize)]
struct PinsView<'a> {
    pins: Vec<PinView<'a>>,
}

#[derive(Serialize)]
struct PinView<'a> {
    label: &'a str,
    kind: &'static str,
    hash: ObjectHash,
    #[serde(skip)]
    pinned: Node,
}

impl<'a> PinsView<'a> {
    fn of(pins: impl IntoIterator<Item = (&'a String, &'a Node)>) -> Self {
        let pins = pins.into_iter().map(|(label, pinned)| PinView {
            label,
            kind: pinned.what(),
            hash: pinned.object(),
            pinned: *pinned,
        });
        Self {
            pins: pins.collect(),
        }
    }

    /// A line for each pin.
    fn lines(&self, line: impl Fn(&PinView<'a>) -> String) -> String {
        self.pins.iter().map(line).collect()
    }
}

fn listed(view: &PinsView<'_>) -> String {
    if view.pins.is_empty() {
        return "nothing is pinned\n".to_owned();
    }
    let width = view.pins.iter().map(|pin| pin.label.len()).max();
    let width = width.unwrap_or_default();
    view.lines(|pin| format!("{:width$}  {}\n", pin.label, pin.pinned))
}
