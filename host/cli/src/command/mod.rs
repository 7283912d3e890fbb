//! The verbs.

pub(crate) mod audit;
pub(crate) mod bundle;
pub(crate) mod cat;
pub(crate) mod data;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod exec;
pub(crate) mod keep;
pub(crate) mod lineage;
pub(crate) mod ls;
pub(crate) mod network;
pub(crate) mod plugin;
pub(crate) mod probe;
pub(crate) mod rerun;
pub(crate) mod run;
pub(crate) mod show;
pub(crate) mod status;
pub(crate) mod why;

use assay_audit::Index;
use assay_store::Store;

use crate::error::CliError;

/// What the documents of the store say, from memory where that is possible. It is never given back:
/// the program ends with it, and taking a large index apart takes as long as a part of reading it.
fn remembered_index(store: &Store) -> Result<&'static Index, CliError> {
    Ok(Box::leak(Box::new(Index::read_cached(store)?)))
}
