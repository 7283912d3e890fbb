//! `many STORE COUNT` fills a store, through its own interface, with at least COUNT objects of
//! actions that look like trainings: a document, an artifact of two files, a log, a result. Every
//! hundred actions are a run. `scripts/bench store` measures what a store of that size costs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark that cannot set itself up should stop there"
)]

use std::collections::BTreeMap;
use std::env;
use std::fs;

use assay_core::{Action, ActionKey, ActionResult, Limits, Run, RunStage, StageKind, StageOutcome};
use assay_store::Store;

/// The document, the manifest, two files and the log of an action.
const OBJECTS_OF_ACTION: u64 = 5;
/// Actions of a run.
const STAGES: u64 = 100;

fn main() {
    let mut arguments = env::args().skip(1);
    let store = Store::open(arguments.next().expect("a store")).unwrap();
    let count: u64 = arguments.next().expect("a count").parse().unwrap();
    let actions = count.div_ceil(OBJECTS_OF_ACTION);
    let mut stages = Vec::new();
    for number in 0..actions {
        stages.push(execute(&store, number));
        if stages.len() as u64 == STAGES || number + 1 == actions {
            commit_run(&store, number, std::mem::take(&mut stages));
        }
    }
}

fn execute(store: &Store, number: u64) -> RunStage {
    let action = Action {
        kind: StageKind::Train,
        revision: 1,
        parameters: [("seed".to_owned(), number.into())].into_iter().collect(),
        inputs: BTreeMap::new(),
        plugin: None,
        environment: None,
    };
    let key = store.put_action(&action).unwrap();
    let artifact = store.commit_artifact(files(store, key, number)).unwrap();
    let result = ActionResult {
        action: key,
        artifact,
        started_ms: number,
        duration_ms: 1,
        peak_memory: 0,
        host: "here".to_owned(),
        version: "0.1.0".to_owned(),
        log: Some(store.put_bytes(format!("log {number}").as_bytes()).unwrap()),
        containment: None,
        limits: Limits::default(),
    };
    store.commit_result(&result).unwrap();
    store.clear_scratch(key).unwrap();
    RunStage {
        name: format!("train/seed={number}"),
        outcome: StageOutcome::Ran,
        action: Some(key),
        artifact: Some(artifact),
    }
}

/// Two small files in the action's working folder, ready to be moved into the store.
fn files(
    store: &Store,
    key: ActionKey,
    number: u64,
) -> BTreeMap<String, (std::path::PathBuf, String)> {
    let folder = store.scratch(key).unwrap();
    let write = |name: &str| {
        let path = folder.join(name);
        fs::write(&path, format!("{name} {number}")).unwrap();
        (
            name.to_owned(),
            (path, "application/octet-stream".to_owned()),
        )
    };
    ["metrics.parquet", "weights.safetensors"].map(write).into()
}

fn commit_run(store: &Store, number: u64, stages: Vec<RunStage>) {
    let run = Run {
        pipeline: format!("synthetic-{}", number / (10 * STAGES)),
        file: store.put_bytes(b"name = \"synthetic\"\n").unwrap(),
        networks: None,
        overrides: Vec::new(),
        started_ms: number,
        duration_ms: 1,
        host: "here".to_owned(),
        version: "0.1.0".to_owned(),
        stages,
    };
    store.commit_run(&run).unwrap();
}
