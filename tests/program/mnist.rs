//! The quickstart's own setting on real MNIST. Skipped, loudly, without `ASSAY_TEST_DATA`.

use std::path::PathBuf;

use assay_skips::skip;
use assay_tests::Sandbox;

/// The pipeline of the quickstart, as a newcomer runs it.
fn quickstart() -> String {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../pipelines/quickstart.toml");
    file.to_str().unwrap().to_owned()
}

#[test]
fn backpropagation_gets_below_four_percent_on_real_mnist() {
    let Some(data) = std::env::var_os("ASSAY_TEST_DATA") else {
        skip("set ASSAY_TEST_DATA to a folder with mnist/ to train on real MNIST");
        return;
    };
    let sandbox = Sandbox::new();
    let run = sandbox
        .execute(&[
            "run",
            &quickstart(),
            "--data-dir",
            data.to_str().unwrap(),
            "--only=report",
            "--set=train.matrix.method=[\"bp\"]",
            "--set=train.epochs=2",
            "--set=train.hyperparameters.learning_rate=0.001",
            "--json",
        ])
        .exits(0)
        .json();
    let row = &run["reports"][0]["rows"][0];
    let error = |name: &str| row[name]["mean"].as_f64().unwrap();
    // Not the best epoch on the test set, but the one that a validation split chose.
    let test_error = error("test_error_validation_epoch");
    assert!(test_error < 4.0, "{test_error} %");
    assert!(error("train_error_last_epoch") < 4.0, "{row}");
}
