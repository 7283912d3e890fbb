//! The alignment of directions with backpropagation's, which a training measures where it is asked to.

use std::collections::BTreeMap;
use std::fs;

use assay_report::{Split, read_metrics};
use assay_tests::Sandbox;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::Value;

use crate::audit::file_of;

const ALIGNED: [&str; 2] = ["--set", "train.alignment=true"];

/// (epoch, metric) → value of the alignment metrics of a training.
fn alignment(sandbox: &Sandbox, run: &Value, stage: &str) -> BTreeMap<(u32, String), f64> {
    let rows = read_metrics(&file_of(sandbox, run, stage, "metrics.parquet")).unwrap();
    let rows = rows.into_iter();
    rows.filter(|row| row.metric.starts_with("alignment_"))
        .map(|row| {
            assert_eq!(row.split, Split::Train);
            ((row.epoch, row.metric), row.value)
        })
        .collect()
}

#[test]
fn backpropagation_is_aligned_with_itself_and_measuring_changes_no_training() {
    let sandbox = Sandbox::with_methods(r#"["bp", "fa"]"#);
    let plain = sandbox.run_json(&[]);
    let aligned = sandbox.run_json(&[&ALIGNED[..], &["--output", "pages"]].concat());
    for (stage, is_exact) in [("train/bp/seed=1", true), ("train/fa/seed=1", false)] {
        let state = |run| fs::read(file_of(&sandbox, run, stage, "final.safetensors")).unwrap();
        assert_eq!(state(&plain), state(&aligned), "{stage}");
        assert!(alignment(&sandbox, &plain, stage).is_empty());
        let found = alignment(&sandbox, &aligned, stage);
        let expected =
            (1..=2).flat_map(|epoch| (1..=3).map(move |l| (epoch, format!("alignment_{l}"))));
        assert!(found.keys().cloned().eq(expected), "{found:?}");
        for ((epoch, metric), cosine) in found {
            // The last layer's direction is the gradient in every one of them.
            let is_gradient = is_exact || metric == "alignment_3";
            assert_eq!(
                (cosine - 1.0).abs() < 1e-12,
                is_gradient,
                "{stage}, epoch {epoch}, {metric}: {cosine}"
            );
            assert!((-1.0..=1.0).contains(&cosine));
        }
    }
    let page = fs::read_to_string(sandbox.path("pages/report/report.html")).unwrap();
    assert!(page.contains("Alignment to backpropagation"));
    assert!(page.contains("Angle to backpropagation of layer 2 in degrees"));
}

#[test]
fn a_training_that_goes_on_measures_what_an_undivided_one_does() {
    let run = |store: &str, sandbox: &Sandbox, epochs: &str| {
        let settings = ["--only", "train/fa", "--store", store, "--set", epochs];
        sandbox.run_json(&[&settings[..], &ALIGNED].concat())
    };
    let sandbox = Sandbox::with_methods(r#"["bp", "fa"]"#);
    let straight = run("straight", &sandbox, "train.epochs=4");
    run("artifacts", &sandbox, "train.epochs=2");
    let longer = run("artifacts", &sandbox, "train.epochs=4");
    let artifact = |run: &Value| {
        let stages = run["stages"].as_array().unwrap();
        let stage = stages.iter().find(|it| it["name"] == "train/fa/seed=1");
        stage.unwrap()["artifact"].clone()
    };
    assert_eq!(artifact(&straight), artifact(&longer));
}

/// The tensors of a safetensors file.
type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

fn read(bytes: &[u8]) -> Tensors {
    let file = SafeTensors::deserialize(bytes).unwrap();
    file.iter()
        .map(|(name, it)| {
            let tensor = (it.dtype(), it.shape().to_vec(), it.data().to_vec());
            (name.to_owned(), tensor)
        })
        .collect()
}

fn write(tensors: &Tensors) -> Vec<u8> {
    let views = tensors.iter().map(|(name, (dtype, shape, data))| {
        (name, TensorView::new(*dtype, shape.clone(), data).unwrap())
    });
    safetensors::serialize(views, None).unwrap()
}

fn floats(bytes: &[u8]) -> Vec<f64> {
    let words = bytes.chunks_exact(4);
    words
        .map(|word| f32::from_le_bytes(word.try_into().unwrap()).into())
        .collect()
}

/// The same from outside: the directions that `plugin directions` gives for both rules, on a batch made
/// here from the bytes of the dataset, in the state that the training saved.
#[test]
fn the_alignment_is_that_of_the_directions_of_both_rules() {
    const BATCH: usize = 32;
    let sandbox = Sandbox::with_methods(r#"["bp", "fa"]"#);
    let run = sandbox.run_json(
        &[
            &["--only", "train/fa", "--set", "data.validation=0"][..],
            &ALIGNED,
        ]
        .concat(),
    );
    let stage = "train/fa/seed=1";
    let trained = fs::read(file_of(&sandbox, &run, stage, "final.safetensors")).unwrap();

    let images = fs::read(sandbox.path("data/train-images-idx3-ubyte")).unwrap();
    let labels = fs::read(sandbox.path("data/train-labels-idx1-ubyte")).unwrap();
    let inputs = images[16..][..BATCH * 64].iter();
    let inputs = inputs.flat_map(|pixel| (f32::from(*pixel) / 255.0).to_le_bytes());
    let labels = labels[8..][..BATCH].iter();
    let labels = labels.flat_map(|label| i64::from(*label).to_le_bytes());
    let batch = Tensors::from([
        (
            "inputs".to_owned(),
            (Dtype::F32, vec![BATCH, 64], inputs.collect()),
        ),
        (
            "labels".to_owned(),
            (Dtype::I64, vec![BATCH], labels.collect()),
        ),
    ]);
    fs::write(sandbox.path("batch.safetensors"), write(&batch)).unwrap();

    let ask = |plugin: &str, more: &[&str]| {
        let network = ["--network", "fc 16, fc 12, softmax 4", "--input", "1x8x8"];
        let start = [
            "plugin",
            "directions",
            plugin,
            "--batch",
            "batch.safetensors",
        ];
        let out = ["--out", "directions.safetensors"];
        let arguments = [&start[..], &network, &out, more].concat();
        let _ = sandbox.execute(&arguments).exits(0);
        read(&fs::read(sandbox.path("directions.safetensors")).unwrap())
    };
    fs::write(sandbox.path("fa.safetensors"), &trained).unwrap();
    let own = ask("fa", &["--state", "fa.safetensors"]);
    ask("bp", &["--save-state", "bp.safetensors"]);
    let mut of_bp = read(&fs::read(sandbox.path("bp.safetensors")).unwrap());
    let trained = read(&trained).into_iter();
    of_bp.extend(trained.filter(|(name, _)| name.starts_with("forward.")));
    fs::write(sandbox.path("bp.safetensors"), write(&of_bp)).unwrap();
    let gradients = ask("bp", &["--state", "bp.safetensors"]);

    let found = alignment(&sandbox, &run, stage);
    for l in 1..=3 {
        let values = |tensors: &Tensors| floats(&tensors[&format!("forward.{l}.weight")].2);
        let (own, gradient) = (values(&own), values(&gradients));
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let expected = dot(&own, &gradient) / (dot(&own, &own) * dot(&gradient, &gradient)).sqrt();
        let cosine = found[&(2, format!("alignment_{l}"))];
        assert!(
            (cosine - expected).abs() < 1e-6,
            "{l}: {cosine}, {expected}"
        );
    }
}

#[test]
fn alignment_is_true_or_false() {
    let sandbox = Sandbox::new();
    let said = sandbox.run(&["--set", "train.alignment=\"yes\""]).exits(2);
    assert!(
        said.stderr
            .contains("expected true or false, found a string"),
        "{}",
        said.stderr
    );
    // What is not asked for decides no key.
    let action = |run: &Value| run["stages"][1]["action"].clone();
    let off = sandbox.run_json(&["--only", "train/bp", "--set", "train.alignment=false"]);
    assert_eq!(
        action(&off),
        action(&sandbox.run_json(&["--only", "train/bp"]))
    );
}
