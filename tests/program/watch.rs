//! Runs under way, seen by other processes: `ls`, `status` and `watch`.

use std::fs;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use assay_skips::skip;
use assay_tests::{Finished, Sandbox};
use landlock::{
    ABI, AccessFs, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr,
    RulesetStatus,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Waits until `found` gives something.
#[track_caller]
fn wait_for<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let patience = Instant::now() + Duration::from_mins(1);
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < patience, "{what} did not come");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A run that goes on until it is stopped.
struct LongRun<'a> {
    sandbox: &'a Sandbox,
    run: Child,
}

impl<'a> LongRun<'a> {
    /// Starts a training without end, and waits for its first epochs.
    fn start(sandbox: &'a Sandbox) -> Self {
        sandbox.pipeline(r#"["bp"]"#, 1_000_000);
        let long = Self {
            sandbox,
            run: sandbox.start(&[]),
        };
        wait_for("an epoch", || (long.epoch()?.as_u64()? > 2).then_some(()));
        long
    }

    /// The run as `ls` lists it.
    fn listed(&self) -> Option<Value> {
        let listing = self.sandbox.execute(&["ls", "--json"]);
        let listing: Value = serde_json::from_str(&listing.stdout).ok()?;
        listing["running"].as_array()?.first().cloned()
    }

    fn epoch(&self) -> Option<Value> {
        Some(self.listed()?["running"].as_array()?.first()?["epoch"]["epoch"].clone())
    }

    fn signal(&mut self, signal: Signal) {
        kill_process(Pid::from_child(&self.run), signal).unwrap();
        self.run.wait().unwrap();
    }
}

impl Drop for LongRun<'_> {
    fn drop(&mut self) {
        let _ = self.run.kill();
        let _ = self.run.wait();
    }
}

fn status(sandbox: &Sandbox) -> Finished {
    sandbox.execute(&["status", "pipeline.toml"]).exits(1)
}

#[test]
fn a_run_under_way_is_listed_until_it_ends() {
    let sandbox = Sandbox::new();
    let mut long = LongRun::start(&sandbox);
    let listed = long.listed().unwrap();
    assert_eq!(listed["pipeline"], "small");
    assert_eq!(listed["pid"], long.run.id());
    assert_eq!((&listed["stages"], &listed["done"]), (&4.into(), &1.into()));
    let training = &listed["running"][0];
    assert_eq!(training["stage"], "train/bp/seed=1");
    assert!(training["epoch"]["measured"]["test"]["error"].is_f64());
    let text = sandbox.execute(&["ls"]).exits(0).stdout;
    assert!(text.starts_with("RUNNING  small  began 20"), "{text}");
    assert!(text.contains("1 of 4 stages done"), "{text}");
    assert!(text.contains("\n  train/bp/seed=1: epoch "), "{text}");
    assert!(text.contains(", best "), "{text}");
    let others = sandbox.execute(&["ls", "--pipeline", "other"]).exits(0);
    assert!(!others.stdout.contains("RUNNING"), "{}", others.stdout);

    let said = status(&sandbox).stdout;
    assert!(
        said.contains("train/bp/seed=1     runs now: epoch "),
        "{said}"
    );
    assert!(
        said.contains("a run of small is under way, 1 of 4"),
        "{said}"
    );
    let json = sandbox.execute(&["status", "pipeline.toml", "--json"]);
    assert_eq!(json.exits(1).json()["running"][0]["id"], listed["id"]);

    // A store of its own has a life of its own.
    let other = sandbox.run(&["--store", "other", "--only", "data"]);
    let _ = other.exits(0);
    let elsewhere = sandbox.execute(&["ls", "--store", "other"]).exits(0);
    assert!(!elsewhere.stdout.contains("RUNNING"));

    long.signal(Signal::INT);
    assert_eq!(long.listed(), None);
    assert!(!sandbox.execute(&["ls"]).stdout.contains("RUNNING"));
    assert!(!status(&sandbox).stdout.contains("runs now"));
    let logs = fs::read_dir(sandbox.path("artifacts/running")).unwrap();
    assert_eq!(logs.count(), 0, "a run that ends removes its log");
}

#[test]
fn a_killed_run_is_not_taken_for_one_under_way() {
    let sandbox = Sandbox::new();
    let mut long = LongRun::start(&sandbox);
    long.signal(Signal::KILL);
    assert_eq!(long.listed(), None);
    assert!(!status(&sandbox).stdout.contains("runs now"));
    let logs = || {
        fs::read_dir(sandbox.path("artifacts/running"))
            .unwrap()
            .count()
    };
    assert_eq!(logs(), 1);
    let audit = sandbox.execute(&["audit", "--all"]);
    assert!(!audit.stdout.contains("running/"), "{}", audit.stdout);
    let _ = sandbox.execute(&["gc"]).exits(0);
    assert_eq!(logs(), 0);
}

