//! `pipeline gc`, `pin` and `unpin`: what a store keeps.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use assay_audit::{Index, Subject, check_label};
use assay_store::{Pinned, Store};

use super::remembered_index;
use crate::arguments::{GcArguments, PinArguments, UnpinArguments};
use crate::error::CliError;
use crate::show;
use crate::show::keep::RemovalView;

pub(crate) fn gc(arguments: &GcArguments) -> Result<ExitCode, CliError> {
    let store = arguments.store.open_existing()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let retention = arguments.retention(now.unwrap_or_default().as_millis() as u64);
    let shown = |garbage: &_| {
        show::print(&if arguments.json {
            show::keep::garbage_json(garbage, arguments.dry_run)
        } else {
            show::keep::garbage(garbage, arguments)
        })
    };
    if arguments.dry_run {
        shown(&store.garbage(&retention)?)?;
    } else {
        let view = RemovalView::new();
        let collection = store.collection(&retention)?;
        view.start(collection.garbage().items.len());
        collection.remove(|_| view.removed())?;
        view.finish();
        shown(collection.garbage())?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn pin(arguments: &PinArguments) -> Result<ExitCode, CliError> {
    let store = arguments.store.open_existing()?;
    let Some(name) = &arguments.name else {
        let pins = store.pins()?;
        show::print(&if arguments.json {
            show::keep::pins_json(&pins)
        } else {
            show::keep::pins(&pins)
        })?;
        return Ok(ExitCode::SUCCESS);
    };
    let index = remembered_index(&store)?;
    let pinned = find(&store, index, name)?;
    let label = arguments.label.clone();
    let label = label.unwrap_or_else(|| pinned.object().short());
    check_label(index, &label, pinned.object())?;
    store.pin(&label, pinned)?;
    show::print(&if arguments.json {
        show::keep::pins_json(&[(label, pinned)].into())
    } else {
        format!("pinned {pinned} as {label}\n")
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
        return Err(CliError::NotPinned(arguments.name.clone()));
    }
    for label in pins.keys() {
        store.unpin(label)?;
    }
    show::print(&if arguments.json {
        show::keep::pins_json(&pins)
    } else {
        show::keep::unpinned(&pins)
    })?;
    Ok(ExitCode::SUCCESS)
}

fn find(store: &Store, index: &Index, name: &str) -> Result<Pinned, CliError> {
    Ok(match Subject::find(store, index, name)? {
        Subject::Run(run) => Pinned::Run(run),
        Subject::Stage { action, .. }
        | Subject::Action(action)
        | Subject::Result { action, .. } => Pinned::Action(action),
        Subject::Artifact(artifact) => Pinned::Artifact(artifact),
        Subject::File { object, .. } | Subject::Object(object) => Pinned::Object(object),
    })
}
