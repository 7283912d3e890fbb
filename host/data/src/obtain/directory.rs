//! Looks for files in a directory, plain or gzip-compressed.

use std::io;
use std::path::{Path, PathBuf};

use super::{Collector, Failure, Origin};
use crate::content::read_uncompressed;

/// Offers every missing file that `directory` holds.
pub(super) fn search(directory: &Path, collector: &mut Collector<'_>) {
    if !directory.is_dir() {
        collector.give_up(directory.display(), Failure::NoDirectory);
        return;
    }
    for expected in collector.missing() {
        let mut there = false;
        for path in candidates(directory, expected.name) {
            let Some(content) = read(&path, expected.limit) else {
                continue;
            };
            there = true;
            if collector.offer(expected.name, Origin::File(path), content) {
                break;
            }
        }
        if !there {
            let path = directory.join(expected.name);
            collector.give_up(path.display(), Failure::NotThere);
        }
    }
}

/// The paths under which the file `name` may lie in `directory`.
pub(super) fn candidates(directory: &Path, name: &str) -> [PathBuf; 2] {
    [directory.join(name), directory.join(format!("{name}.gz"))]
}

/// The uncompressed content of the file at `path`; `None` if there is no such file.
pub(super) fn read(path: &Path, limit: u64) -> Option<Result<Vec<u8>, Failure>> {
    match assay_files::open(path) {
        Ok(file) => Some(read_uncompressed(file, limit).map_err(Into::into)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => Some(Err(error.into())),
    }
}
