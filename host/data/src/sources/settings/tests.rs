use assay_core::settings::{parse, table};

use super::super::{BadImagePolicy, IdxFile};
use super::*;
use crate::image::Geometry;

/// Hashes that stand for themselves: of a path, or of the number of files.
struct Hashes;

impl FileHashes for Hashes {
    fn file(&mut self, path: &Path) -> Result<ObjectHash, HashError> {
        Ok(ObjectHash::of(path.as_os_str().as_encoded_bytes()))
    }

    fn tree(&mut self, _: &Path, files: &[PathBuf]) -> Result<ObjectHash, HashError> {
        Ok(ObjectHash::of(&files.len().to_le_bytes()))
    }
}

/// Reads the table of a stage `data`, and gives its complaints: `MESSAGE @ TEXT AT THE PLACE`.
fn read(text: &str) -> Result<DatasetSettings, Vec<String>> {
    let text = format!("[stage.data]\n{text}\n");
    let mut out = Complaints::default();
    let root = parse(&text, 0, &mut out);
    let stages = table(&root["stage"].node).unwrap();
    let stage = &stages["data"];
    let mut reader = Reader::of(&stage.node, "[stage.data]", &mut out).unwrap();
    reader.place = stage.key.clone();
    let settings = DatasetSettings::read(&mut reader, "data", &mut out);
    reader.finish(&mut out);
    let error = assay_core::SourceError::new(Vec::new(), out);
    let complaints = error.diagnostics.iter();
    let complaints: Vec<_> = complaints
        .map(|it| format!("{} @ {}", it.message, &text[it.place.bytes.clone()]))
        .collect();
    match settings {
        Some(settings) if complaints.is_empty() => Ok(settings),
        settings => {
            assert!(!complaints.is_empty(), "{settings:?}");
            Err(complaints)
        }
    }
}

fn complete(text: &str, base: &Path) -> Result<DatasetParameters, String> {
    let mut planning = Planning {
        base,
        data_dir: None,
        hashes: &mut Hashes,
    };
    let completed = read(text).unwrap().complete(&mut planning);
    completed.map_err(|complaint| complaint.message)
}

#[track_caller]
fn refused(text: &str, complaints: &[&str]) {
    assert_eq!(read(text).err().unwrap_or_default(), complaints);
}

#[test]
fn a_known_dataset_has_defaults() {
    let text = |text| serde_json::to_string(&complete(text, Path::new("")).unwrap()).unwrap();
    assert_eq!(
        text("source = \"cifar10\""),
        r#"{"source":"cifar10","validation":5000,"split_seed":0,"limit":{},"scaling":"standardised"}"#
    );
    assert_eq!(
        text(
            "source = \"mnist\"\nvalidation = 0\nsplit_seed = 3\nscaling = \"standardised\"\n\
             limit = { train = 5 }"
        ),
        r#"{"source":"mnist","validation":0,"split_seed":3,"limit":{"train":5},"scaling":"standardised"}"#
    );
    let known = DatasetSettings::known("mnist", &mut Complaints::default()).unwrap();
    assert_eq!(known.data_path(), None);
}

#[test]
fn unknown_datasets_are_refused_with_the_closest_known() {
    refused(
        "source = \"mnits\"\nsize = 3",
        &["there is no dataset `mnits` @ \"mnits\""],
    );
    let mut out = Complaints::default();
    assert!(DatasetSettings::known("mnits", &mut out).is_none());
    let error = assay_core::SourceError::new(Vec::new(), out);
    let complaint = &error.diagnostics[0];
    assert_eq!(complaint.help.as_deref(), Some("did you mean `mnist`?"));
    assert_eq!(complaint.place.bytes, 0..5);
}

#[test]
fn settings_are_for_the_sources_that_take_them() {
    refused(
        "source = \"mnist\"\npath = \"here\"\nclass_names = [\"a\"]\nkey = 1",
        &[
            "`path` is for a dataset from `idx` or `imagenet` or `parquet` or `csv` or `folder`, not for `mnist` \
             @ \"here\"",
            "`class_names` is for a dataset from `idx` or `parquet`, not for `mnist` @ [\"a\"]",
            "[stage.data] has no key `key` @ key",
        ],
    );
    refused(
        "source = \"imagenet\"\nchannels = 1",
        &["`channels` is for a dataset from `parquet` or `folder`, not for `imagenet` @ 1"],
    );
}

