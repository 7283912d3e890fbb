//! The speed of the plugins' training, beside `PyTorch`'s in the same run: `scripts/bench train`.
//!
//! It decides what is measured and in which order; each thing measured is a process of its own.
//! docs/performance.md says what the numbers mean.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod arguments;
mod contestant;
mod measure;
mod networks;
mod parquet_file;
mod row;
mod text;
mod worker;

// Support code of the tests; the worker needs the host's side of the boundary.
#[path = "../../rules/support/mod.rs"]
mod support;

use std::error::Error;

use clap::Parser;

use arguments::{Arguments, Command};
use contestant::Contestant;
use measure::{Effort, Measured, measure};
use networks::NamedNetwork;
use row::{Machine, rows};

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    match &arguments.command {
        Some(Command::Worker { work }) => worker::run(work),
        None => compare(&arguments),
    }
}

fn compare(arguments: &Arguments) -> Result<(), Failure> {
    let machine = Machine::read();
    let mut all = Vec::new();
    for network in &arguments.networks()? {
        let flop = network.backpropagation_flop();
        for &threads in &arguments.threads {
            let measured = measure_network(arguments, network, threads)?;
            all.extend(rows(network, flop, threads, &measured, &machine));
        }
    }
    // Before anything is printed: a pipe that was closed must not cost the measurement.
    if let Some(path) = &arguments.out {
        parquet_file::write(path, &all)?;
    }
    println!("{machine}\n\n{}", text::table(&all, arguments.markdown));
    Ok(())
}

fn measure_network(
    arguments: &Arguments,
    network: &NamedNetwork,
    threads: u32,
) -> Result<Vec<Measured>, Failure> {
    eprintln!("{}, {threads} thread(s)", network.name);
    let effort = if arguments.quick {
        Effort::QUICK
    } else {
        Effort::thorough(arguments.rounds)
    };
    let contestants = contestants(arguments, network);
    if !network.is_large() {
        return measure(network, threads, &contestants, effort);
    }
    let mut measured = Vec::new();
    for contestant in contestants {
        measured.extend(measure(network, threads, &[contestant], effort)?);
    }
    Ok(measured)
}

/// Our algorithms, then whatever `PyTorch` has for the network.
fn contestants(arguments: &Arguments, network: &NamedNetwork) -> Vec<Contestant> {
    let ours = arguments.algorithms().into_iter();
    let mut contestants: Vec<_> = ours.map(Contestant::Plugin).collect();
    if let Some(python) = &arguments.python {
        let idioms = network.idioms().iter().map(|idiom| Contestant::PyTorch {
            python: python.clone(),
            idiom,
        });
        contestants.extend(idioms);
    }
    contestants
}
