//! `pipeline show`, `cat` and `ls`, through the real binary, on a store that a run made: what is
//! said of everything in it, and of what is damaged.

use std::fs;
use std::path::PathBuf;

use assay_core::ObjectHash;
use assay_tests::{Finished, Sandbox, libraries};
use serde_json::{Value, json};

/// A sandbox in which one method was trained for an epoch, and what the run said.
fn trained() -> (Sandbox, Value) {
    let sandbox = Sandbox::new();
    sandbox.pipeline(r#"["bp"]"#, 1);
    let run = sandbox.run_json(&[]);
    (sandbox, run)
}

fn show(sandbox: &Sandbox, name: &str) -> Finished {
    let shown = sandbox.execute(&["show", name]);
    for line in shown.stdout.lines() {
        assert!(line.chars().count() <= 100, "a long line:\n{line}");
    }
    shown
}

fn show_json(sandbox: &Sandbox, name: &str) -> Value {
    sandbox.execute(&["show", name, "--json"]).exits(0).json()
}

fn object_path(sandbox: &Sandbox, object: &str) -> PathBuf {
    let objects = sandbox.path("artifacts").join("objects");
    objects.join(&object[..2]).join(&object[2..])
}

/// Replaces the bytes of an object.
fn overwrite(sandbox: &Sandbox, object: &str, bytes: &[u8]) {
    let path = object_path(sandbox, object);
    fs::remove_file(&path).unwrap();
    fs::write(path, bytes).unwrap();
}

#[track_caller]
fn contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no `{part}` in:\n{text}");
    }
}

#[test]
fn everything_in_a_store_can_be_shown() {
    let (sandbox, run) = trained();
    let stage = |name: &str| {
        let stages = run["stages"].as_array().unwrap();
        stages
            .iter()
            .find(|stage| stage["name"] == name)
            .unwrap()
            .clone()
    };

    let said = show(&sandbox, "latest").exits(0).stdout;
    let hash = run["run"].as_str().unwrap();
    contains(
        &said,
        &[
            hash,
            "pipeline  small",
            "complete: 4 stages, 4 ran",
            "train/bp/seed=1",
        ],
    );
    assert_eq!(show(&sandbox, "small").exits(0).stdout, said);
    assert_eq!(show(&sandbox, &hash[..12]).exits(0).stdout, said);

    let train = stage("train/bp/seed=1");
    let said = show(&sandbox, "small:train/bp/seed=1").exits(0).stdout;
    let parts = [
        train["action"].as_str().unwrap(),
        "algorithm=bp",
        " learning_rate=0.01",
        "plugin       bp ",
        "libtorch 2.11.0, cpu, float32, any number of threads, any vector instructions",
        "small ",
    ];
    contains(&said, &parts);
    let shown = show_json(&sandbox, train["action"].as_str().unwrap());
    assert_eq!(shown["kind"], "action");
    assert_eq!(shown["action"]["parameters"]["seed"], 1);
    assert_eq!(shown["results"][0]["result"]["artifact"], train["artifact"]);
    assert_eq!(shown["used_in"][0]["stage"], "train/bp/seed=1");

    let artifact = train["artifact"].as_str().unwrap();
    let said = show(&sandbox, artifact).exits(0).stdout;
    contains(
        &said,
        &[
            "final.safetensors",
            "made by",
            "evaluate",
            "as training",
            "there",
        ],
    );

    weights_and_tables(&sandbox);
    the_rest(&sandbox, &run, &shown);
}

