//! Where a new plugin takes the SDK from.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::error::ScaffoldError;
use super::paths::{sources, toml_path};

/// The name of the SDK's crate, as its manifest says it.
const NAME_LINE: &str = "name = \"assay-sdk\"";

/// A pinned source of the SDK.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sdk {
    /// Its folder, absolute.
    Path(PathBuf),
    /// A repository and one of its commits.
    Git { url: String, rev: String },
}

impl Sdk {
    /// The SDK in `folder`, or else that of the sources that this program was built from.
    ///
    /// # Errors
    /// It is not there.
    pub(crate) fn in_folder(folder: Option<&Path>) -> Result<Self, ScaffoldError> {
        let folder = folder.map_or_else(|| sources().join("plugins/sdk"), Path::to_owned);
        let refused = |reason| ScaffoldError::NoSdk {
            folder: folder.clone(),
            reason,
        };
        let manifest = fs::read_to_string(folder.join("Cargo.toml"))
            .map_err(|_| refused("its Cargo.toml cannot be read"))?;
        if !manifest.lines().any(|line| line.trim() == NAME_LINE) {
            return Err(refused("its Cargo.toml is that of another crate"));
        }
        let folder = fs::canonicalize(&folder).map_err(|_| refused("its path does not resolve"))?;
        Ok(Self::Path(folder))
    }

    /// The SDK of a commit.
    ///
    /// # Errors
    /// `rev` is a name, which may stand for another commit tomorrow.
    pub(crate) fn at_commit(url: &str, rev: &str) -> Result<Self, ScaffoldError> {
        let commit = (7..=40).contains(&rev.len()) && rev.bytes().all(|b| b.is_ascii_hexdigit());
        if !commit {
            return Err(ScaffoldError::NotPinned {
                rev: rev.to_owned(),
            });
        }
        Ok(Self::Git {
            url: url.to_owned(),
            rev: rev.to_owned(),
        })
    }

    /// The TOML value of a dependency in a manifest: on the SDK, or on a crate that lies beside it, by the name of
    /// its folder.
    pub(super) fn dependency(&self, folder: &str) -> Result<String, ScaffoldError> {
        Ok(match self {
            Self::Path(sdk) => format!("{{ path = {} }}", toml_path(&sdk.with_file_name(folder))?),
            Self::Git { url, rev } => {
                let [url, rev] = [url, rev].map(|text| Value::from(text.as_str()));
                format!("{{ git = {url}, rev = {rev} }}")
            }
        })
    }
}
