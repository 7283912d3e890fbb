//! The files that a dataset was made from: what its action says of their content, and what the log
//! of its execution says of where they came from.

use assay_core::{Action, Record, StageKind};
use assay_data::sources::{DatasetSource, SourceFile};
use assay_store::Store;
use serde::Deserialize;

/// More than the log of any dataset that says where its files are from.
const LOG_LIMIT: u64 = 1 << 20;

/// A file as it was obtained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The file and its digest.
    pub file: SourceFile,
    /// Where the first execution found it, in its own words. It decides nothing.
    pub origin: Option<String>,
}

pub(super) fn sources(store: &Store, action: &Action, records: &[Record]) -> Vec<Source> {
    if action.kind != StageKind::Dataset {
        return Vec::new();
    }
    let source = action.parameters.get("source");
    let Some(source) = source.and_then(|source| DatasetSource::deserialize(source).ok()) else {
        return Vec::new();
    };
    let log = records.first().and_then(|(_, result)| result.log);
    let log = log.and_then(|log| store.read_limited(log, LOG_LIMIT).ok());
    let log = String::from_utf8(log.unwrap_or_default()).unwrap_or_default();
    let files = source.files().into_iter();
    let sources = files.map(|file| {
        let origin = log.lines().find_map(|line| {
            let origin = line.strip_prefix(&file.name)?.strip_prefix(": from ")?;
            Some(origin.to_owned())
        });
        Source { file, origin }
    });
    sources.collect()
}
