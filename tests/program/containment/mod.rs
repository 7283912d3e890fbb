//! Containment: a plugin that misbehaves fails, by name, and nothing else fails with it.

mod descriptors;
mod libraries;
mod limits;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use assay_core::ObjectHash;
use assay_skips::skip;
use assay_store::Store;
use assay_tests::{CLASSES, Finished, Sandbox, binary, libraries as built};

/// Text that a plugin must not be able to read.
const SECRET: &str = "the combination is 31-12-79";

/// Each deed of the hostile plugin, and a part of the words that it must end in.
const DEEDS: [(&str, &str); 39] = [
    ("panic", "this plugin panics"),
    ("abort", "was ended by SIGABRT"),
    ("exit", "exited with code 0 without reporting a result"),
    ("segfault", "was ended by SIGSEGV"),
    ("loop", "reached its time limit of 3s"),
    ("detach", "reached its time limit of 3s"),
    ("allocate", "reached its memory limit of 512.0 MiB"),
    ("fork", "fork: Operation not permitted"),
    ("execute", "execute: Operation not permitted"),
    ("write", "write: Permission denied"),
    ("truncate", "truncate: Permission denied"),
    ("change-mode", "change mode: Operation not permitted"),
    ("read", "read: Permission denied"),
    ("redirect", "redirect: Operation not permitted"),
    ("tcp", "tcp: Operation not permitted"),
    ("udp", "udp: Operation not permitted"),
    ("unix", "unix socket: Operation not permitted"),
    ("kill-parent", "kill parent: Operation not permitted"),
    ("trace-parent", "trace parent: Operation not permitted"),
    ("raise-limit", "raise limit: Operation not permitted"),
    ("change-group", "change group: Operation not permitted"),
    ("unlock", "unlock: Operation not permitted"),
    ("old-calls", "x32 socket: Function not implemented"),
    ("system-v", "System V: all of 17 calls are refused"),
    ("schedule", "schedule: all of 25 calls are refused"),
    ("needless", "needless: all of 24 calls are refused"),
    ("sockets", "sockets: all of 11 calls are refused"),
    ("commands", "commands: all of 12 calls are refused"),
    ("environment", "environment: environment variable not found"),
    ("threads", "threads are contained"),
    ("junk", "a report is not of this version"),
    ("escape-codes", "hijacked error"),
    ("forget-logits", "left 1 of "),
    ("overrun-logits", "wrote past the end of its "),
    ("nan-logits", "gave an output that is NaN (epoch 1/1)"),
    (
        "nan-metric",
        "reported a `batch_loss` in epoch 1 whose sum is NaN",
    ),
    (
        "odd-state",
        "gave a state after epoch 1 that is no safetensors",
    ),
    (
        "huge-state",
        "gave a state after epoch 1 of 1342177280 bytes",
    ),
    ("hurry", "ended epoch 1 before it had seen every batch"),
];

/// The stage with the deed: what never ends by itself has little time, what is large more memory.
fn stage_of(deed: &str) -> &'static str {
    match deed {
        "loop" | "detach" => "endless",
        "huge-state" => "large",
        _ => "train",
    }
}

/// The hostile plugin in a pipeline's folder. It is not called like a plugin: nobody who looks for
/// plugins beside the program should find it.
const LIBRARY: &str = "./libhostile.so";

/// A pipeline with every deed of the hostile plugin, and with a training that is none.
struct Hostile {
    sandbox: Sandbox,
    /// Where a plugin must not read or write.
    forbidden: PathBuf,
}

