//! A store with a small run, its bundle, and the archive of a bundle in pieces to put together
//! otherwise.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use assay_audit::Index;
use assay_bundle::{
    Attribution, BundleError, Checked, Contents, Limits, Options, Unbundled, Watch, bundle,
    check_from, unbundle_from,
};
use assay_core::{
    Action, ActionKey, ActionResult, ArtifactHash, Environment, Limits as StageLimits, ObjectHash,
    PluginPin, Run, RunHash, RunStage, StageKind, StageOutcome,
};
use assay_store::Store;
use serde_json::json;
use tar::{Builder, EntryType, Header};
use tempfile::TempDir;

pub(crate) const PIPELINE: &[u8] = b"name = \"small\"\n";
pub(crate) const LIBRARY: &[u8] = b"\x7fELF, or so it says";

/// A folder with a store that has one run.
pub(crate) struct Fixture {
    folder: TempDir,
    pub(crate) store: Store,
    pub(crate) run: RunHash,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().join("store")).unwrap();
        let run = add_run(&store);
        Self { folder, store, run }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Another store in the folder.
    pub(crate) fn store(&self, name: &str) -> Store {
        Store::open(self.path(name)).unwrap()
    }

    pub(crate) fn contents(&self) -> Contents {
        let index = Index::read(&self.store).unwrap();
        Contents::of_run(&self.store, &index, self.run).unwrap()
    }

    /// Writes the bundle as `options` say and gives its bytes.
    pub(crate) fn bundle(&self, options: &Options) -> Vec<u8> {
        let file = self.path("bundle");
        let options = Options {
            replace: true,
            ..options.clone()
        };
        bundle(&self.store, &self.contents(), &options, &file, Watch::NONE).unwrap();
        fs::read(file).unwrap()
    }
}

pub(crate) fn attributed() -> Options {
    Options {
        about: Attribution {
            license: Some("CC-BY-4.0".to_owned()),
            author: Some("Ada Lovelace".to_owned()),
            organization: Some("Analytical Engines".to_owned()),
        },
        ..Options::default()
    }
}

pub(crate) fn check(bytes: &[u8]) -> Result<Checked, BundleError> {
    check_within(bytes, &Limits::default())
}

pub(crate) fn check_within(bytes: &[u8], limits: &Limits) -> Result<Checked, BundleError> {
    check_from(Cursor::new(bytes), bytes.len() as u64, limits, Watch::NONE)
}

pub(crate) fn take(bytes: &[u8], store: &Store) -> Result<Unbundled, BundleError> {
    let length = bytes.len() as u64;
    unbundle_from(
        Cursor::new(bytes),
        length,
        store,
        &Limits::default(),
        Watch::NONE,
    )
}

/// Every file below a folder, with its bytes.
pub(crate) fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let bytes = fs::read(&path).unwrap();
            found.insert(path, bytes);
        }
    }
    found
}

/// The files of a bundle: name and bytes, in order.
pub(crate) fn unpack(bundle: &[u8]) -> Vec<(String, Vec<u8>)> {
    let tar = zstd::decode_all(bundle).unwrap();
    let mut archive = tar::Archive::new(tar.as_slice());
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let name = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (name, bytes)
    });
    entries.collect()
}

/// The header of a plain file, as bundles have it.
pub(crate) fn header(name: &str, size: u64) -> Header {
    let mut header = Header::new_ustar();
    header.set_path(name).unwrap();
    header.set_size(size);
    header.set_mode(0o444);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_entry_type(EntryType::Regular);
    header.set_cksum();
    header
}

/// A bundle of these files, which need not be those of any run.
pub(crate) fn pack(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let files = files.iter();
    let files = files.map(|(name, bytes)| (header(name, bytes.len() as u64), bytes.clone()));
    pack_raw(files)
}

/// A bundle with these headers, right or wrong.
pub(crate) fn pack_raw(files: impl IntoIterator<Item = (Header, Vec<u8>)>) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (header, bytes) in files {
        builder.append(&header, bytes.as_slice()).unwrap();
    }
    compress(&builder.into_inner().unwrap())
}

/// One frame with a checksum.
pub(crate) fn compress(tar: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    std::io::copy(&mut &*tar, &mut encoder).unwrap();
    encoder.finish().unwrap()
}

