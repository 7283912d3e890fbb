//! How much a store holds.

use std::fs;

use assay_audit::Census;

use crate::support::Sample;

#[test]
fn objects_are_counted_whatever_is_remembered() {
    let sample = Sample::new();
    assert_eq!(Census::take(&sample.store).unwrap(), Census::default());
    let mut expected = Census::default();
    for number in 0..300_u64 {
        let bytes = number.to_string().into_bytes();
        sample.store.put_bytes(&bytes).unwrap();
        expected.objects += 1;
        expected.bytes += bytes.len() as u64;
    }
    assert_eq!(Census::take(&sample.store).unwrap(), expected);
    Sample::settle();
    for _ in 0..2 {
        assert_eq!(Census::take(&sample.store).unwrap(), expected);
    }
    let object = sample.store.put_bytes(b"one more").unwrap();
    let more = Census {
        objects: expected.objects + 1,
        bytes: expected.bytes + 8,
    };
    assert_eq!(Census::take(&sample.store).unwrap(), more);
    sample.lose(object);
    assert_eq!(Census::take(&sample.store).unwrap(), expected);
    for entry in fs::read_dir(sample.store.root().join("cache")).unwrap() {
        let path = entry.unwrap().path();
        fs::remove_file(&path).unwrap();
        fs::write(path, b"no census").unwrap();
    }
    assert_eq!(Census::take(&sample.store).unwrap(), expected);
}
