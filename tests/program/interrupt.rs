//! Stopping at any moment: Ctrl-C, `kill -9` of the run, of a worker, and two runs at once.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use assay_store::Store;
use assay_tests::Sandbox;
use rustix::io::ioctl_fionread;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

const EPOCHS: u32 = 400;

/// A long training, which keeps states for its artifact.
fn long() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.pipeline(r#"["bp"]"#, EPOCHS);
    let file = sandbox.path("pipeline.toml");
    let text = fs::read_to_string(&file).unwrap();
    let keeping = text.replace("batch_size", "keep_state_every = 40\nbatch_size");
    fs::write(&file, keeping).unwrap();
    sandbox
}

fn trained(run: &Value) -> &str {
    let stages = run["stages"].as_array().unwrap();
    let stage = stages
        .iter()
        .find(|stage| stage["name"] == "train/bp/seed=1")
        .unwrap();
    stage["artifact"].as_str().unwrap()
}

/// Waits until `found` gives something.
#[track_caller]
fn wait_for<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let patience = Instant::now() + Duration::from_mins(1);
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < patience, "{what} did not come");
        thread::sleep(Duration::from_millis(2));
    }
}

/// The newest checkpoint of the training in the store.
fn checkpoint(sandbox: &Sandbox) -> Option<PathBuf> {
    let actions = fs::read_dir(sandbox.path("artifacts/scratch")).ok()?;
    let files = actions
        .flatten()
        .filter_map(|action| fs::read_dir(action.path()).ok());
    let mut names = files.flatten().flatten().map(|file| file.path());
    names.find(|path| path.to_string_lossy().contains("/checkpoint-"))
}

/// The workers of `run`: its children that execute an action.
fn workers(run: &Child) -> Vec<Pid> {
    let list = format!("/proc/{0}/task", run.id());
    let threads = fs::read_dir(list).into_iter().flatten().flatten();
    let children =
        threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let numbers: Vec<i32> = children
        .flat_map(|line| {
            line.split_whitespace()
                .filter_map(|pid| pid.parse().ok())
                .collect::<Vec<_>>()
        })
        .collect();
    numbers.into_iter().filter_map(Pid::from_raw).collect()
}

fn signal(run: &Child, signal: Signal) {
    kill_process(Pid::from_child(run), signal).unwrap();
}

#[test]
fn a_stopped_training_resumes_and_ends_with_the_same_bytes() {
    let sandbox = long();
    let whole = sandbox.run_json(&["--store", "whole"]);

    let mut run = sandbox.start(&[]);
    wait_for("a checkpoint", || checkpoint(&sandbox));
    signal(&run, Signal::INT);
    assert_eq!(run.wait().unwrap().code(), Some(130));
    let left = checkpoint(&sandbox).expect("the checkpoint survives the stop");
    let epoch: u32 = left
        .to_string_lossy()
        .rsplit('-')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!(
        epoch < EPOCHS,
        "the run was stopped too late to prove anything"
    );

    let resumed = sandbox.run_json(&[]);
    assert_eq!(trained(&whole), trained(&resumed));
    let log = log_of(&sandbox, &resumed);
    assert!(log.contains("resuming after epoch"), "{log}");
    assert!(
        checkpoint(&sandbox).is_none(),
        "scratch is cleared once the result is there"
    );
}

#[test]
fn a_signal_that_reaches_the_worker_first_is_a_request_to_stop() {
    for stops in [true, false] {
        let sandbox = long();
        let mut run = sandbox.start(&[]);
        wait_for("a checkpoint", || checkpoint(&sandbox));
        // As Ctrl-C in a terminal reaches all of a group.
        let worker = wait_for("a worker", || workers(&run).pop());
        kill_process(worker, Signal::INT).unwrap();
        if stops {
            thread::sleep(Duration::from_millis(100));
            signal(&run, Signal::INT);
        }
        let code = if stops { 130 } else { 1 };
        assert_eq!(run.wait().unwrap().code(), Some(code));
    }
}

/// The log of the training.
fn log_of(sandbox: &Sandbox, run: &Value) -> String {
    let stages = run["stages"].as_array().unwrap();
    let stage = stages
        .iter()
        .find(|stage| stage["name"] == "train/bp/seed=1")
        .unwrap();
    let key = stage["action"].as_str().unwrap().parse().unwrap();
    let store = Store::open_existing(sandbox.path("artifacts")).unwrap();
    let result = store.cached(key).unwrap().unwrap();
    String::from_utf8(store.read(result.log.unwrap()).unwrap()).unwrap()
}

