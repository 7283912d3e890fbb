//! `pipeline plugin directions` through the real binary, against implementations of the equations
//! that share nothing with the plugins.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::support::host::Samples;
use crate::support::problem::Problem;
use crate::support::reference::{Named, Reference};
use crate::support::running::assert_close;
use crate::support::state::{SavedTensor, State, randomise_biases};
use crate::support::variant::{Noise, Variant, noise, noise_bytes, strengthen};
use assay_skips::skip;
use assay_tests::{Finished, Sandbox, binary};

const NETWORK: &str = "fc 9, fc 7, fc 8, softmax 4";

fn problem() -> Problem {
    Problem {
        input: [2, 2, 3],
        widths: vec![9, 7, 8, 4],
        seed: 5,
        samples: 6,
        reconstructs: false,
    }
}

/// The batch file of some samples, as (B, features) or as (B, C, H, W).
fn batch(samples: &Samples, noise: &Noise, as_images: bool) -> State {
    let count = samples.labels.len();
    let mut file = State::parse(&noise_bytes(noise, count));
    let images = samples.shape.map(|size| size as usize);
    let flat = [count, samples.inputs.len() / count];
    let shape = if as_images { &images[..] } else { &flat };
    file.insert("inputs", shape, &samples.inputs);
    let labels = samples.labels.iter().flat_map(|label| label.to_le_bytes());
    let tensor = SavedTensor {
        dtype: safetensors::Dtype::I64,
        shape: vec![count],
        bytes: labels.collect(),
    };
    file.0.insert("labels".to_owned(), tensor);
    file
}

/// A sandbox with `batch.safetensors`.
fn sandbox(batch: &State) -> Sandbox {
    let sandbox = Sandbox::new();
    fs::write(sandbox.path("batch.safetensors"), batch.to_bytes()).unwrap();
    sandbox
}

fn plain_sandbox() -> Sandbox {
    sandbox(&batch(&problem().samples(), &Noise::new(), false))
}

/// Asks for the directions of `batch.safetensors` on the network of the tests.
fn ask(sandbox: &Sandbox, plugin: &str, more: &[&str]) -> Finished {
    let network = ["--network", NETWORK, "--input", "2x2x3"];
    ask_about(sandbox, plugin, &[&network, more].concat())
}

fn ask_about(sandbox: &Sandbox, plugin: &str, more: &[&str]) -> Finished {
    let start = ["plugin", "directions", plugin];
    let batch = ["--batch", "batch.safetensors"];
    sandbox.execute(&[&start[..], &batch, more].concat())
}

fn read(sandbox: &Sandbox, file: &str) -> State {
    State::parse(&fs::read(sandbox.path(file)).unwrap())
}

/// The algorithm's initial state, changed so that every part of it shows, and its directions.
fn directions(sandbox: &Sandbox, algorithm: &str, config: &str) -> (State, State) {
    let common = ["--config", config, "--seed", "3", "--out", "d.safetensors"];
    let save = ["--save-state", "initial.safetensors"];
    let _ = ask(sandbox, algorithm, &[&common[..], &save].concat()).exits(0);
    let mut state = read(sandbox, "initial.safetensors");
    randomise_biases(&mut state, 17);
    strengthen(&mut state);
    fs::write(sandbox.path("state.safetensors"), state.to_bytes()).unwrap();
    let given = ["--state", "state.safetensors"];
    let asked = ask(sandbox, algorithm, &[&common[..], &given].concat()).exits(0);
    assert_eq!((asked.stdout.as_str(), asked.stderr.as_str()), ("", ""));
    (state, read(sandbox, "d.safetensors"))
}

fn assert_follows(found: &State, expected: &Named) {
    assert!(found.0.keys().eq(expected.keys()), "{:?}", found.0.keys());
    for (name, direction) in expected {
        assert_close(name, &found.f32(name), direction);
    }
}

#[test]
fn gradients_and_feedback_follow_their_equations() {
    let samples = problem().samples();
    for (algorithm, as_images) in [("bp", false), ("fa", true), ("dfa", true)] {
        let sandbox = sandbox(&batch(&samples, &Noise::new(), as_images));
        let (state, found) = directions(&sandbox, algorithm, "{}");
        let expected = Reference::new(algorithm, &state).directions(&samples);
        assert_follows(&found, &expected);
        for name in expected.keys() {
            assert_eq!(found.shape(name), state.shape(name));
        }
    }
}

#[test]
fn target_propagation_follows_its_equations_with_the_noise_of_the_batch() {
    let Problem {
        widths, samples, ..
    } = problem();
    for algorithm in ["tp", "dtp", "sdtp", "ao-sdtp"] {
        let variant = Variant {
            algorithm,
            denoising: algorithm == "tp",
            linear_auxiliary: false,
        };
        let noise = noise(algorithm, &widths, samples, 23);
        let samples = problem().samples();
        let sandbox = sandbox(&batch(&samples, &noise, false));
        let (state, found) = directions(&sandbox, algorithm, &variant.hyperparameters());
        let expected = variant
            .reference(&state, false)
            .directions(&samples, &noise);
        assert_follows(&found, &expected);
    }
}

