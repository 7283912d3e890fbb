use std::fs;

use super::super::tests::{FILES, content, find, wanted};
use super::super::{Location, PublishedArchive};
use super::*;
use crate::content::gzip;

const KNOWN: PublishedArchive = PublishedArchive {
    name: "toy.tar.gz",
    folder: "toy-files",
    bytes: 1 << 20,
};

fn header(path: &str, size: usize, kind: tar::EntryType) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size as u64);
    header.set_mode(0o644);
    // Written raw, since the builder refuses the paths that an attacker would use.
    header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_cksum();
    header
}

/// A gzip-compressed archive of files.
pub(crate) fn archive(entries: &[(impl AsRef<str>, impl AsRef<[u8]>)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, content) in entries {
        let content = content.as_ref();
        let header = header(path.as_ref(), content.len(), tar::EntryType::Regular);
        archive.append(&header, content).unwrap();
    }
    gzip(&archive.into_inner().unwrap())
}

fn read(archive: &[u8]) -> Vec<Result<Vec<u8>, Failure>> {
    entries(archive, KNOWN.folder, &wanted()).unwrap()
}

#[test]
fn only_the_expected_entries_are_read() {
    let found = read(&archive(&[
        ("toy-files/readme.html", "other"),
        ("../toy-files/train-images", "outside"),
        ("/toy-files/train-images", "outside"),
        ("toy-files/../toy-files/train-images", "roundabout"),
        ("train-images", "elsewhere"),
        ("toy-files/train-images", "images"),
    ]));
    assert_eq!(found[0].as_ref().unwrap(), b"images");
    assert!(
        found[1..]
            .iter()
            .all(|content| matches!(content, Err(Failure::NotInArchive)))
    );
}

#[test]
fn links_and_folders_with_an_expected_name_are_no_files() {
    let mut builder = tar::Builder::new(Vec::new());
    for (kind, name) in [
        (tar::EntryType::Symlink, FILES[0]),
        (tar::EntryType::Link, FILES[1]),
        (tar::EntryType::Directory, FILES[2]),
        (tar::EntryType::Fifo, FILES[3]),
    ] {
        let mut header = header(&format!("toy-files/{name}"), 0, kind);
        header.set_link_name("/etc/passwd").unwrap();
        header.set_cksum();
        builder.append(&header, &[][..]).unwrap();
    }
    let found = read(&gzip(&builder.into_inner().unwrap()));
    assert!(
        found
            .iter()
            .all(|content| matches!(content, Err(Failure::NotInArchive)))
    );
}

#[test]
fn an_entry_that_is_too_large_is_refused() {
    let found = read(&archive(&[("toy-files/test-labels", [0; 100])]));
    let limit = content("test-labels").len();
    assert_eq!(
        found[3].as_ref().unwrap_err().to_string(),
        format!("holds more than the {limit} bytes expected")
    );
}

#[test]
fn an_archive_that_goes_on_and_on_is_given_up() {
    let zeros = vec![0; 8 << 20];
    let names: Vec<_> = (0..10)
        .map(|number| (format!("filler-{number}"), &zeros))
        .collect();
    let error = entries(&*archive(&names), KNOWN.folder, &wanted());
    assert!(error.is_err());
}

#[test]
fn a_damaged_archive_is_an_error() {
    let whole = archive(&[("toy-files/test-labels", "labels")]);
    for damaged in [&whole[..whole.len() / 2], b"no archive"] {
        assert!(entries(damaged, KNOWN.folder, &wanted()).is_err());
    }
}

#[test]
fn files_are_found_in_an_archive_and_their_content_checked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(KNOWN.name);
    let place = || Location::Archive(path.clone(), KNOWN);
    let error = find(&[place()]).unwrap_err().to_string();
    assert!(error.contains("toy.tar.gz: no such file\n"), "{error}");

    let mut entries = FILES.map(|name| (format!("toy-files/{name}"), content(name)));
    fs::write(&path, archive(&entries)).unwrap();
    let found = find(&[place()]).unwrap();
    assert_eq!(found[2].bytes, content("test-images"));
    assert_eq!(
        found[2].origin.to_string(),
        format!("{} (toy-files/test-images)", path.display())
    );

    entries[2].1[0] ^= 1;
    fs::write(&path, archive(&entries)).unwrap();
    let error = find(&[place()]).unwrap_err();
    assert_eq!(error.missing, ["test-images"]);
    let expected = "(toy-files/test-images): the content is not the expected one: sha256 ";
    assert!(error.to_string().contains(expected), "{error}");
}
