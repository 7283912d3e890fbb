//! `pipeline schema`: what it accepts is what the program reads.

use std::fs;
use std::path::{Path, PathBuf};

use assay_tests::Sandbox;
use jsonschema::Validator;
use serde_json::{Value, json};

fn schema() -> Value {
    Sandbox::new().execute(&["schema"]).exits(0).json()
}

fn validator(schema: &Value) -> Validator {
    jsonschema::draft202012::new(schema).unwrap()
}

fn read(path: &Path) -> Value {
    toml::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn errors(validator: &Validator, file: &Value) -> Vec<String> {
    let errors = validator.iter_errors(file);
    errors
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

/// The TOML files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let below = entries.flat_map(|path| {
        if path.is_dir() {
            files(&path)
        } else {
            vec![path]
        }
    });
    below
        .filter(|path| path.extension().is_some_and(|it| it == "toml"))
        .collect()
}

#[test]
fn shipped_pipelines_are_valid() {
    let schema = schema();
    assert!(jsonschema::meta::is_valid(&schema));
    let (whole, network) = (
        validator(&schema),
        validator(&schema["properties"]["network"]),
    );
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../pipelines"));
    let mut valid = 0;
    let mut files = files(folder);
    files.push(folder.join("../host/cli/src/commands/init/pipeline.toml"));
    for path in files {
        let file = read(&path);
        let errors = if file.get("stage").is_some() {
            valid += 1;
            errors(&whole, &file)
        } else if let Some(networks) = file.get("network") {
            errors(&network, networks)
        } else {
            // Published figures are no pipeline.
            assert!(file.get("figures").is_some(), "{}", path.display());
            continue;
        };
        assert!(errors.is_empty(), "{}: {errors:#?}", path.display());
    }
    assert!(valid >= 10, "{valid} pipelines");
}

/// A file with every kind of stage, which the program reads too.
fn every_kind() -> Value {
    json!({
        "name": "all",
        "plugin_dirs": ["rules"],
        "limits": { "memory": "8 GiB" },
        "network": { "n": { "input": [1, 8, 8], "layers": ["softmax 10"] } },
        "method": { "m": {
            "algorithm": "bp",
            "hyperparameters": { "learning_rate": 0.1 },
            "on": { "n": { "learning_rate": 0.2 } },
            "space": { "beta1": [0.9, 0.99] },
        } },
        "profile": { "small": { "set": ["train.epochs=1"] } },
        "stage": {
            "mnist": { "kind": "dataset", "source": "mnist", "limit": { "train": 10 } },
            "idx": { "kind": "dataset", "source": "idx", "path": "data", "classes": 10 },
            "csv": { "kind": "dataset", "source": "csv", "train": "a", "test": "b",
                "image": [1, 8, 8], "classes": 10 },
            "imagenet": { "kind": "dataset", "source": "imagenet", "test": 6, "size": 32,
                "geometry": "crop" },
            "parquet": { "kind": "dataset", "source": "parquet", "train": ["a"], "test": ["b"],
                "on_bad_image": "skip", "channels": 1 },
            "folder": { "kind": "dataset", "source": "folder", "path": "images", "test": "more",
                "channels": 3 },
            "drawn": { "kind": "dataset", "source": "parquet", "train": ["a"], "test": 5 },
            "train": { "kind": "train", "dataset": "mnist", "network": "n", "epochs": 1,
                "augmentation": { "flip": "vertical" },
                "matrix": { "method": ["m"], "hyperparameters": { "beta1": [0.1, 0.2] } } },
            "swept": { "kind": "train", "dataset": "mnist", "method": "m",
                "matrix": { "epochs": [1, 2], "network": ["n"] } },
            "search": { "kind": "search", "dataset": "mnist", "network": "n", "method": "m",
                "epochs": 5, "trials": 4, "points": "halton", "space": "declared",
                "halving": [{ "epochs": 1, "keep": 2 }], "retrain": { "seeds": [2, 3] } },
            "evaluate": { "kind": "evaluate", "training": "train", "top_k": [1, 5] },
            "export": { "kind": "export", "training": "train", "state": "best" },
            "report": { "kind": "report", "evaluations": ["evaluate"], "title": "All",
                "limits": { "time": "2h" } },
        },
    })
}

#[test]
fn what_is_misspelt_or_of_another_type_is_not_valid() {
    let validator = validator(&schema());
    let whole = every_kind();
    assert_eq!(errors(&validator, &whole), [""; 0]);
    let refused = |change: &dyn Fn(&mut Value), what: &str| {
        let mut file = whole.clone();
        change(&mut file);
        assert!(!validator.is_valid(&file), "{what} is taken");
    };
    for stage in whole["stage"].as_object().unwrap().keys() {
        refused(&|file| file["stage"][stage]["epocs"] = json!(1), stage);
        refused(&|file| file["stage"][stage]["kind"] = json!("trian"), stage);
        refused(
            &|file| drop(file["stage"][stage].as_object_mut().unwrap().remove("kind")),
            stage,
        );
        refused(
            &|file| file["stage"][stage]["limits"] = json!({ "memroy": "1 GB" }),
            stage,
        );
    }
    for (path, value) in [
        ("/nmae", json!("x")),
        ("/name", json!(1)),
        ("/limits/tiem", json!("2h")),
        ("/network/n/layer", json!([])),
        ("/network/n/input", json!("1x8x8")),
        ("/method/m/hyperparameter", json!({})),
        ("/method/m/algorithm", json!(1)),
        ("/profile/small/sets", json!([])),
        ("/stage/mnist/source", json!("mnits")),
        ("/stage/mnist/path", json!("data")),
        ("/stage/mnist/scaling", json!("none")),
        ("/stage/mnist/limit/train", json!(0)),
        ("/stage/mnist/validation", json!(-1)),
        ("/stage/idx/channels", json!(1)),
        ("/stage/imagenet/test", json!(["a"])),
        ("/stage/imagenet/geometry", json!("zoom")),
        ("/stage/parquet/test", json!("b")),
        ("/stage/folder/test", json!(["b"])),
        ("/stage/folder/channels", json!(2)),
        ("/stage/train/epochs", json!(0)),
        ("/stage/train/augmentation/flip", json!("both")),
        ("/stage/train/matrix/seed", json!(1)),
        ("/stage/search/halving/0/kept", json!(1)),
        ("/stage/search/space", json!("all")),
        ("/stage/search/points", json!("sobol")),
        ("/stage/search/retrain/seed", json!([1])),
        ("/stage/evaluate/top_k", json!([0])),
        ("/stage/export/state", json!("last")),
        ("/stage/report/evaluations", json!("evaluate")),
    ] {
        let (table, key) = path.rsplit_once('/').unwrap();
        let change = |file: &mut Value| {
            let table = file.pointer_mut(table).unwrap().as_object_mut().unwrap();
            table.insert(key.to_owned(), value.clone());
        };
        refused(&change, path);
    }
    for missing in [
        "/name",
        "/stage",
        "/network/n/input",
        "/method/m/algorithm",
        "/stage/mnist/source",
        "/stage/csv/classes",
        "/stage/parquet/test",
        "/stage/train/epochs",
        "/stage/search/dataset",
        "/stage/swept/matrix/epochs",
        "/stage/evaluate/training",
        "/stage/report/evaluations",
    ] {
        let (table, key) = missing.rsplit_once('/').unwrap();
        let change = |file: &mut Value| {
            let table = file.pointer_mut(table).unwrap().as_object_mut().unwrap();
            drop(table.remove(key));
        };
        refused(&change, missing);
    }
}
