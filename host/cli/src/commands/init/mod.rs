//! `pipeline init`: writes a small pipeline file to start from.

use std::borrow::Cow;
use std::path::PathBuf;
use std::process::ExitCode;

use assay_core::Advice;
use assay_files::READABLE;
use clap::Args;

use crate::error::CliError;
use crate::export;
use crate::ui;
use crate::ui::words::path;

/// A complete pipeline file.
const TEMPLATE: &str = include_str!("pipeline.toml");

/// Its name.
const FILE: &str = "pipeline.toml";

const EXAMPLES: &str = "\
Examples:
  pipeline init
  pipeline init my-experiment

The file trains three methods on MNIST with three seeds each, and runs as it is. No file is
overwritten.

Exit codes: 0 written, 2 nothing was written.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct InitArguments {
    /// The folder for pipeline.toml; it is made if it is not there
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
}

/// Something has the file's name already.
#[derive(Debug, thiserror::Error)]
#[error("`{}` is there already, and was left as it is", .0.display())]
struct Occupied(PathBuf);

impl Advice for Occupied {
    fn help(&self) -> Cow<'_, str> {
        "name another folder: pipeline init DIR".into()
    }
}

pub(crate) fn run(arguments: &InitArguments) -> Result<ExitCode, CliError> {
    // A path as a person writes it, which the next command takes too.
    let file: PathBuf = arguments.folder.join(FILE).components().collect();
    let file = file.strip_prefix(".").unwrap_or(&file);
    if file.symlink_metadata().is_ok() {
        return Err(Occupied(file.to_owned()).into());
    }
    export::write_new(file, TEMPLATE.as_bytes(), READABLE)?;
    let file = path(file);
    ui::print(&format!(
        "wrote {file}\n\nsee what it would do: pipeline run {file} --dry-run\nrun it:               \
         pipeline run {file}\n"
    ))?;
    Ok(ExitCode::SUCCESS)
}
