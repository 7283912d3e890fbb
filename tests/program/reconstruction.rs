//! Autoencoders from end to end: every algorithm trains one through the real binary, and what is
//! measured is its own error in its own unit.

#![allow(clippy::float_cmp, reason = "the numbers must be the same bits")]

use std::fs;
use std::path::PathBuf;

use assay_report::{MetricRow, Quantity, Task};
use assay_skips::skip;
use assay_store::Store;
use assay_tests::Sandbox;
use serde_json::Value;

const EPOCHS: usize = 20;

/// The pipeline of the tests with an autoencoder of its images, trained by every algorithm with
/// its plugin's defaults but for larger steps.
fn autoencoder() -> Sandbox {
    let sandbox = Sandbox::new();
    let file = sandbox.path("pipeline.toml");
    let mut text = fs::read_to_string(&file).unwrap();
    let algorithms = r#"["bp", "fa", "dfa", "tp", "dtp", "sdtp", "ao-sdtp"]"#;
    for (old, new) in [
        (
            r#"["fc 16", "fc 12", "softmax 4"]"#,
            r#"["fc 24", "fc 6", "fc 24", "fc 64"]"#.to_owned(),
        ),
        (
            r#"matrix = { method = ["bp"], seed = [1] }"#,
            format!(
                "hyperparameters.learning_rate = 0.005\nmatrix = {{ algorithm = {algorithms} }}"
            ),
        ),
        ("epochs = 2\n", format!("epochs = {EPOCHS}\n")),
        ("top_k = [1, 2]\n", String::new()),
    ] {
        assert!(text.contains(old), "{old}");
        text = text.replacen(old, &new, 1);
    }
    fs::write(&file, text).unwrap();
    sandbox
}

/// The metrics of the training by `algorithm`.
fn metrics(sandbox: &Sandbox, run: &Value, algorithm: &str) -> Vec<MetricRow> {
    let store = Store::open_existing(sandbox.path("artifacts")).unwrap();
    let name = format!("train/{algorithm}");
    let stages = run["stages"].as_array().unwrap();
    let stage = stages.iter().find(|it| it["name"] == name.as_str());
    let artifact = stage.unwrap()["artifact"].as_str().unwrap();
    let path = store.artifact_file_path(artifact.parse().unwrap(), "metrics.parquet");
    assay_report::read_metrics(&path.unwrap()).unwrap()
}

fn values(metrics: &[MetricRow], split: &str, name: &str) -> Vec<f64> {
    let of = |row: &&MetricRow| row.split.as_str() == split && row.metric == name;
    metrics.iter().filter(of).map(|row| row.value).collect()
}

fn lowest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

/// The error on the test images of who gives the mean training image back for every image.
fn error_of_mean_image(sandbox: &Sandbox) -> f64 {
    let images = |file: &str| -> Vec<Vec<f64>> {
        let bytes = fs::read(sandbox.path(&format!("data/{file}-images-idx3-ubyte"))).unwrap();
        let pixels = bytes[16..].chunks(64);
        let scaled = |image: &[u8]| image.iter().map(|&it| f64::from(it) / 255.0).collect();
        pixels.map(scaled).collect()
    };
    let (train, test) = (images("train"), images("t10k"));
    let pixel = |at: usize| {
        let mean = train.iter().map(|image| image[at]).sum::<f64>() / train.len() as f64;
        test.iter().map(|it| (it[at] - mean).powi(2)).sum::<f64>()
    };
    (0..64).map(pixel).sum::<f64>() / test.len() as f64
}

#[test]
fn every_algorithm_trains_an_autoencoder_and_is_measured_by_its_error() {
    let sandbox = autoencoder();
    let run = sandbox.run_json(&[]);
    let table = sandbox.path("artifacts/reports/small/report/table.parquet");
    let rows = assay_report::read_table(&table).unwrap();
    assert_eq!(rows.len(), 7);
    let mean_image = error_of_mean_image(&sandbox);
    for row in &rows {
        let algorithm = &row.algorithm;
        assert_eq!(row.task, Task::Reconstruction);
        let metrics = metrics(&sandbox, &run, algorithm);
        let errors = |split| values(&metrics, split, "reconstruction_error");
        let (validation, test) = (errors("validation"), errors("test"));
        assert_eq!((validation.len(), test.len()), (EPOCHS, EPOCHS));
        assert_eq!(values(&metrics, "test", "loss"), test);
        assert!(values(&metrics, "test", "error").is_empty());

        let number = |quantity| row.get(quantity).unwrap().mean;
        assert_eq!(number(Quantity::TestErrorBestEpoch), lowest(&test));
        // The evaluation restored these states in another process.
        assert_eq!(number(Quantity::TestErrorLastEpoch), test[EPOCHS - 1]);
        let least = lowest(&validation);
        let chosen = validation.iter().position(|&it| it == least).unwrap();
        assert_eq!(number(Quantity::TestErrorValidationEpoch), test[chosen]);

        assert!(test[EPOCHS - 1] < test[0], "{algorithm}: {test:?}");
        // Without the difference rule hidden layers learn little.
        if algorithm != "tp" {
            assert!(
                test[EPOCHS - 1] < mean_image,
                "{algorithm}: {test:?} against {mean_image}"
            );
        }
    }
}

#[test]
fn a_report_of_reconstructions_speaks_of_distances() {
    let sandbox = autoencoder();
    let few = [
        "--set=train.matrix.algorithm=[\"bp\"]",
        "--set=train.epochs=2",
    ];
    let said = sandbox.run(&few).exits(0).stdout;
    assert!(
        said.contains("Reconstruction errors as squared distances.\nBest epoch:"),
        "{said}"
    );
    assert!(!said.contains("percent"), "{said}");
    let json = sandbox.run_json(&few);
    let row = &json["reports"][0]["rows"][0];
    assert_eq!(row["task"], "reconstruction");
    assert!(row["test_reconstruction_error_last_epoch"]["mean"].is_number());
    assert!(row.get("test_error_last_epoch").is_none(), "{row}");
}

#[test]
fn the_papers_autoencoder_beats_the_mean_image_on_real_mnist() {
    let Some(data) = std::env::var_os("ASSAY_TEST_DATA") else {
        skip("set ASSAY_TEST_DATA to a folder with mnist/ to train on real MNIST");
        return;
    };
    let pipeline = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../pipelines/autoencoder.toml");
    let sandbox = Sandbox::new();
    let run = sandbox
        .execute(&[
            "run",
            pipeline.to_str().unwrap(),
            "--data-dir",
            data.to_str().unwrap(),
            "--set=train.matrix.method=[\"bp\", \"sdtp-parallel\"]",
            "--set=train.epochs=1",
            "--set=mnist.limit={ train = 20000, test = 2000 }",
            "--json",
        ])
        .exits(0)
        .json();
    for row in run["reports"][0]["rows"].as_array().unwrap() {
        let error = &row["test_reconstruction_error_validation_epoch"]["mean"];
        // That of the mean image is 52.9.
        assert!(error.as_f64().unwrap() < 50.0, "{row}");
    }
}