impl Hostile {
    /// `honest` is the algorithm of the training that must not suffer.
    fn new(forbidden: PathBuf, honest: &str) -> Self {
        let sandbox = Sandbox::new();
        fs::write(forbidden.join("secret"), SECRET).unwrap();
        fs::copy(built().join("libhostile.so"), sandbox.path(LIBRARY)).unwrap();
        let deeds = DEEDS.iter().map(|(deed, _)| *deed);
        let of_stage = |stage| {
            let deeds = deeds.clone().filter(|deed| stage_of(deed) == stage);
            let deeds = deeds.map(|deed| format!("{deed:?}"));
            deeds.collect::<Vec<_>>().join(", ")
        };
        let plugin = if honest == "honest" { LIBRARY } else { honest };
        let mut text = format!(
            r#"name = "hostile"
limits = {{ time = "1h" }}

[network.small]
input = [1, 8, 8]
layers = ["fc 16", "softmax {CLASSES}"]

[method.honest]
algorithm = "{honest}"
plugin = "{plugin}"

[stage.data]
kind = "dataset"
source = "idx"
path = "data"
classes = {CLASSES}
validation = 100

[stage.honest]
kind = "train"
dataset = "data"
network = "small"
epochs = 1
method = "honest"

[stage.evaluate]
kind = "evaluate"
training = "honest"

[stage.train]
kind = "train"
dataset = "data"
network = "small"
epochs = 1
limits = {{ memory = "512 MiB" }}
matrix = {{ method = [{train}] }}

[stage.endless]
kind = "train"
dataset = "data"
network = "small"
epochs = 1
limits = {{ time = "3s" }}
matrix = {{ method = [{endless}] }}

[stage.large]
kind = "train"
dataset = "data"
network = "small"
epochs = 1
matrix = {{ method = [{large}] }}
"#,
            train = of_stage("train"),
            endless = of_stage("endless"),
            large = of_stage("large"),
        );
        for deed in deeds {
            let _ = writeln!(
                text,
                "\n[method.{deed}]\nalgorithm = \"{deed}\"\nplugin = \"{LIBRARY}\"\n\
                 hyperparameters = {{ target = \"{}\" }}",
                forbidden.display()
            );
        }
        fs::write(sandbox.path("pipeline.toml"), text).unwrap();
        Self { sandbox, forbidden }
    }

    fn command(&self) -> Command {
        let arguments = [
            "run",
            "pipeline.toml",
            "--keep-going",
            "--json",
            "--jobs",
            "2",
        ];
        let mut command = self.sandbox.command(&arguments);
        command.env("PASSWORD_OF_A_USER", SECRET);
        command
    }

    /// Every deed ends in its error, the honest training in its artifact, and nothing that a
    /// plugin should not have done was done.
    fn check(&self, finished: Finished) {
        let finished = finished.exits(1);
        let stages = finished.json()["stages"].as_array().unwrap().clone();
        let outcomes: BTreeMap<_, _> = stages
            .iter()
            .map(|stage| {
                (
                    stage["name"].as_str().unwrap(),
                    stage["outcome"].as_str().unwrap(),
                )
            })
            .collect();
        for stage in ["data", "honest", "evaluate"] {
            assert_eq!(outcomes[stage], "ran", "{stage}: {}", finished.stderr);
        }
        for (deed, words) in DEEDS {
            let stage = format!("{}/{deed}", stage_of(deed));
            assert_eq!(outcomes[stage.as_str()], "failed", "{stage}");
            let error = error_of(&finished, &stage);
            assert!(error.contains(words), "no {words:?} in {error}");
            assert!(error.contains("plugin `hostile`"), "{error}");
        }
        self.check_nothing_was_done();
        assert!(!finished.stderr.contains('\x1b') && !finished.stdout.contains('\x1b'));
    }

    fn check_nothing_was_done(&self) {
        let found: Vec<_> = fs::read_dir(&self.forbidden)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(found, ["secret"], "a plugin wrote where it must not");
        let secret = self.forbidden.join("secret");
        assert_eq!(fs::read_to_string(&secret).unwrap(), SECRET);
        let mode = fs::metadata(&secret).unwrap().permissions().mode();
        assert_ne!(mode & 0o777, 0o777, "a plugin changed a mode");
        let store = self.sandbox.path("artifacts");
        let mut files = Vec::new();
        list(&store, &mut files);
        let needle = SECRET.as_bytes();
        for file in &files {
            let bytes = fs::read(file).unwrap();
            let told = bytes.windows(needle.len()).any(|window| window == needle);
            assert!(!told, "the secret is in {}", file.display());
        }
        assert_eq!(verify(&store, &files), [0; 0]);
    }
}

