//! Makes a store of as many objects as are asked for, to measure how what reads a store grows:
//! `cargo run -p assay-tests --example many -- FOLDER OBJECTS`.
//!
//! It looks as the store of somebody who trains a lot of small networks: one dataset, trainings of
//! four small files and their evaluations, a run with a report for every hundred of them. Nothing
//! is flushed to disk, and the files hold noise.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a tool of ours that may stop wherever it cannot go on"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use assay_core::{
    Action, ActionKey, ActionResult, Artifact, ArtifactFile, ArtifactHash, Environment, Limits,
    ObjectHash, PluginHash, PluginPin, Run, RunStage, StageKind, StageOutcome, canonical_json,
};
use assay_store::Store;
use serde_json::{Map, Value, json};

/// Trainings of one run.
const TRAININGS: usize = 100;

/// The first of November 2026, in milliseconds since 1970.
const START: u64 = 1_793_491_200_000;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().expect("usage: many FOLDER OBJECTS");
    let objects: usize = arguments.next().expect("OBJECTS").parse().unwrap();
    let mut many = Many::new(Path::new(&folder));
    while many.objects < objects {
        many.run();
    }
    println!(
        "{folder}: {} objects, {} actions, {} runs",
        many.objects, many.actions, many.runs
    );
}

/// A store being filled.
struct Many {
    store: Store,
    objects: usize,
    actions: usize,
    runs: usize,
    plugin: PluginPin,
    stages: Vec<RunStage>,
    inputs: BTreeMap<String, ArtifactHash>,
    dataset: ArtifactHash,
}

impl Many {
    fn new(folder: &Path) -> Self {
        let store = Store::open(folder).unwrap();
        let library = store.put_bytes(b"the library of a plugin").unwrap();
        let plugin = PluginPin {
            name: "bp".to_owned(),
            hash: PluginHash::from(library),
            abi: "1.1".to_owned(),
        };
        let mut many = Self {
            store,
            objects: 1,
            actions: 0,
            runs: 0,
            plugin,
            stages: Vec::new(),
            inputs: BTreeMap::new(),
            dataset: ArtifactHash::from_bytes([0; 32]),
        };
        let parameters = json!({ "source": "mnist", "validation": 5000, "split_seed": 0 });
        let files = ["dataset.json", "test.arrow", "train.arrow"];
        many.dataset = many.stage("data", StageKind::Dataset, &parameters, &files);
        many
    }

    fn put(&mut self, bytes: &[u8]) -> ObjectHash {
        self.objects += 1;
        self.store.put_bytes(bytes).unwrap()
    }

    /// A run of some trainings, their evaluations and a report of them.
    fn run(&mut self) {
        let data = self.stages.first().cloned();
        let first = self.runs * TRAININGS;
        let mut entries = Vec::new();
        let mut report = BTreeMap::new();
        for number in 0..TRAININGS {
            let seed = first + number;
            let (training, evaluation) = self.training(seed);
            let role = |what: &str| format!("{what}-{number:05}");
            report.insert(role("training"), training);
            report.insert(role("evaluation"), evaluation);
            entries.push(json!({
                "dataset": "data", "network": "small", "method": "bp",
                "training": role("training"), "evaluation": role("evaluation"),
            }));
        }
        self.inputs = report;
        let parameters = json!({ "title": "many", "entries": entries });
        let files = ["report.html", "table.csv", "table.md", "table.parquet"];
        self.stage("report", StageKind::Report, &parameters, &files);
        let stages = std::mem::replace(&mut self.stages, data.into_iter().collect());
        let file = self.put(format!("name = \"many-{}\"\n", self.runs % 10).as_bytes());
        let run = Run {
            pipeline: format!("many-{}", self.runs % 10),
            file,
            networks: None,
            figures: std::collections::BTreeMap::new(),
            overrides: Vec::new(),
            started_ms: START + 1_000_000 * self.runs as u64,
            duration_ms: 900_000,
            host: "here".to_owned(),
            version: "0.1.0".to_owned(),
            stages,
        };
        self.store.commit_run(&run).unwrap();
        (self.runs, self.objects) = (self.runs + 1, self.objects + 1);
    }

