//! Writes a crate's files into a folder that appears whole or not at all.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::error::ScaffoldError;

/// Writes `files` into `folder`, which must be new or empty, and gives its absolute path.
///
/// # Errors
/// The folder is occupied, or something cannot be written; then it is as it was.
pub(crate) fn write(folder: &Path, files: &[(&str, String)]) -> Result<PathBuf, ScaffoldError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| ScaffoldError::Write { path, source }
    };
    let folder = std::path::absolute(folder).map_err(failed(folder))?;
    let occupied = || ScaffoldError::Occupied {
        folder: folder.clone(),
    };
    let parent = folder.parent().ok_or_else(occupied)?;
    if !is_free(&folder) {
        return Err(occupied());
    }
    fs::create_dir_all(parent).map_err(failed(parent))?;
    let temporary = tempfile::Builder::new()
        .prefix(".plugin-new-")
        .permissions(Permissions::from_mode(0o777))
        .tempdir_in(parent)
        .map_err(failed(parent))?;
    for (name, text) in files {
        write_file(&temporary.path().join(name), text).map_err(failed(&folder.join(name)))?;
    }
    // Takes the place of an empty folder, and fails on any that has been filled meanwhile.
    fs::rename(temporary.path(), &folder).map_err(failed(&folder))?;
    Ok(folder)
}

/// Whether a folder may appear at `path`: nothing is there, or an empty folder that nobody can be
/// working in.
fn is_free(path: &Path) -> bool {
    match fs::read_dir(path) {
        Ok(mut entries) => {
            let current = std::env::current_dir().and_then(fs::canonicalize).ok();
            entries.next().is_none() && fs::canonicalize(path).ok() != current
        }
        Err(error) => {
            error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(path).is_err()
        }
    }
}

fn write_file(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = File::create_new(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
