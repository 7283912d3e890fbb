//! Comparison of two files: it finds everything that was changed, and nothing else, whatever the
//! files hold.
#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails has to end its test, and clippy knows only test functions"
)]

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, FixedSizeBinaryArray, Float64Array, RecordBatch, StringArray, UInt8Array, UInt32Array,
};
use arrow::ipc::writer::FileWriter;
use assay_audit::formats::{
    ContentDifference, Inside, TableDifference, TensorChange, TensorsDifference, compare_files,
};
use assay_audit::{FileChange, compare_artifacts};
use assay_store::Store;
use parquet::arrow::ArrowWriter;
use proptest::collection::vec;
use proptest::prelude::*;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::json;
use tempfile::TempDir;

const JSON: &str = "application/json";
const TEXT: &str = "text/csv";

/// Two files.
struct Pair {
    _folder: TempDir,
    paths: [PathBuf; 2],
}

impl Pair {
    fn new(before: &[u8], now: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["before", "now"].map(|name| folder.path().join(name));
        fs::write(&paths[0], before).unwrap();
        fs::write(&paths[1], now).unwrap();
        Self {
            _folder: folder,
            paths,
        }
    }

    fn compare(&self) -> ContentDifference {
        compare_files(&self.paths[0], &self.paths[1]).unwrap()
    }
}

fn inside(before: &[u8], now: &[u8]) -> Inside {
    let difference = Pair::new(before, now).compare();
    difference
        .inside
        .unwrap_or_else(|| panic!("{:?}", difference.undecoded))
}

fn table(before: &[u8], now: &[u8]) -> TableDifference {
    match inside(before, now) {
        Inside::Table(table) => table,
        other => panic!("{other:?}"),
    }
}

fn tensors(before: &[u8], now: &[u8]) -> TensorsDifference {
    match inside(before, now) {
        Inside::Tensors(tensors) => tensors,
        other => panic!("{other:?}"),
    }
}

