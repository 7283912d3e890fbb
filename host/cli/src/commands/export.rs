//! `pipeline export`: the trainings of runs as a table for programs and papers, or as TensorBoard's files.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use assay_audit::Subject;
use assay_core::Advice;
use assay_engine::{stored_curve, training_records, write_scalars};
use assay_files::{NewFile, READABLE};
use assay_report::{RenderError, TrainingRecord, TrainingTable, safe_name, stage_folder};
use assay_store::Store;
use clap::{Args, ValueEnum};

use crate::arguments::{StoreArguments, remembered_index};
use crate::error::CliError;
use crate::export::failed;
use crate::ui;
use crate::ui::terminal::say;
use crate::ui::words::{count, path};

const EXAMPLES: &str = "\
Examples:
  pipeline export --format csv
  pipeline export quickstart --format parquet --output trainings.parquet
  pipeline export quickstart 3f2a9c81 --format csv --output trainings.csv
  pipeline export quickstart --format latex --output trainings.tex
  pipeline export quickstart --format tensorboard --output curves

A table has a row for each training of the runs, with its settings, a column hp_NAME for each
hyper-parameter, its errors and its hashes (docs/exporting.md). Without a RUN it is the latest one.

Exit codes: 0 done, 2 a run is not whole in the store, or the output cannot be written.";

/// What to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table with typed columns
    Parquet,
    /// The same table as text
    Csv,
    /// Settings and test errors as a tabular for the package booktabs
    Latex,
    /// A folder with the curves of each training
    Tensorboard,
}

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ExportArguments {
    /// Runs: a hash, the beginning of one, a pipeline's latest run by name, or `latest`
    #[arg(value_name = "RUN", default_value = "latest")]
    names: Vec<String>,

    /// What to write
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Format,

    /// The file to write, for TensorBoard the folder [default: standard output]
    #[arg(
        long,
        short,
        value_name = "PATH",
        required_if_eq("format", "tensorboard")
    )]
    output: Option<PathBuf>,

    /// Write over the file if it is there
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    store: StoreArguments,
}

/// The table cannot be written in its format.
#[derive(Debug, thiserror::Error)]
#[error("the table cannot be written")]
struct Unwritable(#[source] RenderError);

impl Advice for Unwritable {}

pub(crate) fn run(arguments: &ExportArguments) -> Result<ExitCode, CliError> {
    let store = arguments.store.open_existing()?;
    let index = remembered_index(&store)?;
    // Nothing of the runs goes while they are read.
    let _hold = store.hold()?;
    let mut records = Vec::new();
    for name in &arguments.names {
        let run = Subject::find_run(&store, index, name)?;
        records.extend(training_records(&store, run)?);
    }
    let bytes = match (arguments.format, &arguments.output) {
        (Format::Tensorboard, folder) => {
            let folder = folder.as_deref().unwrap_or(Path::new("."));
            let written = write_curves(&store, &records, folder)?;
            say(&format!(
                "wrote the curves of {} to {}",
                count(written, "training"),
                path(folder)
            ));
            return Ok(ExitCode::SUCCESS);
        }
        (Format::Parquet, None) if io::stdout().is_terminal() => return Err(CliError::Terminal),
        (Format::Parquet, _) => TrainingTable::new(&records).to_parquet(),
        (Format::Csv, _) => TrainingTable::new(&records).to_csv(),
        (Format::Latex, _) => Ok(TrainingTable::new(&records).to_latex().into_bytes()),
    };
    let bytes = bytes.map_err(Unwritable)?;
    match &arguments.output {
        Some(file) => {
            write(file, &bytes, arguments.force)?;
            let trainings = count(records.len() as u64, "training");
            say(&format!("wrote {trainings} to {}", path(file)));
        }
        // A terminal is shown what a file has as it is.
        None if io::stdout().is_terminal() => ui::print(&String::from_utf8_lossy(&bytes))?,
        None => drop(ui::print_bytes(&bytes)?),
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes a file that appears whole or not at all; one that is there stays unless `force` says so.
fn write(file: &Path, bytes: &[u8], force: bool) -> Result<(), CliError> {
    let write = || {
        let mut new = NewFile::create(file, READABLE)?;
        io::Write::write_all(&mut new, bytes)?;
        if force { new.replace() } else { new.publish() }
    };
    write().map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => CliError::Arguments(format!(
            "{} is there already: choose another name, or write over it with --force",
            path(file)
        )),
        _ => failed("write", file)(error),
    })
}

/// Writes the curve of each training that has one; gives how many. Of several runs each has a folder.
fn write_curves(store: &Store, records: &[TrainingRecord], folder: &Path) -> Result<u64, CliError> {
    let is_empty = match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(error) => return Err(failed("look into", folder)(error)),
    };
    if !is_empty {
        return Err(CliError::Arguments(format!(
            "the folder {} is not empty: name another, so that TensorBoard does not mix the curves",
            path(folder)
        )));
    }
    let runs: BTreeSet<_> = records.iter().map(|it| &it.run).collect();
    let is_one_run = runs.len() < 2;
    let mut written = 0;
    for record in records {
        let Some(artifact) = record.artifact.as_ref().and_then(|it| it.parse().ok()) else {
            continue;
        };
        let curve = stored_curve(store, artifact)?;
        let root = if is_one_run {
            folder.to_owned()
        } else {
            let run: String = record.run.chars().take(12).collect();
            folder.join(safe_name(&format!("{}-{run}", record.pipeline)))
        };
        let place = stage_folder(&root, &record.stage);
        let began_ms = record.started_ms.unwrap_or(0);
        write_scalars(&place, "assay", began_ms, &curve).map_err(failed("write into", &place))?;
        written += 1;
    }
    Ok(written)
}
