//! Objects: bytes under their own hash. This module puts, reads and checks them; what they mean
//! is for others to say.
//!
//! Objects are flushed to disk when a record refers to them, all together, and not one by
//! one. After a power cut an object that no record refers to may be torn: that is why putting
//! it again reads what is there before trusting it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use assay_core::ObjectHash;
use assay_core::graph::Node;
use rustix::fs::{CWD, FileType, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::disk;
use crate::error::{At, StoreError};
use crate::stamp::Stamp;
use crate::store::{Part, Store, create_parent, make_read_only};

/// A folder of objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectFolder {
    /// The two digits that the names of its objects begin with.
    pub prefix: String,
    /// Stamp of the folder, which changes when an object is added or removed; `None` if that may
    /// have happened just now.
    pub stamp: Option<Stamp>,
}

impl Store {
    /// The file that holds the object, whether or not it is there.
    pub fn object_path(&self, object: ObjectHash) -> PathBuf {
        sharded(&self.part(Part::Objects), &object.to_string())
    }

    /// Stores `bytes` and names them. An object that is already there and sound is kept; one
    /// that is damaged is replaced.
    pub fn put_bytes(&self, bytes: &[u8]) -> Result<ObjectHash, StoreError> {
        let object = disk::hash_bytes(bytes);
        let guard = self.hold()?;
        if !self.is_sound(object)? {
            self.place(&self.temporary(bytes)?.into_temp_path(), object)?;
        }
        self.note(&guard, Node::Object(object));
        Ok(object)
    }

    /// Moves the file at `path` into the store and names it; returns its size in bytes too. The
    /// file must lie in the store's file system (a scratch folder does), and nothing may write
    /// to it any more. A file that has another hard link is copied, so that nothing outside can
    /// write to the object.
    ///
    /// # Errors
    /// `path` is not a regular file, or cannot be moved.
    pub fn put_file(&self, path: &Path) -> Result<(ObjectHash, u64), StoreError> {
        let guard = self.hold()?;
        let (file, metadata) = disk::open(path)?;
        if metadata.nlink() > 1 {
            let mut copy = self.empty_temporary()?;
            io::copy(&mut &file, copy.as_file_mut()).at("copy into the store", path)?;
            let put = self.put_file(&copy.into_temp_path())?;
            fs::remove_file(path).at("remove", path)?;
            return Ok(put);
        }
        let (object, size) = disk::hash_still_file(path)?;
        if self.is_sound(object)? {
            fs::remove_file(path).at("remove", path)?;
        } else {
            make_read_only(&file).at("make read-only", path)?;
            self.place(path, object)?;
        }
        self.note(&guard, Node::Object(object));
        Ok((object, size))
    }

    /// Gives a file, whose bytes are the object's, its place. Where another process was first, its
    /// file stays if it is sound: others may be reading it, or may read no other.
    fn place(&self, path: &Path, object: ObjectHash) -> Result<(), StoreError> {
        let target = self.object_path(object);
        create_parent(&target)?;
        match renameat_with(CWD, path, CWD, &target, RenameFlags::NOREPLACE) {
            Ok(()) => Ok(()),
            Err(Errno::EXIST) if self.is_sound(object)? => fs::remove_file(path).at("remove", path),
            // Damaged, or a file system that knows only how to replace.
            Err(Errno::EXIST | Errno::INVAL | Errno::NOSYS) => {
                fs::rename(path, &target).at("move into the store", path)
            }
            Err(error) => Err(error.into()).at("move into the store", path),
        }
    }

    /// The bytes of the object, checked against its name.
    ///
    /// # Errors
    /// The object is missing or damaged.
    pub fn read(&self, object: ObjectHash) -> Result<Vec<u8>, StoreError> {
        self.read_limited(object, u64::MAX)
    }

    /// As [`Store::read`], for objects that have at most `limit` bytes.
    ///
    /// # Errors
    /// The object is missing, damaged or larger.
    pub fn read_limited(&self, object: ObjectHash, limit: u64) -> Result<Vec<u8>, StoreError> {
        let path = self.object_path(object);
        let bytes = disk::read(&path, limit).map_err(|error| missing(object, error))?;
        if disk::hash_bytes(&bytes) == object {
            Ok(bytes)
        } else {
            Err(StoreError::Damaged { object, path })
        }
    }

    /// Checks every byte of the object against its name.
    ///
    /// # Errors
    /// The object is missing or damaged.
    pub fn verify(&self, object: ObjectHash) -> Result<(), StoreError> {
        let path = self.object_path(object);
        let found = disk::open(&path)
            .and_then(|_| disk::hash_still_file(&path))
            .map_err(|error| missing(object, error))?;
        if found.0 == object {
            Ok(())
        } else {
            Err(StoreError::Damaged { object, path })
        }
    }

    /// Whether the object is there with this size in bytes: a look at its entry, not its bytes.
    pub fn contains(&self, object: ObjectHash, size: u64) -> Result<bool, StoreError> {
        Ok(self.size(object)? == Some(size))
    }

