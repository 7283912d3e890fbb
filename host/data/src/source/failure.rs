//! Why a dataset could not be obtained: what every place said, and what the user can do.

use std::fmt;
use std::io;

use crate::content::ContentError;
use crate::digest::Digest;

/// Why one place did not give a file.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Nothing of that name is there.
    #[error("not there, neither plain nor as .gz")]
    NotThere,
    /// An archive of that name is not there.
    #[error("no such file")]
    NoArchive,
    /// The archive has no such file.
    #[error("not in the archive")]
    NotInArchive,
    /// The directory does not exist.
    #[error("no such directory")]
    NoDirectory,
    /// The content that is there could not be read, or is larger than expected.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// The content that is there is not the expected one.
    #[error("the content is not the expected one: {found}, expected {expected}")]
    Mismatch {
        /// The digest of the right content.
        expected: Digest,
        /// The digest of what is there.
        found: Digest,
    },
    /// The server answered, with an error.
    #[error("the server answered with status {0}")]
    Status(u16),
    /// The server could not be reached, or the transfer broke off.
    #[error("could not be reached: {0}")]
    Unreachable(String),
    /// `npm` is not installed.
    #[error("npm is not on PATH")]
    NoNpm,
    /// `npm pack` failed.
    #[error("npm pack failed: {0}")]
    Npm(String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Content(error.into())
    }
}

/// One place that was tried in vain.
#[derive(Debug)]
pub struct Attempt {
    /// A path, an address or a package.
    pub place: String,
    /// The failure there.
    pub failure: Failure,
}

/// A dataset that no place could give completely.
///
/// The text lists every place with its reason, one a line, and ends with what to do.
#[derive(Debug)]
pub struct SourceError {
    /// The dataset's name.
    pub dataset: String,
    /// The files that were found nowhere.
    pub missing: Vec<&'static str>,
    /// The archive that the dataset is published as, if it is.
    pub archive: Option<&'static str>,
    /// The places that were tried, in order.
    pub attempts: Vec<Attempt>,
}

impl std::error::Error for SourceError {}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.missing.join(", ");
        writeln!(f, "could not obtain {names} of dataset `{}`", self.dataset)?;
        if self.attempts.is_empty() {
            writeln!(
                f,
                "  nothing was tried: no directory was named and the network is off"
            )?;
        }
        for Attempt { place, failure } in &self.attempts {
            writeln!(f, "  {place}: {failure}")?;
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
