//! `pipeline man`: manual pages, made from the arguments themselves.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;

use crate::command_line::Arguments;
use crate::error::CliError;
use crate::export;
use crate::ui;
use crate::ui::words::{count, path};

const EXAMPLES: &str = "\
Examples:
  pipeline man | man -l -
  pipeline man ~/.local/share/man/man1

The folder is made if it is not there; pages of an earlier version in it are replaced. `man
pipeline-run` finds a page if the folder is in `manpath`, `man FOLDER/pipeline-run.1` wherever it is.

Exit codes: 0 done, 2 a page could not be written.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ManArguments {
    /// The folder for a page of the program and of every verb [default: the program's page goes to
    /// standard output]
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

pub(crate) fn run(arguments: &ManArguments) -> Result<ExitCode, CliError> {
    let mut command = Arguments::command().disable_help_subcommand(true);
    // Gives verbs of verbs their whole names.
    command.build();
    let Some(folder) = &arguments.folder else {
        ui::print_bytes(&page(&command)?.1)?;
        return Ok(ExitCode::SUCCESS);
    };
    let mut written = 0;
    fs::create_dir_all(folder).map_err(export::failed("create", folder))?;
    for command in with_verbs(&command) {
        let (name, text) = page(command)?;
        export::write(&folder.join(name), &text)?;
        written += 1;
    }
    let pages = count(written, "manual page");
    ui::print(&format!("wrote {pages} to {}\n", path(folder)))?;
    Ok(ExitCode::SUCCESS)
}

/// The command and all below it, without those that are hidden.
fn with_verbs(command: &Command) -> Vec<&Command> {
    let verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set());
    let mut all = vec![command];
    all.extend(verbs.flat_map(with_verbs));
    all
}

/// The file name and the text of a command's page.
fn page(command: &Command) -> Result<(String, Vec<u8>), CliError> {
    let page = Man::new(command.clone());
    let mut text = Vec::new();
    page.render(&mut text).map_err(CliError::Output)?;
    Ok((page.get_filename(), text))
}
