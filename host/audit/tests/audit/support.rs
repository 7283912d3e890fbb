//! A small store with everything in it that a store may hold, and a memory of every byte of it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use assay_audit::{AuditReport, Scope, audit};
use assay_core::graph::Node;
use assay_core::{
    Action, ActionKey, ActionResult, ArtifactHash, Limits, ObjectHash, PluginPin, Run, RunHash,
    RunStage, StageKind, StageOutcome,
};
use assay_store::Store;
use proptest::test_runner::Config;
use tempfile::TempDir;

/// A store, what is in it, and the folder that goes away with it.
pub(crate) struct Sample {
    _folder: TempDir,
    pub(crate) store: Store,
    pub(crate) run: RunHash,
    /// The actions of its stages.
    pub(crate) actions: BTreeMap<&'static str, ActionKey>,
    /// Path below the store → bytes.
    pub(crate) files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Sample {
    /// Two runs of a pipeline of four stages, one of which was executed twice; a plugin that was
    /// asked what it offers, which no run names; an object that nothing names; pins on a run, an
    /// action, an artifact and a library.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().join("artifacts")).unwrap();
        let library = store.put_bytes(b"\x7fELF a plugin").unwrap();
        let mut maker = Maker {
            store: &store,
            library,
            clock: 1_700_000_000_000,
        };
        let (data, images) = maker.execute(StageKind::Dataset, &[]);
        let (train, state) = maker.execute(StageKind::Train, &[("dataset", images)]);
        maker.record(train, state);
        let inputs = [("dataset", images), ("training", state)];
        let (evaluate, metrics) = maker.execute(StageKind::Evaluate, &inputs);
        let (report, table) = maker.execute(StageKind::Report, &[("0", metrics)]);
        maker.execute(StageKind::Describe, &[]);
        let stages = [
            ("data", data, images),
            ("train", train, state),
            ("evaluate", evaluate, metrics),
            ("report", report, table),
        ];
        let run = maker.run(&stages, StageOutcome::Ran);
        maker.run(&stages, StageOutcome::Cached);
        for (label, pinned) in [
            ("submitted", Node::Run(run)),
            ("trained", Node::Action(train)),
            ("table", Node::Artifact(table)),
            ("bp", Node::Object(library)),
        ] {
            store.pin(label, pinned).unwrap();
        }
        store.put_bytes(b"nothing names this").unwrap();
        let mut sample = Self {
            _folder: folder,
            store,
            run,
            actions: stages.iter().map(|(name, key, _)| (*name, *key)).collect(),
            files: BTreeMap::new(),
        };
        sample.files = sample.walk();
        sample
    }

    pub(crate) fn audit(&self) -> AuditReport {
        audit(&self.store, Scope::All, &()).unwrap()
    }

    pub(crate) fn root(&self) -> &Path {
        self.store.root()
    }

    /// Every file below the store that outlives processes, and its bytes.
    pub(crate) fn walk(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut waiting = vec![self.root().to_owned()];
        while let Some(folder) = waiting.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let below = path.strip_prefix(self.root()).unwrap();
                let is_gate = ["locks/gc", "locks/gc-queue"]
                    .iter()
                    .any(|gate| below == Path::new(gate));
                if below == Path::new("uses") || is_gate {
                    continue;
                }
                if path.is_dir() && !path.is_symlink() {
                    waiting.push(path);
                } else if let Ok(bytes) = fs::read(&path) {
                    files.insert(below.to_owned(), bytes);
                }
            }
        }
        files
    }

    /// Puts everything below the store back as it was.
    pub(crate) fn restore(&self) {
        for (path, bytes) in self.walk() {
            if self.files.get(&path) != Some(&bytes) {
                remove(&self.root().join(path));
            }
        }
        remove(&self.root().join("quarantine"));
        for (path, bytes) in &self.files {
            let path = self.root().join(path);
            let is_read_only = path.metadata().is_ok_and(|it| it.permissions().readonly());
            let is_data = !is_read_only && path.is_file() && !is_marker(&path);
            if is_data || path.is_symlink() || fs::read(&path).ok().as_ref() != Some(bytes) {
                remove(&path);
                write(&path, bytes);
            }
        }
    }
}

