use proptest::prelude::*;

use super::*;
use crate::content::gzip;

const LIMIT: u64 = 1 << 20;

fn file(element_type: u8, dimensions: &[u32], elements: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, element_type, dimensions.len() as u8];
    bytes.extend(dimensions.iter().flat_map(|size| size.to_be_bytes()));
    bytes.extend_from_slice(elements);
    bytes
}

/// Two images of 2 × 3 pixels.
fn images() -> Vec<u8> {
    file(8, &[2, 2, 3], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
}

fn error_of(bytes: &[u8]) -> FormatError {
    read_images(bytes, LIMIT).unwrap_err()
}

#[test]
fn images_and_labels_are_read_plain_or_compressed() {
    let expected = Images {
        count: 2,
        rows: 2,
        columns: 3,
        pixels: (1..=12).collect(),
    };
    assert_eq!(read_images(&*images(), LIMIT).unwrap(), expected);
    assert_eq!(read_images(&*gzip(&images()), LIMIT).unwrap(), expected);

    let labels = file(8, &[3], &[7, 0, 9]);
    assert_eq!(read_labels(&*labels, LIMIT).unwrap(), [7, 0, 9]);
    assert_eq!(read_labels(&*gzip(&labels), LIMIT).unwrap(), [7, 0, 9]);
}

#[test]
fn another_magic_is_named() {
    let error = error_of(b"PK\x03\x04 a zip archive");
    assert_eq!(
        error.to_string(),
        "is not an IDX file: it begins with bytes [50, 4b] where IDX begins with 00 00"
    );
}

#[test]
fn other_elements_are_named() {
    let error = error_of(&file(0x0d, &[1, 1, 1], &[0; 4]));
    assert_eq!(
        error.to_string(),
        "has elements of type 0x0d; only unsigned bytes (0x08) are supported"
    );
}

#[test]
fn swapped_images_and_labels_are_noticed() {
    let error = error_of(&file(8, &[3], &[7, 0, 9]));
    assert_eq!(
        error.to_string(),
        "has 1 dimensions where 3 are needed; images have 3, labels 1: were the two swapped?"
    );
    let error = read_labels(&*images(), LIMIT).unwrap_err();
    assert_eq!(
        error.to_string(),
        "has 3 dimensions where 1 are needed; images have 3, labels 1: were the two swapped?"
    );
}

#[test]
fn a_zero_dimension_is_an_error() {
    for dimensions in [[0, 2, 3], [2, 0, 3], [2, 3, 0]] {
        let error = error_of(&file(8, &dimensions, &[]));
        assert_eq!(
            error.to_string(),
            format!("holds no data: its dimensions are {dimensions:?}")
        );
    }
}

#[test]
fn dimensions_that_overflow_or_exceed_the_limit_are_refused_unread() {
    let error = error_of(&file(8, &[u32::MAX; 3], &[]));
    assert_eq!(
        error.to_string(),
        "states dimensions [4294967295, 4294967295, 4294967295], whose product overflows; the \
         header is damaged"
    );
    let error = error_of(&file(8, &[1 << 20, 1, 2], &[]));
    assert_eq!(
        error.to_string(),
        "states 2097152 bytes of elements, more than the limit of 1048576"
    );
}

#[test]
fn every_cut_is_noticed() {
    let whole = images();
    for length in 0..whole.len() {
        let cut = &whole[..length];
        for bytes in [cut.to_vec(), gzip(cut)] {
            let error = error_of(&bytes);
            assert!(error.to_string().starts_with("is truncated: "), "{error}");
        }
    }
    assert_eq!(
        error_of(&whole[..20]).to_string(),
        "is truncated: 4 of 12 bytes of its elements are there; obtain the file again"
    );
    assert_eq!(
        error_of(&whole[..6]).to_string(),
        "is truncated: 2 of 4 bytes of its header are there; obtain the file again"
    );
}

#[test]
fn a_cut_gzip_stream_is_an_error() {
    let whole = gzip(&images());
    for length in 2..whole.len() {
        assert!(read_images(&whole[..length], LIMIT).is_err(), "{length}");
    }
}

#[test]
fn trailing_bytes_are_an_error() {
    let mut bytes = images();
    bytes.extend([0, 0]);
    let error = error_of(&bytes);
    assert_eq!(
        error.to_string(),
        "goes on after its last element (2 bytes); the header is damaged"
    );
}

#[test]
fn counts_and_classes_are_checked() {
    assert!(check_labels(3, &[0, 9, 5], 10).is_ok());
    assert_eq!(
        check_labels(4, &[0, 9, 5], 10).unwrap_err().to_string(),
        "holds 3 labels for 4 images; the two files do not belong together"
    );
    let error = check_labels(3, &[0, 9, 10], 10).unwrap_err();
    assert_eq!(
        error.to_string(),
        "has label 10 at position 2; with 10 classes, labels are below 10"
    );
    assert!(check_labels(1, &[255], 256).is_ok());
}

/// A reader that gives one byte at a time, as a slow pipe may.
struct Dripping<'a>(&'a [u8]);

impl Read for Dripping<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.0.len().min(buffer.len()).min(1);
        let (now, later) = self.0.split_at(count);
        buffer[..count].copy_from_slice(now);
        self.0 = later;
        Ok(count)
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_images(&*bytes, LIMIT);
        let _ = read_labels(&*bytes, LIMIT);
        let _ = read_images(&*gzip(&bytes), LIMIT);
    }

    #[test]
    fn a_file_with_one_changed_header_byte_is_never_read_as_other_data(
        place in 0_usize..16,
        value: u8,
    ) {
        let mut bytes = images();
        prop_assume!(bytes[place] != value);
        bytes[place] = value;
        prop_assert!(read_images(&*bytes, LIMIT).is_err());
    }

    #[test]
    fn a_mutated_gzip_file_is_read_as_it_was_or_refused(place in 0_usize..40, value: u8) {
        let mut bytes = gzip(&images());
        let place = place % bytes.len();
        bytes[place] = value;
        if let Ok(read) = read_images(&*bytes, LIMIT) {
            prop_assert_eq!(read, read_images(&*images(), LIMIT).unwrap());
        }
    }

    #[test]
    fn what_is_written_is_read(
        rows in 1_u32..6,
        columns in 1_u32..6,
        count in 1_u32..6,
        seed: u8,
    ) {
        let size = count * rows * columns;
        let pixels: Vec<u8> = (0..size).map(|place| (place as u8).wrapping_mul(seed)).collect();
        let bytes = file(8, &[count, rows, columns], &pixels);
        let expected = Images { count, rows, columns, pixels };
        prop_assert_eq!(read_images(Dripping(&bytes), LIMIT).unwrap(), expected);
    }
}
