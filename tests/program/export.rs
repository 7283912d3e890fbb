//! The export stage: a training's parameters without what only further training needs.

use std::fs;

use assay_tests::Sandbox;
use safetensors::SafeTensors;

const EXPORT: &str = r#"
[stage.export]
kind = "export"
training = "train"
"#;

/// The bytes of a file of a stage's artifact in the newest run.
fn file(sandbox: &Sandbox, stage: &str, name: &str) -> Vec<u8> {
    let path = format!("small:{stage}:{name}");
    let output = sandbox.command(&["cat", &path]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

fn with_export(settings: &str) -> Sandbox {
    let sandbox = Sandbox::with_methods(r#"["bp", "fa", "dfa"]"#);
    let path = sandbox.path("pipeline.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, format!("{text}{EXPORT}{settings}")).unwrap();
    sandbox
}

#[test]
fn every_training_is_exported_without_its_optimiser() {
    let sandbox = with_export("");
    let _ = sandbox.run(&["--only", "export"]).exits(0);
    for method in ["bp", "fa", "dfa"] {
        let point = format!("{method}/seed=1");
        let state = file(&sandbox, &format!("train/{point}"), "final.safetensors");
        let state = SafeTensors::deserialize(&state).unwrap();
        let weights = file(&sandbox, &format!("export/{point}"), "weights.safetensors");
        let weights = SafeTensors::deserialize(&weights).unwrap();
        let mut expected: Vec<_> = state.names();
        assert!(expected.iter().any(|name| name.starts_with("optimiser.")));
        expected.retain(|name| !name.starts_with("optimiser.") && !name.starts_with("noise."));
        expected.sort_unstable();
        let mut names = weights.names();
        names.sort_unstable();
        assert_eq!(names, expected);
        let bytes = file(&sandbox, &format!("export/{point}"), "weights.safetensors");
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let network = &header.metadata().as_ref().unwrap()["network"];
        let network: serde_json::Value = serde_json::from_str(network).unwrap();
        assert_eq!(network["layers"][0], "fc 16");
        for name in names {
            let (exported, trained) = (weights.tensor(name).unwrap(), state.tensor(name).unwrap());
            assert_eq!(exported, trained, "{name}");
        }
    }
}

#[test]
fn the_state_of_the_best_epoch_is_another_action() {
    let sandbox = with_export("state = \"best\"\n");
    let run = sandbox.run_json(&["--only", "export/bp"]);
    let key = |run: &serde_json::Value| run["stages"][2]["action"].clone();
    let last = sandbox.run_json(&["--only", "export/bp", "--set", "export.state=\"final\""]);
    assert_ne!(key(&run), key(&last));
    let refused = sandbox.run(&["--set", "export.state=\"worst\""]).exits(2);
    assert!(
        refused.stderr.contains("`worst` is not known here"),
        "{}",
        refused.stderr
    );
}
