//! The datasets themselves, where `ASSAY_TEST_DATA` names a directory that holds them.

#![allow(clippy::print_stderr, reason = "measurements say what they measured")]
#![allow(
    clippy::unwrap_used,
    reason = "clippy's allowance for tests does not reach the helpers of integration tests"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, BinaryArray, RecordBatch, UInt8Array};
use assay_core::ObjectHash;
use assay_data::augment::{Augmentation, Flip};
use assay_data::image::Geometry;
use assay_data::obtain::Search;
use assay_data::order::epoch_order;
use assay_data::prepare::{DESCRIPTION_FILE, Description, Workplace, prepare};
use assay_data::sources::{
    BadImagePolicy, DatasetParameters, DatasetSource, HashedFile, Limit, ParquetSource,
    ScalingChoice,
};
use assay_data::table::ImageTable;
use assay_skips::skip;
use parquet::arrow::ArrowWriter;

const TRAIN_FILE: &str = "train.arrow";
const VALIDATION_FILE: &str = "validation.arrow";
const TEST_FILE: &str = "test.arrow";

const VARIABLE: &str = "ASSAY_TEST_DATA";

/// The directory with the folder `name`; says so when there is none.
fn data(name: &str) -> Option<PathBuf> {
    let directory = std::env::var_os(VARIABLE).map(PathBuf::from);
    let found = directory.filter(|directory| directory.join(name).is_dir());
    if found.is_none() {
        skip(&format!(
            "{VARIABLE} names no directory that holds `{name}`"
        ));
    }
    found
}

/// Prepares `source` into `output` with the given validation split.
fn prepare_into(output: &Path, source: DatasetSource, validation: u32, data: &Path) -> Description {
    let scaling = match source {
        DatasetSource::Cifar10 => ScalingChoice::Standardised,
        _ => ScalingChoice::UnitInterval,
    };
    let parameters = DatasetParameters {
        source,
        validation,
        split_seed: 0,
        limit: Limit::default(),
        scaling,
    };
    let search = Search {
        directory: Some(data),
        network: false,
    };
    let workplace = Workplace {
        output,
        scratch: output,
        threads: 1,
        cancelled: &AtomicBool::new(false),
    };
    let summary = prepare(&parameters, search, &workplace, &mut |_| {}).unwrap();
    summary.description
}

