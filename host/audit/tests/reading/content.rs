//! Content found in files, sound ones and others.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, UInt32Array};
use assay_audit::formats::{Content, Summary, Table};
use assay_data::table::{ImageShape, Scaling, TableWriter};
use parquet::arrow::ArrowWriter;
use proptest::prelude::*;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::json;

fn content(bytes: &[u8]) -> Content {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, bytes).unwrap();
    Content::of(&path, 2).unwrap()
}

fn is_broken(bytes: &[u8]) -> bool {
    matches!(content(bytes).summary, Summary::Broken { .. })
}

fn table() -> Vec<u8> {
    let columns: [(&str, ArrayRef); 3] = [
        (
            "method",
            Arc::new(StringArray::from(vec!["bp", "fa", "\u{1b}[31m"])),
        ),
        ("epoch", Arc::new(UInt32Array::from(vec![1, 2, 3]))),
        (
            "error",
            Arc::new(Float64Array::from(vec![Some(1.5), None, Some(f64::NAN)])),
        ),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

fn view<'a>(dtype: Dtype, shape: &[usize], data: &'a [u8]) -> TensorView<'a> {
    TensorView::new(dtype, shape.to_vec(), data).unwrap()
}

fn tensors() -> Vec<u8> {
    let floats = [3.0_f32, -4.0, f32::NAN, f32::INFINITY]
        .map(f32::to_le_bytes)
        .concat();
    let halves = [0x3c00_u16, 0xc000].map(u16::to_le_bytes).concat();
    let tensors = [
        ("weight", view(Dtype::F32, &[2, 2], &floats)),
        ("half", view(Dtype::F16, &[2], &halves)),
        ("none", view(Dtype::F32, &[0], &[])),
    ];
    let metadata = HashMap::from([("format".to_owned(), "assay".to_owned())]);
    safetensors::serialize(tensors, Some(metadata)).unwrap()
}

fn images() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("images.arrow");
    write_images(&path);
    fs::read(path).unwrap()
}

fn write_images(path: &Path) {
    let shape = ImageShape::new(1, 2, 2).unwrap();
    let mut writer = TableWriter::create(path, shape, 3, &Scaling::UnitInterval).unwrap();
    for label in [0, 2, 2] {
        writer.push(&[1, 2, 3, 4], label).unwrap();
    }
    writer.finish().unwrap();
}

