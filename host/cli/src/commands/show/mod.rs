//! `pipeline show`: looks up what a name stands for, reads and checks it, and has it shown.

mod json;
mod run;
mod text;

use std::process::ExitCode;

use assay_abi::Handshake;
use assay_audit::content::Content;
use assay_audit::{Index, Subject};
use assay_core::{Action, ActionKey, ActionResult, Artifact, ArtifactFile, ObjectHash};
use assay_engine::handshake_of;
use assay_store::{Store, StoreError};
use clap::Args;

use crate::arguments::{NAMES, StoreArguments, remembered_index};
use crate::error::CliError;
use crate::ui;
use crate::ui::terminal::say;
use json::json;
use text::text;

const EXAMPLES: &str = "\
Examples:
  pipeline show latest
  pipeline show quickstart:train/bp/seed=1
  pipeline show quickstart:report:table.parquet
  pipeline show 42a5db94 --json

What is shown of a file was checked against its hash; the files of an artifact are looked at, not read:
`pipeline audit` reads them.

Exit codes: 0 shown, 1 it is damaged or missing, 2 nothing or several things have that name, or the
store cannot be read.";

#[derive(Args, Debug)]
#[command(after_help = format!("{NAMES}\n\n{EXAMPLES}"))]
pub(crate) struct ShowArguments {
    /// A hash, the beginning of one, or a name
    name: String,

    /// The most rows of a table, or lines of a text, that are shown
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rows: u32,

    /// Print one JSON document instead of text and tables
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    store: StoreArguments,
}

/// Something as it is shown.
struct Shown<'a> {
    index: &'a Index,
    subject: Subject,
    details: Details,
    /// The damage found while reading it.
    damage: Vec<StoreError>,
}

/// The details of a subject, as read from the store.
enum Details {
    /// A run's manifest is in the index.
    Run,
    /// Of an action, or a stage that is one.
    Action {
        key: ActionKey,
        action: Option<Action>,
    },
    Result {
        action: ActionKey,
        result: Option<ActionResult>,
    },
    Artifact {
        files: Vec<ShownFile>,
    },
    Object {
        size: Option<u64>,
        /// Nothing where the object is not intact.
        content: Option<Content>,
        /// Of a plugin's library; else why it has none.
        handshake: Option<Result<Handshake, String>>,
    },
}

/// A file of an artifact.
struct ShownFile {
    name: String,
    file: ArtifactFile,
    /// The size of its object, if there is one.
    found: Option<u64>,
}

impl ShownFile {
    pub(crate) fn state(&self) -> &'static str {
        match self.found {
            None => "MISSING",
            Some(size) if size == self.file.size => "there",
            Some(_) => "WRONG SIZE",
        }
    }
}

pub(crate) fn run(arguments: &ShowArguments) -> Result<ExitCode, CliError> {
    let store = arguments.store.open_existing()?;
    let index = remembered_index(&store)?;
    let subject = Subject::find(&store, index, &arguments.name)?;
    let (details, damage) = read(&store, index, &subject, arguments.rows as usize)?;
    let shown = Shown {
        index,
        subject,
        details,
        damage,
    };
    ui::print(&if arguments.json {
        json(&shown)
    } else {
        text(&shown)
    })?;
    print_damage(&shown.damage);
    Ok(if shown.damage.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn read(
    store: &Store,
    index: &Index,
    subject: &Subject,
    rows: usize,
) -> Result<(Details, Vec<StoreError>), CliError> {
    let mut damage = Vec::new();
    let details = match subject {
        Subject::Run(run) => {
            keep(store.run(*run), &mut damage)?;
            Details::Run
        }
        Subject::Stage { action, .. } | Subject::Action(action) => {
            let key = *action;
            let action = keep(store.action(key), &mut damage)?;
            Details::Action { key, action }
        }
        Subject::Result { action, record } => {
            let found = keep(store.record_bytes(*action, *record), &mut damage)?;
            let results = index.actions().get(action).map(|entry| &entry.results);
            let mut results = results.into_iter().flatten();
            let named = results.find(|(name, _)| name == record && found.is_some());
            Details::Result {
                action: *action,
                result: named.map(|(_, result)| result.clone()),
            }
        }
        Subject::Artifact(artifact) => {
            let manifest = keep(store.artifact(*artifact), &mut damage)?;
            let files = files(store, manifest.as_ref(), &mut damage)?;
            Details::Artifact { files }
        }
        Subject::File { object, .. } | Subject::Object(object) => {
            read_object(store, *object, rows, &mut damage)?
        }
    };
    Ok((details, damage))
}

/// The value that was read; nothing where it is damaged, which is noted in `damage`.
fn keep<T>(
    read: Result<T, StoreError>,
    damage: &mut Vec<StoreError>,
) -> Result<Option<T>, StoreError> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) if error.is_damage() => {
            damage.push(error);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn files(
    store: &Store,
    manifest: Option<&Artifact>,
    damage: &mut Vec<StoreError>,
) -> Result<Vec<ShownFile>, StoreError> {
    let mut files = Vec::new();
    for (name, file) in manifest.iter().flat_map(|manifest| &manifest.files) {
        let found = store.size(file.object)?;
        let object = file.object;
        match found {
            None => damage.push(StoreError::Missing { object }),
            Some(size) if size != file.size => damage.push(StoreError::Damaged {
                object,
                path: store.object_path(object),
            }),
            Some(_) => {}
        }
        files.push(ShownFile {
            name: name.clone(),
            file: file.clone(),
            found,
        });
    }
    Ok(files)
}

fn read_object(
    store: &Store,
    object: ObjectHash,
    rows: usize,
    damage: &mut Vec<StoreError>,
) -> Result<Details, CliError> {
    let path = store.object_path(object);
    let size = store.size(object)?;
    let is_intact = keep(store.verify(object), damage)?.is_some();
    let content = || Content::of(&path, rows);
    let content = is_intact.then(content).transpose();
    let content = content.map_err(|source| CliError::File {
        what: "read",
        path: path.clone(),
        source,
    })?;
    let is_library = content == Some(Content::Library);
    let handshake = is_library.then(|| handshake_of(&path).map_err(|error| error.to_string()));
    Ok(Details::Object {
        size,
        content,
        handshake,
    })
}

/// Says on standard error what is wrong, where it cannot be overlooked.
fn print_damage(damage: &[StoreError]) {
    for error in damage {
        say(&format!("DAMAGED: {error}"));
    }
}