fn weights_and_tables(sandbox: &Sandbox) {
    let said = show(sandbox, "small:train/bp/seed=1:final.safetensors")
        .exits(0)
        .stdout;
    contains(
        &said,
        &["tensors (safetensors)", "intact", "f32 16×64", "norm"],
    );
    let shown = show_json(sandbox, "small:train/bp/seed=1:final.safetensors");
    let tensors = shown["content"]["tensors"].as_array().unwrap();
    let weights = tensors
        .iter()
        .find(|tensor| tensor["shape"] == json!([16, 64]))
        .unwrap();
    assert_eq!(weights["figures"]["elements"], 16 * 64);
    assert!(weights["figures"]["norm"].as_f64().unwrap() > 0.0);

    let said = show(sandbox, "small:train/bp/seed=1:metrics.parquet")
        .exits(0)
        .stdout;
    contains(
        &said,
        &[
            "a table (Parquet)",
            "epoch",
            "uint32",
            "batch_loss",
            "units: ",
        ],
    );
    let shown = show_json(sandbox, "small:train/bp/seed=1:metrics.parquet");
    assert_eq!(shown["content"]["table"]["head"][0]["epoch"], 1);
    // Too wide to stand as it is.
    let said = show(sandbox, "small:report:table.parquet").exits(0).stdout;
    contains(
        &said,
        &["1 row, ", "column", "test_error_best_epoch_mean", "row 1"],
    );

    let said = show(sandbox, "small:data:train.arrow").exits(0).stdout;
    contains(&said, &["500 images of 1x8x8", "of each class, by label: "]);
    let said = show(sandbox, "small:data:dataset.json").exits(0).stdout;
    contains(&said, &["text (JSON)", "\n  \"classes\": 4,\n"]);
    let said = sandbox
        .execute(&["show", "small:report:table.md", "--rows", "1"])
        .exits(0)
        .stdout;
    contains(&said, &["… and more"]);
}

fn the_rest(sandbox: &Sandbox, run: &Value, trained: &Value) {
    let library = trained["action"]["plugin"]["hash"].as_str().unwrap();
    let said = show(sandbox, library).exits(0).stdout;
    contains(
        &said,
        &[
            "the library of plugin bp, used by 3 actions",
            "ABI 1.4",
            "libtorch 2.11.0",
        ],
    );
    let result = &trained["results"][0];
    let said = show(sandbox, result["record"].as_str().unwrap())
        .exits(0)
        .stdout;
    contains(&said, &["result ", "contained", "gave"]);
    let data = show_json(sandbox, "small:data");
    let log = data["results"][0]["result"]["log"].as_str().unwrap();
    let said = show(sandbox, log).exits(0).stdout;
    contains(&said, &["the log of dataset", ": from "]);
    let file = show_json(sandbox, "latest")["run"]["file"]
        .as_str()
        .unwrap()
        .to_owned();
    let said = show(sandbox, &file).exits(0).stdout;
    let named = format!(
        "the pipeline file of run {}",
        &run["run"].as_str().unwrap()[..12]
    );
    contains(&said, &[&named, "name = \"small\""]);

    let unknown = show(sandbox, "smal").exits(2).stderr;
    contains(
        &unknown,
        &["nothing in the store is called `smal`", "`pipeline ls`"],
    );
    contains(&show(sandbox, "abc").exits(2).stderr, &["too short"]);
    let elsewhere = sandbox
        .execute(&["show", "latest", "--store", "nowhere"])
        .exits(2);
    contains(&elsewhere.stderr, &["holds no store"]);
}

#[test]
fn bytes_are_written_only_if_they_are_right() {
    let (sandbox, _) = trained();
    let name = "small:train/bp/seed=1:final.safetensors";
    let cat = |name: &str| sandbox.command(&["cat", name]).output().unwrap();
    let object = show_json(&sandbox, name)["hash"]
        .as_str()
        .unwrap()
        .to_owned();
    let written = cat(name);
    assert!(written.status.success());
    assert_eq!(ObjectHash::of(&written.stdout).to_string(), object);
    // The document of a stage's action, and the record of its execution.
    let action: Value = serde_json::from_slice(&cat("small:train/bp/seed=1").stdout).unwrap();
    assert_eq!(action["kind"], "train");
    let shown = show_json(&sandbox, "small:train/bp/seed=1");
    let record: Value =
        serde_json::from_slice(&cat(shown["results"][0]["record"].as_str().unwrap()).stdout)
            .unwrap();
    assert_eq!(record["artifact"], shown["artifact"]);

    let mut bytes = written.stdout;
    *bytes.last_mut().unwrap() ^= 1;
    overwrite(&sandbox, &object, &bytes);
    let refused = sandbox.execute(&["cat", name]).exits(1);
    assert_eq!(refused.stdout, "");
    contains(&refused.stderr, &["is damaged"]);
    let said = show(&sandbox, name).exits(1);
    contains(&said.stderr, &["DAMAGED: object "]);
    contains(&said.stdout, &["DAMAGED", "final.safetensors of artifact"]);
    let shown = sandbox.execute(&["show", name, "--json"]).exits(1).json();
    assert_eq!(
        (&shown["intact"], &shown["content"]),
        (&json!(false), &Value::Null)
    );

    fs::remove_file(object_path(&sandbox, &object)).unwrap();
    contains(&show(&sandbox, name).exits(1).stdout, &["MISSING"]);
    let artifact = shown["roles"][0]["of"].as_str().unwrap();
    contains(&show(&sandbox, artifact).exits(1).stdout, &["MISSING"]);
    let _ = sandbox.execute(&["cat", name]).exits(1);
}

