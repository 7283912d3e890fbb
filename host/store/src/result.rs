//! Results: one record for each execution of an action, and the question whether an action needs
//! to run at all. Records are only ever added, and only after everything they refer to.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use assay_core::graph::Node;
use assay_core::{ActionKey, ActionResult, ObjectHash, Record, canonical_json};
use rustix::fs::FileType;

use crate::disk;
use crate::document::DOCUMENT_LIMIT;
use crate::error::{StoreError, present, readable};
use crate::object::{sharded, sharded_name};
use crate::stamp::Stamp;
use crate::store::{Part, Store, persist};

/// The folder of an action's records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecordFolder {
    /// The action.
    pub(crate) action: ActionKey,
    /// Stamp of the folder, which changes when a record is added or removed; `None` if that may
    /// have happened just now.
    pub(crate) stamp: Option<Stamp>,
}

/// A record whose artifact is intact.
pub(crate) struct Intact {
    pub(crate) record: Record,
    /// True if none before it was passed over, which may become intact.
    pub(crate) is_first: bool,
}

impl Store {
    /// Records an execution of an action. Returns once the action, the artifact, the log and the
    /// record would all survive a power cut, in that order. Recording the same again changes
    /// nothing; another result of the action is kept beside it.
    ///
    /// # Errors
    /// The action, the log or part of the artifact is not in the store, or it cannot be written.
    pub fn commit_result(&self, result: &ActionResult) -> Result<(), StoreError> {
        let bytes = canonical_json(result).map_err(StoreError::canonical("result"))?;
        let guard = self.hold()?;
        self.note(&guard, Node::Action(result.action));
        let record = self.temporary(&bytes)?;
        let mut referenced = self.object_files(self.referenced(result)?);
        referenced.insert(record.path().to_owned());
        disk::sync(&Vec::from_iter(referenced))?;

        let path = self.record_path(result.action, ObjectHash::of(&bytes));
        persist(record, &path)?;
        // The two folders above the record's may be as new as the record.
        let folders = path.ancestors().skip(1).take(3).map(Path::to_owned);
        disk::sync(&folders.collect::<Vec<_>>())
    }

    /// Every object that the result says the store holds.
    fn referenced(&self, result: &ActionResult) -> Result<Vec<ObjectHash>, StoreError> {
        let absent = |object| StoreError::Incomplete {
            action: result.action,
            object,
        };
        let artifact = self.artifact(result.artifact)?;
        if let Some(object) = self.first_absent(artifact.objects())? {
            return Err(absent(object));
        }
        let mut objects = vec![result.artifact.into()];
        for object in [Some(result.action.into()), result.log]
            .into_iter()
            .flatten()
        {
            if !self.has_object(object)? {
                return Err(absent(object));
            }
            objects.push(object);
        }
        objects.extend(artifact.files.values().map(|file| file.object));
        Ok(objects)
    }

    /// All results of the action: the one that began first comes first, and results that began
    /// together come by the hash of their record.
    ///
    /// # Errors
    /// A record cannot be read, or is not a result of the action; the error names it.
    pub fn results(&self, key: ActionKey) -> Result<Vec<ActionResult>, StoreError> {
        let mut records = Vec::new();
        for record in self.records(key)? {
            records.push(record?);
        }
        let records = in_order(records).into_iter();
        Ok(records.map(|(_, result)| result).collect())
    }

    /// Every record of the action, in no order; one that cannot be read, or is not a result of
    /// the action, is an error of its own.
    ///
    /// # Errors
    /// The folder of its records cannot be read.
    pub fn records(&self, key: ActionKey) -> Result<Vec<Result<Record, StoreError>>, StoreError> {
        let paths = self.record_paths(key)?.into_iter();
        Ok(paths.map(|path| read_record(key, path)).collect())
    }

