//! `pipeline show`: looks up what a name stands for, reads and checks it, and shows it.

mod text;

use std::process::ExitCode;

use assay_abi::{Handshake, PanicStrategy};
use assay_audit::formats::{Content, Summary};
use assay_audit::{Index, Subject};
use assay_core::graph::Role;
use assay_core::{Action, ActionKey, ActionResult, ArtifactHash, ObjectHash, Run, RunHash};
use assay_engine::handshake_of;
use assay_store::{Store, StoreError};
use clap::Args;
use serde::Serialize;

use crate::arguments::{NAMES, StoreArguments, remembered_index};
use crate::error::CliError;
use crate::ui;
use crate::ui::action::{UseView, use_views};
use crate::ui::terminal::say;

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

/// Something in a store, and what was found wrong with it.
#[derive(Serialize)]
struct ShowView<'a> {
    kind: &'static str,
    hash: ObjectHash,
    intact: bool,
    damage: Vec<String>,
    pinned_as: Vec<&'a str>,
    #[serde(flatten)]
    details: Details<'a>,
}

/// The details of a subject, as read from the store and its index.
#[derive(Serialize)]
#[serde(untagged)]
enum Details<'a> {
    Run {
        run: Option<&'a Run>,
    },
    /// Of an action, or a stage that is one.
    Action(Box<ActionView<'a>>),
    Result {
        of: ActionKey,
        result: Option<&'a ActionResult>,
    },
    Artifact(ArtifactView<'a>),
    Object(Box<ObjectView>),
}

#[derive(Serialize)]
struct ActionView<'a> {
    #[serde(skip)]
    key: ActionKey,
    /// The run that names it, its stage there and that stage's artifact.
    run: Option<RunHash>,
    stage: Option<&'a str>,
    artifact: Option<ArtifactHash>,
    action: Option<Action>,
    results: Vec<ResultView<'a>>,
    used_in: Vec<UseView<'a>>,
}

#[derive(Serialize)]
struct ResultView<'a> {
    record: ObjectHash,
    result: &'a ActionResult,
}

#[derive(Serialize)]
struct ArtifactView<'a> {
    #[serde(skip)]
    artifact: ArtifactHash,
    files: Vec<FileView>,
    made_by: Vec<ActionKey>,
    read_by: Vec<ReaderView<'a>>,
}

#[derive(Serialize)]
struct FileView {
    name: String,
    object: ObjectHash,
    size: u64,
    media_type: String,
    /// The size of its object, if there is one.
    found: Option<u64>,
}

#[derive(Serialize)]
struct ReaderView<'a> {
    action: ActionKey,
    role: &'a str,
}

#[derive(Serialize)]
struct ObjectView {
    size: Option<u64>,
    roles: Vec<RoleView>,
    /// Nothing where the object is not intact.
    content: Option<Content>,
    /// Of a plugin's library.
    handshake: Option<HandshakeView>,
    /// Reason why a library is no plugin's.
    #[serde(skip)]
    no_plugin: Option<String>,
}

#[derive(Serialize)]
struct HandshakeView {
    abi: String,
    target: String,
    libtorch: String,
    #[serde(skip)]
    panics: PanicStrategy,
}

impl HandshakeView {
    fn of(handshake: &Handshake) -> Self {
        Self {
            abi: handshake.abi_version(),
            target: handshake.target(),
            libtorch: handshake.libtorch(),
            panics: handshake.panic_strategy(),
        }
    }
}

/// A role of an object.
#[derive(Serialize)]
#[serde(untagged)]
enum RoleView {
    Run {
        run: RunHash,
    },
    Action {
        action: ActionKey,
    },
    Artifact {
        artifact: ArtifactHash,
    },
    File {
        file: String,
        of: ArtifactHash,
    },
    Library {
        plugin: String,
        used_by: ActionKey,
    },
    Log {
        log_of: ObjectHash,
        action: ActionKey,
    },
    PipelineFile {
        pipeline_file_of: RunHash,
    },
    NetworksFile {
        networks_file_of: RunHash,
    },
    FiguresFile {
        figures_file_of: RunHash,
    },
    Pin {
        pinned_as: String,
    },
}

impl From<Role> for RoleView {
    fn from(role: Role) -> Self {
        match role {
            Role::Run(run) => Self::Run { run },
            Role::Action(action) => Self::Action { action },
            Role::Artifact(artifact) => Self::Artifact { artifact },
            Role::File { artifact, name } => Self::File {
                file: name,
                of: artifact,
            },
            Role::Library { action, plugin } => Self::Library {
                plugin,
                used_by: action,
            },
            Role::Log { action, record } => Self::Log {
                log_of: record,
                action,
            },
            Role::PipelineFile(run) => Self::PipelineFile {
                pipeline_file_of: run,
            },
            Role::NetworksFile(run) => Self::NetworksFile {
                networks_file_of: run,
            },
            Role::FiguresFile(run) => Self::FiguresFile {
                figures_file_of: run,
            },
            Role::Pin(label) => Self::Pin { pinned_as: label },
        }
    }
}

