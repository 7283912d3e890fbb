//! Single actions and results at a remote, without a run that names them: an action that is to be executed
//! somewhere else, with everything that it reads, and the results of actions.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::time::Duration;

use assay_bundle::{BundleFile, Received};
use assay_core::{
    Action, ActionKey, ActionResult, ArtifactHash, ObjectHash, Record, canonical_json,
};
use assay_store::{DOCUMENT_LIMIT, Store, StoreError};
use futures_util::{StreamExt, TryStreamExt};

use crate::error::RemoteError;
use crate::place::Remote;
use crate::transfer::{Source, TOGETHER};

/// The most bytes of the documents of one action.
const MOST_DOCUMENTS: u64 = 64 << 20;
/// The most bytes of a log.
const LARGEST_LOG: u64 = 16 << 20;
/// The most bytes of a plugin's library.
const LARGEST_LIBRARY: u64 = 4 << 30;
/// The results of an action that are looked at.
const MOST_RESULTS: usize = 16;

/// The objects that a remote was seen to have.
pub type Seen = BTreeSet<ObjectHash>;

/// The belief in files that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Belief {
    /// One that has the right size is believed to have the right bytes.
    Size,
    /// Whatever is there is written again, since something there was found damaged.
    Nothing,
}

impl Remote {
    /// Writes actions with the artifacts that they read and their plugins' libraries; the actions go last. What
    /// was `seen` there is not asked for again.
    ///
    /// # Errors
    /// The store lacks something of it, or the remote cannot be written.
    pub fn send_actions(
        &self,
        store: &Store,
        keys: &[ActionKey],
        belief: Belief,
        seen: &mut Seen,
    ) -> Result<(), RemoteError> {
        let (mut inputs, mut objects) = (BTreeSet::new(), Vec::<ObjectHash>::new());
        for &key in keys {
            let action = store.action(key)?;
            inputs.extend(action.inputs.into_values());
            objects.extend(action.plugin.map(|plugin| ObjectHash::from(plugin.hash)));
        }
        for &artifact in &inputs {
            objects.extend(objects_of(store, artifact)?);
        }
        let inputs = inputs.into_iter().map(ObjectHash::from).collect();
        let actions = keys.iter().map(|&key| key.into()).collect();
        self.runtime.block_on(async {
            for objects in [objects, inputs, actions] {
                self.send_objects(store, objects, belief, seen).await?;
            }
            Ok(())
        })
    }

    /// Writes a result with its artifact and log; its record goes last.
    ///
    /// # Errors
    /// As [`Remote::send_actions`].
    pub fn send_result(
        &self,
        store: &Store,
        result: &ActionResult,
        belief: Belief,
        seen: &mut Seen,
    ) -> Result<(), RemoteError> {
        let mut objects = objects_of(store, result.artifact)?;
        objects.extend(result.log);
        let bytes = canonical_json(result).map_err(StoreError::canonical("result"))?;
        let record = BundleFile::Record {
            action: result.action,
            record: ObjectHash::of(&bytes),
        };
        self.runtime.block_on(async {
            for objects in [objects, vec![result.artifact.into()]] {
                self.send_objects(store, objects, belief, seen).await?;
            }
            self.send(&record.name(), Source::Bytes(bytes), None, &|_| Ok(()))
                .await
        })
    }

    async fn send_objects(
        &self,
        store: &Store,
        objects: Vec<ObjectHash>,
        belief: Belief,
        seen: &mut Seen,
    ) -> Result<(), RemoteError> {
        let objects: BTreeSet<_> = objects
            .into_iter()
            .filter(|object| belief == Belief::Nothing || !seen.contains(object))
            .collect();
        let sent = objects.iter().map(|&object| async move {
            let name = BundleFile::Object(object).name();
            let reader = store.reader(object)?;
            let there = self.size(&name).await?;
            if there != Some(reader.size()) || belief == Belief::Nothing {
                let source = Source::Object(Box::new(reader));
                self.send(&name, source, there, &|_| Ok(())).await?;
            }
            Ok::<_, RemoteError>(())
        });
        let sent = futures_util::stream::iter(sent).buffer_unordered(TOGETHER);
        sent.try_collect::<()>().await?;
        seen.extend(objects);
        Ok(())
    }

    /// Takes an action with everything that it reads into the store.
    ///
    /// # Errors
    /// Something is missing there or is not what it should be, or the store cannot be written.
    pub fn take_action(
        &self,
        store: &Store,
        key: ActionKey,
        max_size: u64,
    ) -> Result<Action, RemoteError> {
        self.runtime.block_on(async {
            let memory = Cell::new(MOST_DOCUMENTS);
            let name = BundleFile::Object(key.into()).name();
            let bytes = self.read_checked(&name, key.into(), &memory).await?;
            let action = Received::action(key, &bytes)?;
            let room = Cell::new(max_size);
            for &artifact in action.inputs.values() {
                self.take_artifact(store, artifact, &memory, &room).await?;
            }
            if let Some(plugin) = &action.plugin {
                self.take_object(store, plugin.hash.into(), LARGEST_LIBRARY)
                    .await?;
            }
            store.put_action(&action)?;
            Ok(action)
        })
    }

