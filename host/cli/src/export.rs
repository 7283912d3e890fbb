//! Writes files for a person: a report's under their own names, and single ones that were asked
//! for. Each appears whole or not at all.

use std::fs;
use std::path::{Path, PathBuf};

use assay_core::{ActionKey, ActionResult, ArtifactHash};
use assay_engine::write_report_times;
use assay_files::{READABLE, replace};
use assay_report::TIMES;
use assay_store::Store;

use crate::error::CliError;

/// Copies every file of a report into `folder` and gives their paths. A file that already has the right
/// bytes is left alone; any other appears whole or not at all. The page with the times of the trainings that
/// `results` are of is written beside new files, and where it is missing.
pub(crate) fn export_report<'a>(
    store: &Store,
    (key, artifact): (ActionKey, ArtifactHash),
    results: impl Iterator<Item = &'a ActionResult>,
    folder: &Path,
) -> Result<Vec<PathBuf>, CliError> {
    fs::create_dir_all(folder).map_err(failed("create", folder))?;
    let mut paths = Vec::new();
    let times = folder.join(TIMES);
    let mut has_times = times.is_file();
    for (name, file) in store.artifact(artifact)?.files {
        let path = folder.join(name);
        let bytes = store.read(file.object)?;
        if !assay_files::holds(&path, &bytes) {
            replace(&path, &bytes, READABLE).map_err(failed("write", &path))?;
            if has_times {
                // They are of another report.
                fs::remove_file(&times).map_err(failed("remove", &times))?;
                has_times = false;
            }
        }
        paths.push(path);
    }
    if !has_times {
        has_times = write_report_times(store, (key, artifact), results, folder)?;
    }
    if has_times {
        paths.push(times);
    }
    Ok(paths)
}

/// Writes `bytes` to `path`, in a folder that exists.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    replace(path, bytes, READABLE).map_err(failed("write", path))
}

/// Writes `bytes` to `path`, which must be new, with these permissions; makes its folder if there is
/// none.
pub(crate) fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), CliError> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let written = fs::create_dir_all(folder).and_then(|()| assay_files::create(path, bytes, mode));
    written.map_err(failed("write", path))
}

/// The error of something that could not be done with a file or folder.
pub(crate) fn failed(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> CliError {
    let path = path.to_owned();
    move |source| CliError::File { what, path, source }
}
