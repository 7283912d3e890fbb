//! NumPy's array files, written here byte for byte as NumPy describes them.

use std::fs;

use assay_audit::formats::{
    Content, Inside, Summary, Tensor, TensorChange, TensorsDifference, compare_files,
};
use proptest::prelude::*;

/// A file of that version: the header is padded with spaces, so that the elements begin at a
/// multiple of 64 bytes, and ends with a line break.
fn file(version: u8, header: &str, elements: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY".to_vec();
    bytes.extend([version, 0]);
    let length_of_length = if version == 1 { 2 } else { 4 };
    let start = bytes.len() + length_of_length;
    let end = (start + header.len() + 1).next_multiple_of(64);
    let length = (end - start) as u32;
    bytes.extend(&length.to_le_bytes()[..length_of_length]);
    bytes.extend(header.bytes());
    bytes.resize(end - 1, b' ');
    bytes.push(b'\n');
    bytes.extend(elements);
    bytes
}

fn header(descr: &str, fortran_order: &str, shape: &str) -> String {
    format!("{{'descr': '{descr}', 'fortran_order': {fortran_order}, 'shape': {shape}, }}")
}

fn floats(version: u8) -> Vec<u8> {
    let elements = [1.0_f32, -2.0, 3.0, 4.0, 5.0, f32::NAN].map(f32::to_le_bytes);
    file(
        version,
        &header("<f4", "False", "(2, 3)"),
        &elements.concat(),
    )
}

fn content(bytes: &[u8]) -> Content {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("array.npy");
    fs::write(&path, bytes).unwrap();
    Content::of(&path, 2).unwrap()
}

