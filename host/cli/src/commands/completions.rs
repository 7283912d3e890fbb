//! `pipeline completions`: scripts for shells, made from the arguments themselves.

use std::process::ExitCode;

use clap::{Args, Command, CommandFactory};
use clap_complete::Shell;

use crate::command_line::Arguments;
use crate::error::CliError;
use crate::ui;

const EXAMPLES: &str = "\
Examples:
  pipeline completions bash > ~/.local/share/bash-completion/completions/pipeline
  pipeline completions zsh > ~/.zfunc/_pipeline
  pipeline completions fish > ~/.config/fish/completions/pipeline.fish

Zsh finds the file once ~/.zfunc is in its `fpath`, before `compinit`.

Exit codes: 0 printed, 2 there is no such shell, or it could not be printed.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CompletionsArguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn run(arguments: &CompletionsArguments) -> Result<ExitCode, CliError> {
    let mut command = without_hidden(&Arguments::command());
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, name, &mut script);
    ui::print_bytes(&script)?;
    Ok(ExitCode::SUCCESS)
}

/// The command without hidden verbs and options, which the generators would offer.
fn without_hidden(command: &Command) -> Command {
    let arguments = command.get_arguments().filter(|it| !it.is_hide_set());
    let arguments: Vec<_> = arguments.collect();
    let ids: Vec<_> = arguments.iter().map(|it| it.get_id()).collect();
    // Others name something that is hidden.
    let groups = command.get_groups();
    let groups = groups.filter(|group| group.get_args().all(|id| ids.contains(&id)));
    let verbs = command.get_subcommands().filter(|it| !it.is_hide_set());
    let mut shown = Command::new(command.get_name().to_owned())
        .args(arguments)
        .groups(groups)
        .subcommands(verbs.map(without_hidden));
    if let Some(about) = command.get_about() {
        shown = shown.about(about.clone());
    }
    if let Some(version) = command.get_version() {
        shown = shown.version(version.to_owned());
    }
    shown
}
