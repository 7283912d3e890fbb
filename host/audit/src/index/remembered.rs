//! What earlier processes read of a store's documents, kept in its cache. A document is named by
//! what it says, so what was once read of one stays true; only which of them there are has to be
//! looked at again. All of it can be lost at any moment, and none is believed about a document
//! that could not be read.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::thread;

use assay_core::{ActionKey, Artifact, ArtifactHash, Run, RunHash};
use assay_store::{Record, Stamp, Store};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{ActionSummary, Index};

/// The name in the cache, with the version of what is written under it.
const NAME: &str = "index-1";

/// The documents that were read before.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    pub(super) runs: BTreeMap<RunHash, Run>,
    pub(super) actions: BTreeMap<ActionKey, RememberedAction>,
    pub(super) artifacts: BTreeMap<ArtifactHash, Artifact>,
}

#[derive(Debug, Deserialize)]
pub(super) struct RememberedAction {
    pub(super) document: Option<ActionSummary>,
    /// The stamp of the folder of its records when they were read.
    pub(super) folder: Option<Stamp>,
    pub(super) results: Vec<Record>,
}

#[derive(Serialize)]
struct BorrowedAction<'a> {
    document: Option<&'a ActionSummary>,
    folder: Option<&'a Stamp>,
    results: &'a [Record],
}

impl Remembered {
    /// What the store's cache holds; nothing if it cannot be read.
    pub(super) fn read(store: &Store) -> Self {
        let bytes = store.remembered(NAME).unwrap_or_default();
        let mut lines = bytes.split(|byte| *byte == b'\n');
        let (Some(runs), Some(actions), Some(artifacts)) =
            (lines.next(), lines.next(), lines.next())
        else {
            return Self::default();
        };
        // Half of a large index is artifacts, and half is actions.
        thread::scope(|scope| {
            let parse = thread::Builder::new().spawn_scoped(scope, || parse(artifacts));
            let (runs, actions) = (self::parse(runs), self::parse(actions));
            let artifacts = match parse {
                Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
                Err(_) => self::parse(artifacts),
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
        let runs: BTreeMap<_, _> = index
            .runs
            .iter()
            .map(|(hash, it)| (hash, &it.run))
            .collect();
        let actions = index.actions.iter().map(|(key, entry)| {
            let action = BorrowedAction {
                document: entry.document.as_ref(),
                folder: folders.get(key),
                results: &entry.results,
            };
            (key, action)
        });
        let actions: BTreeMap<_, _> = actions.collect();
        let lines = [
            serde_json::to_vec(&runs),
            serde_json::to_vec(&actions),
            serde_json::to_vec(&index.artifacts),
        ];
        if let Ok(lines) = lines.into_iter().collect::<Result<Vec<_>, _>>() {
            let _ = store.remember(NAME, &lines.join(&b'\n'));
        }
    }
}

fn parse<T: DeserializeOwned + Default>(line: &[u8]) -> T {
    serde_json::from_slice(line).unwrap_or_default()
}
