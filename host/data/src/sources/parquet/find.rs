//! Finds the files of a dataset by pattern.

use std::path::Path;

use glob::{Pattern, glob};

use crate::error::DatasetError;

/// The files in `folder` that `pattern` matches, as paths relative to it, in alphabetical order.
/// A plain path is a pattern that matches itself.
pub(super) fn find(folder: &Path, pattern: &str) -> Result<Vec<String>, DatasetError> {
    // Matches come without the `.` and other detours of the folder's own path.
    let folder = &folder
        .canonicalize()
        .map_err(|error| DatasetError::file(folder, format!("cannot be used: {error}")))?;
    let base = Pattern::escape(&folder.to_string_lossy());
    let full = Path::new(&base).join(pattern);
    let paths = glob(&full.to_string_lossy())
        .map_err(|error| DatasetError::Unusable(format!("`{pattern}` is no pattern: {error}")))?;
    let mut files = Vec::new();
    for path in paths {
        let path = path.map_err(|error| DatasetError::Unusable(format!("`{pattern}`: {error}")))?;
        if path.is_dir() {
            continue;
        }
        // Patterns may climb out of the folder by `..`, which names would then carry along.
        let inside = path.strip_prefix(folder).ok().and_then(Path::to_str);
        match inside.filter(|name| !name.split('/').any(|part| part == "..")) {
            Some(name) => files.push(name.to_owned()),
            None => {
                return Err(DatasetError::Unusable(format!(
                    "{} does not lie in {} by a UTF-8 name",
                    path.display(),
                    folder.display()
                )));
            }
        }
    }
    if files.is_empty() {
        return Err(DatasetError::Unusable(format!(
            "no file in {} matches `{pattern}`",
            folder.display()
        )));
    }
    Ok(files)
}