fn array(bytes: &[u8]) -> Tensor {
    match content(bytes).summary {
        Summary::Tensors(found) => found.tensors.into_iter().next().unwrap(),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refused(bytes: &[u8], reason: &str) {
    match content(bytes).summary {
        Summary::Broken { broken } => assert_eq!(broken, reason),
        other => panic!("{other:?}"),
    }
}

fn compare(before: &[u8], now: &[u8]) -> TensorsDifference {
    let folder = tempfile::tempdir().unwrap();
    let paths = ["before", "now"].map(|name| folder.path().join(name));
    fs::write(&paths[0], before).unwrap();
    fs::write(&paths[1], now).unwrap();
    let difference = compare_files(&paths[0], &paths[1]).unwrap();
    match difference.inside {
        Some(Inside::Tensors(tensors)) => tensors,
        _ => panic!("{difference:?}"),
    }
}

#[test]
fn every_version_is_read() {
    for version in 1..=3 {
        let bytes = floats(version);
        assert_eq!(content(&bytes).what, "an array (NumPy)");
        let found = array(&bytes);
        assert_eq!((&*found.dtype, &*found.shape), ("F32", &[2, 3][..]));
        let figures = found.figures.unwrap();
        assert_eq!((figures.elements, figures.non_finite), (6, 1));
        assert_eq!((figures.min, figures.max), (Some(-2.0), Some(5.0)));
        assert_eq!(figures.norm.to_bits(), 55_f64.sqrt().to_bits());
    }
    assert!(compare(&floats(1), &floats(3)).is_empty());
    let unknown = "it is of version 4.0, and 1.0, 2.0 and 3.0 are known";
    refused(&floats(4), unknown);
}

#[test]
fn elements_of_every_kind_have_a_name_and_numbers_have_figures() {
    let of = |descr: &str, shape: &str, elements: &[u8]| {
        let found = array(&file(1, &header(descr, "False", shape), elements));
        (found.dtype, found.figures.and_then(|figures| figures.max))
    };
    let named = |name: &str, most| (name.to_owned(), most);
    let big = 1.5_f64.to_be_bytes();
    assert_eq!(of(">f8", "(1,)", &big), named("F64 big-endian", Some(1.5)));
    let small = (-3_i64).to_le_bytes();
    assert_eq!(of("<i8", "()", &small), named("I64", Some(-3.0)));
    assert_eq!(of("|b1", "(2,)", &[0, 1]), named("BOOL", Some(1.0)));
    assert_eq!(of("|u1", "(0, 4)", &[]), named("U8", None));
    assert_eq!(of("<c8", "(1,)", &[0; 8]), named("C64", None));
    assert_eq!(
        of("<M8[ns]", "(1,)", &[0; 8]),
        named("DATETIME64[ns]", None)
    );
    assert_eq!(of("<U3", "(2,)", &[0; 24]), named("TEXT[3]", None));
    assert_eq!(of("|S0", "(5L,)", &[]), named("BYTES[0]", None));
}

#[test]
fn differing_elements_are_found_in_the_order_in_which_they_lie() {
    let values = |order: &str, values: [i16; 6]| {
        let elements = values.map(i16::to_le_bytes).concat();
        file(1, &header("<i2", order, "(2, 3)"), &elements)
    };
    for (order, index) in [("False", [1, 0]), ("True", [1, 1])] {
        let before = values(order, [1, 2, 3, 4, 5, 6]);
        let now = values(order, [1, 2, 3, 14, 5, 6]);
        let found = compare(&before, &now);
        let TensorChange::Values(change) = &found.differing[0].change else {
            panic!("{found:?}");
        };
        assert_eq!((change.elements, change.differing), (6, 1));
        let largest = change.largest.as_ref().unwrap();
        assert_eq!((&*change.first, largest.absolute), (&index[..], 10.0));
    }
    let found = compare(&values("False", [0; 6]), &values("True", [0; 6]));
    let change = TensorChange::Form {
        before: "I16 [2, 3]".to_owned(),
        now: "I16 [2, 3], column-major".to_owned(),
    };
    assert_eq!(found.differing[0].change, change);

    // Elements that do not fill the pieces that a file is read in.
    let texts = |last: u8| {
        let mut elements = vec![7; 12 * 200_000];
        *elements.last_mut().unwrap() = last;
        file(2, &header("<U3", "False", "(200000,)"), &elements)
    };
    let found = compare(&texts(7), &texts(8));
    let TensorChange::Values(change) = &found.differing[0].change else {
        panic!("{found:?}");
    };
    assert_eq!((change.differing, &*change.first), (1, &[199_999][..]));
}

#[test]
fn objects_and_records_are_refused_for_what_they_are() {
    let objects = "its elements are pickled Python objects, which are never opened";
    refused(
        &file(1, &header("|O", "False", "(1,)"), b"\x80\x04."),
        objects,
    );
    let records = "{'descr': [('x', '<f4'), ('y', '|O')], 'fortran_order': False, 'shape': (1,), }";
    let reason = "its elements are records of fields, which are not looked into";
    refused(&file(3, records, &[0; 8]), reason);
}

#[test]
fn a_header_is_held_against_the_file_before_anything_is_read() {
    let of = |header: &str| file(1, header, &[0; 8]);
    let few = "its elements take 12 bytes, and it has 8 for them";
    refused(&of(&header("<f4", "False", "(3,)")), few);
    let many = "its elements take 4 bytes, and it has 8 for them";
    refused(&of(&header("<f4", "False", "()")), many);
    let endless = "its shape is larger than any file";
    let shape = "(4611686018427387904, 8)";
    refused(&of(&header("<f4", "False", shape)), endless);
    let shape = "(99999999999999999999,)";
    refused(
        &of(&header("<f4", "False", shape)),
        "its header has a broken shape",
    );
    let long = "one of its elements is longer than 1 MiB";
    refused(&of(&header("|S9223372036854775807", "False", "(1,)")), long);
    refused(&of(&header("<U9223372036854775807", "False", "(1,)")), long);
    refused(
        &of(&header("<x4", "False", "(2,)")),
        "its elements are of type `<x4`",
    );
    refused(
        &of(&header("", "False", "(2,)")),
        "its elements are of type ``",
    );
    refused(&of("{'descr': '<f4'}"), "its header has no `fortran_order`");
    refused(&of("{'descr': '<f4"), "its header has a broken text");
    refused(&of("{'more': 1}"), "its header has a key `more`");
    refused(&of("__import__('os')"), "its header lacks a `{`");
    refused(
        &of(&(header("<f4", "False", "(2,)") + "1")),
        "its header goes on after its end",
    );

    // A header that is said to be longer than the file, or than any that is looked into.
    let mut bytes = floats(2);
    bytes[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    refused(&bytes, "its header of 4294967295 bytes is too long");
    let padded = header("<f4", "False", "(2,)") + &" ".repeat(100_000);
    refused(
        &file(2, &padded, &[0; 8]),
        "its header of 100084 bytes is too long",
    );
    let cut = &floats(1)[..9];
    assert!(matches!(content(cut).summary, Summary::Broken { .. }));
}

proptest! {
    #[test]
    fn no_header_ends_the_program(text in "[{}()'\":,a-z<|0-9 ]{0,80}", version in 0..5_u8) {
        content(&file(version, &text, &[0; 8]));
    }

    #[test]
    fn damage_ends_in_an_answer(
        version in 1..=3_u8,
        at in any::<prop::sample::Index>(),
        flip in 1..=255_u8,
        cut in any::<bool>(),
    ) {
        let mut bytes = floats(version);
        let at = at.index(bytes.len());
        if cut {
            bytes.truncate(at);
        } else {
            bytes[at] ^= flip;
        }
        content(&bytes);
    }
}