/// A run of a dataset, a training and a report, and a stage that failed.
fn add_run(store: &Store) -> RunHash {
    let pin = PluginPin {
        name: "bp".to_owned(),
        hash: store.put_bytes(LIBRARY).unwrap().into(),
        abi: "1.1".to_owned(),
    };
    let data = action(StageKind::Dataset, &[], None);
    let data = executed(
        store,
        &data,
        &[
            ("dataset.json", b"{\"classes\":4}"),
            ("train.arrow", &[0; 3000]),
        ],
    );
    let train = action(StageKind::Train, &[("dataset", data.1)], Some(pin.clone()));
    let weights: Vec<_> = (0..4000_u32).flat_map(|n| (n * n).to_le_bytes()).collect();
    let files = [
        ("best.safetensors", &weights[..]),
        ("final.safetensors", &weights),
    ];
    let train = executed(store, &train, &files);
    let report = action(StageKind::Report, &[("training-0", train.1)], None);
    let report = executed(store, &report, &[("table.csv", b"method,error\nbp,3\n")]);
    let mut failed = action(StageKind::Train, &[("dataset", data.1)], Some(pin));
    failed.parameters.insert("seed".to_owned(), json!(2));
    let failed = store.put_action(&failed).unwrap();
    let stage = |name: &str, (key, artifact): (ActionKey, ArtifactHash)| RunStage {
        name: name.to_owned(),
        outcome: StageOutcome::Ran,
        action: Some(key),
        artifact: Some(artifact),
    };
    let run = Run {
        pipeline: "small".to_owned(),
        file: store.put_bytes(PIPELINE).unwrap(),
        networks: Some(store.put_bytes(b"[network.tiny]\n").unwrap()),
        figures: std::collections::BTreeMap::new(),
        overrides: vec!["train.epochs=2".to_owned()],
        started_ms: 1_700_000_000_000,
        duration_ms: 5000,
        host: "here".to_owned(),
        version: "0.1.0".to_owned(),
        stages: vec![
            stage("data", data),
            stage("train/bp/seed=1", train),
            stage("report", report),
            RunStage {
                name: "train/bp/seed=2".to_owned(),
                outcome: StageOutcome::Failed,
                action: Some(failed),
                artifact: None,
            },
        ],
    };
    store.commit_run(&run).unwrap()
}

fn action(kind: StageKind, inputs: &[(&str, ArtifactHash)], plugin: Option<PluginPin>) -> Action {
    let parameters = json!({
        "seed": 1,
        "hyperparameters": { "learning_rate": 0.000_152 },
        "layers": ["fc 4", "softmax 2"],
        "augment": false,
        "none": null,
    });
    Action {
        kind,
        revision: kind.revision(),
        parameters: parameters.as_object().unwrap().clone(),
        inputs: inputs
            .iter()
            .map(|(role, hash)| ((*role).to_owned(), *hash))
            .collect(),
        environment: plugin.is_some().then(|| Environment {
            libtorch: "2.11.0".to_owned(),
            device: "cpu".to_owned(),
            dtype: "float32".to_owned(),
            threads: Some(1),
            cpu_capability: Some("avx2".to_owned()),
            cuda: None,
        }),
        plugin,
    }
}

fn executed(store: &Store, action: &Action, files: &[(&str, &[u8])]) -> (ActionKey, ArtifactHash) {
    let key = store.put_action(action).unwrap();
    let log = store
        .put_bytes(format!("log of {key}\n").as_bytes())
        .unwrap();
    let artifact = artifact(store, key, files);
    store
        .commit_result(&result(key, artifact, Some(log)))
        .unwrap();
    (key, artifact)
}

pub(crate) fn artifact(store: &Store, key: ActionKey, files: &[(&str, &[u8])]) -> ArtifactHash {
    let scratch = store.scratch(key).unwrap();
    let files = files.iter().map(|(name, bytes)| {
        let path = scratch.join(name);
        fs::write(&path, bytes).unwrap();
        let media_type = "application/octet-stream".to_owned();
        ((*name).to_owned(), (path, media_type))
    });
    let artifact = store.commit_artifact(files.collect()).unwrap();
    store.clear_scratch(key).unwrap();
    artifact
}

pub(crate) fn result(
    action: ActionKey,
    artifact: ArtifactHash,
    log: Option<ObjectHash>,
) -> ActionResult {
    ActionResult {
        action,
        artifact,
        started_ms: 1_700_000_000_100,
        duration_ms: 1234,
        peak_memory: 1 << 20,
        threads: None,
        card: None,
        at_once: None,
        host: "here".to_owned(),
        version: "0.1.0".to_owned(),
        log,
        containment: None,
        limits: StageLimits::default(),
        continued_from: None,
        epoch_ms: Vec::new(),
        multiply_adds: None,
    }
}
