//! `pipeline pin` and `unpin`: what stays whatever a collection is told.

use std::process::ExitCode;

use assay_audit::{Index, Subject, check_label};
use assay_core::graph::Node;
use assay_store::Store;
use clap::Args;

use crate::arguments::{StoreArguments, remembered_index};
use crate::error::CliError;
use crate::ui;
use crate::ui::pins::{NotPinned, PinsView};

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

pub(crate) fn pin(arguments: &PinArguments) -> Result<ExitCode, CliError> {
    let store = arguments.store.open_existing()?;
    let Some(name) = &arguments.name else {
        let pins = store.pins()?;
        ui::print_view(&PinsView::of(&pins), arguments.json, PinsView::listed)?;
        return Ok(ExitCode::SUCCESS);
    };
    let index = remembered_index(&store)?;
    let pinned = find(&store, index, name)?;
    let label = arguments.label.clone();
    let label = label.unwrap_or_else(|| pinned.object().short());
    check_label(index, &label, pinned.object())?;
    store.pin(&label, pinned)?;
    let view = PinsView::of([(&label, &pinned)]);
    ui::print_view(&view, arguments.json, PinsView::made)?;
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
        let list = "pipeline pin".to_owned();
        let name = arguments.name.clone();
        return Err(NotPinned { name, list }.into());
    }
    for label in pins.keys() {
        store.unpin(label)?;
    }
    ui::print_view(&PinsView::of(&pins), arguments.json, PinsView::removed)?;
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
