//! Results of a plan's actions as an earlier process found them. As long as the entries of their files are the same,
//! none of these is opened again. The answers are those of [`Store::cached`].

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use assay_core::graph::Node;
use assay_core::{ActionKey, ActionResult, ObjectHash, Record};
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::index::ResultForm;
use crate::result::Intact;
use crate::stamp::Stamp;
use crate::store::Store;

/// The beginning of the names in the cache, with the version of the form of what is kept under them.
const NAME: &str = "results-1";

/// The results of one plan, as known to one process.
#[derive(Debug)]
pub struct KnownResults {
    store: Store,
    /// The name in the cache, unless nothing is to be kept.
    name: Option<String>,
    known: BTreeMap<ActionKey, Known>,
    learnt: Mutex<BTreeMap<ActionKey, Known>>,
}

/// The first result of an action. It is that until one of the stamps, or of the sizes of the artifact's files, is another.
#[derive(Debug, Serialize, Deserialize)]
struct Known {
    /// The name of the record.
    name: ObjectHash,
    #[serde(with = "ResultForm")]
    result: ActionResult,
    /// The objects of the artifact's files, and their sizes in bytes.
    files: Vec<(ObjectHash, u64)>,
    /// The folder of the action's records, the record, and the artifact's manifest.
    stamps: [Stamp; 3],
}

impl Store {
    /// The results that the last run of the plan of this name left, or of none.
    pub fn known_results(&self, plan: Option<&str>) -> KnownResults {
        let name = plan.map(|plan| format!("{NAME}-{}", ObjectHash::of(plan.as_bytes()).short()));
        let kept = name.as_ref().and_then(|name| self.remembered(name));
        let known = kept.and_then(|bytes| postcard::from_bytes(&bytes).ok());
        KnownResults {
            store: self.clone(),
            name,
            known: known.unwrap_or_default(),
            learnt: Mutex::default(),
        }
    }
}

impl KnownResults {
    /// The same as [`Store::cached`].
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn cached(&self, key: ActionKey) -> Result<Option<ActionResult>, StoreError> {
        let guard = self.store.hold()?;
        if let Some(known) = self.known.get(&key)
            && self.holds(key, known)?
        {
            self.store.note(&guard, Node::Action(key));
            return Ok(Some(known.result.clone()));
        }
        // A file that changes after this does not count as settled.
        let now = SystemTime::now();
        let Some(Intact { record, is_first }) = self.store.first_intact(key)? else {
            return Ok(None);
        };
        if is_first && self.name.is_some() {
            self.learn(&record, now)?;
        }
        Ok(Some(record.1))
    }

    /// The stamps of the folder of an action's records, of a record, and of its artifact's manifest.
    fn stamps(
        &self,
        name: ObjectHash,
        result: &ActionResult,
    ) -> Result<[Option<Stamp>; 3], StoreError> {
        Ok([
            self.store.record_folder_stamp(result.action)?,
            self.store.record_stamp(result.action, name)?,
            self.store.object_stamp(result.artifact.into())?,
        ])
    }

    /// True if the store is as it was when this was learnt.
    fn holds(&self, key: ActionKey, known: &Known) -> Result<bool, StoreError> {
        let stamps = self.stamps(known.name, &known.result)?;
        let mut stamps = stamps.iter().zip(&known.stamps);
        Ok(known.result.action == key
            && stamps.all(|(now, then)| now.as_ref() == Some(then))
            && self
                .store
                .first_absent(known.files.iter().copied())?
                .is_none())
    }

    /// Takes down a record that was read after `now`, unless it may change and look the same.
    fn learn(&self, (name, result): &Record, now: SystemTime) -> Result<(), StoreError> {
        let stamps = self.stamps(*name, result)?;
        let stamps = stamps.map(|stamp| stamp.filter(|stamp| stamp.is_settled(now)));
        let [Some(folder), Some(record), Some(manifest)] = stamps else {
            return Ok(());
        };
        let artifact = self.store.artifact(result.artifact)?;
        let known = Known {
            name: *name,
            result: result.clone(),
            files: artifact.objects().collect(),
            stamps: [folder, record, manifest],
        };
        let learnt = self.learnt.lock();
        let mut learnt = learnt.unwrap_or_else(PoisonError::into_inner);
        learnt.insert(result.action, known);
        Ok(())
    }

    /// Keeps what is known of these actions for the next process, if anything was learnt. Of two processes that do
    /// so, the last wins. Where the store cannot be written, nothing is lost but time.
    pub fn save(self, keys: impl IntoIterator<Item = ActionKey>) {
        let Self {
            store,
            name,
            mut known,
            learnt,
        } = self;
        let mut learnt = learnt.into_inner().unwrap_or_else(PoisonError::into_inner);
        let Some(name) = name.filter(|_| !learnt.is_empty()) else {
            return;
        };
        let kept = keys.into_iter().filter_map(|key| {
            let known = learnt.remove(&key).or_else(|| known.remove(&key))?;
            Some((key, known))
        });
        let kept: BTreeMap<_, _> = kept.collect();
        if let Ok(bytes) = postcard::to_allocvec(&kept) {
            let _ = store.remember(&name, &bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The name in the cache carries the version of the form: a change of it needs another number there.
    #[test]
    fn the_form_is_the_one_that_the_name_stands_for() {
        let stamp = Stamp {
            device: 1,
            inode: 2,
            size: 300,
            modified: (4, 5),
            changed: (6, 7),
        };
        let [action, artifact, name] = [1, 2, 3].map(|byte| ObjectHash::from_bytes([byte; 32]));
        let result = json!({
            "action": action, "artifact": artifact, "started_ms": 1, "duration_ms": 2, "peak_memory": 3,
            "host": "here", "version": "0.1.0", "log": name, "epoch_ms": [1, 2],
        });
        let known = Known {
            name,
            result: serde_json::from_value(result).unwrap(),
            files: vec![(artifact, 8)],
            stamps: [stamp.clone(), stamp.clone(), stamp],
        };
        let form = ObjectHash::of(&postcard::to_allocvec(&known).unwrap());
        assert_eq!(form.short(), "672ab8ba85a8");
    }
}
