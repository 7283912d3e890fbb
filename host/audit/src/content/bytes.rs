//! Recognises files in formats that are not Assay's own, by their magic numbers.

const MARKS: [(&[u8], &str); 11] = [
    (b"\x89PNG\r\n\x1a\n", "a picture (PNG)"),
    (b"\xff\xd8\xff", "a picture (JPEG)"),
    (b"GIF8", "a picture (GIF)"),
    (b"%PDF-", "a document (PDF)"),
    (b"\x1f\x8b", "compressed bytes (gzip)"),
    (b"\x28\xb5\x2f\xfd", "compressed bytes (Zstandard)"),
    (b"\xfd7zXZ\0", "compressed bytes (xz)"),
    (b"BZh", "compressed bytes (bzip2)"),
    (b"PK\x03\x04", "an archive (ZIP)"),
    (b"SQLite format 3\0", "a database (SQLite)"),
    (b"\x89HDF\r\n\x1a\n", "data (HDF5)"),
];

/// Where a tar archive says that it is one.
const TAR: std::ops::Range<usize> = 257..262;

pub(super) fn look(head: &[u8]) -> &'static str {
    let marked = MARKS.iter().find(|(mark, _)| head.starts_with(mark));
    match marked {
        Some((_, looks)) => looks,
        None if head.get(TAR) == Some(b"ustar") => "an archive (tar)",
        None if head.iter().all(|byte| *byte == 0) => "zero bytes",
        None => "bytes of no format that is known here",
    }
}