#[test]
fn the_same_question_has_one_answer_and_leaves_nothing_else() {
    let sandbox = plain_sandbox();
    fs::create_dir(sandbox.path("temporary")).unwrap();
    let answer = |out: &str| {
        let mut command = sandbox.command(&["plugin", "directions", "dtp", "--network", NETWORK]);
        command.args(["--input", "2x2x3", "--batch", "batch.safetensors"]);
        let asked = command
            .args(["--out", out])
            .env("TMPDIR", sandbox.path("temporary"))
            .status();
        assert!(asked.unwrap().success());
        fs::read(sandbox.path(out)).unwrap()
    };
    assert_eq!(answer("one.safetensors"), answer("two.safetensors"));
    let left = fs::read_dir(sandbox.path("temporary")).unwrap().count();
    assert_eq!(left, 0);
    assert!(!sandbox.path("artifacts").exists());
    // Another seed is another initial state.
    let other = ask(
        &sandbox,
        "dtp",
        &["--seed", "2", "--out", "other.safetensors"],
    );
    let _ = other.exits(0);
    assert_ne!(
        answer("one.safetensors"),
        fs::read(sandbox.path("other.safetensors")).unwrap()
    );
}

#[test]
fn the_table_and_the_document_show_the_tensors_that_the_file_holds() {
    let sandbox = plain_sandbox();
    let asked = ask(&sandbox, "bp", &["--json", "--out", "d.safetensors"]).exits(0);
    let json = asked.json();
    let shown = json["directions"].as_array().unwrap();
    let written = read(&sandbox, "d.safetensors");
    assert_eq!(shown.len(), written.0.len());
    for (tensor, name) in shown.iter().zip(written.0.keys()) {
        assert_eq!(tensor["name"], name.as_str());
        assert_eq!(tensor["shape"], serde_json::json!(written.shape(name)));
        let values = written.f64(name);
        let magnitude: f64 = values.iter().map(|value| value.abs()).sum();
        let expected = [
            ("norm", values.iter().map(|it| it * it).sum::<f64>().sqrt()),
            ("mean", values.iter().sum::<f64>() / values.len() as f64),
            (
                "max",
                values.iter().fold(0.0, |most, it| it.abs().max(most)),
            ),
        ];
        for (figure, expected) in expected {
            // Sums in another order differ by some roundings of the sum of magnitudes.
            let difference = (tensor[figure].as_f64().unwrap() - expected).abs();
            assert!(difference <= 1e-13 * magnitude, "{name} {figure}");
        }
    }
    let table = ask(&sandbox, "bp", &[]).exits(0).stdout;
    let row = table.lines().find(|line| line.contains("forward.1.weight"));
    assert!(row.unwrap().contains("9 × 12"), "{table}");
}

#[test]
fn a_network_can_be_one_of_a_pipeline_files() {
    let sandbox = plain_sandbox();
    let file = sandbox.path("net.toml");
    fs::write(
        &file,
        format!(
            "name = \"net\"\n[network.net]\ninput = [2, 2, 3]\nlayers = [{}]\n[stage]\n",
            "\"fc 9\", \"fc 7\", \"fc 8\", \"softmax 4\""
        ),
    )
    .unwrap();
    let inline = ask(&sandbox, "bp", &[]).exits(0).stdout;
    for network in ["net.toml#net", "net.toml"] {
        let named = ask_about(&sandbox, "bp", &["--network", network]).exits(0);
        assert_eq!(named.stdout, inline);
    }
    let said = ask_about(&sandbox, "bp", &["--network", "net.toml#nte"]).exits(2);
    assert_says(&said, &["no network `nte`", "did you mean `net`?"]);
}

#[test]
fn hyperparameters_are_read_from_json_and_toml_and_checked() {
    let sandbox = plain_sandbox();
    fs::write(sandbox.path("a.toml"), "alpha = 0.7 # large\n").unwrap();
    fs::write(sandbox.path("a.json"), "{\n  \"alpha\": 0.7\n}\n").unwrap();
    let answer = |config| ask(&sandbox, "dtp", &["--config", config]).exits(0).stdout;
    let alike = ["{ alpha = 0.7 }", "{\"alpha\": 0.7}", "a.toml", "a.json"].map(answer);
    assert!(alike.iter().all(|it| *it == alike[0]), "{alike:#?}");
    assert_ne!(alike[0], answer("{}"));

    let refused = |config| ask(&sandbox, "dtp", &["--config", config]).exits(2);
    let said = refused("{ aplha = 0.7 }");
    assert_says(
        &said,
        &[
            "no hyper-parameter `aplha`",
            "did you mean `alpha`?",
            "--config:1:11",
        ],
    );
    assert_says(
        &refused("{\"alpha\": -1}"),
        &["the hyper-parameter `alpha` is refused", "--config:1:2"],
    );
    assert_says(&refused("{ alpha = }"), &["not valid TOML"]);
    assert_says(&refused("{\"alpha\": 1"), &["not valid JSON"]);
    assert_says(&refused("nowhere.json"), &["cannot read nowhere.json"]);
}

