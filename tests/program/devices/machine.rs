//! Machines with cards of every sort, and a pipeline for them.

use std::fs;
use std::process::Command;

use assay_core::{Action, ActionResult, StageKind};
use assay_store::Store;
use assay_tests::{CLASSES, FakeCuda, Finished, Sandbox, libraries};
use serde_json::Value;

pub(super) const H100: &str = "NVIDIA H100 80GB HBM3|9.0|132|80";
pub(super) const A100: &str = "NVIDIA A100-SXM4-40GB|8.0|108|40";

/// UUID that the driver gives to the card of this number, whichever cards are hidden.
pub(super) fn uuid(number: usize) -> String {
    format!("GPU-00000000-0000-0000-0000-{number:012x}")
}

/// A folder with a pipeline of trainings that say what they are given, and a machine with cards.
pub(super) struct Machine {
    pub(super) sandbox: Sandbox,
    pub(super) cuda: FakeCuda,
    pub(super) cards: String,
    variables: Vec<(&'static str, String)>,
}

impl Machine {
    pub(super) fn new(cards: &[&str]) -> Self {
        let sandbox = Sandbox::new();
        let library = sandbox.path("libcards_plugin.so");
        fs::copy(libraries().join("libcards_plugin.so"), library).unwrap();
        let machine = Self {
            sandbox,
            cuda: FakeCuda::new(),
            cards: cards.join(";"),
            variables: Vec::new(),
        };
        machine.pipeline(1, 1, "{}");
        machine
    }

    pub(super) fn set(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    /// Writes a pipeline with trainings from so many seeds, and hyper-parameters as TOML.
    pub(super) fn pipeline(&self, seeds: usize, epochs: u32, hyperparameters: &str) {
        let seeds: Vec<_> = (1..=seeds).map(|seed| seed.to_string()).collect();
        let text = format!(
            r#"name = "cards"
[network.small]
input = [1, 8, 8]
layers = ["fc 4", "softmax {CLASSES}"]
[method.cards]
algorithm = "cards"
plugin = "./libcards_plugin.so"
hyperparameters = {hyperparameters}
[stage.data]
kind = "dataset"
source = "idx"
path = "data"
classes = {CLASSES}
validation = 100
[stage.train]
kind = "train"
dataset = "data"
network = "small"
epochs = {epochs}
matrix = {{ method = ["cards"], seed = [{}] }}
"#,
            seeds.join(", ")
        );
        fs::write(self.sandbox.path("pipeline.toml"), text).unwrap();
    }

    /// Changes the pipeline file.
    pub(super) fn change(&self, from: &str, to: &str) {
        let file = self.sandbox.path("pipeline.toml");
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(file, text.replace(from, to)).unwrap();
    }

    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.sandbox.command(arguments);
        command
            .env("LD_LIBRARY_PATH", self.cuda.path())
            .env("CUDA_FAKE_CARDS", &self.cards)
            .env_remove("CUDA_VISIBLE_DEVICES");
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    pub(super) fn execute(&self, arguments: &[&str]) -> Finished {
        Finished::run(&mut self.command(arguments))
    }

    /// `pipeline run` on this device, with more arguments.
    pub(super) fn run(&self, device: &str, arguments: &[&str]) -> Finished {
        let run = ["run", "pipeline.toml", "--device", device];
        self.execute(&[&run[..], arguments].concat())
    }

    pub(super) fn store(&self) -> Store {
        Store::open_existing(self.sandbox.path("artifacts")).unwrap()
    }

    /// The trainings in the store.
    pub(super) fn trainings(&self) -> Vec<Action> {
        let store = self.store();
        let keys = store.action_keys().unwrap();
        let actions = keys.into_iter().map(|key| store.action(key).unwrap());
        actions
            .filter(|action| action.kind == StageKind::Train)
            .collect()
    }

    pub(super) fn results(&self) -> Vec<ActionResult> {
        let store = self.store();
        let keys = store.action_keys().unwrap().into_iter();
        keys.flat_map(|key| store.results(key).unwrap()).collect()
    }

    /// The logs of all results.
    pub(super) fn logs(&self) -> Vec<String> {
        let store = self.store();
        let logs = self.results().into_iter().filter_map(|result| {
            let path = store.object_path(result.log?);
            Some(fs::read_to_string(path).unwrap())
        });
        logs.collect()
    }

    /// The epochs of all trainings that have a result, as their plugin told them.
    pub(super) fn epochs(&self) -> Vec<Epoch> {
        let logs = self.logs();
        let lines = logs.iter().flat_map(|log| log.lines());
        let given = lines.filter_map(|line| line.strip_prefix("given "));
        given
            .map(|given| Epoch(serde_json::from_str(given).unwrap()))
            .collect()
    }
}

/// A machine whose cards compute portable algorithms, emulated.
pub(super) fn emulated(cards: &[&str]) -> Machine {
    let machine = Machine::new(cards);
    let library = machine.cuda.path().join("libkernels.so");
    fs::copy(assay_emulation::library(), &library).unwrap();
    machine.set("ASSAY_EMULATED_CARD", library.to_str().unwrap())
}

/// An epoch of the plugin that says what it is given.
#[derive(Debug)]
pub(super) struct Epoch(pub(super) Value);

impl Epoch {
    pub(super) fn variable(&self, name: &str) -> &str {
        self.0["variables"][name].as_str().unwrap()
    }

    pub(super) fn card(&self) -> &str {
        self.variable("CUDA_VISIBLE_DEVICES")
    }

    pub(super) fn moment(&self, name: &str) -> u64 {
        self.0[name].as_u64().unwrap()
    }
}

/// How many epochs ran at a time at most, on the card of this name or, without one, in all.
pub(super) fn most_at_a_time(epochs: &[Epoch], card: Option<&str>) -> usize {
    let of_card = epochs
        .iter()
        .filter(|it| card.is_none_or(|card| it.card() == card));
    let of_card: Vec<_> = of_card.collect();
    let began = of_card.iter().map(|it| it.moment("begun"));
    let at = |moment: u64| {
        let running = of_card
            .iter()
            .filter(|it| it.moment("begun") <= moment && moment < it.moment("ended"));
        running.count()
    };
    began.map(at).max().unwrap_or(0)
}