#[test]
fn mnist_has_its_published_statistics() {
    let Some(data) = data("mnist") else { return };
    let output = tempfile::tempdir().unwrap();
    let description = prepare_into(output.path(), DatasetSource::Mnist, 0, &data);
    // The constants by which everyone normalises MNIST.
    assert!((description.mean[0] - 0.1307).abs() < 5e-5);
    assert!((description.standard_deviation[0] - 0.3081).abs() < 5e-5);
    assert_eq!(
        description.splits.train.label_counts,
        [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    );
    assert_eq!(
        description.splits.test.label_counts,
        [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    );
}

#[test]
fn mnist_is_prepared_bit_for_bit_alike_and_holds_its_images() {
    let Some(data) = data("mnist") else { return };
    let outputs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    for output in &outputs {
        prepare_into(output.path(), DatasetSource::Mnist, 5000, &data);
    }
    for file in [TRAIN_FILE, VALIDATION_FILE, TEST_FILE, DESCRIPTION_FILE] {
        let [first, second] =
            [&outputs[0], &outputs[1]].map(|o| std::fs::read(o.path().join(file)).unwrap());
        assert!(first == second, "{file} differs");
    }

    let test = ImageTable::open(&outputs[0].path().join(TEST_FILE)).unwrap();
    let mut images = vec![0.0; 5 * 784];
    let mut labels = [0; 5];
    test.gather(&[0, 1, 2, 3, 9999], &mut images, &mut labels)
        .unwrap();
    assert_eq!(labels, [7, 2, 1, 0, 6]);
    let raw = std::fs::read(data.join("mnist/t10k-images-idx3-ubyte")).unwrap();
    let last: Vec<f32> = raw[16 + 9999 * 784..]
        .iter()
        .map(|&pixel| f32::from(pixel) / 255.0)
        .collect();
    assert_eq!(images[4 * 784..], last);
}

#[test]
fn fashion_mnist_has_its_published_statistics() {
    let Some(data) = data("fashion-mnist") else {
        return;
    };
    let output = tempfile::tempdir().unwrap();
    let description = prepare_into(output.path(), DatasetSource::FashionMnist, 5000, &data);
    let splits = &description.splits;
    assert_eq!((splits.train.images, splits.test.images), (55_000, 10_000));
    assert_eq!(splits.test.label_counts, [1000; 10]);
    assert!((description.mean[0] - 0.2860).abs() < 1e-3);
    assert!((description.standard_deviation[0] - 0.3530).abs() < 1e-3);
}

#[test]
#[ignore = "uses the network and, without one, a package mirror"]
fn mnist_is_obtained_without_a_directory() {
    let search = Search {
        directory: None,
        network: true,
    };
    let start = Instant::now();
    let output = tempfile::tempdir().unwrap();
    let summary = prepare(
        &serde_json::from_str(r#"{"source":"mnist"}"#).unwrap(),
        search,
        &Workplace {
            output: output.path(),
            scratch: output.path(),
            threads: 1,
            cancelled: &AtomicBool::new(false),
        },
        &mut |_| {},
    );
    let summary = summary.unwrap();
    eprintln!("{} in {:?}", summary.origins[0].1, start.elapsed());
    assert_eq!(summary.description.splits.train.images, 55_000);
}

#[test]
fn cifar10_has_its_published_statistics_and_holds_its_images_standardised() {
    let Some(data) = data("cifar10") else { return };
    let output = tempfile::tempdir().unwrap();
    let description = prepare_into(output.path(), DatasetSource::Cifar10, 0, &data);
    // The constants by which everyone normalises CIFAR-10.
    let published = [(0.4914, 0.2470), (0.4822, 0.2435), (0.4465, 0.2616)];
    let statistics = description.mean.iter().zip(&description.standard_deviation);
    for ((mean, deviation), published) in statistics.zip(published) {
        assert!((mean - published.0).abs() < 5e-5);
        assert!((deviation - published.1).abs() < 5e-5);
    }
    assert_eq!(<[u32; 3]>::from(description.shape), [3, 32, 32]);
    assert_eq!(description.splits.train.label_counts, [5000; 10]);
    assert_eq!(description.splits.test.label_counts, [1000; 10]);
    assert_eq!(description.class_names[3], "cat");

    let test = ImageTable::open(&output.path().join(TEST_FILE)).unwrap();
    let mut images = vec![0.0; 3072];
    let mut labels = [0];
    test.gather(&[9999], &mut images, &mut labels).unwrap();
    let raw = std::fs::read(data.join("cifar10/test_batch.bin")).unwrap();
    let record = &raw[9999 * 3073..];
    assert_eq!(labels, [i64::from(record[0])]);
    for (place, (&pixel, found)) in record[1..].iter().zip(images).enumerate() {
        let (mean, deviation) = published[place / 1024];
        let expected = (f64::from(pixel) / 255.0 - mean) / deviation;
        assert!((f64::from(found) - expected).abs() < 1e-3);
    }
}

#[test]
#[ignore = "a measurement: run alone, with --release --nocapture"]
fn measure_gathering_augmented_images() {
    let Some(data) = data("cifar10") else { return };
    let output = tempfile::tempdir().unwrap();
    let start = Instant::now();
    prepare_into(output.path(), DatasetSource::Cifar10, 5000, &data);
    eprintln!("prepare: {:?}", start.elapsed());

    let table = ImageTable::open(&output.path().join(TRAIN_FILE)).unwrap();
    let order = epoch_order(0, 0, table.len());
    let augmentation = Augmentation {
        crop_padding: 4,
        flip: Some(Flip::Horizontal),
    };
    let epoch = augmentation.in_epoch(1, 1);
    let (mut images, mut labels) = (vec![0.0; 128 * 3072], vec![0; 128]);
    report("gather 128 images", &order, |batch| {
        table.gather(batch, &mut images, &mut labels).unwrap();
    });
    report("gather and augment 128 images", &order, |batch| {
        table
            .gather_augmented(batch, &epoch, &mut images, &mut labels)
            .unwrap();
    });
}

#[test]
#[ignore = "a measurement: run alone, with --release --nocapture"]
fn measure_opening_and_gathering() {
    let Some(data) = data("mnist") else { return };
    let output = tempfile::tempdir().unwrap();
    let start = Instant::now();
    prepare_into(output.path(), DatasetSource::Mnist, 0, &data);
    eprintln!("prepare: {:?}", start.elapsed());

    let start = Instant::now();
    let table = ImageTable::open(&output.path().join(TRAIN_FILE)).unwrap();
    eprintln!("open {} images: {:?}", table.len(), start.elapsed());

    let start = Instant::now();
    let order = epoch_order(0, 0, table.len());
    eprintln!("order of an epoch: {:?}", start.elapsed());

    let (mut images, mut labels) = (vec![0.0; 128 * 784], vec![0; 128]);
    report("gather 128 images", &order, |batch| {
        table.gather(batch, &mut images, &mut labels).unwrap();
    });
}

/// Prints how long `gather` takes for each batch of 128.
fn report(what: &str, order: &[u32], mut gather: impl FnMut(&[u32])) {
    let mut times: Vec<Duration> = order
        .chunks_exact(128)
        .map(|batch| {
            let start = Instant::now();
            gather(batch);
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    let (least, median) = (times[0], times[times.len() / 2]);
    eprintln!("{what}: median {median:?}, least {least:?}");
}

/// Writes the images and labels of two IDX files as PNG in Parquet.
fn mnist_to_parquet(images: &Path, labels: &Path, output: &Path) {
    let images = std::fs::read(images).unwrap().split_off(16);
    let labels = std::fs::read(labels).unwrap().split_off(8);
    let images = images.chunks(784).map(|pixels| {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, 28, 28);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_compression(png::Compression::Fastest);
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(pixels).unwrap();
        writer.finish().unwrap();
        bytes
    });
    let image: ArrayRef = Arc::new(BinaryArray::from_iter_values(images));
    let label: ArrayRef = Arc::new(UInt8Array::from(labels));
    let batch = RecordBatch::try_from_iter([("image", image), ("label", label)]).unwrap();
    let file = std::fs::File::create(output).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

#[test]
fn mnist_as_png_in_parquet_is_the_same_dataset() {
    let Some(data) = data("mnist") else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = |path: &str| HashedFile {
        path: path.to_owned(),
        hash: ObjectHash::of(b""),
    };
    for (prefix, name) in [("train", "train.parquet"), ("t10k", "test.parquet")] {
        let file = |kind: &str| data.join("mnist").join(format!("{prefix}-{kind}-ubyte"));
        let (images, labels) = (file("images-idx3"), file("labels-idx1"));
        mnist_to_parquet(&images, &labels, &folder.path().join(name));
    }
    let source = DatasetSource::Parquet(ParquetSource {
        name: "mnist".into(),
        train: vec![file("train.parquet")],
        test_files: vec![file("test.parquet")],
        test: None,
        image_column: "image".into(),
        label_column: "label".into(),
        class_names: None,
        classes: None,
        channels: 1,
        size: None,
        geometry: Geometry::Stretch,
        on_bad_image: BadImagePolicy::Error,
    });
    let outputs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let idx = prepare_into(outputs[0].path(), DatasetSource::Mnist, 5000, &data);
    let parquet = prepare_into(outputs[1].path(), source, 5000, folder.path());
    assert_eq!(
        (&idx.mean, &idx.standard_deviation, &idx.class_names),
        (
            &parquet.mean,
            &parquet.standard_deviation,
            &parquet.class_names
        )
    );
    for (one, other) in idx.splits.iter().zip(parquet.splits.iter()) {
        assert_eq!(one.label_counts, other.label_counts);
        let one = idx.open_split(one, |file| Some(outputs[0].path().join(file)));
        let other = parquet.open_split(other, |file| Some(outputs[1].path().join(file)));
        let (one, other) = (one.unwrap(), other.unwrap());
        assert_eq!((one.len(), one.shape()), (other.len(), other.shape()));
        assert!((0..one.len()).all(|index| one.row(index) == other.row(index)));
    }
}
