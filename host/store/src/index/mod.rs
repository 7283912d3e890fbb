//! The graph of a store's documents, as far as they can be read. It reads documents and their
//! names, never the files of artifacts; damage is noted and left out.

mod documents;
mod image;
mod listing;
mod load;
mod packed;

use std::ops::Deref;

use assay_core::ActionKey;
use assay_core::graph::Graph;

use self::image::Image;
use self::listing::Listing;
use self::load::Loading;
use self::packed::Cache;
pub(crate) use self::packed::ResultForm;
use crate::error::StoreError;
use crate::store::Store;

/// The documents of a store, and who names whom.
#[derive(Debug, Default)]
pub struct Index {
    graph: Graph,
    unreadable: Vec<StoreError>,
}

impl Deref for Index {
    type Target = Graph;

    fn deref(&self) -> &Graph {
        &self.graph
    }
}

impl Index {
    /// Reads the documents of a store, every one of them.
    ///
    /// # Errors
    /// The store's folders cannot be read. A damaged document is no error: see
    /// [`Index::unreadable`].
    pub fn read(store: &Store) -> Result<Self, StoreError> {
        // Beside a garbage collection, what is listed could be gone when it is read.
        let _guard = store.hold()?;
        Self::read_with(store, [])
    }

    /// As [`Index::read`], but takes documents that were read before from the store's cache, and
    /// keeps there what it reads now, if it can. A document that has been damaged or removed since
    /// is not noticed: who asks whether the store is sound must read it all.
    ///
    /// # Errors
    /// As [`Index::read`].
    pub fn read_cached(store: &Store) -> Result<Self, StoreError> {
        let _guard = store.hold()?;
        let (image, listing) = rayon::join(|| Image::read(store), || Listing::read(store));
        let listing = listing?;
        let hash = listing.hash();
        let (cache, sizes) = match (image, hash) {
            (Some(image), Some(hash)) if image.stands_for(hash) => {
                return Ok(Self {
                    graph: image.into_graph(listing.pins),
                    unreadable: Vec::new(),
                });
            }
            (Some(image), _) => (image.unpack(), image.sizes()),
            (None, _) => Default::default(),
        };
        let mut loading = Loading::new(store, cache);
        loading.all(listing, [])?;
        let Loading {
            index,
            folders,
            learnt,
            ..
        } = loading;
        // An image stands for a listing only if it has all that a reading of the store would have.
        let hash = hash.filter(|_| index.unreadable.is_empty());
        if learnt || hash.is_some() {
            Image::write(store, &index, hash, &folders, &sizes);
        }
        Ok(index)
    }

    /// As [`Index::read`], with these actions too, which nothing else may name. Garbage collection
    /// must be kept away.
    pub(crate) fn read_with(
        store: &Store,
        actions: impl IntoIterator<Item = ActionKey>,
    ) -> Result<Self, StoreError> {
        let mut loading = Loading::new(store, Cache::default());
        loading.all(Listing::read(store)?, actions)?;
        Ok(loading.index)
    }

    /// Why documents could not be read; each error names its document.
    pub fn unreadable(&self) -> &[StoreError] {
        &self.unreadable
    }

    /// The first error, if there is one, that is not about damage: then the contents of a document
    /// that is there are not known.
    pub(crate) fn take_failure(&mut self) -> Option<StoreError> {
        let is_failure = |error: &StoreError| !error.is_damage();
        let failure = self.unreadable.iter().position(is_failure)?;
        Some(self.unreadable.swap_remove(failure))
    }
}