/// The objects of the store, as numbers of `files`, whose bytes are not what their name says.
fn verify(root: &Path, files: &[PathBuf]) -> Vec<usize> {
    let store = Store::open_existing(root).unwrap();
    let objects = root.join("objects");
    let of_store = files.iter().enumerate();
    let of_store = of_store.filter(|(_, file)| file.starts_with(&objects));
    let mut checked = 0;
    let damaged = of_store.filter(|(_, file)| {
        let shard = file
            .parent()
            .unwrap()
            .file_name()
            .unwrap()
            .to_str()
            .unwrap();
        let rest = file.file_name().unwrap().to_str().unwrap();
        let object: ObjectHash = format!("{shard}{rest}").parse().unwrap();
        checked += 1;
        store.verify(object).is_err()
    });
    let damaged = damaged.map(|(at, _)| at).collect();
    assert!(checked > DEEDS.len(), "there are {checked} objects");
    damaged
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            list(&entry.path(), files);
        } else {
            files.push(entry.path());
        }
    }
}

/// Error message of the command about a stage that failed.
fn error_of<'a>(finished: &'a Finished, stage: &str) -> &'a str {
    let start = format!("error: `{stage}` failed");
    let at = finished.stderr.find(&start).unwrap_or_else(|| {
        panic!("nothing is said of {stage} in {}", finished.stderr);
    });
    let text = &finished.stderr[at..];
    let end = text[1..]
        .find("\nerror: ")
        .map_or(text.len(), |end| end + 1);
    &text[..end]
}

