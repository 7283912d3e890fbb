//! Parses the command line, and prints its help and errors.

use std::env;
use std::ffi::OsStr;
use std::process::ExitCode;

use assay_core::{printable_line, steers_terminal, suggestion};
use clap::builder::Styles;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, CommandFactory, Error, FromArgMatches, Parser};

use crate::commands::Verb;
use crate::error::CliError;
use crate::ui::terminal;

/// Runs the experiments of learning without backpropagation, and remembers what came out.
#[derive(Debug, Parser)]
#[command(
    name = "pipeline",
    version,
    propagate_version = true,
    max_term_width = 100
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// Result of parsing the command line.
pub(crate) enum Parsed {
    /// A verb and its arguments.
    Arguments(Arguments),
    /// It asked for help or has an error, which was printed.
    Answered(Result<ExitCode, CliError>),
}

impl Arguments {
    pub(crate) fn from_command_line() -> Parsed {
        let mut command = without_empty_variables(Self::command());
        // Our colours are told from a stranger's by there being one of the two alone.
        let steering = steering_texts();
        if !steering.is_empty() {
            command = command.styles(Styles::plain());
        }
        let matches = command.try_get_matches_from_mut(env::args_os());
        match matches.and_then(|mut matches| Self::from_arg_matches_mut(&mut matches)) {
            Ok(arguments) => Parsed::Arguments(arguments),
            Err(mut error) => {
                command.build();
                improve(&mut error, &mut named_command(command));
                Parsed::Answered(answer(&error, &steering))
            }
        }
    }
}

/// The command that the arguments name, as far as they name one.
fn named_command(mut command: Command) -> Command {
    let mut names = env::args_os().skip(1);
    while let Some(named) = names.next().and_then(|name| command.find_subcommand(name)) {
        command = named.clone();
    }
    command
}

/// Gives an error about the arguments of `command` what clap leaves out or gets wrong: a usage without
/// the options whose variables happen to be set, and a suggestion for a short word with two letters
/// exchanged, which clap does not find close to any other.
fn improve(error: &mut Error, command: &mut Command) {
    if error.get(ContextKind::Usage).is_some() {
        let usage = ContextValue::StyledStr(command.render_usage());
        error.insert(ContextKind::Usage, usage);
    }
    if let (Some(ContextValue::String(name)), None) = (
        error.get(ContextKind::InvalidSubcommand),
        error.get(ContextKind::SuggestedSubcommand),
    ) {
        let known = command.get_subcommands().filter(|it| !it.is_hide_set());
        if let Some(close) = suggestion(name, known.map(Command::get_name)) {
            let close = ContextValue::Strings(vec![close.to_owned()]);
            error.insert(ContextKind::SuggestedSubcommand, close);
        }
    }
    if let (Some(ContextValue::String(option)), None) = (
        error.get(ContextKind::InvalidArg),
        error.get(ContextKind::SuggestedArg),
    ) && let (ErrorKind::UnknownArgument, Some(name)) = (error.kind(), option.strip_prefix("--"))
    {
        let known = command.get_arguments().filter(|it| !it.is_hide_set());
        if let Some(close) = suggestion(name, known.filter_map(Arg::get_long)) {
            let close = ContextValue::String(format!("--{close}"));
            error.insert(ContextKind::SuggestedArg, close);
            // It offers to take the option as the name of a file.
            error.remove(ContextKind::Suggested);
        }
    }
}

/// A variable that is empty is one that is not set.
fn without_empty_variables(command: Command) -> Command {
    let is_empty = |name: &OsStr| env::var_os(name).is_some_and(|value| value.is_empty());
    let command = command.mut_args(|arg| {
        if arg.get_env().is_some_and(is_empty) {
            arg.env(None::<&'static str>)
        } else {
            arg
        }
    });
    command.mut_subcommands(without_empty_variables)
}

/// The arguments, and variables that stand for one, that would steer a terminal.
fn steering_texts() -> Vec<String> {
    let ours = env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ASSAY_"));
    let texts = env::args_os().chain(ours.map(|(_, value)| value));
    let texts = texts.map(|text| text.to_string_lossy().into_owned());
    texts
        .filter(|text| text.contains(steers_terminal))
        .collect()
}

/// The message with the texts that it quotes each on its line.
fn on_their_lines(message: &str, quoted: &[String]) -> String {
    let is_seen = |text: &&String| !text.trim().is_empty();
    let quoted = quoted.iter().filter(is_seen);
    quoted.fold(message.to_owned(), |message, text| {
        message.replace(text, &printable_line(text))
    })
}

/// Prints help on standard output and errors on standard error.
fn answer(error: &Error, steering: &[String]) -> Result<ExitCode, CliError> {
    let text = error.render();
    let coloured = text.ansi().to_string();
    let is_plain = !steering.is_empty();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            if is_plain || !terminal::output_has_colours() {
                terminal::print(&text.to_string())?;
            } else {
                terminal::print_bytes(coloured.as_bytes())?;
            }
        }
        _ if is_plain => terminal::say(on_their_lines(&coloured, steering).trim_end()),
        _ if terminal::has_colours() => terminal::say_coloured(coloured.trim_end()),
        _ => terminal::say(text.to_string().trim_end()),
    }
    let code = u8::try_from(error.exit_code()).unwrap_or(u8::MAX);
    Ok(ExitCode::from(code))
}
