//! Groups of options that several verbs share.

pub(crate) mod compute;
pub(crate) mod plan;
pub(crate) mod remote;
pub(crate) mod search;
pub(crate) mod user;

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use assay_audit::Index;
use assay_store::{Retention, Store, StoreError};
use clap::Args;

use crate::error::CliError;

/// Which store.
#[derive(Args, Clone, Debug)]
pub(crate) struct StoreArguments {
    /// The store of results
    #[arg(
        long = "store",
        value_name = "DIR",
        env = "ASSAY_STORE",
        default_value = "artifacts"
    )]
    pub(crate) path: PathBuf,
}

impl StoreArguments {
    /// Opens the store, which must be there already.
    pub(crate) fn open_existing(&self) -> Result<Store, StoreError> {
        Store::open_existing(&self.path)
    }
}

/// Where things are.
#[derive(Args, Clone, Debug)]
pub(crate) struct Places {
    #[command(flatten)]
    pub(crate) store: StoreArguments,

    /// A folder with datasets, tried before anything is downloaded
    #[arg(long, value_name = "DIR", env = "ASSAY_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

/// More jobs than anybody means.
pub(crate) const MOST_JOBS: i64 = 1024;

pub(crate) fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// How long a collection keeps results that no run names, unless it is told otherwise.
pub(crate) const GRACE: Duration = Duration::from_hours(7 * 24);

/// What a collection that begins now keeps.
pub(crate) fn retention(keep_last: Option<usize>, grace: Duration) -> Retention {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    Retention {
        keep_last,
        grace,
        now_ms: now.unwrap_or_default().as_millis() as u64,
    }
}

/// Says in help what can be named.
pub(crate) const NAMES: &str = "\
A NAME is a hash, the beginning of one (4 digits at least), the name of a pipeline, which stands for
its latest run, or `latest`. `:STAGE` names a stage of a run, `:FILE` a file of what it gave:
`quickstart:report:table.md`.";

/// The index of the store's documents, from the store's cache where that is possible. Its memory is
/// never given back: the program ends with it, and taking a large index apart takes as long as a
/// part of reading it.
pub(crate) fn remembered_index(store: &Store) -> Result<&'static Index, CliError> {
    Ok(Box::leak(Box::new(Index::read_cached(store)?)))
}
