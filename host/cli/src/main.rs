//! The binary `pipeline`.
//!
//! [`command_line`] reads the arguments, one module of [`commands`] for each verb acts on them, and
//! [`ui`] has what they share to talk to a person: the terminal, words, tables, progress and errors.

mod arguments;
mod command_line;
mod commands;
mod error;
#[cfg(test)]
mod examples;
mod export;
mod interrupt;
mod scaffold;
mod signing;
mod ui;

use std::process::ExitCode;

use crate::command_line::{Arguments, Parsed};

fn main() -> ExitCode {
    interrupt::outlive_file_limits();
    let ended = match Arguments::from_command_line() {
        Parsed::Arguments(arguments) => commands::run(&arguments.verb),
        Parsed::Answered(ended) => ended,
    };
    ended.unwrap_or_else(|error| {
        ui::error::print(&error);
        ExitCode::from(error.exit_code())
    })
}