    /// Whether the object is there, of whatever size. If it is, no garbage collection takes it from
    /// this process any more.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn claim(&self, object: ObjectHash) -> Result<bool, StoreError> {
        let guard = self.hold()?;
        let found = self.has_object(object)?;
        if found {
            self.note(&guard, Node::Object(object));
        }
        Ok(found)
    }

    /// The objects whose names begin with `prefix` (all of them, if it is empty), in no order;
    /// what lies among them and is no object is an error of its own.
    ///
    /// # Errors
    /// A folder of objects cannot be listed.
    pub fn objects(&self, prefix: &str) -> Result<Vec<Result<ObjectHash, StoreError>>, StoreError> {
        let mut objects = Vec::new();
        for shard in disk::entries(&self.part(Part::Objects))? {
            let name = file_name(&shard);
            if !(name.starts_with(prefix) || prefix.starts_with(name)) {
                continue;
            }
            if name.len() != 2 || !shard.is_dir() {
                objects.push(Err(StoreError::Foreign { path: shard }));
                continue;
            }
            for path in disk::entries(&shard)? {
                let object = format!("{name}{}", file_name(&path));
                if object.starts_with(prefix) {
                    let object = object.parse();
                    objects.push(object.map_err(|_| StoreError::Foreign { path }));
                }
            }
        }
        Ok(objects)
    }

    /// The folders that objects lie in, in no order; what is none of them is left out.
    ///
    /// # Errors
    /// They cannot be listed.
    pub fn object_folders(&self) -> Result<Vec<ObjectFolder>, StoreError> {
        let (folder, now) = (self.part(Part::Objects), SystemTime::now());
        let mut folders = Vec::new();
        disk::each_entry(&folder, |objects, name| {
            if let Some(prefix) = name.to_str().filter(|name| name.len() == 2) {
                folders.push(ObjectFolder {
                    prefix: prefix.to_owned(),
                    stamp: Stamp::of_folder(objects, name, now),
                });
            }
            Ok(())
        })?;
        Ok(folders)
    }

    /// The objects of one of these folders with the sizes of their files in bytes, in no order;
    /// what is no object is left out.
    ///
    /// # Errors
    /// The folder cannot be listed.
    pub fn object_sizes(&self, prefix: &str) -> Result<Vec<(ObjectHash, u64)>, StoreError> {
        let folder = self.part(Part::Objects).join(prefix);
        let mut sizes = Vec::new();
        for entry in disk::directory(&folder)? {
            let entry = entry.at("list", &folder)?;
            let name = format!("{prefix}{}", entry.file_name().to_str().unwrap_or(""));
            // An object that goes away meanwhile is as one that was gone before.
            if let (Ok(object), Ok(metadata)) = (name.parse(), entry.metadata())
                && metadata.is_file()
            {
                sizes.push((object, metadata.len()));
            }
        }
        Ok(sizes)
    }

    /// Whether the object is there, of whatever size.
    pub(crate) fn has_object(&self, object: ObjectHash) -> Result<bool, StoreError> {
        Ok(self.size(object)?.is_some())
    }

    /// The size of the object's file in bytes, unless there is none.
    ///
    /// # Errors
    /// Its folder cannot be looked into.
    pub fn size(&self, object: ObjectHash) -> Result<Option<u64>, StoreError> {
        Ok(self.object_stamp(object)?.map(|stamp| stamp.size))
    }

    /// The stamp of the object's file, unless there is none.
    pub(crate) fn object_stamp(&self, object: ObjectHash) -> Result<Option<Stamp>, StoreError> {
        let path = sharded_name(&object.to_string());
        self.stamp(Part::Objects, &path, FileType::RegularFile)
    }

    /// Whether the object is there and every byte right.
    fn is_sound(&self, object: ObjectHash) -> Result<bool, StoreError> {
        match self.verify(object) {
            Ok(()) => Ok(true),
            Err(error) if error.is_damage() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Paths to flush so that these objects survive a crash: their files and the folders of these.
    pub(crate) fn object_files(
        &self,
        objects: impl IntoIterator<Item = ObjectHash>,
    ) -> BTreeSet<PathBuf> {
        let mut paths = BTreeSet::from([self.part(Part::Objects)]);
        for object in objects {
            let path = self.object_path(object);
            paths.extend(path.parent().map(Path::to_owned));
            paths.insert(path);
        }
        paths
    }
}

/// `folder/ab/<the rest>`: few enough entries in each folder for every file system.
pub(crate) fn sharded(folder: &Path, hex: &str) -> PathBuf {
    folder.join(sharded_name(hex))
}

/// `ab/<the rest>`, with room for the name of a record: a run asks for thousands.
pub(crate) fn sharded_name(hex: &str) -> String {
    let (shard, rest) = hex.split_at_checked(2).unwrap_or(("", hex));
    let mut name = String::with_capacity(2 * hex.len() + 8);
    name.push_str(shard);
    name.push('/');
    name.push_str(rest);
    name
}

/// The last part of a path; empty where it is no text, which no hash begins with.
pub(crate) fn file_name(path: &Path) -> &str {
    path.file_name()
        .and_then(|name| name.to_str())
        .unwrap_or("")
}

/// Turns the error for a file that is not there into [`StoreError::Missing`] for its object.
pub(crate) fn missing(object: ObjectHash, error: StoreError) -> StoreError {
    match error {
        StoreError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            StoreError::Missing { object }
        }
        error => error,
    }
}