#[test]
fn killing_the_run_again_and_again_leaves_nothing_half_done() {
    let sandbox = long();
    let whole = sandbox.run_json(&["--store", "whole"]);
    for round in 0..12_u64 {
        let mut run = sandbox.start(&[]);
        thread::sleep(Duration::from_millis(40 + 37 * round));
        signal(&run, Signal::KILL);
        run.wait().unwrap();
        if let Ok(store) = Store::open_existing(sandbox.path("artifacts")) {
            for key in store.action_keys().unwrap() {
                for result in store.results(key).unwrap() {
                    for file in store.artifact(result.artifact).unwrap().files.values() {
                        store.verify(file.object).unwrap();
                    }
                }
            }
        }
    }
    let resumed = sandbox.run_json(&[]);
    assert_eq!(trained(&whole), trained(&resumed));
}

#[test]
fn workers_do_not_outlive_a_killed_run() {
    let sandbox = long();
    let mut run = sandbox.start(&["--set", "train.epochs=100000"]);
    wait_for("a checkpoint", || checkpoint(&sandbox));
    let workers = workers(&run);
    assert_eq!(workers.len(), 1);
    signal(&run, Signal::KILL);
    run.wait().unwrap();
    wait_for("the worker's end", || {
        let state = fs::read_to_string(format!("/proc/{}/stat", workers[0].as_raw_nonzero()));
        state.map_or(Some(()), |state| state.contains(") Z ").then_some(()))
    });
}

#[test]
fn a_worker_that_crashes_costs_its_own_stage_and_is_named() {
    let sandbox = long();
    sandbox.pipeline(r#"["bp", "fa"]"#, EPOCHS);
    let mut command = sandbox.command(&["run", "pipeline.toml", "--jobs", "1", "--keep-going"]);
    command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let run = command.spawn().unwrap();
    wait_for("a checkpoint", || checkpoint(&sandbox));
    for worker in workers(&run) {
        kill_process(worker, Signal::ABORT).unwrap();
    }
    let output = run.wait_with_output().unwrap();
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("`train/bp/seed=1` failed"), "{stderr}");
    assert!(stderr.contains("SIGABRT"), "{stderr}");
    assert!(stderr.contains("the plugin `bp`"), "{stderr}");
    // The data, the other training and its evaluation.
    assert!(stdout.contains("3 ran, 1 failed, 2 skipped"), "{stdout}");
}

