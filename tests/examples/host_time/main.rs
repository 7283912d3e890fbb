//! The time that a step on a card takes the host: trainings with the SDK's own kernels through an emulated driver, which leaves
//! out what a card would compute for long. It needs no card, and cannot tell what the real driver's calls take.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::fs;

use assay_core::ActionKey;
use assay_store::Store;
use assay_tests::{CLASSES, FakeCuda, Finished, Sandbox, write_dataset};

/// Rules of the paper with few launches in a step, and with many.
const ALGORITHMS: [&str; 3] = ["bp", "dfa", "dtp"];

/// Steps of each, and samples of a step.
const STEPS: u32 = 1100;
const SAMPLES: u32 = 64;

/// A card as the emulated driver shows it.
const CARD: &str = "NVIDIA H100 80GB HBM3|9.0|132|80";

fn main() -> Result<(), Box<dyn Error>> {
    let (sandbox, cuda) = (Sandbox::new(), FakeCuda::new());
    assay_emulation::build_driver(cuda.path());
    write_dataset(&sandbox.path("data"), STEPS * SAMPLES, 64);
    fs::write(sandbox.path("pipeline.toml"), pipeline())?;
    let arguments = [
        "--device",
        "cuda",
        "--portable",
        "--per-device",
        "1",
        "--jobs",
        "1",
    ];
    let mut run = sandbox.command(&[&["run", "pipeline.toml", "--json"], &arguments[..]].concat());
    run.env("LD_LIBRARY_PATH", cuda.path())
        .env("CUDA_FAKE_CARDS", CARD)
        .env("CUDA_FAKE_IDLE", "1")
        .env("CUDA_FAKE_TELLS", "1")
        .env("ASSAY_EMULATED_CARD", "driver");
    let finished = Finished::run(&mut run);
    if finished.code != Some(0) {
        return Err(finished.stderr.into());
    }
    let store = Store::open_existing(sandbox.path("artifacts"))?;
    let run = finished.json();
    let stages = run["stages"].as_array().ok_or("no stages")?;
    for algorithm in ALGORITHMS {
        let name = format!("train/{algorithm}");
        let stage = stages.iter().find(|stage| stage["name"] == *name);
        let action = stage.and_then(|stage| stage["action"].as_str());
        let step = of_a_step(&store, action.ok_or("no action")?.parse()?)?;
        println!(
            "{algorithm:4} {:6.1} us of the host for a step of {} launches, {} one after another",
            step.time, step.launches, step.longest
        );
    }
    Ok(())
}

/// `mnist-fc` of `pipelines/networks.toml`, on smaller images.
fn pipeline() -> String {
    format!(
        r#"name = "host-time"
[network.fc]
input = [1, 8, 8]
layers = ["fc 256", "fc 256", "fc 256", "fc 256", "fc 256", "softmax {CLASSES}"]
[stage.data]
kind = "dataset"
source = "idx"
path = "data"
classes = {CLASSES}
validation = 0
[stage.train]
kind = "train"
dataset = "data"
network = "fc"
epochs = 1
batch_size = {SAMPLES}
matrix = {{ algorithm = {ALGORITHMS:?} }}
"#
    )
}

/// The steps of a training, as the driver tells of them.
struct Step {
    /// The mean microseconds between the launches of two.
    time: f64,
    launches: f64,
    /// Launches that have to come one after another.
    longest: f64,
}

fn of_a_step(store: &Store, action: ActionKey) -> Result<Step, Box<dyn Error>> {
    let result = store.cached(action)?.ok_or("no result")?;
    let log = fs::read_to_string(store.object_path(result.log.ok_or("no log")?))?;
    let number = |what: &str| -> Result<f64, Box<dyn Error>> {
        let end = log.rfind(what);
        let end = end.ok_or_else(|| format!("the driver does not tell of{what}"))?;
        let digits = log[..end].rsplit(|it: char| !it.is_ascii_digit()).next();
        Ok(digits.unwrap_or_default().parse()?)
    };
    // What was not computed may be no number, which would end the training.
    if number(" launches of graphs,")? < f64::from(STEPS - STEPS / 10) {
        return Err(format!("the training broke off:\n{log}").into());
    }
    Ok(Step {
        time: number(" ns between")? / 1e3,
        launches: number(" in it")?,
        longest: number(" one after another")?,
    })
}
