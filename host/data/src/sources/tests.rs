use std::fs;

use super::*;

fn idx(classes: u16, train: &[u8]) -> DatasetSource {
    let hash = ObjectHash::of(b"the same");
    DatasetSource::Idx(IdxSource {
        name: "own".to_owned(),
        classes,
        class_names: Vec::new(),
        files: IdxHashes {
            train_images: ObjectHash::of(train),
            train_labels: hash,
            test_images: hash,
            test_labels: hash,
        },
    })
}

#[test]
fn content_is_that_of_the_files_and_of_nothing_else() {
    let one = idx(4, b"one").content();
    assert_eq!(idx(5, b"one").content(), one);
    assert_ne!(idx(4, b"two").content(), one);
    assert_ne!(
        DatasetSource::Mnist.content(),
        DatasetSource::FashionMnist.content()
    );
}

#[test]
fn content_is_what_b3sum_makes_of_a_list_of_digests() {
    let hash = ObjectHash::of(b"shard");
    let source: DatasetSource = serde_json::from_value(serde_json::json!({ "parquet": {
        "name": "own",
        "train": [{ "path": "a.parquet", "hash": hash }],
        "test_files": [{ "path": "b.parquet", "hash": hash }],
        "image_column": "image",
        "label_column": "label",
        "channels": 3,
        "geometry": "stretch",
        "on_bad_image": "error",
    }}))
    .unwrap();
    let list = format!("{hash}  a.parquet\n{hash}  b.parquet\n");
    assert_eq!(source.content(), ObjectHash::of(list.as_bytes()));
}

#[test]
fn documents_and_pipeline_files_name_sources_alike() {
    let error = serde_json::from_str::<DatasetSource>("\"mnits\"").unwrap_err();
    let names: Vec<_> = KINDS
        .iter()
        .map(|kind| format!("`{}`", kind.name))
        .collect();
    let expected = format!("expected one of {}", names.join(", "));
    assert!(error.to_string().contains(&expected), "{error}");
}

#[test]
fn cifar10_is_looked_for_unpacked_and_as_an_archive() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("cifar-10-batches-bin")).unwrap();
    let search = Search {
        directory: Some(folder.path()),
        network: false,
    };
    let error = DatasetSource::Cifar10
        .open(search, &mut |_| {})
        .err()
        .unwrap();
    let text = error.to_string();
    let directory = folder.path().display();
    for line in [
        "/cifar10: no such directory\n",
        "/cifar-10-batches-bin/data_batch_1.bin: not there, neither plain nor as .gz\n",
        "/test_batch.bin: not there, neither plain nor as .gz\n",
        "/cifar10/cifar-10-binary.tar.gz: no such file\n",
        "/cifar-10-binary.tar.gz: no such file\n",
    ] {
        let line = format!("  {directory}{line}");
        assert!(text.contains(&line), "{line}: {text}");
    }
    let advice = "put cifar-10-binary.tar.gz, or data_batch_1.bin, data_batch_2.bin, ";
    assert!(text.contains(advice), "{text}");
}

#[test]
fn without_directory_and_network_mnist_is_not_searched() {
    let error = DatasetSource::Mnist
        .open(Search::default(), &mut |_| {})
        .err()
        .unwrap()
        .to_string();
    let names = IdxFile::ALL.map(IdxFile::name).join(", ");
    let expected = format!("could not obtain {names} of dataset `mnist`\n");
    assert!(error.starts_with(&expected), "{error}");
    assert!(error.contains("nothing was tried: no directory was named and the network is off"));
}