#[test]
fn what_lies_among_the_logs_is_not_trusted() {
    let sandbox = Sandbox::new();
    let mut endless = LongRun::start(&sandbox);
    let folder = sandbox.path("artifacts/running");
    let made = Command::new("mkfifo")
        .arg(folder.join("1795873349366-pipe"))
        .status();
    assert!(made.unwrap().success());
    fs::create_dir(folder.join("1795873349366-folder")).unwrap();
    fs::write(folder.join("1795873349366-junk"), "\u{1b}[2J\n{}\n").unwrap();
    fs::write(folder.join("notes.txt"), "mine").unwrap();
    let listing = sandbox.execute(&["ls", "--json"]).exits(0).json();
    assert_eq!(listing["running"].as_array().unwrap().len(), 1);
    // Lines that are none are passed over, in the log of a run that lives too.
    let logs = fs::read_dir(&folder).unwrap().flatten();
    let id = endless.listed().unwrap()["id"].as_str().unwrap().to_owned();
    let log = logs.map(|it| it.path()).find(|path| path.ends_with(&id));
    let log = log.unwrap();
    let mut text = fs::read_to_string(&log).unwrap();
    text = format!("junk\n{{\"version\":2,\"event\":\"new\"}}\n{text}");
    fs::write(&log, text).unwrap();
    assert!(endless.listed().is_some());
    let shown = sandbox.execute(&["watch", "--once"]).exits(0);
    assert!(shown.stderr.contains("passed over "), "{shown:?}");
    endless.signal(Signal::KILL);
}

/// Runs the command so that it may write nowhere; `None` where the kernel has no Landlock.
fn execute_reading(mut command: Command) -> Option<Finished> {
    let limited = thread::spawn(move || {
        let rights = AccessFs::from_write(ABI::V3);
        let null = PathFd::new("/dev/null").unwrap();
        let rules = Ruleset::default()
            .handle_access(rights)
            .and_then(Ruleset::create)
            .and_then(|it| it.add_rule(PathBeneath::new(null, AccessFs::WriteFile)))
            .and_then(RulesetCreated::restrict_self);
        let enforced = rules.unwrap().ruleset != RulesetStatus::NotEnforced;
        enforced.then(|| Finished::run(&mut command))
    });
    limited.join().unwrap()
}

#[test]
fn who_may_only_read_the_store_can_follow_a_run() {
    let sandbox = Sandbox::new();
    let mut long = LongRun::start(&sandbox);
    // The readers will learn the hash of the plugin again, and cannot keep it.
    let _ = fs::remove_file(sandbox.path("artifacts/cache/files.json"));
    let before = fs::read_dir(sandbox.path("artifacts")).unwrap().count();
    let commands: [&[&str]; 4] = [
        &["init", "new.toml"],
        &["watch", "--once"],
        &["ls"],
        &["status", "pipeline.toml"],
    ];
    let finished = commands.map(|arguments| execute_reading(sandbox.command(arguments)));
    long.signal(Signal::KILL);
    let [Some(refused), Some(watched), Some(listed), Some(status)] = finished else {
        skip("this kernel has no Landlock");
        return;
    };
    assert!(refused.stderr.contains("ermission denied"), "{refused:?}");
    let watched = watched.exits(0).stdout;
    assert!(
        watched.contains("train/bp/seed=1 ") && watched.contains("1 running"),
        "{watched}"
    );
    assert!(listed.exits(0).stdout.starts_with("RUNNING  small  "));
    assert!(status.exits(1).stdout.contains("runs now: epoch "));
    let after = fs::read_dir(sandbox.path("artifacts")).unwrap().count();
    assert_eq!(before, after);
}

/// Follows `small` in a process of its own, its output in a file.
fn watch(sandbox: &Sandbox, arguments: &[&str]) -> Child {
    let mut command = sandbox.command(&[&["watch", "small"], arguments].concat());
    let out = fs::File::create(sandbox.path("seen")).unwrap();
    command.stdout(out).spawn().unwrap()
}

fn seen(sandbox: &Sandbox) -> String {
    fs::read_to_string(sandbox.path("seen")).unwrap()
}

#[test]
fn a_run_is_followed_until_it_ends_and_left_alone() {
    let sandbox = Sandbox::new();
    let mut long = LongRun::start(&sandbox);
    // Ctrl-C ends one that watches, and not the run.
    let mut leaving = watch(&sandbox, &[]);
    wait_for("an epoch", || {
        seen(&sandbox).contains(": epoch ").then_some(())
    });
    kill_process(Pid::from_child(&leaving), Signal::INT).unwrap();
    assert_eq!(leaving.wait().unwrap().code(), Some(130));
    assert!(long.listed().is_some());

    let mut watching = watch(&sandbox, &[]);
    wait_for("an epoch", || {
        seen(&sandbox).contains(": epoch ").then_some(())
    });
    long.signal(Signal::INT);
    assert_eq!(watching.wait().unwrap().code(), Some(1));
    let text = seen(&sandbox);
    assert!(text.starts_with("small  "), "{text}");
    let epoch = text.lines().find(|line| line.contains(": epoch ")).unwrap();
    for split in [", train ", ", validation ", ", test "] {
        assert!(epoch.contains(split), "{epoch}");
    }
    assert!(text.contains("\ntrain/bp/seed=1: stopped\nrun "), "{text}");
    assert!(
        text.trim_end().ends_with("from the last checkpoints"),
        "{text}"
    );
}

