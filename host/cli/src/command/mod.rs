//! The verbs.

pub(crate) mod audit;
pub(crate) mod bundle;
pub(crate) mod cat;
pub(crate) mod data;
pub(crate) mod diff;
pub(crate) mod exec;
pub(crate) mod keep;
pub(crate) mod lineage;
pub(crate) mod ls;
pub(crate) mod network;
pub(crate) mod plugin;
pub(crate) mod rerun;
pub(crate) mod run;
pub(crate) mod show;
pub(crate) mod status;
pub(crate) mod why;

use std::sync::Arc;
use std::thread;

use assay_audit::Index;
use assay_engine::Cancel;
use assay_store::Store;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

use crate::error::CliError;

/// Lets writes beyond the limit on the size of files (`ulimit -f`) fail as any other write does,
/// instead of ending the process without a word.
pub(crate) fn outlive_file_limits() {
    // Without it the system ends the process, which harms nothing but the words.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
}

/// Turns Ctrl-C, SIGTERM and a closed terminal into a request to stop: once gently, twice for
/// good.
fn cancel_on_signals() -> Result<Arc<Cancel>, CliError> {
    let cancel = Arc::new(Cancel::default());
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(CliError::Signals)?;
    let asked = Arc::clone(&cancel);
    thread::spawn(move || signals.forever().for_each(|_| asked.request()));
    Ok(cancel)
}

/// What the documents of the store say, from memory where that is possible. It is never given back:
/// the program ends with it, and taking a large index apart takes as long as a part of reading it.
fn remembered_index(store: &Store) -> Result<&'static Index, CliError> {
    Ok(Box::leak(Box::new(Index::read_cached(store)?)))
}
