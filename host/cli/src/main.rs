//! The binary `pipeline`.
//!
//! Arguments come in, one module per verb acts on them, and [`show`] is the only place where
//! results and errors become words.

mod arguments;
mod command;
mod error;
mod export;
mod interrupt;
mod scaffold;
mod show;
mod signing;
mod terminal;

use std::process::ExitCode;

use crate::arguments::{Arguments, DataVerb, Parsed, Verb};
use crate::error::CliError;

fn main() -> ExitCode {
    interrupt::outlive_file_limits();
    let ended = match Arguments::from_command_line() {
        Parsed::Arguments(arguments) => run(&arguments.verb),
        Parsed::Answered(ended) => ended,
    };
    ended.unwrap_or_else(|error| {
        show::error::print(&error);
        ExitCode::from(error.exit_code())
    })
}

fn run(verb: &Verb) -> Result<ExitCode, CliError> {
    // A worker and a probe are stopped by the process that started them, and contain themselves while
    // they have one thread.
    let cancel = match verb {
        Verb::Probe(_) => interrupt::leave_to_parent(),
        Verb::Exec(exec) if exec.scratch.is_some() => interrupt::leave_to_parent(),
        _ => interrupt::listen()?,
    };
    match verb {
        Verb::Run(run) => command::run::run(run, cancel),
        Verb::Status(status) => command::status::status(status, cancel),
        Verb::Why(why) => command::why::why(why, cancel),
        Verb::Exec(exec) => command::exec::exec(exec, cancel),
        Verb::Probe(question) => Ok(command::probe::probe(question)),
        Verb::Diff(diff) => command::diff::run(diff),
        Verb::Show(show) => command::show::run(show),
        Verb::Cat(cat) => command::cat::run(cat),
        Verb::Ls(ls) => command::ls::run(ls),
        Verb::Lineage(lineage) => command::lineage::run(lineage),
        Verb::Audit(audit) => command::audit::run(audit, cancel),
        Verb::Gc(gc) => command::keep::gc(gc),
        Verb::Pin(pin) => command::keep::pin(pin),
        Verb::Unpin(unpin) => command::keep::unpin(unpin),
        Verb::Data(DataVerb::Show(show)) => command::data::show(show, cancel),
        Verb::Plugin(verb) => command::plugin::run(verb, cancel),
        Verb::Network(verb) => command::network::run(verb),
        Verb::Doctor(doctor) => command::doctor::doctor(doctor, cancel),
        Verb::Bundle(bundle) => command::bundle::bundle(bundle, cancel),
        Verb::Unbundle(unbundle) => command::bundle::unbundle(unbundle, cancel),
    }
}