pub(crate) fn run(arguments: &ShowArguments) -> Result<ExitCode, CliError> {
    let store = arguments.store.open_existing()?;
    let index = remembered_index(&store)?;
    let subject = Subject::find(&store, index, &arguments.name)?;
    let mut damage = Vec::new();
    let details = read(
        &store,
        index,
        &subject,
        arguments.rows as usize,
        &mut damage,
    )?;
    let view = ShowView {
        kind: subject.what(),
        hash: subject.object(),
        intact: damage.is_empty(),
        damage: damage.iter().map(ToString::to_string).collect(),
        pinned_as: index.labels(subject.object()).collect(),
        details,
    };
    ui::print_view(&view, arguments.json, |view| text::text(index, view))?;
    for error in &view.damage {
        // On standard error too, where it cannot be overlooked.
        say(&format!("DAMAGED: {error}"));
    }
    Ok(if view.intact {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn read<'a>(
    store: &Store,
    index: &'a Index,
    subject: &'a Subject,
    rows: usize,
    damage: &mut Vec<StoreError>,
) -> Result<Details<'a>, CliError> {
    Ok(match subject {
        Subject::Run(run) => {
            keep(store.run(*run), damage)?;
            let run = index.runs().get(run).map(|entry| &entry.run);
            Details::Run { run }
        }
        Subject::Action(key) => Details::Action(Box::new(ActionView {
            action: keep(store.action(*key), damage)?,
            ..ActionView::of(index, *key)
        })),
        Subject::Stage {
            run,
            stage,
            action: key,
            artifact,
        } => Details::Action(Box::new(ActionView {
            run: Some(*run),
            stage: Some(stage),
            artifact: *artifact,
            action: keep(store.action(*key), damage)?,
            ..ActionView::of(index, *key)
        })),
        Subject::Result { action, record } => {
            let found = keep(store.record_bytes(*action, *record), damage)?;
            let mut results = ResultView::all(index, *action);
            let named = results.find(|view| view.record == *record && found.is_some());
            Details::Result {
                of: *action,
                result: named.map(|view| view.result),
            }
        }
        Subject::Artifact(artifact) => Details::Artifact(ArtifactView {
            artifact: *artifact,
            files: files(store, *artifact, damage)?,
            made_by: index.producers(*artifact).collect(),
            read_by: index
                .readers(*artifact)
                .map(|(action, role)| ReaderView { action, role })
                .collect(),
        }),
        Subject::File { object, .. } | Subject::Object(object) => {
            let roles = index.roles(*object).into_owned();
            Details::Object(Box::new(ObjectView {
                roles: roles.into_iter().map(RoleView::from).collect(),
                ..read_object(store, *object, rows, damage)?
            }))
        }
    })
}

impl<'a> ActionView<'a> {
    /// The action as the index knows it.
    fn of(index: &'a Index, key: ActionKey) -> Self {
        Self {
            key,
            run: None,
            stage: None,
            artifact: None,
            action: None,
            results: ResultView::all(index, key).collect(),
            used_in: use_views(index, key),
        }
    }
}

impl<'a> ResultView<'a> {
    fn all(index: &'a Index, key: ActionKey) -> impl Iterator<Item = Self> {
        let results = index.actions().get(&key).map(|entry| &entry.results);
        let results = results.into_iter().flatten();
        results.map(|(record, result)| Self {
            record: *record,
            result,
        })
    }
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
    artifact: ArtifactHash,
    damage: &mut Vec<StoreError>,
) -> Result<Vec<FileView>, StoreError> {
    let manifest = keep(store.artifact(artifact), damage)?;
    let mut files = Vec::new();
    for (name, file) in manifest.into_iter().flat_map(|manifest| manifest.files) {
        let object = file.object;
        let found = store.size(object)?;
        match found {
            None => damage.push(StoreError::Missing { object }),
            Some(size) if size != file.size => damage.push(StoreError::Damaged {
                object,
                path: store.object_path(object),
            }),
            Some(_) => {}
        }
        files.push(FileView {
            name,
            object,
            size: file.size,
            media_type: file.media_type,
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
) -> Result<ObjectView, CliError> {
    let path = store.object_path(object);
    let size = store.size(object)?;
    let is_intact = keep(store.verify(object), damage)?.is_some();
    let content = is_intact.then(|| Content::of(&path, rows)).transpose();
    let content = content.map_err(|source| CliError::File {
        what: "read",
        path: path.clone(),
        source,
    })?;
    let is_library = matches!(
        content,
        Some(Content {
            summary: Summary::Library {},
            ..
        })
    );
    let (handshake, no_plugin) = match is_library.then(|| handshake_of(&path)) {
        Some(Ok(handshake)) => (Some(HandshakeView::of(&handshake)), None),
        Some(Err(error)) => (None, Some(error.to_string())),
        None => (None, None),
    };
    Ok(ObjectView {
        size,
        roles: Vec::new(),
        content,
        handshake,
        no_plugin,
    })
}
