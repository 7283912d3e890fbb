//! Stores under fault: every system call of a commit and of a garbage collection fails, or is the
//! last one of its process; disks that are full, folders that may not be written. After each the
//! store is sound, the error says what to do, and the next run completes.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::print_stderr, reason = "tests say what they count")]

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use assay_skips::skip;
use assay_tests::{Sandbox, binary, check_store, meddle};
use serde_json::Value;

/// With this variable every error is tried at every call, not one in turn.
const ALL: &str = "ASSAY_ALL_FAULTS";

const RUN: [&str; 4] = ["run", "pipeline.toml", "--jobs", "1"];

/// A pipeline that is one dataset: a worker, an artifact, a result, a run.
fn small() -> Sandbox {
    let sandbox = Sandbox::new();
    fs::write(
        sandbox.path("pipeline.toml"),
        "name = \"small\"\n[stage.data]\nkind = \"dataset\"\nsource = \"idx\"\npath = \"data\"\n\
         classes = 4\nvalidation = 100\n",
    )
    .unwrap();
    sandbox
}

/// A fault to inject into the call with the number `at`.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    at: usize,
    /// Which of the errors of such a call it returns; `None`, where the process dies instead.
    which: Option<usize>,
}

impl Attempt {
    /// The attempt of this number: each call is tried in as many ways as `ways` says.
    fn new(number: usize, ways: usize) -> Self {
        let (at, way) = (number / ways, number % ways);
        let which = match (way, ways) {
            (0, _) => None,
            // In turn, so that calls of one kind give different errors.
            (_, 2) => Some(at),
            (way, _) => Some(way - 1),
        };
        Self { at, which }
    }
}

/// Runs a program once for each of its calls and ways to go wrong, with one fault each.
/// `begin` sets up a sandbox and gives the program's arguments, `check` looks at what is left.
fn at_every_call(
    begin: impl Fn() -> Sandbox + Sync,
    arguments: &[&str],
    check: impl Fn(&Sandbox) + Sync,
) {
    let ways = if std::env::var_os(ALL).is_some() {
        4
    } else {
        2
    };
    let next = AtomicUsize::new(0);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let attempt = Attempt::new(next.fetch_add(1, Ordering::Relaxed), ways);
                    let sandbox = begin();
                    if !try_one(&sandbox, arguments, attempt) {
                        return;
                    }
                    check(&sandbox);
                }
            });
        }
    });
    let attempts = next.into_inner();
    eprintln!("{} calls", attempts / ways);
    assert!(
        attempts / ways > 20,
        "{attempts} attempts are too few to prove anything"
    );
}