/// As many cases, whose failures are not written beside the test.
pub(crate) fn config(cases: u32) -> Config {
    Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    }
}

/// Markers and the format are as any new file is.
fn is_marker(path: &Path) -> bool {
    path.ends_with("format") || path.parent().is_some_and(|folder| folder.ends_with("runs"))
}

/// Puts bytes where nothing is, as the store does: read-only.
pub(crate) fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o444)).unwrap();
}

/// Removes whatever is there.
pub(crate) fn remove(path: &Path) {
    if path.is_dir() && !path.is_symlink() {
        fs::remove_dir_all(path).unwrap();
    } else if path.symlink_metadata().is_ok() {
        fs::remove_file(path).unwrap();
    }
}

struct Maker<'a> {
    store: &'a Store,
    library: ObjectHash,
    clock: u64,
}

impl Maker<'_> {
    fn execute(
        &mut self,
        kind: StageKind,
        inputs: &[(&str, ArtifactHash)],
    ) -> (ActionKey, ArtifactHash) {
        let needs_plugin = matches!(kind, StageKind::Train | StageKind::Describe);
        let inputs = inputs
            .iter()
            .map(|(role, artifact)| ((*role).to_owned(), *artifact));
        let action = Action {
            kind,
            revision: kind.revision(),
            parameters: [("rate".to_owned(), 0.25.into())].into_iter().collect(),
            inputs: inputs.collect(),
            plugin: needs_plugin.then(|| PluginPin {
                name: "bp".to_owned(),
                hash: self.library.into(),
                abi: "1".to_owned(),
            }),
            environment: None,
        };
        let key = self.store.put_action(&action).unwrap();
        let scratch = self.store.scratch(key).unwrap();
        let mut files = BTreeMap::new();
        for (name, bytes) in [
            ("one.bin", format!("the {kind} of one")),
            ("two.json", format!("{{\"kind\":\"{kind}\"}}")),
        ] {
            let path = scratch.join(name);
            fs::write(&path, bytes).unwrap();
            files.insert(name.to_owned(), (path, "application/json".to_owned()));
        }
        let artifact = self.store.commit_artifact(files).unwrap();
        self.store.clear_scratch(key).unwrap();
        self.record(key, artifact);
        (key, artifact)
    }

    /// Commits a result of the action.
    fn record(&mut self, action: ActionKey, artifact: ArtifactHash) {
        self.clock += 1000;
        let log = format!("{action} said this at {}", self.clock);
        let result = ActionResult {
            action,
            artifact,
            started_ms: self.clock,
            duration_ms: 900,
            peak_memory: 1,
            threads: None,
            card: None,
            at_once: None,
            host: "here".to_owned(),
            version: "0.1.0".to_owned(),
            log: Some(self.store.put_bytes(log.as_bytes()).unwrap()),
            containment: None,
            limits: Limits::default(),
            continued_from: None,
            epoch_ms: Vec::new(),
            multiply_adds: None,
        };
        self.store.commit_result(&result).unwrap();
    }

    fn run(
        &mut self,
        stages: &[(&str, ActionKey, ArtifactHash)],
        outcome: StageOutcome,
    ) -> RunHash {
        self.clock += 1000;
        let mut stages: Vec<_> = stages
            .iter()
            .map(|(name, action, artifact)| RunStage {
                name: (*name).to_owned(),
                outcome,
                action: Some(*action),
                artifact: Some(*artifact),
            })
            .collect();
        stages.push(RunStage {
            name: "never".to_owned(),
            outcome: StageOutcome::Skipped,
            action: None,
            artifact: None,
        });
        let run = Run {
            pipeline: "small".to_owned(),
            file: self.store.put_bytes(b"name = \"small\"").unwrap(),
            networks: Some(self.store.put_bytes(b"[network.small]").unwrap()),
            figures: std::collections::BTreeMap::new(),
            overrides: Vec::new(),
            started_ms: self.clock,
            duration_ms: 1,
            host: "here".to_owned(),
            version: "0.1.0".to_owned(),
            stages,
        };
        self.store.commit_run(&run).unwrap()
    }
}