    /// The first result of the action, in the order of [`Store::results`], whose artifact is
    /// intact ([`Store::is_intact`]). Records that are damaged are passed over.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn cached(&self, key: ActionKey) -> Result<Option<ActionResult>, StoreError> {
        let found = self.first_intact(key)?;
        Ok(found.map(|found| found.record.1))
    }

    /// The record of [`Store::cached`].
    pub(crate) fn first_intact(&self, key: ActionKey) -> Result<Option<Intact>, StoreError> {
        let guard = self.hold()?;
        let (mut records, mut is_first) = (Vec::new(), true);
        for record in self.records(key)? {
            let record = readable(record)?;
            is_first &= record.is_some();
            records.extend(record);
        }
        for record in in_order(records) {
            if self.is_intact(record.1.artifact)? {
                self.note(&guard, Node::Action(key));
                return Ok(Some(Intact { record, is_first }));
            }
            is_first = false;
        }
        Ok(None)
    }

    /// The keys of all actions that have results, sorted.
    ///
    /// # Errors
    /// A folder cannot be read, or holds what is not an action's.
    pub fn action_keys(&self) -> Result<Vec<ActionKey>, StoreError> {
        let mut keys = Vec::new();
        for shard in disk::entries(&self.part(Part::Results))? {
            for folder in disk::entries(&shard)? {
                let key = parse_folder(&shard, &folder).ok_or_else(|| StoreError::Foreign {
                    path: folder.clone(),
                })?;
                // A process that died before its first record leaves an empty folder.
                if !disk::entries(&folder)?.is_empty() {
                    keys.push(key);
                }
            }
        }
        keys.sort_unstable();
        Ok(keys)
    }

    /// The folders of the records of all actions that may have results, in order.
    ///
    /// # Errors
    /// A folder cannot be read, or holds what is not an action's.
    pub(crate) fn record_folders(&self) -> Result<Vec<RecordFolder>, StoreError> {
        let now = SystemTime::now();
        let shards = disk::entries(&self.part(Part::Results))?;
        let folders = disk::side_by_side(&shards, |shard| record_folders(shard, now))?;
        let mut folders: Vec<_> = folders.into_iter().flatten().collect();
        folders.sort_unstable_by_key(|folder| folder.action);
        Ok(folders)
    }

    /// Where the record of the action with this name lies.
    pub fn record_path(&self, key: ActionKey, name: ObjectHash) -> PathBuf {
        self.part(Part::Results).join(record_path(key, name))
    }

    /// The bytes of a record of the action, checked against its name.
    ///
    /// # Errors
    /// There is no such record, or it is damaged.
    pub fn record_bytes(&self, key: ActionKey, name: ObjectHash) -> Result<Vec<u8>, StoreError> {
        let path = self.record_path(key, name);
        let bytes = disk::read(&path, DOCUMENT_LIMIT)?;
        if name == ObjectHash::of(&bytes) {
            Ok(bytes)
        } else {
            Err(StoreError::ForeignRecord { action: key, path })
        }
    }

    fn record_folder(&self, key: ActionKey) -> PathBuf {
        sharded(&self.part(Part::Results), &key.to_string())
    }

    /// The stamp of the folder of an action's records, unless there is none.
    pub(crate) fn record_folder_stamp(&self, key: ActionKey) -> Result<Option<Stamp>, StoreError> {
        let path = sharded_name(&key.to_string());
        self.stamp(Part::Results, &path, FileType::Directory)
    }

    /// The stamp of a record of an action, unless there is none.
    pub(crate) fn record_stamp(
        &self,
        key: ActionKey,
        name: ObjectHash,
    ) -> Result<Option<Stamp>, StoreError> {
        let path = record_path(key, name);
        self.stamp(Part::Results, &path, FileType::RegularFile)
    }

    pub(crate) fn record_paths(&self, key: ActionKey) -> Result<Vec<PathBuf>, StoreError> {
        let paths = present(disk::entries(&self.record_folder(key)))?;
        Ok(paths.unwrap_or_default())
    }
}

/// The path of a record of an action below the folder of all.
fn record_path(key: ActionKey, name: ObjectHash) -> String {
    let mut path = sharded_name(&key.to_string());
    path.push('/');
    path.push_str(&name.to_string());
    path.push_str(".json");
    path
}

/// Reads a record and checks that it is what its name and folder say.
pub(crate) fn read_record(key: ActionKey, path: PathBuf) -> Result<Record, StoreError> {
    let name = record_name(&path);
    let bytes = disk::read(&path, DOCUMENT_LIMIT)?;
    let Some(name) = name.filter(|name| *name == ObjectHash::of(&bytes)) else {
        return Err(StoreError::ForeignRecord { action: key, path });
    };
    match serde_json::from_slice::<ActionResult>(&bytes) {
        Ok(result) if result.action == key => Ok((name, result)),
        Ok(_) => Err(StoreError::ForeignRecord { action: key, path }),
        Err(source) => Err(StoreError::Document {
            what: "result",
            path,
            source,
        }),
    }
}

fn record_folders(shard: &Path, now: SystemTime) -> Result<Vec<RecordFolder>, StoreError> {
    let mut folders = Vec::new();
    disk::each_entry(shard, |folder, name| {
        let action = parse_names(shard.file_name(), Some(name));
        let action = action.ok_or_else(|| StoreError::Foreign {
            path: shard.join(name),
        })?;
        let stamp = Stamp::of_folder(folder, name, now);
        folders.push(RecordFolder { action, stamp });
        Ok(())
    })?;
    Ok(folders)
}

pub(crate) fn record_name(path: &Path) -> Option<ObjectHash> {
    path.file_name()?
        .to_str()?
        .strip_suffix(".json")?
        .parse()
        .ok()
}

fn in_order(mut records: Vec<Record>) -> Vec<Record> {
    records.sort_unstable_by_key(|(name, result)| (result.started_ms, *name));
    records
}

pub(crate) fn parse_folder(shard: &Path, folder: &Path) -> Option<ActionKey> {
    parse_names(shard.file_name(), folder.file_name())
}

/// The action whose records lie in a folder of that name in a shard of that name.
fn parse_names(shard: Option<&OsStr>, folder: Option<&OsStr>) -> Option<ActionKey> {
    let (shard, rest) = (shard?.as_bytes(), folder?.as_bytes());
    let mut digits = [0; 64];
    let (first, last) = digits.split_at_mut(2);
    if shard.len() != first.len() || rest.len() != last.len() {
        return None;
    }
    first.copy_from_slice(shard);
    last.copy_from_slice(rest);
    str::from_utf8(&digits).ok()?.parse().ok()
}
