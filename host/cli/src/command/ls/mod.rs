//! `pipeline ls`: what a store holds, and what takes space in it.

mod rows;

use std::process::ExitCode;

use assay_audit::{Census, Index};
use assay_core::{ActionKey, ArtifactHash, ObjectHash, PluginPin, RunHash};
use assay_store::Store;

use super::remembered_index;
use crate::arguments::{Listed, LsArguments};
use crate::error::CliError;
use crate::show;

/// What is listed.
pub(crate) struct Listing<'a> {
    pub(crate) index: &'a Index,
    pub(crate) rows: Rows,
    /// How many more there are.
    pub(crate) more: usize,
    /// What the store holds in all.
    pub(crate) census: Census,
    pub(crate) store: &'a Store,
}

/// The things that are listed, each with its size in bytes.
pub(crate) enum Rows {
    Runs(Vec<(RunHash, u64)>),
    Actions(Vec<(ActionKey, u64)>),
    Artifacts(Vec<(ArtifactHash, u64)>),
    Datasets(Vec<ListedDataset>),
    Plugins(Vec<ListedPlugin>),
    Objects(Vec<(ObjectHash, u64)>),
}

/// A dataset that was prepared.
pub(crate) struct ListedDataset {
    pub(crate) action: ActionKey,
    /// Its source, as the action has it.
    pub(crate) source: Option<serde_json::Value>,
    pub(crate) artifact: Option<ArtifactHash>,
    pub(crate) size: u64,
}

/// A plugin's library.
pub(crate) struct ListedPlugin {
    pub(crate) pin: PluginPin,
    /// Whether the library is in the store, and its size.
    pub(crate) size: Option<u64>,
    /// The actions that use it.
    pub(crate) actions: usize,
    /// When one of them last began, in milliseconds since 1970.
    pub(crate) last_ms: Option<u64>,
}

pub(crate) fn run(arguments: &LsArguments) -> Result<ExitCode, CliError> {
    let store = arguments.store.open_existing()?;
    let index = remembered_index(&store)?;
    let (by_size, most) = (arguments.size, arguments.most());
    let (rows, more) = match arguments.what {
        Listed::Runs => {
            let runs = rows::runs(index, arguments.pipeline.as_deref(), by_size);
            limited(runs, most, Rows::Runs)
        }
        Listed::Actions => limited(rows::actions(index, by_size), most, Rows::Actions),
        Listed::Artifacts => limited(rows::artifacts(index, by_size), most, Rows::Artifacts),
        Listed::Datasets => {
            let datasets = rows::datasets(&store, index, by_size);
            limited(datasets, most, Rows::Datasets)
        }
        Listed::Plugins => limited(rows::plugins(&store, index, by_size)?, most, Rows::Plugins),
        Listed::Objects => limited(rows::objects(&store, by_size)?, most, Rows::Objects),
    };
    let listing = Listing {
        index,
        rows,
        more,
        census: Census::take(&store)?,
        store: &store,
    };
    show::print(&if arguments.json {
        show::ls::json(&listing)
    } else {
        show::ls::text(&listing)
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The first rows, and how many more there are.
fn limited<T>(mut rows: Vec<T>, most: usize, kind: impl Fn(Vec<T>) -> Rows) -> (Rows, usize) {
    let more = rows.len().saturating_sub(most);
    rows.truncate(most);
    (kind(rows), more)
}
