//! How many objects a store holds, and how many bytes. A folder of objects is looked at again only
//! when something came into it or went.

use std::collections::BTreeMap;

use assay_store::{Stamp, Store, StoreError};

/// The name in the cache, with the version of the form of what is kept under it.
const NAME: &str = "census-2";

/// Stamp and census of each folder when it was last read, by prefix.
type Known = BTreeMap<String, (Stamp, Census)>;

/// Number and size of the objects in a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Census {
    /// How many objects.
    pub objects: u64,
    /// The bytes of all of them.
    pub bytes: u64,
}

impl Census {
    /// Counts the objects of a store.
    ///
    /// # Errors
    /// A folder of objects cannot be listed.
    pub fn take(store: &Store) -> Result<Self, StoreError> {
        let mut before: Known = store
            .remembered(NAME)
            .and_then(|bytes| postcard::from_bytes(&bytes).ok())
            .unwrap_or_default();
        let (mut now, mut learnt, mut all) = (Known::new(), false, Self::default());
        for folder in store.object_folders()? {
            let known = before.remove(&folder.prefix);
            let known = known.filter(|(stamp, _)| Some(stamp) == folder.stamp.as_ref());
            let found = match known {
                Some((_, found)) => found,
                None => Self::of(&store.object_sizes(&folder.prefix)?),
            };
            learnt |= known.is_none() && folder.stamp.is_some();
            all.objects += found.objects;
            all.bytes = all.bytes.saturating_add(found.bytes);
            now.extend(folder.stamp.map(|stamp| (folder.prefix, (stamp, found))));
        }
        if learnt && let Ok(bytes) = postcard::to_allocvec(&now) {
            // A store that cannot keep it is only slower.
            let _ = store.remember(NAME, &bytes);
        }
        Ok(all)
    }

    fn of(sizes: &[(assay_core::ObjectHash, u64)]) -> Self {
        Self {
            objects: sizes.len() as u64,
            bytes: sizes
                .iter()
                .fold(0, |sum, (_, size)| sum.saturating_add(*size)),
        }
    }
}