    fn training(&mut self, seed: usize) -> (ArtifactHash, ArtifactHash) {
        let parameters = json!({
            "algorithm": "bp", "batch_size": 128, "epochs": 5, "seed": seed,
            "hyperparameters": { "learning_rate": 0.000_152, "beta1": 0.9, "beta2": 0.999 },
            "network": { "input": [1, 28, 28], "layers": ["fc 256", "fc 256", "softmax 10"] },
        });
        self.inputs = BTreeMap::from([("dataset".to_owned(), self.dataset)]);
        let files = [
            "best.safetensors",
            "final.safetensors",
            "metrics.parquet",
            "training.json",
        ];
        let name = format!("train/bp/seed={seed}");
        let training = self.stage(&name, StageKind::Train, &parameters, &files);
        self.inputs.insert("training".to_owned(), training);
        let name = format!("evaluate/bp/seed={seed}");
        let parameters = json!({ "top_k": [1] });
        let files = ["evaluation.parquet"];
        let evaluation = self.stage(&name, StageKind::Evaluate, &parameters, &files);
        (training, evaluation)
    }

    /// Stores an action that reads `self.inputs`, its artifact and its result.
    fn stage(
        &mut self,
        name: &str,
        kind: StageKind,
        parameters: &Value,
        files: &[&str],
    ) -> ArtifactHash {
        let uses_plugin = matches!(kind, StageKind::Train | StageKind::Evaluate);
        let action = Action {
            kind,
            revision: kind.revision(),
            parameters: parameters.as_object().cloned().unwrap_or(Map::new()),
            inputs: self.inputs.clone(),
            plugin: uses_plugin.then(|| self.plugin.clone()),
            environment: uses_plugin.then(|| Environment {
                libtorch: "2.11.0".to_owned(),
                device: "cpu".to_owned(),
                dtype: "float32".to_owned(),
                threads: Some(1),
                cpu_capability: Some("avx2".to_owned()),
                cuda: None,
            }),
        };
        let key = self.store.put_action(&action).unwrap();
        let mut artifact = Artifact::default();
        for file in files {
            let bytes = format!("{file} of {key}\n");
            let file_of_artifact = ArtifactFile {
                object: self.put(bytes.as_bytes()),
                size: bytes.len() as u64,
                media_type: "application/octet-stream".to_owned(),
            };
            artifact.files.insert((*file).to_owned(), file_of_artifact);
        }
        let (hash, document) = artifact.document().unwrap();
        self.put(&document);
        let log = self.put(format!("the log of {key}\n").as_bytes());
        self.record(key, hash, log);
        self.objects += 1;
        self.actions += 1;
        self.stages.push(RunStage {
            name: name.to_owned(),
            outcome: StageOutcome::Ran,
            action: Some(key),
            artifact: Some(hash),
        });
        hash
    }

    /// Writes a record as the store does, less the flushes.
    fn record(&self, action: ActionKey, artifact: ArtifactHash, log: ObjectHash) {
        let result = ActionResult {
            action,
            artifact,
            started_ms: START + 1000 * self.actions as u64,
            duration_ms: 900,
            peak_memory: 1 << 28,
            threads: None,
            card: None,
            at_once: None,
            host: "here".to_owned(),
            version: "0.1.0".to_owned(),
            log: Some(log),
            containment: None,
            limits: Limits::default(),
            continued_from: None,
            epoch_ms: Vec::new(),
            multiply_adds: None,
        };
        let bytes = canonical_json(&result).unwrap();
        let key = action.to_string();
        let (shard, rest) = key.split_at(2);
        let folder = self.store.root().join("results").join(shard).join(rest);
        fs::create_dir_all(&folder).unwrap();
        let name = format!("{}.json", ObjectHash::of(&bytes));
        fs::write(folder.join(name), bytes).unwrap();
    }
}
