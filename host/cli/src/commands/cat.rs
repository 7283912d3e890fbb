//! `pipeline cat`: the bytes of something on standard output, checked against its hash.

use std::io::{self, IsTerminal, Read};
use std::process::ExitCode;

use assay_audit::Subject;
use assay_core::steers_terminal;
use assay_store::{Store, StoreError};
use clap::Args;

use crate::arguments::{NAMES, StoreArguments, remembered_index};
use crate::error::CliError;
use crate::ui::terminal::print_bytes;

const EXAMPLES: &str = "\
Examples:
  pipeline cat quickstart:report:table.md
  pipeline cat quickstart:train/bp/seed=1:final.safetensors > final.safetensors
  pipeline cat 8e74f371 | jq .parameters

Of a run, a stage, an action or an artifact these are the bytes of its document, which is JSON.
Up to 64 MiB are checked against their hash before the first byte is written. More are checked while
they are written: exit code 1 then means that what was written is not what was asked for.

Exit codes: 0 written, 1 it is damaged or missing, 2 nothing or several things have that name, it would
write bytes to a terminal, or the store cannot be read.";

#[derive(Args, Debug)]
#[command(after_help = format!("{NAMES}\n\n{EXAMPLES}"))]
pub(crate) struct CatArguments {
    /// A hash, the beginning of one, or a name
    name: String,

    /// Write what is not text to a terminal too
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    store: StoreArguments,
}

/// The largest object, in bytes, that is held in memory, so that it is checked before any of it is
/// written.
const HELD: u64 = 64 << 20;

/// Bytes that are written at a time.
const PIECE: usize = 1 << 20;

pub(crate) fn run(arguments: &CatArguments) -> Result<ExitCode, CliError> {
    let store = arguments.store.open_existing()?;
    let index = remembered_index(&store)?;
    let subject = Subject::find(&store, index, &arguments.name)?;
    let may_be_bytes = arguments.force || !io::stdout().is_terminal();
    let held = match &subject {
        Subject::Result { action, record } => {
            store.record_bytes(*action, *record).map_err(of_store)?
        }
        subject
            if store
                .size(subject.object())?
                .is_some_and(|size| size > HELD) =>
        {
            return if may_be_bytes {
                stream(&store, subject)
            } else {
                Err(CliError::Terminal)
            };
        }
        subject => store.read(subject.object()).map_err(of_store)?,
    };
    if !may_be_bytes && !is_text(&held) {
        return Err(CliError::Terminal);
    }
    print_bytes(&held)?;
    Ok(ExitCode::SUCCESS)
}

/// Whether a terminal shows it and does nothing else.
fn is_text(bytes: &[u8]) -> bool {
    let shown = |line: &str| !line.contains(|char| char != '\t' && steers_terminal(char));
    std::str::from_utf8(bytes).is_ok_and(|text| text.lines().all(shown))
}

/// Writes what does not fit in memory, checked while it is written.
fn stream(store: &Store, subject: &Subject) -> Result<ExitCode, CliError> {
    let object = subject.object();
    let mut reader = store.reader(object)?;
    let mut piece = vec![0; PIECE];
    loop {
        let count = match reader.read(&mut piece) {
            Ok(0) => return Ok(ExitCode::SUCCESS),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(failed(error, store, subject)),
        };
        if !print_bytes(piece.get(..count).unwrap_or_default())? {
            return Ok(ExitCode::SUCCESS);
        }
    }
}

/// Tells damage to the content of the store from a failure of the machine.
fn of_store(error: StoreError) -> CliError {
    if error.is_damage() {
        CliError::Damaged(error)
    } else {
        error.into()
    }
}

/// The error that ended the reading: the object's hash does not match, or the operating system's
/// own.
fn failed(error: io::Error, store: &Store, subject: &Subject) -> CliError {
    let path = store.object_path(subject.object());
    match error.downcast::<StoreError>() {
        Ok(error) => of_store(error),
        Err(source) => CliError::File {
            what: "read",
            path,
            source,
        },
    }
}
