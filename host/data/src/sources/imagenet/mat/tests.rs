use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use proptest::prelude::*;

use super::*;

/// An element in its long form, padded.
fn element(kind: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = [kind.to_le_bytes(), (data.len() as u32).to_le_bytes()].concat();
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

/// An element in its short form, as MATLAB writes up to four bytes.
fn short(kind: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes = [kind.to_le_bytes(), (data.len() as u16).to_le_bytes()].concat();
    bytes.extend(data);
    bytes.resize(8, 0);
    bytes
}

fn matrix(class: u8, dimensions: [i32; 2], name: &str, content: &[u8]) -> Vec<u8> {
    let flags = [class, 0, 0, 0, 0, 0, 0, 0];
    let dimensions = dimensions.map(i32::to_le_bytes).concat();
    let parts = [
        element(6, &flags),
        element(5, &dimensions),
        element(1, name.as_bytes()),
        content.to_vec(),
    ];
    element(MATRIX, &parts.concat())
}

fn text(text: &str) -> Vec<u8> {
    let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    matrix(4, [1, text.len() as i32], "", &element(4, &units))
}

/// A number as MATLAB stores a double that is small and whole.
fn number(number: u32) -> Vec<u8> {
    let data = match u8::try_from(number) {
        Ok(byte) => short(2, &[byte]),
        Err(_) => short(4, &(number as u16).to_le_bytes()),
    };
    matrix(6, [1, 1], "", &data)
}

/// A `meta.mat` with these synsets: number, id, words.
pub(in crate::sources::imagenet) fn meta_mat(
    synsets: &[(u32, &str, &str)],
    compressed: bool,
) -> Vec<u8> {
    let names = ["ILSVRC2012_ID", "WNID", "words", "gloss"];
    let mut content = short(5, &32_i32.to_le_bytes());
    let padded = names.map(|name| {
        let mut name = name.as_bytes().to_vec();
        name.resize(32, 0);
        name
    });
    content.extend(element(1, &padded.concat()));
    for (id, synset, words) in synsets {
        for value in [number(*id), text(synset), text(words), text("a gloss")] {
            content.extend(value);
        }
    }
    let variable = matrix(STRUCTURE, [synsets.len() as i32, 1], SYNSETS, &content);
    let mut file = vec![b' '; HEADER];
    file[124..].copy_from_slice(&[0, 1, b'I', b'M']);
    // Another variable before it, to be passed over.
    file.extend(matrix(6, [1, 1], "other", &short(2, &[1])));
    if compressed {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&variable).unwrap();
        let data = encoder.finish().unwrap();
        file.extend(COMPRESSED.to_le_bytes());
        file.extend((data.len() as u32).to_le_bytes());
        file.extend(data);
    } else {
        file.extend(variable);
    }
    file
}

const SYNSETS_OF_TEST: [(u32, &str, &str); 3] = [
    (1, "n02119789", "kit fox, Vulpes macrotis"),
    (2, "n02100735", "English setter"),
    (300, "n01440764", "tench, Tinca tinca"),
];

#[test]
fn numbers_ids_and_words_are_read_compressed_or_not() {
    let expected = SYNSETS_OF_TEST.map(|(number, id, words)| Synset {
        number,
        id: id.into(),
        words: words.into(),
    });
    for compressed in [false, true] {
        let synsets = read_synsets(&meta_mat(&SYNSETS_OF_TEST, compressed)).unwrap();
        assert_eq!(synsets, expected);
    }
}

#[test]
fn other_files_are_told_apart() {
    assert_eq!(read_synsets(b"PK"), Err(MatError::Header));
    assert_eq!(read_synsets(&[0; 200]), Err(MatError::Header));
    let whole = meta_mat(&SYNSETS_OF_TEST, false);
    assert_eq!(
        read_synsets(&whole[..HEADER]),
        Err(MatError::Missing(SYNSETS))
    );
    let mut nameless = whole;
    let at = nameless
        .windows(4)
        .position(|bytes| bytes == b"WNID")
        .unwrap();
    nameless[at..at + 4].copy_from_slice(b"wnid");
    assert_eq!(read_synsets(&nameless), Err(MatError::Missing(ID)));
}

proptest! {
    #[test]
    fn damage_is_an_error_and_never_a_panic(
        compressed: bool,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        length in any::<prop::sample::Index>(),
    ) {
        let mut file = meta_mat(&SYNSETS_OF_TEST, compressed);
        for (at, value) in changes {
            let at = at.index(file.len());
            file[at] = value;
        }
        let _ = read_synsets(&file[..length.index(file.len())]);
    }
}
