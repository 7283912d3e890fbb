//! Why a new plugin's crate was not written.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;

use assay_core::Advice;

/// Nothing was written, unless it says otherwise.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScaffoldError {
    #[error("there is no libtorch in {}", folder.display())]
    NoLibtorch { folder: PathBuf },
    #[error("there is no SDK in {}: {reason}", folder.display())]
    NoSdk {
        folder: PathBuf,
        reason: &'static str,
    },
    #[error("`{rev}` is no commit, so it would not pin the SDK")]
    NotPinned { rev: String },
    #[error("{} is there already", folder.display())]
    Occupied { folder: PathBuf },
    #[error("the path {} cannot be written in a TOML file", path.display())]
    Path { path: PathBuf },
    #[error("cannot write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

impl Advice for ScaffoldError {
    fn help(&self) -> Cow<'_, str> {
        let advice = match self {
            Self::NoLibtorch { .. } => {
                "run scripts/setup in the sources of Assay, or name a folder with `lib` and \
                 `include` with --libtorch or LIBTORCH"
            }
            Self::NoSdk { .. } => {
                "name the folder plugins/sdk of the sources of Assay with --sdk, or its repository \
                 with --sdk-git and --rev"
            }
            Self::NotPinned { .. } => {
                "give a commit's hash, 7 to 40 hexadecimal digits; `git rev-parse TAG` prints it"
            }
            Self::Occupied { .. } => "name a folder that is new or empty with --dir",
            Self::Path { .. } => "use a path in UTF-8 without control characters",
            Self::Write { .. } => "check that the folder above it may be written to",
        };
        advice.into()
    }
}