/// A table of metrics: ten rows for each epoch.
fn metrics(values: &[f64]) -> Vec<u8> {
    let rows = 0..values.len() as u32;
    let columns: [(&str, ArrayRef); 3] = [
        (
            "epoch",
            Arc::new(UInt32Array::from_iter_values(
                rows.clone().map(|row| row / 10 + 1),
            )),
        ),
        (
            "metric",
            Arc::new(StringArray::from_iter_values(
                rows.map(|row| format!("m{}", row % 10)),
            )),
        ),
        ("value", Arc::new(Float64Array::from(values.to_vec()))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

/// A table of images of three bytes, in batches of so many rows.
fn images(images: &[[u8; 3]], batch: usize) -> Vec<u8> {
    let of = |images: &[[u8; 3]]| {
        let pixels = FixedSizeBinaryArray::try_from_iter(images.iter()).unwrap();
        let labels = UInt8Array::from_iter_values(images.iter().map(|image| image[0] % 2));
        let columns: [(&str, ArrayRef); 2] =
            [("image", Arc::new(pixels)), ("label", Arc::new(labels))];
        RecordBatch::try_from_iter(columns).unwrap()
    };
    let mut writer = FileWriter::try_new(Vec::new(), &of(&images[..1]).schema()).unwrap();
    for images in images.chunks(batch) {
        writer.write(&of(images)).unwrap();
    }
    writer.into_inner().unwrap()
}

/// A file with one tensor `w` of rows of four floats, and a step counter.
fn state(values: &[f32]) -> Vec<u8> {
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let step = 7_i64.to_le_bytes();
    let views = [
        (
            "w",
            TensorView::new(Dtype::F32, vec![values.len() / 4, 4], &bytes).unwrap(),
        ),
        (
            "step",
            TensorView::new(Dtype::I64, Vec::new(), &step).unwrap(),
        ),
    ];
    safetensors::serialize(views, None).unwrap()
}

/// Bytes that are no text, or none at all.
fn no_text() -> impl Strategy<Value = Vec<u8>> {
    let bytes = vec(any::<u8>(), 0..600);
    bytes.prop_map(|mut bytes| {
        bytes
            .first_mut()
            .into_iter()
            .for_each(|first| *first = 0xff);
        bytes
    })
}

/// Values and the same with some of them changed.
fn changed() -> impl Strategy<Value = (Vec<f64>, BTreeMap<usize, f64>)> {
    vec(-1e3..1e3_f64, 1..6000).prop_flat_map(|values| {
        let places = prop::collection::btree_map(0..values.len(), 1e-3..10.0_f64, 0..8);
        (Just(values), places)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_changed_cell_of_a_table_is_found((values, changes) in changed()) {
        let mut other = values.clone();
        for (&at, by) in &changes {
            other[at] += by;
        }
        let found = table(&metrics(&values), &metrics(&other));
        prop_assert_eq!(found.rows, [values.len() as u64; 2]);
        prop_assert!(found.schema.is_empty() && found.metadata.is_empty());
        let Some((&first, _)) = changes.first_key_value() else {
            prop_assert!(found.is_empty());
            return Ok(());
        };
        prop_assert_eq!(found.columns.len(), 1);
        let column = &found.columns[0];
        prop_assert_eq!(&column.column, "value");
        prop_assert_eq!(column.rows, changes.len() as u64);
        prop_assert_eq!(column.first_row, first as u64);
        prop_assert_eq!(column.first_epoch, Some(first as i64 / 10 + 1));
        prop_assert_eq!(&column.first_key["metric"], &format!("m{}", first % 10));
        let apart = |at: &usize| (other[*at] - values[*at]).abs();
        let largest = changes.keys().map(apart).fold(0.0, f64::max);
        prop_assert_eq!(column.largest_absolute, Some(largest));
    }

    #[test]
    fn every_changed_element_of_a_tensor_is_found((values, changes) in changed()) {
        let mut values: Vec<f32> = values.into_iter().map(|value| value as f32).collect();
        values.resize(values.len().next_multiple_of(4), 0.5);
        let mut other = values.clone();
        for (&at, by) in &changes {
            other[at] += (*by as f32).max(other[at].abs() / 100.0);
        }
        let found = tensors(&state(&values), &state(&other));
        prop_assert_eq!(found.tensors, [2, 2]);
        let Some((&first, _)) = changes.first_key_value() else {
            prop_assert!(found.is_empty());
            return Ok(());
        };
        prop_assert_eq!(found.differing.len(), 1);
        let TensorChange::Values(change) = &found.differing[0].change else {
            panic!("{found:?}");
        };
        prop_assert_eq!(change.elements, values.len() as u64);
        prop_assert_eq!(change.differing, changes.len() as u64);
        prop_assert_eq!(&change.first, &[first as u64 / 4, first as u64 % 4]);
        let largest = change.largest.as_ref().unwrap();
        let apart = |at: usize| (f64::from(values[at]) - f64::from(other[at])).abs();
        let at = largest.index[0] as usize * 4 + largest.index[1] as usize;
        prop_assert_eq!(largest.absolute.to_bits(), apart(at).to_bits());
        prop_assert!(changes.keys().all(|&other| apart(other) <= largest.absolute));
    }

    #[test]
    fn bytes_are_compared_as_by_hand(before in no_text(), now in no_text()) {
        let found = Pair::new(&before, &now).compare();
        let length = before.len().max(now.len());
        let differs = |at: &usize| before.get(*at) != now.get(*at);
        prop_assert_eq!(found.bytes.first, (0..length).find(differs).map(|at| at as u64));
        prop_assert_eq!(found.bytes.differing, (0..length).filter(differs).count() as u64);
        prop_assert_eq!(found.inside, None);
        prop_assert_eq!(found.undecoded, None);
    }

    #[test]
    fn damage_costs_the_content_and_never_the_program(
        kind in 0..4_usize,
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        truncate in any::<bool>(),
    ) {
        let sound = [
            metrics(&[1.0; 50]),
            images(&[[1, 2, 3]; 20], 8),
            state(&[0.5; 64]),
            br#"{"a": [1, 2, {"b": null}]}"#.to_vec(),
        ];
        let sound = &sound[kind];
        let mut damaged = sound.clone();
        for (at, byte) in damage {
            let at = at.index(damaged.len());
            damaged[at] = byte;
        }
        if truncate {
            damaged.truncate(cut.index(damaged.len()));
        }
        let found = Pair::new(sound, &damaged).compare();
        prop_assert_eq!(found.bytes.first.is_some(), *sound != damaged);
        prop_assert!(found.inside.is_some() || found.undecoded.is_some());
        if *sound == damaged {
            prop_assert!(found.inside.unwrap().is_empty());
        }
    }
}

#[test]
fn tables_of_images_are_compared_row_by_row_however_they_are_batched() {
    let before: Vec<[u8; 3]> = (0..100).map(|at| [at, at, at]).collect();
    let mut now = before.clone();
    now[40][2] = 7;
    now[90][0] = 91;
    let found = table(&images(&before, 16), &images(&now, 30));
    let columns: Vec<_> = found
        .columns
        .iter()
        .map(|it| (it.column.as_str(), it.rows, it.first_row))
        .collect();
    assert_eq!(columns, [("image", 2, 40), ("label", 1, 90)]);
    assert!(table(&images(&before, 16), &images(&before, 30)).is_empty());

    now.truncate(60);
    let found = table(&images(&before, 16), &images(&now, 16));
    assert_eq!(found.rows, [100, 60]);
    assert_eq!(found.columns.len(), 1);
}

#[test]
fn other_columns_and_other_types_are_differences_of_the_schema() {
    let file = |columns: Vec<(&str, ArrayRef)>| {
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.into_inner().unwrap()
    };
    let numbers: ArrayRef = Arc::new(Float64Array::from(vec![1.0, f64::NAN, -0.0]));
    let whole: ArrayRef = Arc::new(UInt32Array::from(vec![1, 2, 3]));
    let before = file(vec![
        ("same", numbers.clone()),
        ("gone", whole.clone()),
        ("typed", whole.clone()),
    ]);
    let now = file(vec![
        ("typed", numbers.clone()),
        ("new", whole),
        ("same", numbers),
    ]);
    let found = table(&before, &now);
    assert_eq!(found.columns, []);
    let schema: Vec<_> = found
        .schema
        .iter()
        .map(|it| (it.column.as_str(), it.before.as_deref(), it.now.as_deref()))
        .collect();
    assert_eq!(
        schema,
        [
            ("gone", Some("UInt32"), None),
            ("typed", Some("UInt32"), Some("Float64")),
            ("new", None, Some("UInt32")),
        ]
    );
}

#[test]
fn tensors_that_come_go_or_change_their_form_are_named() {
    let file = |tensors: &[(&str, Dtype, Vec<usize>)], note: &str| {
        let bytes = [0_u8; 64];
        let views = tensors.iter().map(|(name, dtype, shape)| {
            let size = shape.iter().product::<usize>() * dtype.bitsize() / 8;
            (
                *name,
                TensorView::new(*dtype, shape.clone(), &bytes[..size]).unwrap(),
            )
        });
        let notes = HashMap::from([("note".to_owned(), note.to_owned())]);
        safetensors::serialize(views, Some(notes)).unwrap()
    };
    let before = file(
        &[("a", Dtype::F32, vec![2, 3]), ("b", Dtype::F32, vec![4])],
        "one",
    );
    let now = file(
        &[("a", Dtype::F32, vec![3, 2]), ("c", Dtype::I64, vec![])],
        "two",
    );
    let found = tensors(&before, &now);
    let form = |text: &str| text.to_owned();
    let changes: Vec<_> = found
        .differing
        .iter()
        .map(|it| (it.tensor.as_str(), it.change.clone()))
        .collect();
    assert_eq!(
        changes,
        [
            (
                "a",
                TensorChange::Form {
                    before: form("F32 [2, 3]"),
                    now: form("F32 [3, 2]")
                }
            ),
            (
                "b",
                TensorChange::Missing {
                    form: form("F32 [4]")
                }
            ),
            (
                "c",
                TensorChange::Extra {
                    form: form("I64 []")
                }
            ),
        ]
    );
    assert_eq!(found.metadata.len(), 1);
}

#[test]
fn numbers_that_are_none_are_counted_and_not_measured() {
    let before = state(&[1.0, f32::NAN, 3.0, f32::INFINITY]);
    let now = state(&[1.0_f32.next_up(), 2.0, 3.0, 4.0]);
    let found = tensors(&before, &now);
    let TensorChange::Values(change) = &found.differing[0].change else {
        panic!("{found:?}");
    };
    assert_eq!((change.differing, change.not_finite), (3, 2));
    assert_eq!(change.largest.as_ref().unwrap().index, [0, 0]);
    let same = state(&[f32::NAN; 4]);
    assert!(tensors(&same, &same).is_empty());
}

#[test]
fn values_of_documents_are_told_by_path_and_lines_of_texts_by_number() {
    let before = br#"{"a": {"b": [1, 2, 3]}, "gone": null, "same": [{}]}"#;
    let now = br#"{"a": {"b": [1, 5]}, "same": [{}]}"#;
    let Inside::Json { values } = inside(before, now) else {
        panic!("another form");
    };
    let values: Vec<_> = values
        .iter()
        .map(|it| (it.field.as_str(), it.before.clone(), it.now.clone()))
        .collect();
    assert_eq!(
        values,
        [
            ("a.b[1]", Some(json!(2)), Some(json!(5))),
            ("a.b[2]", Some(json!(3)), None),
            ("gone", Some(json!(null)), None),
        ]
    );

    let Inside::Text(text) = inside(b"one\ntwo\nthree\n", b"one\n2\nthree") else {
        panic!("another form");
    };
    assert_eq!((text.lines, text.differing), ([3, 3], 2));
    let first = text.first.unwrap();
    assert_eq!(
        (first.line, first.before.as_deref(), first.now.as_deref()),
        (2, Some("two"), Some("2"))
    );
}

#[test]
fn files_of_two_formats_are_named_and_not_compared() {
    let found = Pair::new(&metrics(&[1.0]), b"a text\n").compare();
    assert_eq!(found.inside, None);
    let reason = "it was a table (Parquet), and is text";
    assert_eq!(found.undecoded.as_deref(), Some(reason));
}

#[test]
fn artifacts_are_compared_file_by_file_and_damage_is_no_content() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("store")).unwrap();
    let commit = |files: &[(&str, &str, &str)]| {
        let files = files.iter().map(|(name, content, media_type)| {
            let path = folder.path().join(name);
            fs::write(&path, content).unwrap();
            ((*name).to_owned(), (path, (*media_type).to_owned()))
        });
        store.commit_artifact(files.collect()).unwrap()
    };
    let before = commit(&[
        ("gone", "x", TEXT),
        ("kind", "k", TEXT),
        ("same", "s", TEXT),
        ("text", "a\n", TEXT),
    ]);
    let now = commit(&[
        ("kind", "k", JSON),
        ("new", "xyz", TEXT),
        ("same", "s", TEXT),
        ("text", "b\n", TEXT),
    ]);
    assert_eq!(compare_artifacts(&store, before, before).unwrap(), []);
    let found = compare_artifacts(&store, before, now).unwrap();
    let names: Vec<_> = found.iter().map(|it| it.file.as_str()).collect();
    assert_eq!(names, ["gone", "kind", "new", "text"]);
    assert_eq!(found[0].change, FileChange::Missing { size: 1 });
    assert!(matches!(found[1].change, FileChange::MediaType { .. }));
    assert_eq!(found[2].change, FileChange::Extra { size: 3 });
    assert!(matches!(&found[3].change, FileChange::Content(it) if it.inside.is_some()));

    let path = store.artifact_file_path(now, "text").unwrap();
    fs::remove_file(&path).unwrap();
    File::create(&path).unwrap();
    let found = compare_artifacts(&store, before, now).unwrap();
    assert!(
        matches!(&found[3].change, FileChange::Unreadable { reason } if reason.contains("damaged"))
    );
}
