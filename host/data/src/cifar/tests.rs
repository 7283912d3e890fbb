use proptest::prelude::*;

use super::*;
use crate::content::gzip;

/// Records whose image is filled with their position.
fn file(labels: &[u8]) -> Vec<u8> {
    let records = labels.iter().enumerate().flat_map(|(position, &label)| {
        std::iter::once(label).chain(std::iter::repeat_n(position as u8, PIXELS))
    });
    records.collect()
}

fn error_of(bytes: &[u8], count: usize) -> FormatError {
    let mut records = Records::default();
    let error = records.append(bytes, count).unwrap_err();
    assert_eq!(records, Records::default());
    error
}

#[test]
fn files_are_read_plain_or_compressed_and_follow_each_other() {
    let mut records = Records::default();
    records.append(&*file(&[7, 0]), 2).unwrap();
    records.append(&*gzip(&file(&[9])), 1).unwrap();
    assert_eq!(records.labels, [7, 0, 9]);
    let expected = [[0; PIXELS], [1; PIXELS], [0; PIXELS]].concat();
    assert_eq!(records.pixels, expected);
}

#[test]
fn pixels_keep_their_order() {
    let mut bytes = file(&[3]);
    for (place, byte) in bytes[1..].iter_mut().enumerate() {
        *byte = (place % 251) as u8;
    }
    let mut records = Records::default();
    records.append(&*bytes, 1).unwrap();
    assert_eq!(records.pixels, bytes[1..]);
}

#[test]
fn a_wrong_length_is_an_error() {
    let whole = file(&[1, 2]);
    for length in [0, 1, RECORD_BYTES, whole.len() - 1] {
        let error = error_of(&whole[..length], 2);
        let expected = format!("is truncated: {length} of 6146 bytes are there");
        assert!(error.to_string().starts_with(&expected), "{error}");
    }
    assert_eq!(
        error_of(&whole[..5], 2).to_string(),
        "is truncated: 5 of 6146 bytes are there; obtain the binary version of CIFAR-10 again"
    );
    assert_eq!(
        error_of(&whole, 1).to_string(),
        "goes on after 3073 bytes, where its last record ends; obtain the binary version of \
         CIFAR-10 again"
    );
}

#[test]
fn a_label_that_is_no_class_is_an_error() {
    let error = error_of(&file(&[0, 9, 10]), 3);
    assert_eq!(
        error.to_string(),
        "has label 10 in record 2; labels of CIFAR-10 are below 10"
    );
}

#[test]
fn a_cut_gzip_stream_is_an_error() {
    let whole = gzip(&file(&[1]));
    for length in 2..whole.len() {
        error_of(&whole[..length], 1);
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        count: usize,
    ) {
        let _ = Records::default().append(&*bytes, count);
        let _ = Records::default().append(&*gzip(&bytes), count);
    }

    #[test]
    fn what_is_written_is_read_unless_a_label_is_no_class(
        labels in prop::collection::vec(0..12_u8, 0..6),
    ) {
        let mut records = Records::default();
        match records.append(&*file(&labels), labels.len()) {
            Ok(()) => {
                prop_assert!(labels.iter().all(|&label| label < CLASSES));
                let read: Vec<_> = labels.iter().copied().map(u16::from).collect();
                prop_assert_eq!(&records.labels, &read);
                prop_assert_eq!(records.pixels.len(), labels.len() * PIXELS);
            }
            Err(error) => {
                let first = labels.iter().position(|&label| label >= CLASSES);
                let named = first.map(|record| format!(" in record {record};"));
                let text = error.to_string();
                prop_assert!(named.is_some_and(|named| text.contains(&named)), "{}", text);
            }
        }
    }
}
