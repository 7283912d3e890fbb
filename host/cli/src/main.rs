//! The binary `pipeline`.
//!
//! Arguments come in, one module per verb acts on them, and [`show`] is the only place where
//! results and errors become words.

mod arguments;
mod command;
mod error;
mod export;
mod scaffold;
mod show;
mod signing;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, DataVerb, Verb};

fn main() -> ExitCode {
    command::outlive_file_limits();
    let ended = match Arguments::parse().verb {
        Verb::Run(run) => command::run::run(&run),
        Verb::Status(status) => command::status::status(&status),
        Verb::Why(why) => command::why::why(&why),
        Verb::Exec(exec) => command::exec::exec(&exec),
        Verb::Diff(diff) => command::diff::run(&diff),
        Verb::Show(show) => command::show::run(&show),
        Verb::Cat(cat) => command::cat::run(&cat),
        Verb::Ls(ls) => command::ls::run(&ls),
        Verb::Lineage(lineage) => command::lineage::run(&lineage),
        Verb::Audit(audit) => command::audit::run(&audit),
        Verb::Gc(gc) => command::keep::gc(&gc),
        Verb::Pin(pin) => command::keep::pin(&pin),
        Verb::Unpin(unpin) => command::keep::unpin(&unpin),
        Verb::Data(DataVerb::Show(show)) => command::data::show(&show),
        Verb::Plugin(verb) => command::plugin::run(&verb),
        Verb::Network(verb) => command::network::run(&verb),
        Verb::Bundle(bundle) => command::bundle::bundle(&bundle),
        Verb::Unbundle(unbundle) => command::bundle::unbundle(&unbundle),
    };
    ended.unwrap_or_else(|error| {
        show::error::print(&error);
        ExitCode::from(error.exit_code())
    })
}