#[test]
fn a_state_may_lack_what_decides_no_direction_and_nothing_else() {
    let sandbox = plain_sandbox();
    let save = ["--save-state", "state.safetensors"];
    let initial = ask(&sandbox, "dtp", &save).exits(0).stdout;
    let mut state = read(&sandbox, "state.safetensors");
    let given = |state: &State| {
        fs::write(sandbox.path("state.safetensors"), state.to_bytes()).unwrap();
        ask(&sandbox, "dtp", &["--state", "state.safetensors"])
    };
    state
        .0
        .retain(|name, _| name.starts_with("forward.") || name.starts_with("inverse."));
    assert_eq!(given(&state).exits(0).stdout, initial);

    let weight = state.0.remove("inverse.2.weight").unwrap();
    assert_says(
        &given(&state).exits(1),
        &[
            "restore the state",
            "the state has no tensor `inverse.2.weight`",
        ],
    );
    state
        .0
        .insert("inverse.9.weight".to_owned(), weight.clone());
    assert_says(&given(&state).exits(1), &["a tensor `inverse.9.weight`"]);
    state.0.remove("inverse.9.weight");
    let mut transposed = weight;
    transposed.shape.reverse();
    state.0.insert("inverse.2.weight".to_owned(), transposed);
    assert_says(
        &given(&state).exits(1),
        &["`inverse.2.weight` is F32 [7, 9], expected F32 [9, 7]"],
    );
}

#[test]
fn a_batch_that_cannot_be_used_is_refused_by_the_name_of_its_tensor() {
    let sandbox = plain_sandbox();
    let whole = batch(&problem().samples(), &Noise::new(), false);
    let refused = |edit: fn(&mut State), parts: &[&str]| {
        let mut batch = whole.clone();
        edit(&mut batch);
        fs::write(sandbox.path("batch.safetensors"), batch.to_bytes()).unwrap();
        assert_says(&ask(&sandbox, "bp", &[]).exits(1), parts);
    };
    refused(
        |it| it.0.get_mut("labels").unwrap().bytes[8] = 4,
        &["tensor `labels` of the batch has 4 at 1, expected 0 to 3"],
    );
    refused(
        |it| it.insert("inputs", &[6, 11], &[0.0; 66]),
        &["tensor `inputs` of the batch is F32 [6, 11], expected F32 [B, 12] or [B, 2, 2, 3]"],
    );
    // Noise that BP has no use for: the file is right, the question is not.
    refused(
        |it| it.insert("noise.1", &[6, 9], &[0.0; 54]),
        &["bp uses no noise"],
    );
    fs::write(sandbox.path("batch.safetensors"), "not tensors").unwrap();
    let said = ask(&sandbox, "bp", &[]).exits(1);
    assert_says(&said, &["the batch cannot be read as safetensors"]);
    fs::remove_file(sandbox.path("batch.safetensors")).unwrap();
    let said = ask(&sandbox, "bp", &[]).exits(2);
    assert_says(&said, &["cannot read batch.safetensors"]);
}

#[test]
fn questions_that_make_no_sense_are_refused() {
    let sandbox = plain_sandbox();
    let network = ["--network", "fc 9, sofmax 4", "--input", "2x2x3"];
    let said = ask_about(&sandbox, "bp", &network).exits(2);
    assert_says(&said, &["layer 2: `sofmax`", "--network:1:7"]);
    let said = ask_about(&sandbox, "bp", &network[..2]).exits(2);
    assert_says(&said, &["needs --input CxHxW"]);
    let said = ask(&sandbox, "pb", &[]).exits(2);
    assert_says(&said, &["there is no plugin `pb`", "--plugin-dir"]);
    let said = ask(&sandbox, "bp", &["--algorithm", "fa"]).exits(2);
    assert_says(&said, &["the plugin `bp` has no algorithm `fa`", "`bp`"]);
    let said = ask(&sandbox, "bp", &["--out", "no/such/folder/d"]).exits(2);
    assert_says(&said, &["cannot write no/such/folder/d"]);
}

#[track_caller]
fn assert_says(said: &Finished, parts: &[&str]) {
    for part in parts {
        assert!(
            said.stderr.contains(part),
            "no {part:?} in:\n{}",
            said.stderr
        );
    }
}

/// The worked example of the documentation, as its reader runs it.
#[test]
fn the_documented_example_in_python_agrees() {
    let python = std::env::var("ASSAY_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let able = Command::new(&python)
        .args(["-c", "import numpy, safetensors"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !able {
        skip(&format!("{python} cannot import numpy and safetensors"));
        return;
    }
    let example =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/examples/check_directions.py");
    let output = Command::new(&python)
        .arg(example)
        .arg(binary())
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}\n{output:?}");
    assert_eq!(printed.matches("agrees").count(), 2, "{printed}");
}