/// Runs the program with one fault; tells whether it came to it.
fn try_one(sandbox: &Sandbox, arguments: &[&str], attempt: Attempt) -> bool {
    let store = sandbox.path("artifacts");
    let fault = attempt
        .which
        .map_or("kill".to_owned(), |which| which.to_string());
    let report = sandbox.path("report.json");
    let meddling = [
        meddle().into_os_string(),
        report.clone().into(),
        store.clone().into(),
        attempt.at.to_string().into(),
        fault.into(),
    ];
    let meddling: Vec<_> = meddling.iter().map(|part| part.to_str().unwrap()).collect();
    let output = shell(sandbox, &meddling, r#"exec "$@""#, arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let report: Value = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
    let place = format!("{attempt:?}: {report}\n{stderr}");
    if report["hit"].is_null() {
        assert_eq!(report["code"], 0, "{place}");
        return false;
    }
    match report["hit"]["error"].as_i64() {
        None => assert_eq!(report["signal"], 9, "{place}"),
        Some(error) => check_words(&report["code"], &stderr, error as i32, &place),
    }
    // Whatever it says, it is right about what there is.
    check_store(&store);
    true
}

/// An error that is not passed over is told in the system's words.
fn check_words(code: &Value, stderr: &str, error: i32, place: &str) {
    assert!(!stderr.contains("panicked"), "{place}");
    match code.as_i64() {
        Some(0) => {}
        Some(1 | 2) => {
            let words = io::Error::from_raw_os_error(error).to_string();
            assert!(
                stderr.contains("error: ") && stderr.contains(&words),
                "{place}"
            );
        }
        _ => panic!("{place}"),
    }
}

fn stderr(sandbox: &Sandbox) -> String {
    fs::read_to_string(sandbox.path("stderr")).unwrap_or_default()
}

fn next_run_completes(sandbox: &Sandbox) {
    let run = sandbox.run_json(&[]);
    assert_eq!(run["outcome"], "complete");
    let found = check_store(&sandbox.path("artifacts"));
    assert!(
        found.results.iter().all(|(_, count)| *count == 1),
        "{found:?}"
    );
}

#[test]
fn a_run_that_fails_at_any_call_leaves_a_sound_store() {
    at_every_call(small, &RUN, next_run_completes);
}

#[test]
fn a_collection_that_fails_at_any_call_leaves_a_sound_store() {
    let template = small();
    let _ = template.run(&[]).exits(0);
    let _ = template.run(&["--set", "data.validation=50"]).exits(0);
    let begin = || {
        let sandbox = small();
        copy(&template.path("artifacts"), &sandbox.path("artifacts"));
        sandbox
    };
    let arguments = ["gc", "--keep-last", "1", "--grace", "0s"];
    at_every_call(begin, &arguments, |sandbox| {
        let again = sandbox.execute(&[&arguments[..], &["--json"]].concat());
        assert_eq!(again.exits(0).json()["kept"]["runs"]["count"], 1);
        next_run_completes(sandbox);
    });
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").args([from, to]).status();
    assert!(copied.unwrap().success());
}

/// Output of a script that `sh` runs in the sandbox, whose `"$@"` is `pipeline` with the arguments.
fn shell(sandbox: &Sandbox, wrapper: &[&str], script: &str, arguments: &[&str]) -> Output {
    let command = sandbox.command(arguments);
    let line = [wrapper, &["sh", "-c", script, "sh"]].concat();
    let mut shell = Command::new(line[0]);
    shell
        .args(&line[1..])
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir(sandbox.path(""));
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell.output().unwrap()
}

#[test]
fn a_full_disk_is_told_and_room_lets_the_run_complete() {
    let in_namespace = ["unshare", "--map-root-user", "--mount"];
    let mut full = 0;
    for size in ["16k", "48k", "96k", "160k"] {
        let sandbox = small();
        let script = format!(
            r#"mkdir artifacts && mount -t tmpfs -o size={size} none artifacts || exit 77
            "$@" 2>stderr; code=$?
            cp -a artifacts full && mount -o remount,size=64m artifacts && "$@" || exit 78
            cp -a artifacts after; exit $code"#
        );
        let output = shell(&sandbox, &in_namespace, &script, &RUN);
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.code() == Some(77) || said.starts_with("unshare") {
            skip(&format!("no small disk can be made here: {said}"));
            return;
        }
        check_store(&sandbox.path("full"));
        assert!(
            !check_store(&sandbox.path("after")).runs.is_empty(),
            "{said}"
        );
        if output.status.code() != Some(0) {
            let stderr = stderr(&sandbox);
            assert!(matches!(output.status.code(), Some(1 | 2)), "{output:?}");
            assert_says(&stderr, &["No space left on device", "help: make room"]);
            full += 1;
        }
    }
    assert!(full > 0, "no disk was small enough");
}

#[test]
fn a_limit_on_the_size_of_files_is_told() {
    for blocks in [0, 1, 8, 64] {
        let sandbox = small();
        let script = format!(r#"ulimit -f {blocks}; exec "$@""#);
        let output = shell(&sandbox, &[], &script, &RUN);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(output.status.code(), Some(1 | 2)), "{output:?}");
        assert_says(&said, &["File too large", "help: raise the limit"]);
        check_store(&sandbox.path("artifacts"));
        next_run_completes(&sandbox);
    }
}

/// The user that owns nothing.
const NOBODY: &str = "65534";

/// Runs `pipeline` as a user whom permissions bind. `None` where there is no way to become one.
fn as_user(sandbox: &Sandbox, arguments: &[&str]) -> Option<Output> {
    if !rustix::process::geteuid().is_root() {
        return Some(sandbox.command(arguments).output().unwrap());
    }
    let wrapper = [
        "setpriv",
        "--reuid",
        NOBODY,
        "--regid",
        NOBODY,
        "--clear-groups",
    ];
    if Command::new("setpriv").arg("--version").output().is_err() {
        skip("there is no `setpriv` to become an ordinary user with");
        return None;
    }
    // The build folder may lie where only root can go.
    let own = sandbox.path("pipeline");
    if !own.exists() {
        fs::copy(binary(), &own).unwrap();
    }
    Some(shell(
        sandbox,
        &wrapper,
        r#"shift; exec ./pipeline "$@""#,
        arguments,
    ))
}

#[test]
fn a_store_that_may_not_be_written_is_told_and_can_be_read() {
    let sandbox = small();
    let owned = Command::new("chown")
        .args(["-R", NOBODY])
        .arg(sandbox.path(""))
        .status();
    assert!(!rustix::process::geteuid().is_root() || owned.unwrap().success());
    let fails = |arguments: &[&str]| {
        let output = as_user(&sandbox, arguments)?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(matches!(output.status.code(), Some(1 | 2)), "{said}");
        assert_says(
            &said,
            &["Permission denied", "artifacts", "help: make it writable"],
        );
        Some(())
    };
    fs::create_dir(sandbox.path("artifacts")).unwrap();
    forbid(&sandbox.path("artifacts"));
    if fails(&RUN).is_none() {
        return;
    }

    fs::remove_dir(sandbox.path("artifacts")).unwrap();
    let _ = as_user(&sandbox, &RUN).unwrap();
    for folder in [
        "", "uses", "runs", "tmp", "locks", "objects", "results", "scratch",
    ] {
        forbid(&sandbox.path("artifacts").join(folder));
    }
    fails(&RUN);
    fails(&["run", "pipeline.toml", "--set", "data.validation=50"]);
    for reading in [&["gc", "--dry-run"][..], &["pin"]] {
        let output = as_user(&sandbox, reading).unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    assert_eq!(check_store(&sandbox.path("artifacts")).runs.len(), 1);
}

fn forbid(folder: &Path) {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o555)).unwrap();
}

#[track_caller]
fn assert_says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "no {part:?} in:\n{said}");
    }
}