#[test]
fn values_are_checked_where_they_stand() {
    refused("", &["[stage.data] has no `source` @ data"]);
    refused(
        "source = \"mnist\"\nvalidation = -1\nscaling = \"none\"\nlimit = { train = 0, x = 1 }",
        &[
            "-1 is out of range @ -1",
            "unknown variant `none`, expected `unit-interval` or `standardised` @ \"none\"",
            "0 is out of range @ 0",
            "`limit` has no key `x` @ x",
        ],
    );
    refused(
        "source = \"imagenet\"\nsize = 0\ngeometry = \"zoom\"\ntest = [\"a\"]",
        &[
            "0 is out of range @ 0",
            "unknown variant `zoom`, expected `stretch` or `crop` @ \"zoom\"",
            "the test set of ImageNet is in its own files: `test` can only be a number of images \
             to draw from the training set @ [\"a\"]",
        ],
    );
    refused(
        "source = \"parquet\"\ntrain = [\"a\"]\ntest = 1\nchannels = 2",
        &["2 is out of range @ 2"],
    );
}

#[test]
fn idx_files_need_a_folder_and_classes() {
    refused(
        "source = \"idx\"",
        &[
            "a dataset in IDX format needs `path` @ data",
            "a dataset in IDX format needs `classes` @ data",
        ],
    );
    let idx = |text: &str| format!("source = \"idx\"\npath = \".\"\n{text}");
    for (text, complaint) in [
        (
            "class_names = [\"a\", \"a\"]",
            "two classes have the name `a` @ \"a\"",
        ),
        (
            "class_names = [\"a\", \" \"]",
            "a class needs a name @ \" \"",
        ),
        (
            "class_names = [\"a\", 2]",
            "expected a string, found an integer @ 2",
        ),
        (
            "class_names = []",
            "a dataset in IDX format needs `classes` @ data",
        ),
        (
            "class_names = [\"a\"]\nclasses = 2",
            "1 names for 2 classes @ [\"a\"]",
        ),
        (
            "classes = 300",
            "`classes` is 300, and labels in IDX format are bytes @ 300",
        ),
        ("classes = 0", "0 is out of range @ 0"),
    ] {
        refused(&idx(text), &[complaint]);
    }

    let folder = tempfile::tempdir().unwrap();
    let missing = complete(&idx("classes = 4"), folder.path()).unwrap_err();
    assert!(
        missing.contains("train-images-idx3-ubyte: not there"),
        "{missing}"
    );
    for file in IdxFile::ALL {
        std::fs::write(folder.path().join(file.name()), file.name()).unwrap();
    }
    let completed = complete(&idx("class_names = [\"a\", \"b\"]"), folder.path()).unwrap();
    let DatasetSource::Idx(source) = &completed.source else {
        panic!("{completed:?}");
    };
    assert_eq!((source.name.as_str(), source.classes), ("data", 2));
    assert_eq!(
        source.files.test_labels,
        ObjectHash::of(b"t10k-labels-idx1-ubyte")
    );
}

#[test]
fn parquet_files_are_found_beside_the_pipeline_file_unless_a_folder_is_named() {
    refused(
        "source = \"parquet\"",
        &[
            "a dataset in Parquet files needs `train` @ data",
            "a dataset in Parquet files needs `test`: its files, or a number of images to draw \
             from the training set @ data",
        ],
    );
    let text = "source = \"parquet\"\ntrain = [\"*.parquet\"]\ntest = 7\non_bad_image = \"skip\"";
    assert_eq!(read(text).unwrap().data_path(), Some("."));
    let folder = tempfile::tempdir().unwrap();
    let missing = complete(text, folder.path()).unwrap_err();
    assert!(missing.contains("matches `*.parquet`"), "{missing}");

    for name in ["b.parquet", "a.parquet"] {
        std::fs::write(folder.path().join(name), name).unwrap();
    }
    let completed = complete(text, folder.path()).unwrap();
    let DatasetSource::Parquet(source) = completed.source else {
        panic!("{completed:?}");
    };
    let names: Vec<_> = source.train.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(names, ["a.parquet", "b.parquet"]);
    assert_eq!(
        (source.test, source.channels, source.size),
        (Some(7), 3, None)
    );
    assert_eq!(source.on_bad_image, BadImagePolicy::Skip);
    assert_eq!(source.geometry, Geometry::Stretch);
    assert_eq!(
        (&*source.image_column, &*source.label_column),
        ("image", "label")
    );
}

#[test]
fn files_that_changed_since_the_plan_are_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.parquet"), "a").unwrap();
    let text = "source = \"parquet\"\ntrain = [\"a.parquet\"]\ntest = 7";
    let source = complete(text, folder.path()).unwrap().source;
    let planned = folder.path().join(".");
    assert!(source.check_unchanged(Some(&planned), &mut Hashes).is_ok());
    let elsewhere = source.check_unchanged(Some(Path::new("/else")), &mut Hashes);
    assert_eq!(
        elsewhere.unwrap_err().to_string(),
        "the dataset was planned with other files: /else/a.parquet has changed since; run the \
         pipeline again"
    );
}
