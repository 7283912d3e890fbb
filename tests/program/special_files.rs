//! Pipes, sockets, folders and endless devices in place of files: each is refused in words, at
//! once, and none is waited for or read.

use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use assay_tests::{Finished, Sandbox};
use rustix::fs::{CWD, FileType, Mode, mknodat};

/// Longer than any of these commands takes; what waits for a pipe waits for ever.
const LONGEST: Duration = Duration::from_mins(1);

/// Enough for any of these commands, in KiB: what reads `/dev/zero` to its end needs more.
const MEMORY: &str = "16777216";

/// Kinds of special files that are put in the place of a regular one.
const SPECIALS: [&str; 4] = ["pipe", "socket", "folder", "device"];

/// Puts `special` at `path`, whatever was there.
fn put(special: &str, path: &Path) {
    clear(path);
    match special {
        "pipe" => mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap(),
        "socket" => mknodat(CWD, path, FileType::Socket, Mode::RUSR | Mode::WUSR, 0).unwrap(),
        "folder" => fs::create_dir(path).unwrap(),
        _ => symlink("/dev/zero", path).unwrap(),
    }
}

fn clear(path: &Path) {
    if path.symlink_metadata().is_ok_and(|entry| entry.is_dir()) {
        fs::remove_dir(path).unwrap();
    } else if path.symlink_metadata().is_ok() {
        fs::remove_file(path).unwrap();
    }
}

/// Runs the binary with a limit on its memory, and stops it where it takes for ever.
#[track_caller]
fn bounded(sandbox: &Sandbox, arguments: &[&str]) -> Finished {
    let ordinary = sandbox.command(arguments);
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -v \"$0\" && exec \"$@\"", MEMORY])
        .arg(ordinary.get_program())
        .args(ordinary.get_args())
        .current_dir(sandbox.path(""))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for (name, value) in ordinary.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let mut child = command.spawn().unwrap();
    let texts = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let reading = thread::spawn(move || {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        let (mut one, mut other) = texts;
        one.read_to_string(&mut stdout).unwrap();
        other.read_to_string(&mut stderr).unwrap();
        (stdout, stderr)
    });
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if begun.elapsed() > LONGEST {
            child.kill().unwrap();
            panic!("{arguments:?} takes for ever");
        }
        thread::sleep(Duration::from_millis(2));
    };
    let (stdout, stderr) = reading.join().unwrap();
    Finished {
        code: status.code(),
        stdout,
        stderr,
    }
}

/// Puts each special at `path` and fails unless the command says at once that it is there.
#[track_caller]
fn refuses(sandbox: &Sandbox, path: &Path, arguments: &[&str]) {
    for special in SPECIALS {
        put(special, path);
        let refused = bounded(sandbox, arguments).exits(2);
        let what = format!("is a {special}, not a regular file");
        let said = refused.stderr.replace('\n', " ");
        assert!(said.contains(&what), "{arguments:?}: {}", refused.stderr);
    }
    clear(path);
}

#[test]
fn a_file_that_a_command_names_is_a_regular_file() {
    let sandbox = Sandbox::new();
    let special = sandbox.path("special");
    for arguments in [
        &["run", "special"][..],
        &["network", "show", "special"],
        &["unbundle", "special", "--check"],
        &["plugin", "info", "./special"],
        &["plugin", "verify", "./special"],
        &["plugin", "sign", "./special", "--key", "special"],
        &["plugin", "trust", "--key", "special"],
    ] {
        refuses(&sandbox, &special, arguments);
    }
}

#[test]
fn a_file_that_a_pipeline_names_is_a_regular_file() {
    let sandbox = Sandbox::new();
    let dry = ["run", "pipeline.toml", "--dry-run"];
    for file in ["train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"] {
        let path = sandbox.path("data").join(file);
        let bytes = fs::read(&path).unwrap();
        refuses(&sandbox, &path, &dry);
        fs::write(&path, bytes).unwrap();
    }
    let text = fs::read_to_string(sandbox.path("pipeline.toml")).unwrap();
    let networks = text.replacen("name =", "networks = \"special\"\nname =", 1);
    fs::write(sandbox.path("other.toml"), networks).unwrap();
    refuses(&sandbox, &sandbox.path("special"), &["run", "other.toml"]);
    fs::write(
        sandbox.path("plugged.toml"),
        text.replacen(
            "algorithm = \"bp\"",
            "algorithm = \"bp\"\nplugin = \"./special\"",
            1,
        ),
    )
    .unwrap();
    refuses(&sandbox, &sandbox.path("special"), &["run", "plugged.toml"]);
    let locked = ["run", "pipeline.toml", "--locked"];
    refuses(&sandbox, &sandbox.path("pipeline.lock"), &locked);
}