#[test]
fn what_does_not_fit_in_memory_is_checked_while_it_is_written() {
    let (sandbox, _) = trained();
    let store = assay_store::Store::open(sandbox.path("artifacts")).unwrap();
    let bytes = vec![7; (64 << 20) + 1];
    let object = store.put_bytes(&bytes).unwrap().to_string();
    let whole = sandbox.command(&["cat", &object]).output().unwrap();
    assert!(whole.status.success() && whole.stdout == bytes);
    let mut damaged = bytes;
    damaged[0] = 8;
    overwrite(&sandbox, &object, &damaged);
    let written = sandbox.command(&["cat", &object]).output().unwrap();
    assert_eq!(written.status.code(), Some(1));
    contains(&String::from_utf8(written.stderr).unwrap(), &["is damaged"]);
}

#[test]
fn a_store_is_listed_by_what_it_holds() {
    let (sandbox, run) = trained();
    sandbox.run_json(&[]);
    let ls = |arguments: &[&str]| sandbox.execute(&[&["ls"], arguments].concat()).exits(0);
    let said = ls(&[]).stdout;
    let hash = &run["run"].as_str().unwrap()[..12];
    contains(
        &said,
        &[hash, "small", "4 ran", "4 cached", "complete", " objects, "],
    );
    assert!(
        said.find("4 cached") < said.find("4 ran"),
        "the newest comes first:\n{said}"
    );
    let listed = ls(&["--json"]).json();
    assert_eq!(listed["runs"][0]["cached"], 4);
    assert_eq!(listed["runs"].as_array().unwrap().len(), 2);
    let limited = ls(&["--limit", "1", "--json"]).json();
    assert_eq!(
        (&limited["more"], limited["runs"].as_array().unwrap().len()),
        (&json!(1), 1)
    );
    assert_eq!(
        ls(&["runs", "--pipeline", "other", "--json"]).json()["runs"],
        json!([])
    );

    let objects = ls(&["objects", "--all", "--json"]).json();
    let sizes = objects["objects"].as_array().unwrap().iter();
    let total: u64 = sizes.map(|object| object["size"].as_u64().unwrap()).sum();
    assert_eq!(objects["store"]["bytes"], total);
    let largest = ls(&["objects", "--size", "--limit", "2", "--json"]).json();
    let sizes: Vec<_> = largest["objects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["size"].as_u64())
        .collect();
    assert!(sizes[0] >= sizes[1]);
    contains(
        &ls(&["objects", "--size"]).stdout,
        &["the library of plugin bp"],
    );
    contains(
        &ls(&["artifacts", "--size"]).stdout,
        &["train/bp/seed=1", "dataset"],
    );
    contains(
        &ls(&["actions"]).stdout,
        &["describe", "evaluate", "report"],
    );
    contains(&ls(&["datasets"]).stdout, &["data (idx)"]);
    contains(&ls(&["plugins"]).stdout, &["bp", "1.4"]);
    let library = fs::metadata(libraries().join("libassay_bp.so"))
        .unwrap()
        .len();
    assert_eq!(
        ls(&["plugins", "--json"]).json()["plugins"][0]["size"],
        library
    );

    // Whatever happens to what is remembered, the same is listed.
    let before = ls(&["--json"]).stdout;
    fs::remove_dir_all(sandbox.path("artifacts/cache")).unwrap();
    assert_eq!(ls(&["--json"]).stdout, before);
}
