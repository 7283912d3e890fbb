//! `pipeline worker`: executes the actions that another process of this program hands over.

use std::path::PathBuf;

use assay_core::{Limits, parse_memory};
use assay_engine::{WorkerArguments, run_worker};
use clap::Args;

#[derive(Args, Debug)]
pub(crate) struct WorkerVerb {
    /// The store of the actions
    #[arg(long)]
    store: PathBuf,

    /// The folder with the datasets of the user
    #[arg(long)]
    data_dir: Option<PathBuf>,

    /// Processors for what decides nothing
    #[arg(long)]
    threads: usize,

    /// The process that started it, which it does not outlive
    #[arg(long, value_name = "PID")]
    supervisor: u32,

    /// Memory that the worker may hold
    #[arg(long, value_parser = parse_memory)]
    memory: Option<u64>,

    /// The actions are portable and compute on a card
    #[arg(long)]
    on_card: bool,

    /// The actions, for those who look at the list of processes
    #[arg(value_name = "KEY")]
    _keys: Vec<String>,
}

pub(crate) fn worker(worker: &WorkerVerb) -> ! {
    run_worker(&WorkerArguments {
        supervisor: worker.supervisor,
        store: worker.store.clone(),
        data_dir: worker.data_dir.clone(),
        threads: worker.threads,
        limits: Limits {
            memory: worker.memory,
            time_ms: None,
        },
        on_card: worker.on_card,
    })
}
