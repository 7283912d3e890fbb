//! `pipeline remote pin` and `unpin`: what stays at a remote whatever a collection there is told.

use assay_remote::{Access, Remote, RemoteError};
use clap::Args;

use crate::arguments::remote::{REMOTE_HELP, place};
use crate::error::CliError;
use crate::ui;
use crate::ui::pins::{NotPinned, PinsView};

const PIN_EXAMPLES: &str = "\
Examples:
  pipeline remote pin lab latest --as submitted
  pipeline remote pin lab 1165ccfa
  pipeline remote pin lab

What is pinned stays with all that it rests on, whatever `pipeline remote gc` is told, and a pinned
run cannot be forgotten: of a run every stage stays, of an action or an artifact also what led to it,
of a file its bytes alone. Without NAME the pins are listed.

Exit codes: 0 done, 1 the remote has wrong bytes, 2 nothing there has that name, or the remote cannot
be used.";

#[derive(Args, Debug)]
#[command(after_help = PIN_EXAMPLES)]
pub(crate) struct PinArguments {
    #[arg(help = REMOTE_HELP)]
    remote: String,

    /// A run: its hash or the beginning of it, or `latest`; an action, artifact or file by its whole hash
    name: Option<String>,

    /// The pin's name [default: the first 12 digits of the hash]
    #[arg(long = "as", value_name = "LABEL", requires = "name")]
    label: Option<String>,

    /// Print one JSON document instead of words
    #[arg(long)]
    json: bool,
}

const UNPIN_EXAMPLES: &str = "\
Examples:
  pipeline remote unpin lab submitted
  pipeline remote unpin lab 1165ccfa

Nothing is removed but the pin; `pipeline remote gc` removes what it alone kept.

Exit codes: 0 done, 2 there is no such pin, or the remote cannot be used.";

#[derive(Args, Debug)]
#[command(after_help = UNPIN_EXAMPLES)]
pub(crate) struct UnpinArguments {
    #[arg(help = REMOTE_HELP)]
    remote: String,

    /// The pin's name, or what it pins, as `pipeline remote pin` takes it
    name: String,

    /// Print one JSON document instead of words
    #[arg(long)]
    json: bool,
}

pub(super) fn pin(arguments: &PinArguments) -> Result<(), CliError> {
    let place = place(&arguments.remote)?;
    let Some(name) = &arguments.name else {
        let pins = Remote::open(place, Access::Read)?.pins()?;
        ui::print_view(&PinsView::of(&pins), arguments.json, PinsView::listed)?;
        return Ok(());
    };
    let remote = Remote::open(place, Access::Change)?;
    let pinned = remote.find(name)?;
    let label = arguments.label.clone();
    let label = label.unwrap_or_else(|| pinned.object().short());
    remote.pin(&label, pinned)?;
    let view = PinsView::of([(&label, &pinned)]);
    ui::print_view(&view, arguments.json, PinsView::made)?;
    Ok(())
}

pub(super) fn unpin(arguments: &UnpinArguments) -> Result<(), CliError> {
    let remote = Remote::open(place(&arguments.remote)?, Access::Change)?;
    let mut pins = remote.pins()?;
    if pins.contains_key(&arguments.name) {
        pins.retain(|label, _| *label == arguments.name);
    } else {
        let pinned = match remote.find(&arguments.name) {
            Err(RemoteError::NoRun { .. }) => None,
            found => Some(found?),
        };
        pins.retain(|_, other| Some(*other) == pinned);
    }
    if pins.is_empty() {
        let list = format!("pipeline remote pin {}", arguments.remote);
        let name = arguments.name.clone();
        return Err(NotPinned { name, list }.into());
    }
    for label in pins.keys() {
        remote.unpin(label)?;
    }
    ui::print_view(&PinsView::of(&pins), arguments.json, PinsView::removed)?;
    Ok(())
}
