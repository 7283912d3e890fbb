//! Documents by their names. Those of a large store come packed, and each is unpacked when it is first
//! asked for: most questions are about few of them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;

/// Unpacks the document at a place; nothing if it cannot.
pub type Unpack<V> = Box<dyn Fn(usize) -> Option<V> + Send + Sync>;

/// Documents of one kind in the order of their names.
pub struct Documents<K, V> {
    slots: BTreeMap<K, Slot<V>>,
    unpack: Unpack<V>,
}

/// A document, once it was unpacked. Boxes keep the map small, most of which is never looked into.
struct Slot<V> {
    place: usize,
    document: OnceLock<Option<Box<V>>>,
}

impl<K, V> Default for Documents<K, V> {
    fn default() -> Self {
        Self {
            slots: BTreeMap::new(),
            unpack: Box::new(|_| None),
        }
    }
}

impl<K: Ord, V> Documents<K, V> {
    /// Packed documents, the place of each being that of its name among these.
    pub fn packed(names: impl IntoIterator<Item = K>, unpack: Unpack<V>) -> Self {
        let slots = names.into_iter().enumerate().map(|(place, name)| {
            let document = OnceLock::new();
            (name, Slot { place, document })
        });
        Self {
            slots: slots.collect(),
            unpack,
        }
    }

    pub(super) fn insert(&mut self, name: K, document: V) {
        let slot = Slot {
            place: usize::MAX,
            document: OnceLock::from(Some(Box::new(document))),
        };
        self.slots.insert(name, slot);
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&K) -> bool) {
        self.slots.retain(|name, _| keep(name));
    }

    /// The number of documents.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// True if there is a document of this name.
    pub fn contains_key(&self, name: &K) -> bool {
        self.slots.contains_key(name)
    }

    /// The document of this name.
    pub fn get(&self, name: &K) -> Option<&V> {
        self.document(self.slots.get(name)?)
    }

    /// The names.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> + ExactSizeIterator {
        self.slots.keys()
    }

    /// The documents, each with its name.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let slots = self.slots.iter();
        slots.filter_map(|(name, slot)| Some((name, self.document(slot)?)))
    }

    /// The documents alone.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, document)| document)
    }

    fn document<'a>(&'a self, slot: &'a Slot<V>) -> Option<&'a V> {
        let unpack = || (self.unpack)(slot.place).map(Box::new);
        slot.document.get_or_init(unpack).as_deref()
    }
}

impl<K: Ord + fmt::Debug, V: fmt::Debug> fmt::Debug for Documents<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
