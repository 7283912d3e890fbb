//! The error of a dataset that could not be obtained: what every place said, and what the user can
//! do.

use std::fmt;
use std::io;

use crate::content::ContentError;
use crate::digest::Digest;

/// The reason why one place did not give a file.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nothing of that name is there.
    NotThere,
    /// An archive of that name is not there.
    NoArchive,
    /// The archive has no such file.
    NotInArchive,
    /// The directory does not exist.
    NoDirectory,
    /// The content that is there could not be read, or is larger than expected.
    Content(ContentError),
    /// The content that is there is not the expected one.
    Mismatch {
        /// The digest of the right content.
        expected: Digest,
        /// The digest of what is there.
        found: Digest,
    },
    /// The server answered, with an error.
    Status(u16),
    /// The server could not be reached, or the transfer broke off.
    Unreachable(String),
    /// `npm` is not installed.
    NoNpm,
    /// `npm pack` failed.
    Npm(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotThere => f.write_str("not there, neither plain nor as .gz"),
            Self::NoArchive => f.write_str("no such file"),
            Self::NotInArchive => f.write_str("not in the archive"),
            Self::NoDirectory => f.write_str("no such directory"),
            Self::Content(error) => error.fmt(f),
            Self::Mismatch { expected, found } => write!(
                f,
                "the content is not the expected one: {found}, expected {expected}"
            ),
            Self::Status(status) => write!(f, "the server answered with status {status}"),
            Self::Unreachable(reason) => write!(f, "could not be reached: {reason}"),
            Self::NoNpm => f.write_str("npm is not on PATH"),
            Self::Npm(reason) => write!(f, "npm pack failed: {reason}"),
        }
    }
}

impl From<ContentError> for Failure {
    fn from(error: ContentError) -> Self {
        Self::Content(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Content(error.into())
    }
}

/// One place that was tried in vain.
#[derive(Debug)]
pub(super) struct Attempt {
    /// A path, an address or a package.
    pub(super) location: String,
    pub(super) failure: Failure,
}

/// A dataset that no place could give completely.
///
/// The text lists every place with its reason, one a line, and ends with what to do.
#[derive(Debug)]
pub struct ObtainError {
    /// The dataset's name.
    pub(super) dataset: String,
    /// The files that were found nowhere.
    pub(super) missing: Vec<&'static str>,
    /// The archive that the dataset is published as, if it is.
    pub(super) archive: Option<&'static str>,
    /// The places that were tried, in order.
    pub(super) attempts: Vec<Attempt>,
}

impl std::error::Error for ObtainError {}

impl fmt::Display for ObtainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.missing.join(", ");
        writeln!(f, "could not obtain {names} of dataset `{}`", self.dataset)?;
        if self.attempts.is_empty() {
            writeln!(
                f,
                "  nothing was tried: no directory was named and the network is off"
            )?;
        }
        for Attempt { location, failure } in &self.attempts {
            writeln!(f, "  {location}: {failure}")?;
        }
        let archive = self.archive.map(|name| format!("{name}, or "));
        let archive = archive.unwrap_or_default();
        write!(
            f,
            "put {archive}{names} (plain or with .gz added to the name) into a directory and set \
             ASSAY_DATA_DIR to it, or to the directory that holds it as `{}`",
            self.dataset
        )
    }
}
