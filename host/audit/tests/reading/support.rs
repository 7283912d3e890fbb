//! A store with stages that never ran.

use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::Duration;

use assay_core::{
    Action, ActionKey, ActionResult, ArtifactHash, Limits, Run, RunHash, RunStage, StageKind,
    StageOutcome,
};
use assay_store::Store;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A stage of a run, with its action and its artifact.
#[derive(Clone)]
pub(crate) struct Stage {
    pub(crate) name: String,
    pub(crate) action: ActionKey,
    pub(crate) artifact: ArtifactHash,
}

pub(crate) struct Sample {
    _folder: TempDir,
    pub(crate) store: Store,
}

impl Sample {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().join("store")).unwrap();
        Self {
            _folder: folder,
            store,
        }
    }

    /// Stores an artifact with one file of this text.
    pub(crate) fn artifact(&self, name: &str, text: &str) -> ArtifactHash {
        let path = self.store.root().join("scratch").join("a file");
        fs::write(&path, text).unwrap();
        let files = BTreeMap::from([(name.to_owned(), (path, "text/plain".to_owned()))]);
        self.store.commit_artifact(files).unwrap()
    }

    /// An action of that kind, which read `inputs` and gave `artifact`.
    pub(crate) fn gave(
        &self,
        kind: StageKind,
        parameters: &Value,
        inputs: &[(&str, ArtifactHash)],
        artifact: ArtifactHash,
    ) -> ActionKey {
        let inputs = inputs
            .iter()
            .map(|(role, hash)| ((*role).to_owned(), *hash));
        let action = Action {
            kind,
            revision: 1,
            parameters: parameters.as_object().unwrap().clone(),
            inputs: inputs.collect(),
            plugin: None,
            environment: None,
        };
        let key = self.store.put_action(&action).unwrap();
        self.record(key, artifact, 1000);
        key
    }

    /// Records one more execution.
    pub(crate) fn record(&self, action: ActionKey, artifact: ArtifactHash, started_ms: u64) {
        let log = self.store.put_bytes(b"the log").unwrap();
        let result = ActionResult {
            action,
            artifact,
            started_ms,
            duration_ms: 7,
            peak_memory: 0,
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
        self.store.commit_result(&result).unwrap();
    }

    /// A dataset, a training on it and an evaluation of that, told apart by `seed`.
    pub(crate) fn stages(&self, seed: u32) -> Vec<Stage> {
        let data = self.artifact("data.txt", "data");
        let dataset = self.gave(StageKind::Dataset, &json!({ "source": "mnist" }), &[], data);
        let weights = self.artifact("weights.txt", &format!("weights {seed}"));
        let parameters = json!({ "algorithm": "bp", "seed": seed });
        let inputs = [("dataset", data)];
        let train = self.gave(StageKind::Train, &parameters, &inputs, weights);
        let figures = self.artifact("figures.txt", &format!("figures {seed}"));
        let inputs = [("dataset", data), ("training", weights)];
        let evaluate = self.gave(StageKind::Evaluate, &json!({}), &inputs, figures);
        [
            ("data", dataset, data),
            ("train", train, weights),
            ("evaluate", evaluate, figures),
        ]
        .map(|(name, action, artifact)| Stage {
            name: name.to_owned(),
            action,
            artifact,
        })
        .into()
    }

    pub(crate) fn run(&self, pipeline: &str, started_ms: u64, stages: &[Stage]) -> RunHash {
        let stages = stages.iter().map(|stage| RunStage {
            name: stage.name.clone(),
            outcome: StageOutcome::Ran,
            action: Some(stage.action),
            artifact: Some(stage.artifact),
        });
        let run = Run {
            pipeline: pipeline.to_owned(),
            file: self.store.put_bytes(b"name = \"sample\"\n").unwrap(),
            networks: None,
            figures: std::collections::BTreeMap::new(),
            overrides: Vec::new(),
            started_ms,
            duration_ms: 1,
            host: "here".to_owned(),
            version: "0.1.0".to_owned(),
            stages: stages.collect(),
        };
        self.store.commit_run(&run).unwrap()
    }

    /// Removes an object.
    pub(crate) fn lose(&self, object: impl Into<assay_core::ObjectHash>) {
        fs::remove_file(self.store.object_path(object.into())).unwrap();
    }

    /// Lets the folders grow so old that what they say of themselves is believed.
    pub(crate) fn settle() {
        thread::sleep(Duration::from_millis(2100));
    }
}
