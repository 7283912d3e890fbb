//! Reads every byte of many objects and holds them against their names. Small files are read
//! side by side; a large one is read by all threads at once, one after the other, so that memory
//! stays bounded and no thread ends long after the others.

use std::fs;

use assay_core::ObjectHash;
use assay_store::{Found, Store, StoreError};
use rayon::prelude::*;

use super::AuditObserver;

/// From this size a file is read by all threads.
const LARGE: u64 = 16 << 20;

/// An object, and what lies in its place.
pub(super) type Examined = (ObjectHash, Result<Found, StoreError>);

/// Reads these objects from the store and hashes them, the largest first.
pub(super) fn examine(
    store: &Store,
    objects: Vec<ObjectHash>,
    observer: &dyn AuditObserver,
) -> Vec<Examined> {
    let size = |object| fs::symlink_metadata(store.object_path(object)).map_or(0, |it| it.len());
    let mut sized: Vec<_> = objects
        .into_par_iter()
        .map(|object| (size(object), object))
        .collect();
    observer.begin(sized.len() as u64, sized.iter().map(|(size, _)| size).sum());
    // The largest first: what is left at the end is short.
    sized.sort_unstable_by(|one, other| other.cmp(one));
    let large = sized.partition_point(|(size, _)| *size >= LARGE);
    let (large, small) = sized.split_at(large);

    let one = |(_, object): &(u64, ObjectHash)| {
        let found = store.examine(*object, &|bytes| observer.read(bytes));
        (*object, found)
    };
    let mut examined: Vec<_> = large.iter().map(one).collect();
    examined.par_extend(small.par_iter().map(one));
    examined
}
