//! Hugging Face's image Parquet, through the real binary: the same images as in another format
//! come to the same training.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, Int64Array, RecordBatch, StructArray};
use arrow::datatypes::{DataType, Field};
use assay_tests::{CLASSES, Sandbox};
use parquet::arrow::ArrowWriter;
use serde_json::Value;

const SIDE: usize = 8;

/// The elements of an IDX file.
fn elements(path: &Path, header: usize) -> Vec<u8> {
    fs::read(path).unwrap().split_off(header)
}

fn png(pixels: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, SIDE as u32, SIDE as u32);
    encoder.set_color(png::ColorType::Grayscale);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(pixels).unwrap();
    writer.finish().unwrap();
    bytes
}

/// Writes `images` and `labels` as Parquet.
fn write(path: &Path, images: &[Vec<u8>], labels: &[u8]) {
    let bytes: ArrayRef = Arc::new(BinaryArray::from_iter_values(images));
    let field = Arc::new(Field::new("bytes", DataType::Binary, true));
    let image: ArrayRef = Arc::new(StructArray::from(vec![(field, bytes)]));
    let label: ArrayRef = Arc::new(Int64Array::from_iter_values(
        labels.iter().map(|&label| label.into()),
    ));
    let batch = RecordBatch::try_from_iter([("image", image), ("label", label)]).unwrap();
    let file = File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// The sandbox's dataset as Parquet, the training set in two files.
fn convert(sandbox: &Sandbox) {
    let data = sandbox.path("data");
    for (prefix, name, files) in [("train", "train", 2), ("t10k", "test", 1)] {
        let images = elements(&data.join(format!("{prefix}-images-idx3-ubyte")), 16);
        let labels = elements(&data.join(format!("{prefix}-labels-idx1-ubyte")), 8);
        let images: Vec<_> = images.chunks(SIDE * SIDE).map(png).collect();
        let share = labels.len() / files;
        for (number, (images, labels)) in images.chunks(share).zip(labels.chunks(share)).enumerate()
        {
            write(
                &data.join(format!("{name}-{number}.parquet")),
                images,
                labels,
            );
        }
    }
}

fn field<'a>(run: &'a Value, stage: &str, field: &str) -> &'a str {
    let mut stages = run["stages"].as_array().unwrap().iter();
    let stage = stages.find(|found| found["name"] == stage).unwrap();
    stage[field].as_str().unwrap()
}

#[test]
fn the_same_images_in_another_format_train_to_the_same_bytes() {
    let sandbox = Sandbox::new();
    convert(&sandbox);
    let only = ["--only", "train/bp"];
    let idx = sandbox.run_json(&only);

    let pipeline = fs::read_to_string(sandbox.path("pipeline.toml")).unwrap();
    let ours = format!("source = \"idx\"\npath = \"data\"\nclasses = {CLASSES}");
    assert!(pipeline.contains(&ours));
    let settings = "source = \"parquet\"\npath = \"data\"\nchannels = 1\n\
                    train = [\"train-*.parquet\"]\ntest = [\"test-0.parquet\"]";
    let pipeline = pipeline.replace(&ours, settings);
    fs::write(sandbox.path("pipeline.toml"), pipeline).unwrap();
    let parquet = sandbox.run_json(&only);

    assert_eq!(field(&parquet, "data", "outcome"), "ran");
    assert_eq!(
        field(&idx, "train/bp/seed=1", "artifact"),
        field(&parquet, "train/bp/seed=1", "artifact")
    );

    let said = sandbox
        .run(&["--dry-run", "--set", "data.train=[\"nothing-*\"]"])
        .exits(2);
    assert!(
        said.stderr.contains("matches `nothing-*`"),
        "{}",
        said.stderr
    );
}
