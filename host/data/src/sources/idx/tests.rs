use std::fs;

use super::*;

fn content(file: IdxFile) -> Vec<u8> {
    format!("the content of {}", file.name()).into_bytes()
}

/// A folder with these files, which hold their names and no images.
fn directory_with(files: &[IdxFile]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for &file in files {
        fs::write(folder.path().join(file.name()), content(file)).unwrap();
    }
    folder
}

#[test]
fn a_users_dataset_is_recognised_by_its_hashes() {
    let parent = tempfile::tempdir().unwrap();
    let folder = directory_with(&IdxFile::ALL);
    fs::rename(folder.path(), parent.path().join("own")).unwrap();
    let hashes = IdxHashes::of(&parent.path().join("own")).unwrap();
    assert_eq!(
        hashes.test_images,
        ObjectHash::of(&content(IdxFile::TestImages))
    );

    let source = IdxSource {
        name: "own".to_owned(),
        classes: 10,
        class_names: Vec::new(),
        files: hashes,
    };
    let search = Search {
        directory: Some(parent.path()),
        network: false,
    };
    let found = source.obtain(search, &mut |_| {}).unwrap();
    assert_eq!(found[1].bytes, content(IdxFile::TrainLabels));

    fs::write(parent.path().join("own/t10k-images-idx3-ubyte"), "changed").unwrap();
    let error = source.obtain(search, &mut |_| {}).unwrap_err().to_string();
    assert!(
        error.contains("the content is not the expected one: blake3 "),
        "{error}"
    );
}

#[test]
fn hashing_names_the_file_that_is_missing_or_broken() {
    let folder = directory_with(&IdxFile::ALL[..3]);
    let error = IdxHashes::of(folder.path()).unwrap_err().to_string();
    let start = format!(
        "{}/t10k-labels-idx1-ubyte: not there, neither plain nor as .gz; a dataset in IDX format \
         needs train-images-idx3-ubyte, ",
        folder.path().display()
    );
    assert!(error.starts_with(&start), "{error}");

    fs::write(
        folder.path().join("t10k-labels-idx1-ubyte"),
        [0x1f, 0x8b, 1],
    )
    .unwrap();
    let error = IdxHashes::of(folder.path()).unwrap_err().to_string();
    assert!(
        error.contains("t10k-labels-idx1-ubyte: could not be read: "),
        "{error}"
    );
}
