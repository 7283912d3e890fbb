//! Real plugins, loaded from where cargo built them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use assay_abi::{CreateRequest, LearnerHandle, LoadedPlugin, PluginError};

use super::host::Samples;
use super::state::{State, randomise_biases};

/// A worker holds one plugin; here several share one libtorch, whose settings each sets once.
static CREATION: Mutex<()> = Mutex::new(());

/// Everything that decides a learner; `Learner { algorithm: "bp", ..Learner::default() }`.
#[derive(Clone)]
pub struct Learner<'a> {
    pub algorithm: &'a str,
    pub network: String,
    pub hyperparameters: &'a str,
    pub seed: u64,
    pub device: &'a str,
    pub threads: u32,
}

impl Default for Learner<'_> {
    fn default() -> Self {
        Self {
            algorithm: "bp",
            network: network(&[1, 2, 3], &["fc 5", "fc 4", "softmax 3"]),
            hyperparameters: "{}",
            seed: 1,
            device: "cpu",
            threads: 1,
        }
    }
}

impl Learner<'_> {
    /// Creates the learner in the plugin of the algorithm's name.
    pub fn create(&self) -> Result<LearnerHandle, PluginError> {
        let _one_at_a_time = CREATION.lock().unwrap_or_else(PoisonError::into_inner);
        load(self.algorithm).create(&CreateRequest {
            algorithm: self.algorithm.into(),
            network: self.network.as_str().into(),
            hyperparameters: self.hyperparameters.into(),
            seed: self.seed,
            device: self.device.into(),
            threads: self.threads,
        })
    }

    /// A learner with random biases, changed further by `edit`, and its state.
    pub fn prepared(&self, edit: impl FnOnce(&mut State)) -> (LearnerHandle, State) {
        let mut learner = self.create().unwrap();
        let mut state = State::parse(&learner.save().unwrap());
        randomise_biases(&mut state, self.seed);
        edit(&mut state);
        learner.restore(&state.to_bytes()).unwrap();
        (learner, state)
    }

    /// The state of such a learner, and its directions for `samples` with the given noise.
    pub fn directions(
        &self,
        samples: &Samples,
        noise: &[u8],
        edit: impl FnOnce(&mut State),
    ) -> (State, State) {
        let (mut learner, state) = self.prepared(edit);
        let directions = samples.with(|batch| learner.directions(batch, noise));
        (state, State::parse(&directions.unwrap()))
    }
}

/// The JSON of a network.
pub fn network(input: &[usize; 3], layers: &[impl AsRef<str>]) -> String {
    let layers: Vec<_> = layers.iter().map(AsRef::as_ref).collect();
    serde_json::json!({ "input": input, "layers": layers }).to_string()
}

/// Loads the plugin `name` as a worker does.
pub fn load(name: &str) -> LoadedPlugin {
    // SAFETY: it was built from this repository.
    unsafe { assay_engine::load(&path(name)) }
        .unwrap_or_else(|error| panic!("plugin {name}: {error}"))
}

/// The names of the rules of this repository: the folders of their crates.
pub fn rules() -> Vec<String> {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins");
    let folders = fs::read_dir(plugins).unwrap().map(|it| it.unwrap());
    let is_rule = |folder: &Path| {
        let manifest = fs::read_to_string(folder.join("Cargo.toml"));
        manifest.is_ok_and(|it| it.contains("[lib]\ncrate-type = [\"cdylib\""))
    };
    let rules = folders.filter(|folder| is_rule(&folder.path()));
    rules
        .map(|folder| folder.file_name().into_string().unwrap())
        .collect()
}

fn path(name: &str) -> PathBuf {
    let file = format!("libassay_{}.so", name.replace('-', "_"));
    assay_tests::libraries().join(file)
}