    /// The results that the remote has of these actions; one that is no result of its action is passed over.
    ///
    /// # Errors
    /// The remote cannot be asked.
    pub fn results(&self, actions: &[ActionKey]) -> Result<Vec<Record>, RemoteError> {
        self.runtime.block_on(self.find_results(actions))
    }

    /// As [`Remote::results`], for whoever waits no longer than that.
    ///
    /// # Errors
    /// As [`Remote::results`], or the remote did not answer in time.
    pub fn results_within(
        &self,
        actions: &[ActionKey],
        patience: Duration,
    ) -> Result<Vec<Record>, RemoteError> {
        self.runtime.block_on(async {
            let found = tokio::time::timeout(patience, self.find_results(actions));
            found.await.unwrap_or_else(|_| {
                Err(RemoteError::Slow {
                    place: self.place.to_string(),
                    patience,
                })
            })
        })
    }

    async fn find_results(&self, actions: &[ActionKey]) -> Result<Vec<Record>, RemoteError> {
        let found = actions.iter().map(|&action| async move {
            let mut records = Vec::new();
            let listed = self.list(&BundleFile::folder_of_records(action)).await?;
            for (name, _) in listed.iter().take(MOST_RESULTS) {
                let Some(BundleFile::Record { record, .. }) = BundleFile::parse(name) else {
                    continue;
                };
                let memory = Cell::new(DOCUMENT_LIMIT);
                match self.read_checked(name, record, &memory).await {
                    Ok(bytes) => records.extend(Received::record(action, record, &bytes).ok()),
                    // Half written by somebody who does not rename, or gone since.
                    Err(RemoteError::Content { .. } | RemoteError::Damaged { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok::<_, RemoteError>(records)
        });
        let found = futures_util::stream::iter(found).buffered(TOGETHER);
        let found: Vec<_> = found.try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Takes a result that [`Remote::results`] found into the store, which has its action.
    ///
    /// # Errors
    /// As [`Remote::take_action`]; then the store has no such result.
    pub fn take_result(
        &self,
        store: &Store,
        result: &ActionResult,
        max_size: u64,
    ) -> Result<(), RemoteError> {
        self.runtime.block_on(async {
            let memory = Cell::new(MOST_DOCUMENTS);
            let room = Cell::new(max_size);
            self.take_artifact(store, result.artifact, &memory, &room)
                .await?;
            if let Some(log) = result.log {
                self.take_object(store, log, LARGEST_LOG).await?;
            }
            Ok::<_, RemoteError>(())
        })?;
        Ok(store.commit_result(result)?)
    }

    async fn take_artifact(
        &self,
        store: &Store,
        artifact: ArtifactHash,
        memory: &Cell<u64>,
        room: &Cell<u64>,
    ) -> Result<(), RemoteError> {
        let object = ObjectHash::from(artifact);
        let name = BundleFile::Object(object).name();
        let bytes = match store.read_limited(object, DOCUMENT_LIMIT) {
            Ok(bytes) => bytes,
            Err(error) if error.is_damage() => self.read_checked(&name, object, memory).await?,
            Err(error) => return Err(error.into()),
        };
        let manifest = Received::artifact(artifact, &bytes)?;
        let mut wanted = BTreeSet::new();
        for file in manifest.files.values() {
            if store.contains(file.object, file.size)? && store.claim(file.object)? {
                continue;
            }
            wanted.insert((file.object, file.size));
        }
        let size = wanted
            .iter()
            .fold(0_u64, |sum, (_, size)| sum.saturating_add(*size));
        let left = room.get().checked_sub(size);
        room.set(left.ok_or(RemoteError::TooLarge {
            size,
            limit: room.get(),
        })?);
        let fetched = wanted.into_iter().map(|(object, size)| async move {
            let name = BundleFile::Object(object).name();
            self.fetch(object, &name, size, store, &|_| Ok(())).await
        });
        let fetched = futures_util::stream::iter(fetched).buffer_unordered(TOGETHER);
        fetched.try_collect::<()>().await?;
        store.put_bytes(&bytes)?;
        Ok(())
    }

    /// Takes an object whose size no manifest says.
    async fn take_object(
        &self,
        store: &Store,
        object: ObjectHash,
        limit: u64,
    ) -> Result<(), RemoteError> {
        if store.claim(object)? {
            return Ok(());
        }
        let name = BundleFile::Object(object).name();
        let size = self.size(&name).await?;
        let size = size.ok_or_else(|| self.wrong(&name, "is not there"))?;
        if size > limit {
            return Err(self.wrong(&name, format!("has more than {limit} bytes")));
        }
        self.fetch(object, &name, size, store, &|_| Ok(())).await
    }
}

fn objects_of(store: &Store, artifact: ArtifactHash) -> Result<Vec<ObjectHash>, StoreError> {
    let files = store.artifact(artifact)?.files.into_values();
    Ok(files.map(|file| file.object).collect())
}
