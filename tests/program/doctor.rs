//! `pipeline doctor`: what a machine offers and what is missing, on machines that lack this and that.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::{Duration, Instant};

use assay_tests::{FakeCuda, Finished, Sandbox, binary, libraries};
use serde_json::Value;

/// The program in a folder with one plugin, so that not all of ours are asked each time.
struct Doctor {
    sandbox: Sandbox,
    variables: Vec<(&'static str, String)>,
}

impl Doctor {
    fn new() -> Self {
        let doctor = Self::without_plugins();
        let library = libraries().join("libassay_bp.so");
        fs::copy(library, doctor.sandbox.path("own/libassay_bp.so")).unwrap();
        doctor
    }

    fn without_plugins() -> Self {
        let sandbox = Sandbox::new();
        fs::create_dir(sandbox.path("own")).unwrap();
        fs::copy(binary(), sandbox.path("own/pipeline")).unwrap();
        Self {
            sandbox,
            variables: Vec::new(),
        }
    }

    fn set(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    fn ask(&self, arguments: &[&str]) -> Finished {
        let likewise = self.sandbox.command(&[]);
        let mut command = Command::new(self.sandbox.path("own/pipeline"));
        for (name, value) in likewise.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let output = command
            .arg("doctor")
            .args(arguments)
            .current_dir(self.sandbox.path(""))
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .output()
            .unwrap();
        Finished {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Its output as JSON, with this exit code and more arguments.
    #[track_caller]
    fn json(&self, code: i32, arguments: &[&str]) -> Value {
        self.ask(&[&["--json"], arguments].concat())
            .exits(code)
            .json()
    }
}

/// The only problem, with what to do.
#[track_caller]
fn problem(document: &Value) -> (String, String) {
    let problems = document["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 1, "{document:#}");
    let text = |name: &str| problems[0][name].as_str().unwrap().to_owned();
    (text("what"), text("help"))
}

#[test]
fn a_machine_that_can_train_is_described() {
    let doctor = Doctor::new();
    let text = doctor.ask(&[]).exits(0);
    for words in [
        "this machine can train on its processor",
        "Landlock",
        "2.11.0, ",
        "libtorch_cpu.so",
        "bp 0.1.0",
        "not there yet",
    ] {
        assert!(text.stdout.contains(words), "{words}: {text:?}");
    }
    let document = doctor.json(0, &[]);
    assert_eq!(document["ready"], true);
    assert_eq!(document["problems"], Value::Array(Vec::new()));
    assert_eq!(document["libtorch"]["version"], "2.11.0");
    assert_eq!(document["plugins"][0]["usable"], true);
    assert!(document["processor"]["threads"].as_u64().unwrap() > 0);
    assert!(document["containment"]["seccomp"].is_boolean());
    let store = &document["store"];
    assert_eq!(store["exists"], false);
    assert!(store["free"].as_u64().unwrap() > 0, "{store}");
    assert!(store["file_system"].is_string(), "{store}");
    // It looks, and makes nothing.
    assert!(!doctor.sandbox.path("artifacts").exists());
}

#[test]
fn a_machine_without_plugins_is_told_where_they_were_looked_for() {
    let doctor = Doctor::without_plugins();
    let (what, help) = problem(&doctor.json(1, &[]));
    assert!(what.contains("no plugin can be used"), "{what}");
    assert!(what.contains("own"), "{what}");
    assert!(help.contains("--plugin-dir"), "{help}");
    let text = doctor.ask(&[]).exits(1);
    assert!(
        text.stdout.contains("this machine cannot train yet"),
        "{text:?}"
    );
}

#[test]
fn a_plugin_that_is_none_is_named_and_keeps_nobody_from_training() {
    let doctor = Doctor::new();
    fs::write(doctor.sandbox.path("own/libassay_junk.so"), "junk").unwrap();
    let document = doctor.json(0, &[]);
    let notices = document["notices"].to_string();
    assert!(notices.contains("libassay_junk.so"), "{notices}");
    let plugins = document["plugins"].as_array().unwrap();
    let junk = plugins.iter().find(|it| it["name"] == "junk").unwrap();
    assert_eq!(junk["usable"], false);
    assert!(junk["reason"].is_string());
}

#[test]
fn a_libtorch_that_does_not_load_is_a_problem() {
    let doctor = Doctor::without_plugins();
    let library = doctor.sandbox.path("own/libassay_bp.so");
    // A copy that looks for libtorch where there is none: as carried to a machine without one.
    let mut bytes = fs::read(libraries().join("libassay_bp.so")).unwrap();
    let needed = b"libtorch_cpu.so\0";
    let places: Vec<_> = (0..bytes.len() - needed.len())
        .filter(|&at| bytes[at..].starts_with(needed))
        .collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + 15].copy_from_slice(b"libtorch_xyz.so");
    }
    fs::write(library, bytes).unwrap();
    let document = doctor.json(1, &[]);
    let problems = document["problems"].to_string();
    assert!(problems.contains("libtorch_xyz.so"), "{problems}");
}

#[test]
fn a_place_where_no_store_can_be_is_a_problem() {
    let doctor = Doctor::new();
    fs::write(doctor.sandbox.path("file"), "").unwrap();
    symlink("nowhere", doctor.sandbox.path("dangling")).unwrap();
    fs::create_dir(doctor.sandbox.path("other")).unwrap();
    fs::write(doctor.sandbox.path("other/format"), "assay store 99\n").unwrap();
    for (store, words) in [
        ("file", "is not a folder"),
        ("file/below", "is not a folder"),
        ("dangling", "cannot be reached"),
        ("other", "assay store 99"),
        // Nobody writes there, not even root.
        ("/proc/self/store", "nothing can be written"),
    ] {
        let (what, help) = problem(&doctor.json(1, &["--store", store]));
        assert!(what.contains(words), "{store}: {what}");
        assert!(
            store == "other" || help.contains("--store"),
            "{store}: {help}"
        );
    }
    let _ = doctor.sandbox.run(&["--only", "data"]).exits(0);
    let document = doctor.json(0, &[]);
    assert_eq!(document["store"]["exists"], true);
}

#[test]
fn cards_are_listed_with_what_computes_on_them() {
    let cuda = FakeCuda::new();
    let doctor = Doctor::new()
        .set("LD_LIBRARY_PATH", cuda.path().to_str().unwrap())
        .set(
            "CUDA_FAKE_CARDS",
            "NVIDIA H100 80GB HBM3|9.0|132|80;NVIDIA A100|8.0|108|40",
        );
    let document = doctor.json(0, &[]);
    let cuda = &document["cuda"];
    assert_eq!(cuda["driver"], "13.0");
    assert_eq!(cuda["libraries"]["runtime"], "13.0");
    assert_eq!(cuda["libraries"]["cublas"], "13.0.7");
    assert_eq!(cuda["cards"][0]["name"], "NVIDIA H100 80GB HBM3");
    assert_eq!(cuda["cards"][1]["memory"], 40_u64 << 30);
    let text = doctor.ask(&[]).exits(0);
    assert!(text.stdout.contains("and has 2 cards"), "{text:?}");
    assert!(
        text.stdout.contains("card 1, NVIDIA A100 with 40.0 GiB"),
        "{text:?}"
    );
}

#[test]
fn a_driver_that_hangs_or_crashes_is_noticed_and_keeps_nobody_from_training() {
    let cuda = FakeCuda::driver();
    for (trouble, words) in [
        ("hang", "did not answer"),
        ("crash", "SIGSEGV"),
        ("803", "803"),
    ] {
        let doctor = Doctor::new()
            .set("LD_LIBRARY_PATH", cuda.path().to_str().unwrap())
            .set("CUDA_FAKE_TROUBLE", trouble)
            .set("ASSAY_DRIVER_PATIENCE", "1");
        let begun = Instant::now();
        let document = doctor.json(0, &[]);
        let notices = document["notices"].to_string();
        assert!(notices.contains(words), "{trouble}: {notices}");
        assert!(begun.elapsed() < Duration::from_secs(30));
    }
}
