//! `pipeline schema`: the JSON Schema of pipeline files.

use std::process::ExitCode;

use assay_engine::pipeline_schema;
use clap::Args;

use crate::error::CliError;
use crate::ui;
use crate::ui::json;

const EXAMPLES: &str = "\
Examples:
  pipeline schema > pipeline.schema.json

Editors that use Taplo, such as VS Code with Even Better TOML, take it from the first line of a
pipeline file: `#:schema ./pipeline.schema.json`.

Exit codes: 0 printed, 2 it could not be printed.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SchemaArguments {}

pub(crate) fn run() -> Result<ExitCode, CliError> {
    ui::print(&json::document(&pipeline_schema()))?;
    Ok(ExitCode::SUCCESS)
}
