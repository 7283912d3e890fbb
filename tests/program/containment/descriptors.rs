//! Files that a worker has open when a plugin starts in it: the lock, to hold and not to write to,
//! its log and its pipe.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use assay_tests::Sandbox;

use super::{example, finish, with_suspect};

#[test]
fn a_plugin_can_write_to_its_log_alone() {
    let sandbox = Sandbox::with_methods(r#"["bp", "fa"]"#);
    fs::copy(example("assay_constructor"), sandbox.path("libsuspect.so")).unwrap();
    let finished = finish(&mut with_suspect(&sandbox, "descriptors", &[])).exits(2);
    let lines = finished.stderr.lines();
    let written: Vec<_> = lines.filter(|line| line.contains("wrote to ")).collect();
    assert!(!written.is_empty(), "{}", finished.stderr);
    for line in written {
        // Nobody reads what is written to `/dev/null`.
        let harmless = ["/log.txt", "/dev/null"];
        assert!(harmless.iter().any(|end| line.ends_with(end)), "{line}");
    }
    for lock in fs::read_dir(sandbox.path("artifacts/locks")).unwrap() {
        assert_eq!(lock.unwrap().metadata().unwrap().len(), 0);
    }
}

#[test]
fn a_worker_holds_the_lock_of_its_action_where_nobody_can_write_to_it() {
    let sandbox = Sandbox::with_methods(r#"["bp", "fa"]"#);
    fs::copy(example("assay_constructor"), sandbox.path("libsuspect.so")).unwrap();
    let mut host = with_suspect(&sandbox, "loop", &[]).spawn().unwrap();
    let lock = wait_for(|| {
        let workers = children(host.id());
        workers.iter().find_map(|worker| held_lock(worker))
    });
    host.kill().unwrap();
    host.wait().unwrap();
    let (worker, file, information) = lock.expect("a worker has a lock");
    let store = sandbox.path("artifacts");
    assert!(file.starts_with(store), "{}", file.display());
    let flags = information.lines().find(|line| line.starts_with("flags:"));
    let mode = flags.and_then(|line| line.chars().last());
    assert_eq!(mode, Some('0'), "not for reading alone: {information}");
    assert!(
        information.contains("WRITE"),
        "not held alone: {information}"
    );
    // It dies with its supervisor.
    assert!(wait_for(|| (!worker.exists()).then_some(())).is_some());
}

/// A worker's folder in `/proc`, the file that it has locked, and what is said of the descriptor.
type Lock = (PathBuf, PathBuf, String);

fn held_lock(worker: &Path) -> Option<Lock> {
    // Its input is nothing once it has put the lock away.
    let input = fs::read_link(worker.join("fd/0")).ok()?;
    if input != Path::new("/dev/null") {
        return None;
    }
    let mut descriptors = fs::read_dir(worker.join("fdinfo")).ok()?.flatten();
    descriptors.find_map(|descriptor| {
        let information = fs::read_to_string(descriptor.path()).ok()?;
        let file = fs::read_link(worker.join("fd").join(descriptor.file_name())).ok()?;
        let locked = information.contains("FLOCK") && file.parent()?.ends_with("locks");
        locked.then(|| (worker.to_owned(), file, information))
    })
}

/// The folders in `/proc` of the processes that `parent` started.
fn children(parent: u32) -> Vec<PathBuf> {
    let parent = format!("PPid:\t{parent}");
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let is_child = |process: &PathBuf| {
        let status = fs::read_to_string(process.join("status")).unwrap_or_default();
        status.lines().any(|line| line == parent)
    };
    processes.map(|it| it.path()).filter(is_child).collect()
}

fn wait_for<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(20) {
        if let Some(found) = look() {
            return Some(found);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    None
}
