//! Writes a bundle: every object read and checked on the way, and the file under its name only
//! when it is whole.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Read};
use std::path::Path;

use assay_core::{ObjectHash, canonical_json};
use assay_files::{NewFile, READABLE};
use assay_store::{Store, StoreError};
use sha2::{Digest, Sha256};

use crate::archive::Writer;
use crate::contents::{Contents, Objects};
use crate::error::{BundleError, uncanonical};
use crate::layout::{BundleFile, FORMAT};
use crate::metadata::{self, Attribution, FileFacts, Sources};
use crate::watch::Watch;

/// Summary of a bundle that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundled {
    /// Files in the bundle.
    pub files: u64,
    /// Their bytes, unpacked.
    pub unpacked: u64,
    /// The bytes of the bundle.
    pub packed: u64,
    /// The hash of the bundle, which `b3sum` prints too.
    pub hash: ObjectHash,
    /// The plugins whose libraries were left out.
    pub without_libraries: Vec<String>,
    /// How many files of images and weights were left out.
    pub without_files: u64,
}

/// How a bundle is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Who made the run, and what others may do with it.
    pub about: Attribution,
    /// Leave the plugins' libraries out: the run can be verified then, but not executed again.
    pub without_libraries: bool,
    /// Leave out libraries, the images of datasets and the weights of networks: the run's numbers can be
    /// read and compared then, and none of it computed again without training.
    pub results_only: bool,
    /// Write over a file that is there.
    pub replace: bool,
}

/// Writes what a run rests on to a file. The same contents give the same bytes.
///
/// # Errors
/// An object is missing or damaged, or the file cannot be written, or is there and is
/// not to be replaced. Nothing is left of it then.
pub fn bundle(
    store: &Store,
    contents: &Contents,
    options: &Options,
    file: &Path,
    watch: Watch<'_>,
) -> Result<Bundled, BundleError> {
    let failed = |what| {
        move |source| BundleError::File {
            what,
            path: file.to_owned(),
            source,
        }
    };
    if !options.replace && file.symlink_metadata().is_ok() {
        return Err(BundleError::Exists {
            path: file.to_owned(),
        });
    }
    let new = NewFile::create(file, READABLE).map_err(failed("create"))?;

    let mut packing = Packing::new(store, contents, options, watch)?;
    let out = BufWriter::new(new.as_file());
    let mut writer = Writer::new(out).map_err(failed("write"))?;
    packing.write(&mut writer, &options.about, &failed("write"))?;
    let out = writer.finish().map_err(failed("write"))?;
    let out = out.into_inner().map_err(io::IntoInnerError::into_error);
    let out = out.map_err(failed("write"))?;
    let packed = out.metadata().map_err(failed("inspect"))?.len();

    let mut hasher = blake3::Hasher::new();
    hasher
        .update_mmap_rayon(new.temporary_path())
        .map_err(failed("read"))?;
    let hash = ObjectHash::from(hasher.finalize());

    let finished = if options.replace {
        new.replace()
    } else {
        new.publish()
    };
    finished.map_err(failed("create"))?;
    Ok(packing.summary(packed, hash))
}

/// A bundle on its way into a file.
struct Packing<'a> {
    store: &'a Store,
    contents: &'a Contents,
    objects: Objects,
    without_libraries: Vec<String>,
    without_files: u64,
    watch: Watch<'a>,
    facts: BTreeMap<BundleFile, FileFacts>,
    total: u64,
    done: u64,
}

impl<'a> Packing<'a> {
    fn new(
        store: &'a Store,
        contents: &'a Contents,
        options: &Options,
        watch: Watch<'a>,
    ) -> Result<Self, BundleError> {
        let mut objects = contents.objects()?;
        let mut without_libraries = Vec::new();
        let mut without_files = 0;
        if options.without_libraries || options.results_only {
            objects.retain(|_, object| match object.only_plugins() {
                Ok(plugins) => {
                    without_libraries.extend(plugins.into_iter().map(str::to_owned));
                    false
                }
                Err(_) => true,
            });
        }
        if options.results_only {
            let mut left_out = Vec::new();
            for (hash, object) in &objects {
                if contents.may_stay_behind(object)? {
                    left_out.push(*hash);
                }
            }
            without_files = left_out.len() as u64;
            for hash in &left_out {
                objects.remove(hash);
            }
        }
        without_libraries.sort_unstable();
        without_libraries.dedup();
        let sizes = objects.keys().map(|object| size_of(store, *object));
        let total = sizes.sum::<Result<u64, _>>()?;
        Ok(Self {
            store,
            contents,
            objects,
            without_libraries,
            without_files,
            watch,
            facts: BTreeMap::new(),
            total,
            done: 0,
        })
    }

