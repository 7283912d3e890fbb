//! The verbs: one module each, with its arguments, its work, and how its answer is shown.

mod audit;
mod bundle;
mod cat;
mod compare;
mod completions;
mod data;
mod diff;
mod doctor;
mod exec;
mod export;
mod gc;
mod init;
mod lineage;
mod ls;
mod man;
mod network;
mod pin;
mod plan;
mod plugin;
mod probe;
mod pull;
mod push;
mod remote;
mod rm;
mod run;
mod schema;
mod show;
mod status;
mod watch;
mod why;
mod worker;

use std::process::ExitCode;

use clap::Subcommand;

use crate::error::CliError;
use crate::interrupt;
use audit::AuditArguments;
use bundle::BundleArguments;
use bundle::unbundle::{self, UnbundleArguments};
use cat::CatArguments;
use compare::CompareArguments;
use completions::CompletionsArguments;
use data::DataVerb;
use diff::DiffArguments;
use doctor::DoctorArguments;
use exec::ExecArguments;
use export::ExportArguments;
use gc::GcArguments;
use init::InitArguments;
use lineage::LineageArguments;
use ls::LsArguments;
use man::ManArguments;
use network::NetworkVerb;
use pin::{PinArguments, UnpinArguments};
use plan::PlanVerbArguments;
use plugin::PluginVerb;
use probe::ProbeVerb;
use pull::PullArguments;
use push::PushArguments;
use remote::RemoteVerb;
use rm::RmArguments;
use run::RunArguments;
use schema::SchemaArguments;
use show::ShowArguments;
use status::StatusArguments;
use watch::WatchArguments;
use why::WhyArguments;
use worker::WorkerVerb;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Write a small pipeline file to start from.
    Init(InitArguments),
    /// Run a pipeline file: train what is new, take the rest from the store, print the table.
    Run(Box<RunArguments>),
    /// Say which stages of a pipeline file are up to date; exit code 1 if any is not.
    Status(StatusArguments),
    /// Follow a run while it runs, from another terminal.
    Watch(WatchArguments),
    /// Write the plan of a pipeline file, with every stage's action, for other engines.
    Plan(PlanVerbArguments),
    /// Say why a stage is cached or not, back to the line that made it so.
    Why(WhyArguments),
    /// Execute one stored action, as a job of its own.
    Exec(ExecArguments),
    /// Ask the driver or its libraries, as a child of this program.
    #[command(hide = true, subcommand)]
    Probe(ProbeVerb),
    /// Execute actions, as a child of this program.
    #[command(hide = true)]
    Worker(WorkerVerb),
    /// Say what differs between two runs: parameters, plugins, environments, metrics.
    Diff(DiffArguments),
    /// Say whether one method is better than another, and how sure that is.
    Compare(CompareArguments),
    /// Write the trainings of runs as a table, or their curves for TensorBoard.
    Export(ExportArguments),
    /// Show what a hash or a name stands for: a run, a stage, a table, a network's weights.
    Show(ShowArguments),
    /// Write the bytes of something to standard output.
    Cat(CatArguments),
    /// List what the store holds: runs, what stages gave, plugins, and what takes space.
    Ls(LsArguments),
    /// Show what something was made from, down to the files that were downloaded, or into what.
    Lineage(LineageArguments),
    /// Check that everything in the store is what its name says, and what any damage affects.
    Audit(AuditArguments),
    /// Remove what no run, no pin and nobody at work needs any more.
    Gc(GcArguments),
    /// Forget runs, so that `pipeline gc` can remove what only they kept.
    Rm(RmArguments),
    /// Keep something, whatever `pipeline gc` is told; list what is kept.
    Pin(PinArguments),
    /// Remove a pin.
    Unpin(UnpinArguments),
    /// Look at datasets.
    #[command(subcommand)]
    Data(DataVerb),
    /// Write a plugin, and look at one's algorithms.
    #[command(subcommand)]
    Plugin(PluginVerb),
    /// Look at networks, without training anything.
    #[command(subcommand)]
    Network(NetworkVerb),
    /// Say what this machine offers for training, and what is missing.
    Doctor(DoctorArguments),
    /// Write a run, with everything that it rests on, to one file for someone else.
    Bundle(BundleArguments),
    /// Verify someone's bundle of a run, and take it into the store.
    Unbundle(UnbundleArguments),
    /// Write runs, with everything that they rest on, to a bucket or a shared folder.
    Push(PushArguments),
    /// Verify a run of a bucket or a shared folder, and take it into the store.
    Pull(PullArguments),
    /// Name buckets and shared folders, list their runs, and remove what nobody needs there.
    #[command(subcommand)]
    Remote(RemoteVerb),
    /// Print the JSON Schema of pipeline files, with which editors check and complete them.
    Schema(SchemaArguments),
    /// Print a script that has a shell complete verbs and options.
    Completions(CompletionsArguments),
    /// Print the manual page, or write the pages of all verbs to a folder.
    Man(ManArguments),
}

/// Does what the command line asks for.
pub(crate) fn run(verb: &Verb) -> Result<ExitCode, CliError> {
    // A worker and a probe are stopped by the process that started them, and contain themselves while
    // they have one thread.
    let cancel = match verb {
        Verb::Probe(_) | Verb::Worker(_) => interrupt::leave_to_parent(),
        _ => interrupt::listen()?,
    };
    match verb {
        Verb::Init(init) => init::run(init),
        Verb::Run(run) => run::run(run, cancel),
        Verb::Status(status) => status::status(status, cancel),
        Verb::Watch(watch) => watch::run(watch, cancel),
        Verb::Plan(plan) => plan::plan(plan, cancel),
        Verb::Why(why) => why::why(why, cancel),
        Verb::Exec(exec) => exec::exec(exec, cancel),
        Verb::Probe(question) => Ok(probe::probe(question)),
        Verb::Worker(worker) => worker::worker(worker),
        Verb::Diff(diff) => diff::run(diff),
        Verb::Compare(compare) => compare::run(compare),
        Verb::Export(export) => export::run(export),
        Verb::Show(show) => show::run(show),
        Verb::Cat(cat) => cat::run(cat),
        Verb::Ls(ls) => ls::run(ls),
        Verb::Lineage(lineage) => lineage::run(lineage),
        Verb::Audit(audit) => audit::run(audit, cancel),
        Verb::Gc(gc) => gc::gc(gc),
        Verb::Rm(rm) => rm::run(rm),
        Verb::Pin(pin) => pin::pin(pin),
        Verb::Unpin(unpin) => pin::unpin(unpin),
        Verb::Data(DataVerb::Show(show)) => data::show(show, cancel),
        Verb::Plugin(verb) => plugin::run(verb, cancel),
        Verb::Network(verb) => network::run(verb),
        Verb::Doctor(doctor) => doctor::doctor(doctor, cancel),
        Verb::Bundle(bundle) => bundle::run(bundle, cancel),
        Verb::Unbundle(unbundle) => unbundle::run(unbundle, cancel),
        Verb::Push(push) => push::run(push, cancel),
        Verb::Pull(pull) => pull::run(pull, cancel),
        Verb::Remote(verb) => remote::run(verb, cancel),
        Verb::Schema(SchemaArguments {}) => schema::run(),
        Verb::Completions(completions) => completions::run(completions),
        Verb::Man(man) => man::run(man),
    }
}
