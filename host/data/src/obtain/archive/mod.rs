//! Takes files out of a gzip-compressed tar archive, wherever the archive lies.
//!
//! Of an archive only the expected entries, of limited size, are read, into memory: it is never
//! unpacked onto the disk, so no path or link that it names can lead anywhere.

use std::io::{self, Read};
use std::path::Path;

use flate2::read::GzDecoder;
use tar::Archive;

use super::{Collector, Expected, Failure, Origin};
use crate::content::read_limited;

/// Uncompressed bytes that an archive may hold besides the files.
const OVERHEAD: u64 = 64 << 20;

/// Offers every missing file that the archive at `path` holds in `folder`.
pub(super) fn search(path: &Path, folder: &str, collector: &mut Collector<'_>) {
    match assay_files::open(path) {
        Ok(file) => offer(file, folder, Origin::File(path.to_owned()), collector),
        Err(error) => {
            let failure = match error.kind() {
                io::ErrorKind::NotFound => Failure::NoArchive,
                _ => error.into(),
            };
            collector.give_up(path.display(), failure);
        }
    }
}

/// Offers every missing file that `archive` holds in `folder`.
pub(super) fn offer(
    archive: impl Read,
    folder: &str,
    origin: Origin,
    collector: &mut Collector<'_>,
) {
    let missing = collector.missing();
    match entries(archive, folder, &missing) {
        Ok(entries) => {
            for (expected, content) in missing.iter().zip(entries) {
                let origin = Origin::Archived {
                    archive: Box::new(origin.clone()),
                    entry: format!("{folder}/{}", expected.name),
                };
                collector.offer(expected.name, origin, content);
            }
        }
        Err(failure) => collector.give_up(origin, failure),
    }
}

/// For each of `wanted`, its content in the gzip-compressed tar `archive`.
fn entries(
    archive: impl Read,
    folder: &str,
    wanted: &[Expected],
) -> Result<Vec<Result<Vec<u8>, Failure>>, Failure> {
    let limit = wanted
        .iter()
        .fold(OVERHEAD, |sum, expected| sum.saturating_add(expected.limit));
    let mut contents: Vec<_> = wanted.iter().map(|_| Err(Failure::NotInArchive)).collect();
    let mut archive = Archive::new(GzDecoder::new(archive).take(limit));
    for entry in archive.entries()? {
        let entry = entry?;
        let path = entry.path()?.into_owned();
        let place = wanted
            .iter()
            .position(|expected| path == Path::new(folder).join(expected.name));
        if let Some(place) = place
            && entry.header().entry_type().is_file()
        {
            contents[place] = read_limited(entry, wanted[place].limit).map_err(Into::into);
        }
    }
    Ok(contents)
}

#[cfg(test)]
pub(super) mod tests;
