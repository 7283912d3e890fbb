//! A folder with a dataset, a pipeline file and a store, and the real binary run in it.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

use crate::cargo;
use crate::idx::{CLASSES, write_dataset};

/// The folder that cargo leaves binaries and plugin libraries in.
///
/// The first call of a process has cargo build them, which finds them built where nothing has changed.
pub fn libraries() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(build_libraries).clone()
}

fn build_libraries() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(Path::parent).unwrap();
    let profile = match folder.file_name().and_then(OsStr::to_str).unwrap() {
        "debug" => "dev",
        other => other,
    };
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    // With the examples, since what only these and tests depend on gives some crates other features: they, and the
    // binary, would be compiled once more.
    let arguments = ["--workspace", "--lib", "--bins", "--examples"];
    let arguments = [&arguments[..], &["--profile", profile]].concat();
    cargo::build(&workspace, folder.parent().unwrap(), &arguments);
    folder.to_owned()
}

/// The binary `pipeline`.
pub fn binary() -> PathBuf {
    libraries().join("pipeline")
}

/// One test's folder.
pub struct Sandbox {
    folder: TempDir,
}

/// A command that has ended.
#[derive(Debug)]
pub struct Finished {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Finished {
    /// Runs a command to its end.
    pub fn run(command: &mut Command) -> Self {
        Self::of(command.output().unwrap())
    }

    /// The end of a command that was started apart.
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Standard output as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// Fails unless the exit code was `code`.
    #[track_caller]
    #[must_use]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }
}

impl Sandbox {
    /// A folder with a small dataset and `pipeline.toml` as [`Sandbox::pipeline`] writes it, with one method.
    pub fn new() -> Self {
        Self::with_methods(r#"["bp"]"#)
    }

    /// As [`Sandbox::new`], with these methods (a TOML array).
    pub fn with_methods(methods: &str) -> Self {
        let sandbox = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        write_dataset(&sandbox.path("data"), 600, 200);
        sandbox.pipeline(methods, 2);
        sandbox
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes `pipeline.toml`: a small network on the dataset, trained with `methods` (a TOML
    /// array) for some epochs, evaluated and reported.
    pub fn pipeline(&self, methods: &str, epochs: u32) {
        let text = format!(
            r#"name = "small"

[network.small]
input = [1, 8, 8]
layers = ["fc 16", "fc 12", "softmax {CLASSES}"]

[method.bp]
algorithm = "bp"
hyperparameters = {{ learning_rate = 0.01 }}

[method.fa]
algorithm = "fa"
hyperparameters = {{ learning_rate = 0.01 }}

[method.dfa]
algorithm = "dfa"
hyperparameters = {{ learning_rate = 0.01 }}

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
batch_size = 32
matrix = {{ method = {methods}, seed = [1] }}

[stage.evaluate]
kind = "evaluate"
training = "train"
top_k = [1, 2]

[stage.report]
kind = "report"
evaluations = ["evaluate"]
"#
        );
        fs::write(self.path("pipeline.toml"), text).unwrap();
    }

    /// The binary with `arguments`, in the folder, free of the caller's settings.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .current_dir(self.folder.path())
            .args(arguments)
            .stdin(Stdio::null());
        for variable in [
            "ASSAY_STORE",
            "ASSAY_DATA_DIR",
            "ASSAY_PLUGIN_PATH",
            "ASSAY_TRUSTED_ONLY",
        ] {
            command.env_remove(variable);
        }
        for variable in ["XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"] {
            command.env(variable, self.path("home").join(variable));
        }
        command
    }

    /// Runs the binary to its end.
    pub fn execute(&self, arguments: &[&str]) -> Finished {
        Finished::run(&mut self.command(arguments))
    }

    /// `pipeline run pipeline.toml` with more arguments.
    pub fn run(&self, arguments: &[&str]) -> Finished {
        self.execute(&[&["run", "pipeline.toml"], arguments].concat())
    }

    /// Starts `pipeline run pipeline.toml` with its output thrown away.
    pub fn start(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(&[&["run", "pipeline.toml"], arguments].concat());
        command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// Runs with `--json` and fails unless everything has a result.
    #[track_caller]
    pub fn run_json(&self, arguments: &[&str]) -> Value {
        self.run(&[arguments, &["--json"]].concat()).exits(0).json()
    }
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}
