//! Bundles with bytes flipped, cut off or swapped at random: never taken for what they were not.

use assay_bundle::Options;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::fixture::{Fixture, check, compress, files, take};

/// One change of some bytes.
#[derive(Clone, Debug)]
enum Damage {
    Flip(Index, u8),
    Cut(Index),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Swap(Index, Index),
}

impl Damage {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let count = bytes.len();
        // An earlier damage may have cut everything away.
        if count == 0 {
            return;
        }
        match self {
            Self::Flip(at, bits) => bytes[at.index(count)] ^= bits,
            Self::Cut(at) => bytes.truncate(at.index(count)),
            Self::Insert(at, more) => {
                let at = at.index(count);
                bytes.splice(at..at, more.iter().copied());
            }
            Self::Remove(at, size) => {
                let at = at.index(count);
                bytes.drain(at..(at + size).min(count));
            }
            Self::Swap(one, other) => bytes.swap(one.index(count), other.index(count)),
        }
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<Index>;
    prop_oneof![
        6 => (at(), 1..=255_u8).prop_map(|(at, bits)| Damage::Flip(at, bits)),
        2 => at().prop_map(Damage::Cut),
        1 => (at(), prop::collection::vec(any::<u8>(), 1..20)).prop_map(|(at, more)| Damage::Insert(at, more)),
        1 => (at(), 1..2000_usize).prop_map(|(at, size)| Damage::Remove(at, size)),
        1 => (at(), at()).prop_map(|(one, other)| Damage::Swap(one, other)),
    ]
}

#[test]
fn a_damaged_bundle_is_refused_or_says_the_same() {
    let fixture = Fixture::new();
    let honest = fixture.bundle(&Options::default());
    let known = check(&honest).unwrap();
    let tar = zstd::decode_all(honest.as_slice()).unwrap();
    let config = ProptestConfig::with_cases(4000);
    proptest!(config, |(damage in prop::collection::vec(damage(), 1..3))| {
        let mut bytes = honest.clone();
        for damage in &damage {
            damage.apply(&mut bytes);
        }
        if let Ok(found) = check(&bytes) {
            // A compressed stream can be spelt in more ways than one.
            prop_assert_eq!(&found, &known);
            prop_assert_eq!(zstd::decode_all(bytes.as_slice()).unwrap(), tar.clone());
        }
    });
}

#[test]
fn a_damaged_archive_is_refused() {
    let fixture = Fixture::new();
    let tar = zstd::decode_all(fixture.bundle(&Options::default()).as_slice()).unwrap();
    let config = ProptestConfig::with_cases(2000);
    proptest!(config, |(damage in damage())| {
        let mut bytes = tar.clone();
        damage.apply(&mut bytes);
        prop_assert!(bytes == tar || check(&compress(&bytes)).is_err());
    });
}

#[test]
fn refusal_leaves_the_store_as_it_was() {
    let fixture = Fixture::new();
    let honest = fixture.bundle(&Options::default());
    let store = fixture.store("receiver");
    let before = files(store.root());
    let config = ProptestConfig::with_cases(200);
    proptest!(config, |(damage in damage())| {
        let mut bytes = honest.clone();
        damage.apply(&mut bytes);
        if check(&bytes).is_err() {
            prop_assert!(take(&bytes, &store).is_err());
            prop_assert_eq!(files(store.root()), before.clone());
        }
    });
}
