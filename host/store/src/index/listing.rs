//! The ways to every document of a store: the names of its runs, its pins, and the folders of records
//! with their stamps. A store of the same listing has the same documents and records.

use std::collections::BTreeMap;

use assay_core::graph::Node;
use assay_core::{ActionKey, ObjectHash, RunHash};
use serde::Serialize;

use crate::disk;
use crate::error::{StoreError, present};
use crate::result::RecordFolder;
use crate::stamp::Stamp;
use crate::store::Store;

/// A listing of a store.
#[derive(Debug)]
pub(super) struct Listing {
    /// When each run began, and its name.
    pub(super) runs: Vec<(u64, RunHash)>,
    pub(super) pins: BTreeMap<String, Node>,
    /// The errors of pins that could not be read.
    pub(super) unreadable: Vec<StoreError>,
    /// The folders of records, in order.
    pub(super) folders: Vec<RecordFolder>,
}

/// A listing as it is hashed.
#[derive(Serialize)]
struct Form<'a> {
    runs: &'a [(u64, RunHash)],
    pins: Vec<(&'a str, String)>,
    folders: Vec<(ActionKey, &'a Stamp)>,
}

impl Listing {
    /// Lists a store.
    ///
    /// # Errors
    /// A folder cannot be read, or holds what does not belong there.
    pub(super) fn read(store: &Store) -> Result<Self, StoreError> {
        let runs = store.runs()?;
        let (mut pins, mut unreadable) = (BTreeMap::new(), Vec::new());
        for path in store.pin_paths()? {
            // One may have been removed since it was listed.
            match present(store.pin_at(&path)) {
                Ok(pin) => pins.extend(pin),
                Err(error) => unreadable.push(error),
            }
        }
        Ok(Self {
            runs,
            pins,
            unreadable,
            folders: store.record_folders()?,
        })
    }

    /// The hash of the listing; nothing if a pin could not be read, or a folder may change and look the
    /// same.
    pub(super) fn hash(&self) -> Option<ObjectHash> {
        let folders = self.folders.iter();
        let folders = folders.map(|folder| Some((folder.action, folder.stamp.as_ref()?)));
        let pins = self.pins.iter();
        let form = Form {
            runs: &self.runs,
            pins: pins
                .map(|(label, node)| (label.as_str(), node.to_string()))
                .collect(),
            folders: folders.collect::<Option<_>>()?,
        };
        let bytes = postcard::to_allocvec(&form).ok()?;
        self.unreadable.is_empty().then(|| disk::hash_bytes(&bytes))
    }
}
