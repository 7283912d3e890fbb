//! Documents of a store that earlier processes read, kept in the store's cache. A document is named
//! by the hash of its content, so a cached one stays valid; only the list of documents has to be
//! read again. The cache can be lost at any moment, and nothing is kept of a document that could
//! not be read.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::thread;

use assay_core::ActionKey;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Index;
use super::packed::{Actions, Artifacts, PackedAction, Runs};
use crate::stamp::Stamp;
use crate::store::Store;

/// The names in the cache, with the version of the form of what is kept under them.
const RUNS: &str = "runs-2";
const ACTIONS: &str = "actions-7";
const ARTIFACTS: &str = "artifacts-1";

/// The documents that were read before.
#[derive(Debug, Default)]
pub(super) struct Cache {
    pub(super) runs: Runs,
    pub(super) actions: Actions,
    pub(super) artifacts: Artifacts,
}

impl Cache {
    /// Reads the store's cache; a part that cannot be read is empty.
    pub(super) fn read(store: &Store) -> Self {
        // Half of a large index is artifacts, and half is actions.
        thread::scope(|scope| {
            let artifacts = || read(store, ARTIFACTS);
            let aside = thread::Builder::new().spawn_scoped(scope, artifacts);
            let (runs, actions) = (read(store, RUNS), read(store, ACTIONS));
            let artifacts = match aside {
                Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
                Err(_) => artifacts(),
            };
            Self {
                runs,
                actions,
                artifacts,
            }
        })
    }

    /// Keeps the index for the next process. A store that cannot keep it is only slower.
    pub(super) fn write(store: &Store, index: &Index, folders: &BTreeMap<ActionKey, Stamp>) {
        let runs = index
            .runs()
            .iter()
            .map(|(run, it)| (*run, (&it.run).into()));
        let actions = index.actions().iter().map(|(key, entry)| {
            let action = PackedAction {
                document: entry.document.clone(),
                folder: folders.get(key).cloned(),
                results: entry.results.iter().map(Into::into).collect(),
            };
            (*key, action)
        });
        write(store, RUNS, &runs.collect::<Runs>());
        write(store, ACTIONS, &actions.collect::<Actions>());
        write(store, ARTIFACTS, index.artifacts());
    }
}

fn read<T: DeserializeOwned + Default>(store: &Store, name: &str) -> T {
    let bytes = store.remembered(name);
    bytes
        .and_then(|bytes| postcard::from_bytes(&bytes).ok())
        .unwrap_or_default()
}

fn write<T: Serialize>(store: &Store, name: &str, value: &T) {
    if let Ok(bytes) = postcard::to_allocvec(value) {
        let _ = store.remember(name, &bytes);
    }
}
