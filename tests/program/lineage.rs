//! `pipeline lineage`, through the real binary: from a row of a table to the files it rests on, and
//! back.

use std::collections::BTreeSet;
use std::fs;

use assay_core::ObjectHash;
use assay_tests::Sandbox;
use serde_json::Value;

/// The steps of a lineage, and the places of those that it begins with.
fn steps(lineage: &Value) -> (&Vec<Value>, Vec<usize>) {
    let roots = lineage["roots"].as_array().unwrap().iter();
    let roots = roots.map(|root| root.as_u64().unwrap() as usize).collect();
    (lineage["steps"].as_array().unwrap(), roots)
}

fn kinds(lineage: &Value) -> Vec<&str> {
    let (steps, _) = steps(lineage);
    let mut kinds: Vec<_> = steps
        .iter()
        .map(|step| step["document"]["kind"].as_str().unwrap_or("none"))
        .collect();
    kinds.sort_unstable();
    kinds
}

#[test]
fn a_number_can_be_followed_to_the_download_and_back() {
    let sandbox = Sandbox::new();
    sandbox.pipeline(r#"["bp", "fa"]"#, 1);
    let run = sandbox.run_json(&[]);
    let lineage = |arguments: &[&str]| sandbox.execute(&[&["lineage"], arguments].concat());
    let json = |arguments: &[&str]| lineage(&[arguments, &["--json"]].concat()).exits(0).json();

    let whole = json(&["small:report"]);
    assert_eq!(
        kinds(&whole),
        [
            "dataset", "evaluate", "evaluate", "report", "train", "train"
        ]
    );
    let row = json(&["small:report", "--row", "method=bp"]);
    assert_eq!(kinds(&row), ["dataset", "evaluate", "report", "train"]);
    follow(&sandbox, &row);

    let tree = lineage(&["small:report", "--row", "method=bp"])
        .exits(0)
        .stdout;
    for part in [
        "report ",
        "├─ evaluation-00000: evaluate ",
        "train ",
        "bp, epochs 1, seed 1",
        " learning_rate=0.01",
        "plugin bp ",
        "libtorch 2.11.0, cpu, float32, any number of threads",
        "UTC on ",
        "└─ training-00000: train ",
        "(above)",
        "file train-images-idx3-ubyte, from",
        "blake3 ",
    ] {
        assert!(tree.contains(part), "no `{part}` in:\n{tree}");
    }
    assert!(!tree.contains("plugin fa"), "{tree}");
    assert!(
        tree.lines().all(|line| line.chars().count() <= 100),
        "{tree}"
    );
    // A step is told once, however often it is read.
    assert_eq!(
        tree.matches("file train-images-idx3-ubyte").count(),
        1,
        "{tree}"
    );

    down(&sandbox, &run, &json);
    let dot = lineage(&["latest", "--dot"]).exits(0).stdout;
    assert!(
        dot.starts_with("digraph lineage {\n") && dot.ends_with("}\n"),
        "{dot}"
    );
    assert_eq!(dot.matches("shape=note").count(), 4, "{dot}");
    let unknown = lineage(&["small:report", "--row", "method=tp"])
        .exits(2)
        .stderr;
    assert!(
        unknown.contains("method=bp network=small dataset=data"),
        "{unknown}"
    );
    assert!(
        lineage(&["small:data", "--row", "method=bp"])
            .exits(2)
            .stderr
            .contains("only a report")
    );
    let _ = lineage(&["small:report", "--row", "bp"]).exits(2);
    a_lost_document(&sandbox, &whole);
}

/// Every step of the way is what its hash says, down to the user's own files.
fn follow(sandbox: &Sandbox, row: &Value) {
    let (steps, roots) = steps(row);
    let mut waiting = roots;
    let mut seen = BTreeSet::new();
    while let Some(place) = waiting.pop() {
        if !seen.insert(place) {
            continue;
        }
        let step = &steps[place];
        let document = sandbox
            .command(&["cat", step["action"].as_str().unwrap()])
            .output()
            .unwrap();
        assert_eq!(ObjectHash::of(&document.stdout).to_string(), step["action"]);
        for link in step["next"].as_array().unwrap() {
            let next = link["step"].as_u64().unwrap() as usize;
            let role = link["role"].as_str().unwrap();
            assert_eq!(step["document"]["inputs"][role], steps[next]["artifact"]);
            waiting.push(next);
        }
        for source in step["sources"].as_array().unwrap() {
            let file = sandbox.path("data").join(source["file"].as_str().unwrap());
            let bytes = fs::read(file).unwrap();
            assert_eq!(ObjectHash::of(&bytes).to_string(), source["blake3"]);
        }
    }
    assert_eq!(seen.len(), steps.len(), "every step is reached");
    assert!(
        steps
            .iter()
            .any(|step| !step["sources"].as_array().unwrap().is_empty())
    );
}

/// From the data to the report, and from a library to what used it.
fn down(sandbox: &Sandbox, run: &Value, json: &dyn Fn(&[&str]) -> Value) {
    let all = json(&["small:data", "--down"]);
    assert_eq!(
        kinds(&all),
        [
            "dataset", "evaluate", "evaluate", "report", "train", "train"
        ]
    );
    let (steps, _) = steps(&all);
    let report = steps
        .iter()
        .find(|step| step["document"]["kind"] == "report")
        .unwrap();
    assert_eq!(report["used_in"][0]["run"], run["run"]);
    let train = steps
        .iter()
        .find(|step| step["document"]["kind"] == "train")
        .unwrap();
    let library = train["document"]["plugin"]["hash"].as_str().unwrap();
    let used = json(&[library, "--down"]);
    assert_eq!(
        kinds(&used),
        ["describe", "evaluate", "none", "report", "train"]
    );
    let tree = sandbox
        .execute(&["lineage", "small:data", "--down"])
        .exits(0)
        .stdout;
    assert!(tree.contains(":report\n"), "{tree}");
}

fn a_lost_document(sandbox: &Sandbox, whole: &Value) {
    let (steps, _) = steps(whole);
    let train = steps
        .iter()
        .find(|step| step["document"]["kind"] == "train")
        .unwrap();
    let action = train["action"].as_str().unwrap();
    let objects = sandbox.path("artifacts").join("objects");
    fs::remove_file(objects.join(&action[..2]).join(&action[2..])).unwrap();
    let said = sandbox.execute(&["lineage", "small:report"]).exits(1);
    assert!(
        said.stderr
            .contains(&format!("document of action {action} is missing")),
        "{}",
        said.stderr
    );
    assert!(
        said.stdout.contains("whose document cannot be read"),
        "{}",
        said.stdout
    );
}
