//! Finds the files of a dataset by pattern.

use std::io;
use std::path::{Path, PathBuf};

use glob::{GlobError, Pattern, PatternError, glob};

/// A pattern that gives no files.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// The pattern is malformed.
    #[error("`{pattern}` is no pattern: {source}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// Why it is malformed.
        source: PatternError,
    },
    /// The folder is not there.
    #[error("{}: cannot be used: {source}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A folder below it cannot be read.
    #[error("`{pattern}`: {source}")]
    Unreadable {
        /// The pattern.
        pattern: String,
        /// Why.
        source: GlobError,
    },
    /// Nothing matches.
    #[error("no file in {} matches `{pattern}`", folder.display())]
    Nothing {
        /// The pattern.
        pattern: String,
        /// Where was searched.
        folder: PathBuf,
    },
    /// A file lies outside the folder, or its name cannot be written down.
    #[error("{} does not lie in {} by a UTF-8 name", path.display(), folder.display())]
    Outside {
        /// The file.
        path: PathBuf,
        /// The folder.
        folder: PathBuf,
    },
}

/// The files in `folder` that `pattern` matches, as paths relative to it, in alphabetical order.
/// A plain path is a pattern that matches itself.
pub fn find(folder: &Path, pattern: &str) -> Result<Vec<String>, FindError> {
    // Matches come without the `.` and other detours of the folder's own path.
    let folder = &folder.canonicalize().map_err(|source| FindError::Folder {
        folder: folder.to_owned(),
        source,
    })?;
    let base = Pattern::escape(&folder.to_string_lossy());
    let full = Path::new(&base).join(pattern);
    let paths = glob(&full.to_string_lossy()).map_err(|source| FindError::Pattern {
        pattern: pattern.to_owned(),
        source,
    })?;
    let mut files = Vec::new();
    for path in paths {
        let path = path.map_err(|source| FindError::Unreadable {
            pattern: pattern.to_owned(),
            source,
        })?;
        if path.is_dir() {
            continue;
        }
        // Patterns may climb out of the folder by `..`, which names would then carry along.
        let inside = path.strip_prefix(folder).ok().and_then(Path::to_str);
        match inside.filter(|name| !name.split('/').any(|part| part == "..")) {
            Some(name) => files.push(name.to_owned()),
            None => {
                return Err(FindError::Outside {
                    path: path.clone(),
                    folder: folder.to_owned(),
                });
            }
        }
    }
    if files.is_empty() {
        return Err(FindError::Nothing {
            pattern: pattern.to_owned(),
            folder: folder.to_owned(),
        });
    }
    Ok(files)
}
