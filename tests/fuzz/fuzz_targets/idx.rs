//! Any bytes are either an IDX file or a typed error: no panic, no memory beyond the limit.

#![no_main]

use assay_data::idx;
use libfuzzer_sys::fuzz_target;

const LIMIT: u64 = 1 << 16;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(images) = idx::read_images(bytes, LIMIT) {
        let expected = u64::from(images.count) * u64::from(images.rows) * u64::from(images.columns);
        assert_eq!(images.pixels.len() as u64, expected);
        assert!(expected <= LIMIT);
    }
    if let Ok(labels) = idx::read_labels(bytes, LIMIT) {
        assert!(labels.len() as u64 <= LIMIT);
        let checked = idx::check_labels(labels.len() as u32, &labels, 10);
        assert_eq!(checked.is_ok(), labels.iter().all(|&label| label < 10));
    }
});