    /// Every entry, in the order of their names.
    fn write<W: io::Write>(
        &mut self,
        writer: &mut Writer<W>,
        about: &Attribution,
        failed: &dyn Fn(io::Error) -> BundleError,
    ) -> Result<(), BundleError> {
        self.put(writer, BundleFile::Format, FORMAT)
            .map_err(failed)?;
        let objects: Vec<_> = self.objects.keys().copied().collect();
        for object in objects {
            self.put_object(writer, object, failed)?;
        }
        for &action in self.contents.actions.keys() {
            let mut records: Vec<_> = self.contents.records(action).iter().collect();
            records.sort_unstable_by_key(|(record, _)| *record);
            for (record, result) in records {
                let record = *record;
                let bytes = canonical_json(result).map_err(uncanonical("record", record))?;
                let entry = BundleFile::Record { action, record };
                self.put(writer, entry, &bytes).map_err(failed)?;
            }
        }
        let entry = BundleFile::Run {
            started_ms: self.contents.manifest.started_ms,
            run: self.contents.run,
        };
        // The marker comes after the metadata and is among the files that they are about.
        self.facts.insert(entry, FileFacts::of(b""));
        let sources = Sources {
            contents: self.contents,
            objects: &self.objects,
            files: &self.facts,
            about,
        };
        let mut metadata = Vec::new();
        metadata::write(&sources, &mut metadata).map_err(BundleError::Metadata)?;
        self.put(writer, BundleFile::Metadata, &metadata)
            .map_err(failed)?;
        self.put(writer, entry, b"").map_err(failed)
    }

    fn put<W: io::Write>(
        &mut self,
        writer: &mut Writer<W>,
        entry: BundleFile,
        bytes: &[u8],
    ) -> io::Result<()> {
        writer.append(&entry.name(), bytes.len() as u64, &mut &*bytes)?;
        self.facts.insert(entry, FileFacts::of(bytes));
        Ok(())
    }

    fn put_object<W: io::Write>(
        &mut self,
        writer: &mut Writer<W>,
        object: ObjectHash,
        failed: &dyn Fn(io::Error) -> BundleError,
    ) -> Result<(), BundleError> {
        let path = self.store.object_path(object);
        let size = size_of(self.store, object)?;
        let file = assay_files::open_itself(&path).map_err(|source| StoreError::Io {
            operation: "open",
            path: path.clone(),
            source,
        })?;
        let mut hashed = Hashed {
            inner: file,
            blake3: blake3::Hasher::new(),
            sha256: Sha256::new(),
            advanced: &mut |count| {
                self.done += count;
                (self.watch.progress)(self.done, self.total);
                (self.watch.stopped)()
            },
        };
        let appended = writer.append(&BundleFile::Object(object).name(), size, &mut hashed);
        let Hashed { blake3, sha256, .. } = hashed;
        if (self.watch.stopped)() {
            return Err(BundleError::Stopped);
        }
        appended.map_err(failed)?;
        if ObjectHash::from(blake3.finalize()) != object {
            return Err(StoreError::Damaged { object, path }.into());
        }
        let sha256 = sha256.finalize().into();
        self.facts
            .insert(BundleFile::Object(object), FileFacts { size, sha256 });
        Ok(())
    }

    fn summary(self, packed: u64, hash: ObjectHash) -> Bundled {
        Bundled {
            files: self.facts.len() as u64,
            unpacked: self.facts.values().map(|facts| facts.size).sum(),
            packed,
            hash,
            without_libraries: self.without_libraries,
            without_files: self.without_files,
        }
    }
}

/// The size of an object's file.
fn size_of(store: &Store, object: ObjectHash) -> Result<u64, StoreError> {
    store.size(object)?.ok_or(StoreError::Missing { object })
}

/// A file that is hashed as it is read.
struct Hashed<'a> {
    inner: File,
    blake3: blake3::Hasher,
    sha256: Sha256,
    advanced: &'a mut dyn FnMut(u64) -> bool,
}

impl Read for Hashed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let read = buffer.get(..count).unwrap_or_default();
        self.blake3.update(read);
        self.sha256.update(read);
        if (self.advanced)(count as u64) {
            return Err(io::Error::other("stopped"));
        }
        Ok(count)
    }
}