#[test]
fn an_exported_copy_is_replaced_unless_it_is_a_folder() {
    let sandbox = Sandbox::new();
    sandbox.pipeline(r#"["bp"]"#, 1);
    let _ = sandbox.run(&[]).exits(0);
    let path = sandbox.path("artifacts/reports/small/report/table.md");
    let bytes = fs::read(&path).unwrap();
    for special in ["pipe", "socket", "device"] {
        put(special, &path);
        let _ = bounded(&sandbox, &["run", "pipeline.toml"]).exits(0);
        assert!(path.symlink_metadata().unwrap().is_file(), "{special}");
        assert_eq!(fs::read(&path).unwrap(), bytes, "{special}");
    }
    put("folder", &path);
    let refused = bounded(&sandbox, &["run", "pipeline.toml"]).exits(2);
    assert!(
        refused.stderr.contains("Is a directory"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_special_file_in_a_store_is_found_and_waited_for_by_nobody() {
    let sandbox = Sandbox::new();
    sandbox.pipeline(r#"["bp"]"#, 1);
    let run = sandbox.run_json(&[]);
    let store = sandbox.path("artifacts");
    let key = run["stages"][1]["action"].as_str().unwrap();
    let objects = store.join("objects").join(&key[..2]);
    let records = store.join("results").join(&key[..2]).join(&key[2..]);
    let record = fs::read_dir(&records).unwrap().next().unwrap().unwrap();
    let manifest = run["run"].as_str().unwrap();
    let marker = fs::read_dir(store.join("runs")).unwrap().next();
    for special in ["pipe", "socket", "device"] {
        for path in [
            objects.join(&key[2..]),
            objects.join("no-object"),
            store
                .join("objects")
                .join(&manifest[..2])
                .join(&manifest[2..]),
            record.path(),
            records.join("no-record"),
            marker.as_ref().unwrap().as_ref().unwrap().path(),
            store.join("runs/no-marker"),
            store.join("pins/a-pin"),
        ] {
            let bytes = fs::read(&path).ok();
            put(special, &path);
            let found = bounded(&sandbox, &["audit", "--fix"]).exits(1).stdout;
            let name = path.file_name().unwrap().to_string_lossy();
            assert!(
                found.contains(&name[..12.min(name.len())]),
                "{name}: {found}"
            );
            // A marker comes back as the empty file that it is.
            let left = path.symlink_metadata();
            assert!(
                left.is_err() || left.is_ok_and(|left| left.is_file()),
                "{special} {name}"
            );
            if let Some(bytes) = bytes {
                fs::write(&path, bytes).unwrap();
            }
        }
        // Places that decide nothing: gc removes the entries that it knows, and leaves the rest.
        for path in [
            "tmp/left",
            "scratch/left",
            "uses/left",
            "locks/left",
            "cache/left",
            "left",
        ] {
            let path = store.join(path);
            put(special, &path);
            let _ = bounded(&sandbox, &["audit"]).exits(0);
            let _ = bounded(&sandbox, &["gc", "--grace", "0s"]).exits(0);
            let _ = bounded(&sandbox, &["run", "pipeline.toml"]).exits(0);
            clear(&path);
        }
        for name in ["gc", "gc-queue"] {
            let path = store.join("locks").join(name);
            put(special, &path);
            let refused = bounded(&sandbox, &["run", "pipeline.toml"]).exits(2).stderr;
            assert!(
                refused.contains("not a regular file; move it away"),
                "{refused}"
            );
            clear(&path);
        }
    }
    let _ = sandbox.run(&[]).exits(0);
    let _ = sandbox.execute(&["audit"]).exits(0);
}
