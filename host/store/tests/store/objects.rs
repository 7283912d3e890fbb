use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use assay_core::ObjectHash;
use assay_store::StoreError;
use proptest::prelude::*;

use crate::support::{new_store, replace, walk};

/// Beyond the sizes from which files are mapped and hashed on several threads.
const LARGE: usize = 600_000;

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index * 31 % 251) as u8).collect()
}

#[test]
fn an_object_is_read_only_and_named_by_the_hash_of_its_bytes() {
    let (_folder, store) = new_store();
    let object = store.put_bytes(b"").unwrap();
    let path = store.object_path(object);
    assert!(
        path.ends_with("objects/af/1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262")
    );
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o444);
}

#[test]
fn a_flipped_cut_or_added_byte_is_noticed_wherever_it_is() {
    let (_folder, store) = new_store();
    let whole = bytes(300);
    let object = store.put_bytes(&whole).unwrap();
    let path = store.object_path(object);
    let is_noticed = |damaged: &[u8]| {
        replace(&path, damaged);
        let verified = store.verify(object);
        let read = store.read(object);
        assert!(
            matches!(verified, Err(StoreError::Damaged { object: named, .. }) if named == object)
        );
        assert!(matches!(read, Err(StoreError::Damaged { object: named, .. }) if named == object));
    };
    for index in 0..whole.len() {
        for bit in 0..8 {
            let mut damaged = whole.clone();
            damaged[index] ^= 1 << bit;
            is_noticed(&damaged);
        }
        is_noticed(&whole[..index]);
        let mut damaged = whole.clone();
        damaged.insert(index, 0);
        is_noticed(&damaged);
    }
    replace(&path, &whole);
    store.verify(object).unwrap();
    assert_eq!(store.read(object).unwrap(), whole);
}

#[test]
fn putting_an_object_again_mends_it() {
    let (_folder, store) = new_store();
    let whole = bytes(LARGE);
    let object = store.put_bytes(&whole).unwrap();
    let mut flipped = whole.clone();
    flipped[LARGE / 2] ^= 1;
    for damaged in [&flipped[..], &whole[..LARGE - 1], b""] {
        replace(&store.object_path(object), damaged);
        assert_eq!(store.put_bytes(&whole).unwrap(), object);
        store.verify(object).unwrap();

        replace(&store.object_path(object), damaged);
        let scratch = store.root().join("scratch/output");
        fs::write(&scratch, &whole).unwrap();
        assert_eq!(store.put_file(&scratch).unwrap(), (object, LARGE as u64));
        store.verify(object).unwrap();
    }
}

#[test]
fn a_file_moves_into_the_store_even_when_its_object_is_there() {
    let (_folder, store) = new_store();
    let scratch = store.root().join("scratch/output");
    for _ in 0..2 {
        fs::write(&scratch, b"weights").unwrap();
        let (object, size) = store.put_file(&scratch).unwrap();
        assert_eq!((object, size), (ObjectHash::of(b"weights"), 7));
        assert!(!scratch.exists());
        assert_eq!(store.read(object).unwrap(), b"weights");
    }
    assert_eq!(walk(&store.root().join("objects")).len(), 1);
    assert_eq!(walk(&store.root().join("tmp")).len(), 0);
}

#[test]
fn a_file_with_a_second_name_cannot_be_written_through_it() {
    let (_folder, store) = new_store();
    let scratch = store.root().join("scratch/output");
    let second = store.root().join("scratch/second");
    fs::write(&scratch, b"weights").unwrap();
    fs::hard_link(&scratch, &second).unwrap();
    let (object, _) = store.put_file(&scratch).unwrap();
    fs::write(&second, b"changed").unwrap();
    assert_eq!(store.read(object).unwrap(), b"weights");
    assert!(!scratch.exists());
    assert_eq!(walk(&store.root().join("tmp")).len(), 0);
}

#[test]
fn only_regular_files_become_or_count_as_objects() {
    let (folder, store) = new_store();
    let secret = folder.path().join("secret");
    fs::write(&secret, b"secret").unwrap();
    let link = store.root().join("scratch/link");
    symlink(&secret, &link).unwrap();
    for path in [&link, store.root()] {
        assert!(matches!(
            store.put_file(path),
            Err(StoreError::NotRegular { .. })
        ));
    }

    let object = store.put_bytes(b"secret").unwrap();
    let path = store.object_path(object);
    fs::remove_file(&path).unwrap();
    symlink(&secret, &path).unwrap();
    assert!(!store.contains(object, 6).unwrap());
    assert!(store.read(object).unwrap_err().is_damage());
    assert!(store.verify(object).unwrap_err().is_damage());
    store.put_bytes(b"secret").unwrap();
    assert!(fs::symlink_metadata(&path).unwrap().is_file());
}

#[test]
fn what_is_missing_or_too_large_is_said_so() {
    let (_folder, store) = new_store();
    let missing = ObjectHash::of(b"never put");
    assert!(
        matches!(store.read(missing), Err(StoreError::Missing { object }) if object == missing)
    );
    assert!(
        matches!(store.verify(missing), Err(StoreError::Missing { object }) if object == missing)
    );
    assert!(!store.contains(missing, 9).unwrap());

    let object = store.put_bytes(&bytes(100)).unwrap();
    assert!(store.read_limited(object, 100).is_ok());
    assert!(matches!(
        store.read_limited(object, 99),
        Err(StoreError::TooLarge { limit: 99, .. })
    ));
    assert!(store.contains(object, 100).unwrap());
    assert!(!store.contains(object, 99).unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_put_is_what_is_read(
        small in prop::collection::vec(any::<u8>(), 0..2_000),
        length in prop_oneof![Just(0_usize), 0..70_000_usize, Just(LARGE)],
    ) {
        let (_folder, store) = new_store();
        for whole in [small, bytes(length)] {
            let object = store.put_bytes(&whole).unwrap();
            prop_assert_eq!(object, ObjectHash::of(&whole));
            prop_assert_eq!(&store.read(object).unwrap(), &whole);

            let scratch = store.root().join("scratch/output");
            fs::write(&scratch, &whole).unwrap();
            prop_assert_eq!(store.put_file(&scratch).unwrap(), (object, whole.len() as u64));
            store.verify(object).unwrap();
        }
    }

    #[test]
    fn damage_to_a_large_object_is_noticed(index in 0..LARGE, bit in 0..8_u32, cut in 1..LARGE) {
        let (_folder, store) = new_store();
        let whole = bytes(LARGE);
        let object = store.put_bytes(&whole).unwrap();
        let mut flipped = whole.clone();
        flipped[index] ^= 1 << bit;
        for damaged in [&flipped[..], &whole[..LARGE - cut]] {
            replace(&store.object_path(object), damaged);
            prop_assert!(store.verify(object).is_err());
            prop_assert!(store.read(object).is_err());
        }
    }
}