#[test]
fn a_table_is_told_with_its_first_rows() {
    let Summary::Table {
        table:
            Table {
                rows,
                columns,
                head,
                ..
            },
    } = content(&table()).summary
    else {
        panic!("no table");
    };
    assert_eq!(rows, 3);
    let columns: Vec<_> = columns
        .iter()
        .map(|it| (&*it.name, &*it.r#type, it.plain))
        .collect();
    assert_eq!(
        columns,
        [
            ("method", "text", false),
            ("epoch", "uint32", true),
            ("error", "float64", true)
        ]
    );
    let cell = |text: &str| Some(text.to_owned());
    assert_eq!(
        head,
        [
            vec![cell("bp"), cell("1"), cell("1.5")],
            vec![cell("fa"), cell("2"), None]
        ]
    );
}

#[test]
fn tensors_are_told_in_figures() {
    let Summary::Tensors(found) = content(&tensors()).summary else {
        panic!("no tensors");
    };
    let of = |name: &str| found.tensors.iter().find(|it| it.name == name).unwrap();
    let weight = of("weight").figures.unwrap();
    assert_eq!((weight.elements, weight.non_finite), (4, 2));
    assert_eq!((weight.norm, weight.mean), (5.0, -0.5));
    assert_eq!((weight.min, weight.max), (Some(-4.0), Some(3.0)));
    let half = of("half").figures.unwrap();
    assert_eq!((half.min, half.max), (Some(-2.0), Some(1.0)));
    let none = of("none").figures.unwrap();
    assert_eq!((none.elements, none.norm, none.min), (0, 0.0, None));
    assert_eq!(found.metadata["format"], "assay");
}

#[test]
fn images_are_counted_by_class() {
    let Summary::Images(images) = content(&images()).summary else {
        panic!("no images");
    };
    assert_eq!((images.images, images.label_counts), (3, vec![1, 0, 2]));
}

#[test]
fn texts_are_cut_and_json_is_laid_out() {
    let text = |bytes: &[u8]| match content(bytes) {
        Content {
            what,
            summary: Summary::Text(text),
        } => (what, text),
        other => panic!("no text: {other:?}"),
    };
    let (what, shown) = text(b"one\ntwo\nthree\n");
    assert_eq!(
        (shown.lines, shown.more, what),
        (vec!["one".to_owned(), "two".to_owned()], true, "text")
    );
    let (what, shown) = text(br#"{"a":[1]}"#);
    assert_eq!(
        (shown.lines, what),
        (vec!["{".to_owned(), "  \"a\": [".to_owned()], "text (JSON)")
    );
    let (what, shown) = text(b"[stage.train]\nepochs = 1\n");
    assert_eq!((&*shown.lines[0], what), ("[stage.train]", "text"));
    // A character that the look at the beginning cuts in two.
    let long = "a".repeat((64 << 10) - 1) + "ä and more";
    assert!(text(long.as_bytes()).1.more);
    assert_eq!(content(b"").what, "empty");
    assert_eq!(content(b"\x1f\x8b\x08\0").what, "compressed bytes (gzip)");
    assert_eq!(content(&[1, 0, 255, 254]).summary, Summary::Bytes {});
}

#[test]
fn content_is_a_document_for_scripts() {
    let document = |bytes: &[u8]| serde_json::to_value(content(bytes)).unwrap();
    let found = document(&table());
    let columns = json!([
        { "name": "method", "type": "text", "nullable": false },
        { "name": "epoch", "type": "uint32", "nullable": false },
        { "name": "error", "type": "float64", "nullable": true },
    ]);
    let head = json!([
        { "method": "bp", "epoch": 1, "error": 1.5 },
        { "method": "fa", "epoch": 2, "error": null },
    ]);
    let table = json!({ "rows": 3, "columns": columns, "head": head, "units": null });
    assert_eq!(
        found,
        json!({ "what": "a table (Parquet)", "table": table })
    );
    let tensors = document(&tensors());
    let mut tensors = tensors["tensors"].as_array().unwrap().iter();
    let weight = tensors.find(|it| it["name"] == "weight").unwrap();
    assert_eq!(weight["figures"]["elements"], 4);
    assert_eq!(document(b""), json!({ "what": "empty" }));
    assert_eq!(
        document(b"a"),
        json!({ "what": "text", "lines": ["a"], "more": false })
    );
    let broken = document(b"PAR1");
    assert_eq!(broken["what"], "a Parquet table");
    assert!(broken["broken"].is_string());
}

#[test]
fn a_header_that_promises_too_much_is_refused() {
    let mut bytes = (20_u64 << 20).to_le_bytes().to_vec();
    bytes.extend(b"{");
    bytes.resize(21 << 20, b' ');
    assert!(is_broken(&bytes));
    let header = br#"{"a":{"dtype":"F32","shape":[4611686018427387904,8],"data_offsets":[0,0]}}"#;
    let bytes = [&(header.len() as u64).to_le_bytes()[..], header].concat();
    assert!(is_broken(&bytes));
}

proptest! {
    #[test]
    fn nothing_that_a_file_holds_ends_the_program(
        mark in prop::sample::select(vec![&b""[..], b"PAR1", b"ARROW1\0\0", b"\x7fELF", b"\x10\0\0\0\0\0\0\0{"]),
        bytes in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        content(&[mark, &bytes].concat());
    }

    #[test]
    fn damage_ends_in_an_answer(
        kind in 0..3_usize,
        place in any::<prop::sample::Index>(),
        flip in 1..=255_u8,
        cut in any::<bool>(),
    ) {
        let mut bytes = [table, tensors, images][kind]();
        let place = place.index(bytes.len());
        if cut {
            bytes.truncate(place);
        } else {
            bytes[place] ^= flip;
        }
        content(&bytes);
    }
}
