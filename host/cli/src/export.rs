//! Writes files for a person: a report's under their own names, and single ones that were asked
//! for. Each appears whole or not at all.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use assay_core::ArtifactHash;
use assay_store::Store;

use crate::error::CliError;

/// Copies every file of the artifact into `folder` and gives their paths. A file that already
/// has the right bytes is left alone; any other appears whole or not at all.
pub(crate) fn export(
    store: &Store,
    artifact: ArtifactHash,
    folder: &Path,
) -> Result<Vec<PathBuf>, CliError> {
    fs::create_dir_all(folder).map_err(failed("create", folder))?;
    let mut paths = Vec::new();
    for (name, file) in store.artifact(artifact)?.files {
        let path = folder.join(name);
        let bytes = store.read(file.object)?;
        if !assay_files::holds(&path, &bytes) {
            replace(folder, &path, &bytes).map_err(failed("write", &path))?;
        }
        paths.push(path);
    }
    Ok(paths)
}

/// Writes `bytes` to `path`, in a folder that exists.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    replace(folder_of(path), path, bytes).map_err(failed("write", path))
}

/// Writes `bytes` to `path`, which must be new, with these permissions; makes its folder if there is
/// none.
pub(crate) fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), CliError> {
    let folder = folder_of(path);
    let written = fs::create_dir_all(folder).and_then(|()| {
        let mut temporary = tempfile::Builder::new()
            .permissions(fs::Permissions::from_mode(mode))
            .tempfile_in(folder)?;
        temporary.write_all(bytes)?;
        temporary.as_file().sync_all()?;
        temporary.persist_noclobber(path)?;
        Ok(())
    });
    written.map_err(failed("write", path))
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

fn replace(folder: &Path, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut temporary = tempfile::Builder::new()
        .permissions(readable())
        .tempfile_in(folder)?;
    temporary.write_all(bytes)?;
    temporary.as_file().sync_all()?;
    temporary.persist(path)?;
    Ok(())
}

/// The permissions of an ordinary file, before the user's umask; temporary files are private
/// otherwise.
fn readable() -> fs::Permissions {
    fs::Permissions::from_mode(0o666)
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> CliError {
    let path = path.to_owned();
    move |source| CliError::File { what, path, source }
}
