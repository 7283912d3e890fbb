use std::fs::File;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, Int64Array, Int64Builder, RecordBatch, StringArray, StructArray,
    UInt8Array,
};
use arrow::datatypes::{DataType, Field, Fields, Schema};
use assay_core::ObjectHash;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use super::*;

fn source(train: &[&str], test: &[&str]) -> ParquetSource {
    let files = |paths: &[&str]| {
        let file = |path: &&str| HashedFile {
            path: (*path).to_owned(),
            hash: ObjectHash::of(b""),
        };
        paths.iter().map(file).collect()
    };
    ParquetSource {
        name: "toy".into(),
        train: files(train),
        test_files: files(test),
        test: None,
        image_column: "image".into(),
        label_column: "label".into(),
        class_names: None,
        classes: None,
        channels: 3,
        size: None,
        geometry: Geometry::Stretch,
        on_bad_image: BadImagePolicy::Error,
    }
}

/// A structure of `bytes` and `path`, as Hugging Face writes images.
fn image_column(images: &[Option<&str>]) -> ArrayRef {
    let bytes: BinaryArray = images
        .iter()
        .map(|image| image.map(str::as_bytes))
        .collect();
    let path: StringArray = images.iter().map(|_| None::<&str>).collect();
    let fields = Fields::from(vec![
        Field::new("bytes", DataType::Binary, true),
        Field::new("path", DataType::Utf8, true),
    ]);
    Arc::new(StructArray::new(
        fields,
        vec![Arc::new(bytes), Arc::new(path)],
        None,
    ))
}

/// Writes a file in row groups of three rows.
fn write(path: &Path, image: ArrayRef, label: ArrayRef, metadata: Option<&str>) {
    let schema = Arc::new(Schema::new(vec![
        Field::new("label", label.data_type().clone(), true),
        Field::new("image", image.data_type().clone(), true),
    ]));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![label, image]).unwrap();
    let entries =
        metadata.map(|text| vec![KeyValue::new(classes::METADATA.into(), text.to_owned())]);
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(3))
        .set_key_value_metadata(entries)
        .build();
    let file = File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, schema, Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn labels(labels: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(labels.to_vec()))
}

fn read(set: &Set, positions: &[u32]) -> Vec<String> {
    let images = set.stream(positions).map(Result::unwrap);
    images
        .map(|image| String::from_utf8(image).unwrap())
        .collect()
}

#[track_caller]
fn error(source: &ParquetSource, folder: &Path) -> String {
    open(source, folder)
        .err()
        .expect("it must not open")
        .to_string()
}

const HUGGING_FACE: &str = r#"{"info": {"features": {
    "image": {"_type": "Image"},
    "label": {"names": ["cat", "dog", "fox"], "_type": "ClassLabel"}}}}"#;

#[test]
fn images_and_labels_of_several_files_are_one_set() {
    let folder = tempfile::tempdir().unwrap();
    let [one, two] = ["one.parquet", "two.parquet"];
    let seven = ["a", "b", "c", "d", "e", "f", "g"].map(Some);
    write(
        &folder.path().join(one),
        image_column(&seven),
        labels(&[0, 1, 2, 0, 1, 2, 0]),
        Some(HUGGING_FACE),
    );
    // Bytes without a structure, labels of another type.
    let bytes = BinaryArray::from(vec![&b"h"[..], b"i"]);
    let narrow = UInt8Array::from(vec![1, 1]);
    write(
        &folder.path().join(two),
        Arc::new(bytes),
        Arc::new(narrow),
        None,
    );
    let found = open(&source(&[one, two], &[two]), folder.path()).unwrap();
    assert_eq!(found.class_names, ["cat", "dog", "fox"]);
    assert_eq!(found.train.labels(), [0, 1, 2, 0, 1, 2, 0, 1, 1]);
    assert_eq!(found.train.name(8), "two.parquet row 1");
    let all: Vec<u32> = (0..9).collect();
    assert_eq!(
        read(&found.train, &all),
        ["a", "b", "c", "d", "e", "f", "g", "h", "i"]
    );
    assert_eq!(read(&found.train, &[1, 4, 6, 8]), ["b", "e", "g", "i"]);
    assert_eq!(read(&found.train, &[7]), ["h"]);
    assert!(read(&found.train, &[]).is_empty());
    assert_eq!(found.test.unwrap().labels(), [1, 1]);
}