#[test]
fn events_are_followed_from_the_first() {
    let sandbox = Sandbox::new();
    sandbox.pipeline(r#"["bp"]"#, 300);
    let mut run = sandbox.start(&["--events", "events.jsonl"]);
    wait_for("the run", || {
        let listed = sandbox.execute(&["watch", "--once"]);
        (listed.code == Some(0)).then_some(())
    });
    let mut watching = watch(&sandbox, &["--json"]);
    assert_eq!(run.wait().unwrap().code(), Some(0));
    assert_eq!(watching.wait().unwrap().code(), Some(0));
    let told = fs::read_to_string(sandbox.path("events.jsonl")).unwrap();
    let parse = |text: &str| -> Vec<Value> {
        let events = text.lines().map(|line| serde_json::from_str(line).unwrap());
        let is_kept = |event: &Value| event["event"] != "stage-progress";
        events.filter(is_kept).collect()
    };
    assert_eq!(parse(&seen(&sandbox)), parse(&told));
}

#[test]
fn a_killed_run_is_told_to_those_who_follow_it() {
    let sandbox = Sandbox::new();
    let mut long = LongRun::start(&sandbox);
    let mut watching = watch(&sandbox, &[]);
    wait_for("an epoch", || {
        seen(&sandbox).contains(": epoch ").then_some(())
    });
    long.signal(Signal::KILL);
    assert_eq!(watching.wait().unwrap().code(), Some(1));
    assert!(seen(&sandbox).contains("\nKILLED: "), "{}", seen(&sandbox));
}

#[test]
fn once_shows_curves_and_a_table() {
    let sandbox = Sandbox::new();
    // One training is cached, and another runs.
    sandbox.pipeline(r#"["fa"]"#, 3);
    let _ = sandbox.run(&[]).exits(0);
    let text = fs::read_to_string(sandbox.path("pipeline.toml")).unwrap();
    let both = text.replace(
        "[stage.evaluate]",
        "[stage.endless]\nkind = \"train\"\ndataset = \"data\"\nnetwork = \"small\"\n\
         epochs = 1000000\nmatrix = { method = [\"bp\"], seed = [1] }\n\n[stage.evaluate]",
    );
    fs::write(sandbox.path("pipeline.toml"), both).unwrap();
    let mut run = sandbox.start(&[]);
    let shown = wait_for("a curve", || {
        let shown = sandbox.execute(&["watch", "sm", "--once"]);
        assert_ne!(shown.code, Some(0), "a name is not shortened");
        let shown = sandbox.execute(&["watch", "small", "--once"]);
        (shown.code == Some(0)
            && shown.stdout.contains("best (epoch)")
            && shown.stdout.contains(" a  ")
            && shown.stdout.contains(" b  "))
        .then_some(shown.stdout)
    });
    assert!(shown.contains("dataset 1/1, train 1/2"), "{shown}");
    assert!(
        shown.contains("error on validation images by epoch, in percent"),
        "{shown}"
    );
    assert!(shown.contains("endless/bp/seed=1"), "{shown}");
    let cached = shown.lines().find(|line| line.contains("train/fa/seed=1"));
    let cached = cached.unwrap();
    assert!(
        cached.contains("3/3") && cached.contains("cached"),
        "{cached}"
    );
    let json = sandbox
        .execute(&["watch", "--once", "--json"])
        .exits(0)
        .json();
    let stages = json["stages"].as_array().unwrap();
    let stage = |name: &str| stages.iter().find(|it| it["stage"] == name).unwrap();
    assert_eq!(
        stage("train/fa/seed=1")["epochs"].as_array().unwrap().len(),
        3
    );
    assert_eq!(stage("endless/bp/seed=1")["status"], "running");
    run.kill().unwrap();
    run.wait().unwrap();
}

#[test]
fn without_a_run_there_is_nothing_to_watch() {
    let sandbox = Sandbox::new();
    let refused = sandbox.execute(&["watch"]).exits(2).stderr;
    assert!(refused.contains("holds no store"), "{refused}");
    let _ = sandbox.run(&["--only", "data"]).exits(0);
    for arguments in [&["watch"][..], &["watch", "--once", "--json"]] {
        let said = sandbox.execute(arguments).exits(1).stderr;
        assert!(said.contains("no run is under way in "), "{said}");
    }
    let mut long = LongRun::start(&sandbox);
    let said = sandbox
        .execute(&["watch", "smlal", "--once"])
        .exits(1)
        .stderr;
    assert!(said.contains("no run `smlal` is under way"), "{said}");
    assert!(said.contains("under way are small ("), "{said}");
    let id = long.listed().unwrap()["id"].as_str().unwrap().to_owned();
    let _ = sandbox.execute(&["watch", &id[..16], "--once"]).exits(0);
    long.signal(Signal::KILL);
}