fn finish(command: &mut Command) -> Finished {
    let output = command.output().unwrap();
    Finished {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[test]
fn a_hostile_plugin_fails_by_name_and_alone() {
    let forbidden = tempfile::tempdir().unwrap();
    let hostile = Hostile::new(forbidden.path().to_owned(), "bp");
    hostile.check(finish(&mut hostile.command()));
}

#[test]
fn a_home_folder_is_as_forbidden_as_any_other() {
    let Some(home) = std::env::var_os("HOME").filter(|home| Path::new(home).is_dir()) else {
        skip("there is no HOME to keep a secret in");
        return;
    };
    let forbidden = tempfile::tempdir_in(home).unwrap();
    let hostile = Hostile::new(forbidden.path().to_owned(), "honest");
    let mut command = hostile.command();
    command.args(["--only", "train/read", "--only", "train/write"]);
    let finished = finish(&mut command).exits(1);
    for deed in ["read", "write"] {
        let error = error_of(&finished, &format!("train/{deed}"));
        assert!(
            error.contains(&format!("{deed}: Permission denied")),
            "{error}"
        );
    }
    assert!(!finished.stderr.contains(SECRET));
}

/// The user that owns nothing.
const NOBODY: &str = "65534";

/// Tests often run as root; a user has fewer rights, and containment must work without them.
#[test]
fn an_ordinary_user_is_protected_too() {
    if !rustix::process::geteuid().is_root() {
        skip("not root, so the other tests have shown it already");
        return;
    }
    if Command::new("setpriv").arg("--version").output().is_err() {
        skip("there is no `setpriv` to become an ordinary user with");
        return;
    }
    // The build folder may lie where only root can go.
    let built = tempfile::tempdir().unwrap();
    fs::copy(binary(), built.path().join("pipeline")).unwrap();
    let forbidden = tempfile::tempdir().unwrap();
    let hostile = Hostile::new(forbidden.path().to_owned(), "honest");
    let folders = [built.path(), forbidden.path(), &hostile.sandbox.path("")];
    for folder in folders {
        let owned = Command::new("chown")
            .args(["-R", &format!("{NOBODY}:{NOBODY}")])
            .arg(folder)
            .status();
        assert!(owned.unwrap().success());
    }
    let given = hostile.command();
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"])
        .arg(built.path().join("pipeline"))
        .args(given.get_args())
        .current_dir(hostile.sandbox.path(""))
        .envs(
            given
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
    hostile.check(finish(&mut command));
}

/// A library of the hostile crate's examples.
fn example(name: &str) -> PathBuf {
    let library = built().join("examples").join(format!("lib{name}.so"));
    assert!(
        library.exists(),
        "{} is not there: run `cargo build --workspace --all-targets` first",
        library.display()
    );
    library
}

/// A command that trains with `libsuspect.so` of the sandbox, whose constructor does `deed`.
fn with_suspect(sandbox: &Sandbox, deed: &str, more: &[&str]) -> Command {
    let arguments = [
        "run",
        "pipeline.toml",
        "--set",
        "method.fa.plugin=\"./libsuspect.so\"",
        "--set",
        "limits.time=\"5s\"",
    ];
    let mut command = sandbox.command(&[&arguments, more].concat());
    command.env("ASSAY_HOSTILE_CONSTRUCTOR", deed);
    command
}

/// One training with the library `name` of the hostile crate's examples.
fn with_library(name: &str, deed: &str, more: &[&str]) -> (Sandbox, Finished) {
    let sandbox = Sandbox::with_methods(r#"["bp", "fa"]"#);
    fs::copy(example(name), sandbox.path("libsuspect.so")).unwrap();
    let finished = finish(&mut with_suspect(&sandbox, deed, more));
    (sandbox, finished)
}

#[track_caller]
fn assert_says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "no {part:?} in:\n{said}");
    }
}

#[test]
fn a_library_that_claims_another_layout_is_refused_by_name() {
    let (_sandbox, finished) = with_library("assay_liar", "", &[]);
    assert_says(&finished.exits(2).stderr, &["`suspect`", "cannot be used"]);
}

#[test]
fn constructors_run_contained() {
    let (_sandbox, finished) = with_library("assay_constructor", "abort", &[]);
    let words = ["was ended by SIGABRT", "ran the plugin `suspect`"];
    assert_says(&finished.exits(2).stderr, &words);

    let started = Instant::now();
    let (_sandbox, finished) = with_library("assay_constructor", "loop", &[]);
    let words = ["reached its time limit of 5s", "ran the plugin `suspect`"];
    assert_says(&finished.exits(2).stderr, &words);
    assert!(started.elapsed() < Duration::from_mins(5));

    let forbidden = tempfile::tempdir().unwrap();
    let file = forbidden.path().join("written");
    let (_sandbox, finished) = with_library("assay_constructor", file.to_str().unwrap(), &[]);
    let words = ["has no root module", "the constructor cannot write"];
    assert_says(&finished.exits(2).stderr, &words);
    assert!(!file.exists());
}

#[test]
fn a_plugin_that_fails_at_once_takes_no_other_stage_with_it() {
    let more = ["--keep-going", "--json", "--set", "limits.time=\"1h\""];
    for (library, words) in [
        ("assay_liar", "cannot be used"),
        ("assay_constructor", "was ended by SIGABRT"),
    ] {
        let (_sandbox, finished) = with_library(library, "abort", &more);
        let finished = finished.exits(1);
        for stage in finished.json()["stages"].as_array().unwrap() {
            let name = stage["name"].as_str().unwrap();
            let expected = match name {
                "train/fa/seed=1" => "failed",
                "evaluate/fa/seed=1" | "report" => "skipped",
                _ => "ran",
            };
            assert_eq!(stage["outcome"], expected, "{name}: {}", finished.stderr);
            if expected == "failed" {
                assert_says(stage["failure"].as_str().unwrap(), &["`suspect`", words]);
            }
        }
        assert_says(&finished.stderr, &["`suspect`", words]);
    }
}