#[test]
fn classes_are_named_by_the_pipeline_or_the_files_or_by_number() {
    let folder = tempfile::tempdir().unwrap();
    let write = |metadata| {
        write(
            &folder.path().join("one.parquet"),
            image_column(&[Some("a"), Some("b")]),
            labels(&[0, 1]),
            metadata,
        );
    };
    let mut source = source(&["one.parquet"], &[]);
    let names = |source: &ParquetSource| open(source, folder.path()).unwrap().class_names;
    write(None);
    assert_eq!(names(&source), ["0", "1"]);
    write(Some("{\"info\": {}}"));
    assert_eq!(names(&source), ["0", "1"]);
    write(Some(HUGGING_FACE));
    assert_eq!(names(&source), ["cat", "dog", "fox"]);
    source.classes = Some(4);
    assert_eq!(names(&source), ["0", "1", "2", "3"]);
    source.class_names = Some(vec!["x".into(), "y".into()]);
    assert_eq!(names(&source), ["x", "y"]);
    source.class_names = Some(vec!["x".into()]);
    let text = error(&source, folder.path());
    assert!(
        text.contains("one.parquet: row 1 has `label` 1; with 1 classes"),
        "{text}"
    );
}

#[test]
fn a_missing_image_is_empty_and_a_missing_label_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one.parquet");
    let source = source(&["one.parquet"], &[]);
    write(
        &path,
        image_column(&[Some("a"), None]),
        labels(&[0, 0]),
        None,
    );
    let found = open(&source, folder.path()).unwrap();
    assert_eq!(read(&found.train, &[0, 1]), ["a", ""]);

    write(&path, image_column(&[Some("a")]), labels(&[-1]), None);
    let text = error(&source, folder.path());
    assert!(text.contains("one.parquet: row 0 has label -1"), "{text}");
    let mut null = Int64Builder::new();
    null.append_null();
    write(
        &path,
        image_column(&[Some("a")]),
        Arc::new(null.finish()),
        None,
    );
    assert!(error(&source, folder.path()).contains("row 0 has no label"));
}

#[test]
fn files_of_other_kinds_are_told_by_name_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one.parquet");
    let mut source = source(&["one.parquet"], &[]);
    assert!(error(&source, folder.path()).contains("one.parquet: cannot be read: "));
    std::fs::write(&path, b"PAR1 and nothing more").unwrap();
    assert!(error(&source, folder.path()).contains("one.parquet: cannot be read as Parquet"));

    write(&path, labels(&[0]), labels(&[0]), None);
    let text = error(&source, folder.path());
    assert!(
        text.contains("column `image` holds Int64, not encoded images"),
        "{text}"
    );
    write(
        &path,
        image_column(&[Some("a")]),
        image_column(&[Some("a")]),
        None,
    );
    let text = error(&source, folder.path());
    assert!(text.contains("column `label` holds Struct"), "{text}");
    source.image_column = "picture".into();
    let text = error(&source, folder.path());
    assert!(
        text.contains("column `picture` is missing; its columns are label"),
        "{text}"
    );
    write(&path, image_column(&[]), labels(&[]), None);
    source.image_column = "image".into();
    assert!(error(&source, folder.path()).contains("have 0 rows"));
}

#[test]
fn patterns_find_files_in_their_folder_alone() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("in[side]");
    std::fs::create_dir_all(inside.join("data")).unwrap();
    for name in [
        "data/train-1.parquet",
        "data/train-0.parquet",
        "test.parquet",
    ] {
        std::fs::write(inside.join(name), b"").unwrap();
    }
    std::fs::write(folder.path().join("outside.parquet"), b"").unwrap();
    let found = |pattern| find(&inside, pattern).map_err(|error| error.to_string());
    assert_eq!(
        found("data/train-*.parquet").unwrap(),
        ["data/train-0.parquet", "data/train-1.parquet"]
    );
    assert_eq!(found("test.parquet").unwrap(), ["test.parquet"]);
    let detour = find(&inside.join("data/./.."), "test.parquet");
    assert_eq!(detour.unwrap(), ["test.parquet"]);
    assert!(found("nothing-*").unwrap_err().contains("no file in "));
    assert!(
        found("../*.parquet")
            .unwrap_err()
            .contains("does not lie in ")
    );
    assert!(found("a[").unwrap_err().contains("is no pattern"));
}
