//! The folders that a new crate refers to: libtorch's, and the sources of this program.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::ScaffoldError;

/// The folder `given`, or the one that the sources of this program use, if it holds a libtorch.
///
/// # Errors
/// There is none.
pub(crate) fn find_libtorch(given: Option<&Path>) -> Result<PathBuf, ScaffoldError> {
    let folder = given.map_or_else(|| sources().join(".libtorch"), Path::to_owned);
    match fs::canonicalize(&folder) {
        Ok(found) if found.join("lib").is_dir() && found.join("include").is_dir() => Ok(found),
        _ => Err(ScaffoldError::NoLibtorch { folder }),
    }
}

/// Where the sources that this program was built from were then.
pub(super) fn sources() -> &'static Path {
    // Two folders up from host/cli, without touching the disk.
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here)
}

/// A path as a TOML string. JSON's escapes are among TOML's.
pub(super) fn toml_path(path: &Path) -> Result<String, ScaffoldError> {
    match path.to_str() {
        Some(text) if !text.contains('\u{7f}') => Ok(serde_json::Value::from(text).to_string()),
        _ => Err(ScaffoldError::Path {
            path: path.to_owned(),
        }),
    }
}