#[test]
fn two_runs_at_once_share_the_work() {
    let sandbox = Sandbox::with_methods(r#"["bp", "fa", "dfa"]"#);
    let mut one = sandbox.start(&["--jobs", "1"]);
    let mut two = sandbox.start(&["--jobs", "1"]);
    assert_eq!(one.wait().unwrap().code(), Some(0));
    assert_eq!(two.wait().unwrap().code(), Some(0));
    let store = Store::open_existing(sandbox.path("artifacts")).unwrap();
    let keys = store.action_keys().unwrap();
    assert_eq!(
        keys.len(),
        8 + 3,
        "eight stages and three plugin descriptions"
    );
    for key in keys {
        assert_eq!(store.results(key).unwrap().len(), 1, "an action ran twice");
    }
}

/// The longest that a verb may take to stop: a few times the second that is promised, for a busy machine.
const SOON: Duration = Duration::from_secs(4);

/// Asks `run` to stop and waits for its end, which must come soon.
#[track_caller]
fn stopped(mut run: Child, with: Signal) -> ExitStatus {
    signal(&run, with);
    let asked = Instant::now();
    loop {
        if let Some(status) = run.try_wait().unwrap() {
            return status;
        }
        if asked.elapsed() > SOON {
            run.kill().unwrap();
            run.wait().unwrap();
            panic!("it went on after {with:?}");
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Starts `command` with its messages in the file `messages`.
fn start(sandbox: &Sandbox, command: &mut Command) -> Child {
    let messages = fs::File::create(sandbox.path("messages")).unwrap();
    command.stderr(messages).spawn().unwrap()
}

/// It was stopped, said so in one line, and left a store without damage.
#[track_caller]
fn assert_stopped(sandbox: &Sandbox, status: ExitStatus) {
    assert_eq!(status.code(), Some(130));
    let said = fs::read_to_string(sandbox.path("messages")).unwrap();
    assert_eq!(said.matches("stopped; ").count(), 1, "{said}");
    let audit = sandbox.execute(&["audit", "--all"]).exits(0);
    assert!(!audit.stdout.contains("DAMAGED"), "{}", audit.stdout);
}

#[test]
fn hashing_a_large_source_stops_soon() {
    for with in [Signal::INT, Signal::TERM, Signal::HUP] {
        let sandbox = Sandbox::new();
        let images = sandbox.path("data/train-images-idx3-ubyte");
        let file = fs::File::options().write(true).open(images).unwrap();
        // 200 GiB of holes, which take no room and minutes to read.
        file.set_len(200 << 30).unwrap();
        let run = start(
            &sandbox,
            &mut sandbox.command(&["run", "pipeline.toml", "--dry-run"]),
        );
        thread::sleep(Duration::from_millis(500));
        let status = stopped(run, with);
        assert_stopped(&sandbox, status);
    }
}

/// A pipeline with so many trainings.
fn many_trainings(count: usize) -> Sandbox {
    let sandbox = Sandbox::new();
    let file = sandbox.path("pipeline.toml");
    let text = fs::read_to_string(&file).unwrap();
    let seeds: Vec<_> = (1..=count).map(|seed| seed.to_string()).collect();
    let text = text.replace("seed = [1]", &format!("seed = [{}]", seeds.join(", ")));
    fs::write(file, text).unwrap();
    sandbox
}

#[test]
fn planning_a_large_matrix_stops_soon() {
    let sandbox = many_trainings(30_000);
    let mut command = sandbox.command(&["run", "pipeline.toml", "--dry-run"]);
    let run = start(&sandbox, command.stdout(Stdio::null()));
    thread::sleep(Duration::from_millis(300));
    let status = stopped(run, Signal::INT);
    assert_stopped(&sandbox, status);
}

#[test]
fn printing_to_a_reader_that_does_not_read_stops_soon() {
    for with in [Signal::INT, Signal::TERM] {
        let sandbox = many_trainings(1000);
        let mut command = sandbox.command(&["run", "pipeline.toml", "--dry-run"]);
        let mut run = start(&sandbox, command.stdout(Stdio::piped()));
        let reader = run.stdout.take().unwrap();
        // A pipe holds 64 KiB.
        wait_for("a full pipe", || {
            (ioctl_fionread(&reader).unwrap() > 60_000).then_some(())
        });
        let status = stopped(run, with);
        assert_stopped(&sandbox, status);
    }
}

#[test]
fn messages_that_nobody_reads_do_not_keep_a_process() {
    let sandbox = Sandbox::new();
    let long = format!("name = \"small\"\n{}", "x = [1]\n".repeat(20_000));
    fs::write(sandbox.path("pipeline.toml"), long).unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    // Messages alone are too few by now to fill a pipe.
    fill(&writer);
    let mut command = sandbox.command(&["run", "pipeline.toml", "--dry-run"]);
    let run = command
        .stdout(Stdio::null())
        .stderr(writer)
        .spawn()
        .unwrap();
    drop(command);
    thread::sleep(Duration::from_millis(500));
    let status = stopped(run, Signal::INT);
    assert_eq!(status.code(), Some(130));
    drop(reader);
}

/// Writes to the pipe until it takes no more.
fn fill(writer: &std::io::PipeWriter) {
    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
    let flags = fcntl_getfl(writer).unwrap();
    fcntl_setfl(writer, flags | OFlags::NONBLOCK).unwrap();
    while rustix::io::write(writer, &[b'.'; 4096]).is_ok() {}
    fcntl_setfl(writer, flags).unwrap();
}

#[test]
fn a_second_request_ends_a_worker_that_does_not_hear_the_first() {
    let sandbox = long();
    let mut command = sandbox.command(&["run", "pipeline.toml", "--set", "train.epochs=100000"]);
    let run = start(&sandbox, command.stdout(Stdio::null()));
    wait_for("a checkpoint", || checkpoint(&sandbox));
    let worker = workers(&run)[0];
    kill_process(worker, Signal::STOP).unwrap();
    signal(&run, Signal::INT);
    wait_for("the message", || {
        let said = fs::read_to_string(sandbox.path("messages")).unwrap();
        said.contains("stopping: ").then_some(())
    });
    let status = stopped(run, Signal::INT);
    assert_stopped(&sandbox, status);
    assert!(checkpoint(&sandbox).is_some(), "the checkpoint stays");
}

#[test]
fn a_worker_whose_supervisor_has_ended_does_not_begin() {
    let sandbox = Sandbox::new();
    // Numbers of processes end at 4,194,304.
    let arguments = [
        "worker",
        "--store",
        "artifacts",
        "--threads",
        "1",
        "--supervisor",
        "4194305",
    ];
    let ended = sandbox.execute(&arguments).exits(1);
    assert!(ended.stderr.contains("has ended"), "{ended:?}");
}
