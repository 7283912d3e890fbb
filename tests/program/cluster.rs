//! Stages executed through the queue of a cluster: the same bytes as at home, whatever happens to controllers,
//! jobs and the queue. Most tests have a queue of their own (`tests/fixtures/slurm`); Slurm and `HyperQueue`
//! themselves are used where they are installed.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use assay_core::ObjectHash;
use assay_skips::skip;
use assay_tests::{Finished, Sandbox, binary};
use serde_json::Value;

use crate::remote::{Server as Bucket, files};

/// A sandbox with a cluster of its own.
struct Cluster {
    sandbox: Sandbox,
    environment: Vec<(String, String)>,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Jobs that still run must not outlive the folder.
        let _ = fs::write(self.sandbox.path("slurm/down"), "");
        for (_, pid) in self.pids() {
            kill(&pid, "KILL");
        }
    }
}

fn kill(pid: &str, signal: &str) {
    // The script's process group; one that has ended is no matter.
    let _ = Command::new("kill")
        .args([&format!("-{signal}"), "--", &format!("-{pid}")])
        .stderr(Stdio::null())
        .status();
}

impl Cluster {
    /// With the queue of the tests, and a pipeline of these methods.
    fn new(methods: &str, epochs: u32) -> Self {
        let sandbox = Sandbox::new();
        sandbox.pipeline(methods, epochs);
        let commands = sandbox.path("commands");
        fs::create_dir(&commands).unwrap();
        fs::create_dir(sandbox.path("slurm")).unwrap();
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/slurm");
        for name in ["sbatch", "squeue", "scontrol"] {
            symlink(&fixture, commands.join(name)).unwrap();
        }
        let path = format!("{}:{}", text(&commands), std::env::var("PATH").unwrap());
        let state = text(&sandbox.path("slurm")).to_owned();
        let cluster = Self {
            sandbox,
            environment: vec![("PATH".to_owned(), path), ("FAKE_SLURM".to_owned(), state)],
        };
        cluster.site("slurm", "");
        cluster
    }

    /// Describes the executor `site`.
    fn site(&self, kind: &str, more: &str) {
        let file = self
            .sandbox
            .path("home/XDG_CONFIG_HOME/assay/executors.toml");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let hub = self.sandbox.path("hub");
        let node = self.sandbox.path("node");
        let patience = if more.contains("patience") {
            ""
        } else {
            "patience = 1\n"
        };
        let text = format!(
            "[site]\nkind = \"{kind}\"\nhub = \"{}\"\nlocal_store = \"{}\"\nprogram = \"{}\"\npoll = 0\n\
             {patience}{more}\n",
            text(&hub),
            text(&node),
            text(&binary())
        );
        fs::write(file, text).unwrap();
    }

    /// Lets the jobs run another program.
    fn program(&self, program: &Path) {
        self.replace(text(&binary()), text(program));
    }

    /// Replaces a value in the description of the executor.
    fn replace(&self, old: &str, new: &str) {
        let file = self
            .sandbox
            .path("home/XDG_CONFIG_HOME/assay/executors.toml");
        let site = fs::read_to_string(&file).unwrap();
        let quoted = |value: &str| format!("\"{value}\"");
        fs::write(file, site.replace(&quoted(old), &quoted(new))).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.sandbox.command(arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    fn run(&self, more: &[&str]) -> Finished {
        let arguments = ["run", "pipeline.toml", "--executor", "site"];
        Finished::run(&mut self.command(&[&arguments[..], more].concat()))
    }

    /// Starts a run, whose output goes to the file `said`.
    fn start(&self) -> Child {
        let said = fs::File::create(self.sandbox.path("said")).unwrap();
        self.command(&["run", "pipeline.toml", "--executor", "site"])
            .stdout(Stdio::null())
            .stderr(said)
            .spawn()
            .unwrap()
    }

    /// The names and processes of the tasks that run.
    fn pids(&self) -> Vec<(String, String)> {
        let entries = fs::read_dir(self.sandbox.path("slurm/pids"));
        let entries = entries.into_iter().flatten().filter_map(|entry| {
            let path = entry.ok()?.path();
            let task = path.file_name()?.to_str()?.to_owned();
            Some((task, fs::read_to_string(path).ok()?.trim().to_owned()))
        });
        entries.filter(|(_, pid)| !pid.is_empty()).collect()
    }

    /// Waits until a task runs.
    fn running(&self) -> (String, String) {
        wait_for(|| self.pids().pop())
    }

    fn calls(&self, command: &str) -> usize {
        let calls = fs::read_to_string(self.sandbox.path("slurm/calls")).unwrap_or_default();
        calls
            .lines()
            .filter(|call| call.starts_with(command))
            .count()
    }

    /// The endings of the attempts at each action.
    fn attempts(&self) -> BTreeMap<String, Vec<String>> {
        let folder = self.sandbox.path("hub/cluster/attempts");
        let mut attempts = BTreeMap::new();
        for action in fs::read_dir(folder).unwrap() {
            let action = action.unwrap().path();
            let mut endings = Vec::new();
            for file in fs::read_dir(&action).unwrap() {
                let path = file.unwrap().path();
                if path.extension().is_some_and(|it| it == "json") {
                    let attempt: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
                    endings.push(attempt["ending"]["ended"].as_str().unwrap().to_owned());
                }
            }
            attempts.insert(text(&action).to_owned(), endings);
        }
        attempts
    }

    /// Fails unless each action was executed by one job, to its end.
    #[track_caller]
    fn check_executed_once(&self) {
        for (action, endings) in self.attempts() {
            assert_eq!(endings, ["done"], "{action}");
        }
    }

    /// Fails unless the same pipeline gives the same artifacts at home.
    #[track_caller]
    fn check_against_home(&self) {
        let here = self.run(&["--json"]).exits(0).json();
        let home = self.sandbox.run_json(&["--store", "home-store"]);
        assert_eq!(artifacts(&here), artifacts(&home));
    }
}

fn artifacts(run: &Value) -> BTreeMap<String, String> {
    let stages = run["stages"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    stages
        .map(|stage| (text(&stage["name"]), text(&stage["artifact"])))
        .collect()
}

fn outcomes(run: &Value) -> Vec<&str> {
    let stages = run["stages"].as_array().unwrap().iter();
    stages
        .map(|stage| stage["outcome"].as_str().unwrap())
        .collect()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[track_caller]
fn wait_for<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_mins(2), "it does not come");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn jobs_run_a_copy_of_the_program_that_lies_in_the_hub() {
    let cluster = Cluster::new(r#"["bp"]"#, 1);
    let site = "home/XDG_CONFIG_HOME/assay/executors.toml";
    let site = cluster.sandbox.path(site);
    let lines = fs::read_to_string(&site).unwrap();
    let lines = lines.lines().filter(|line| !line.starts_with("program"));
    fs::write(&site, lines.collect::<Vec<_>>().join("\n")).unwrap();
    let _ = cluster.run(&[]).exits(0);
    cluster.check_executed_once();
    let hash = ObjectHash::of(&fs::read(binary()).unwrap());
    let copy = format!("hub/cluster/bin/{hash}/pipeline");
    let copy = cluster.sandbox.path(&copy);
    let version = Finished::run(Command::new(&copy).arg("--version")).exits(0);
    assert!(version.stdout.starts_with("pipeline "), "{version:?}");
    let scripts = fs::read_dir(cluster.sandbox.path("slurm/scripts")).unwrap();
    for job in scripts {
        let script = fs::read_to_string(job.unwrap().path().join("script")).unwrap();
        assert!(script.contains(text(&copy)), "{script}");
    }
    // One program is copied once.
    let written = copy.metadata().unwrap().modified().unwrap();
    cluster.check_against_home();
    assert_eq!(copy.metadata().unwrap().modified().unwrap(), written);
}

#[test]
fn a_queue_gives_the_bytes_of_home() {
    let cluster = Cluster::new(r#"["bp", "fa", "dfa"]"#, 2);
    let run = cluster.run(&["--json"]).exits(0).json();
    assert!(
        outcomes(&run).iter().all(|outcome| *outcome == "ran"),
        "{run}"
    );
    // Trainings and evaluations were jobs, the rest was not.
    assert_eq!(cluster.attempts().len(), 6);
    cluster.check_against_home();
    // Another store finds the results in the hub, and submits nothing.
    let submitted = cluster.calls("sbatch");
    let run = cluster.run(&["--json", "--store", "other"]).exits(0).json();
    assert_eq!(artifacts(&run).len(), 8);
    assert_eq!(cluster.calls("sbatch"), submitted);
    let audit = cluster
        .sandbox
        .execute(&["audit", "--all", "--store", "other"]);
    let _ = audit.exits(0);
}

#[test]
fn a_controller_may_be_killed_at_any_time() {
    let cluster = Cluster::new(r#"["bp", "fa", "dfa"]"#, 3);
    for milliseconds in [30, 120, 250, 400, 600, 800, 1000, 300, 500] {
        let mut controller = cluster.start();
        thread::sleep(Duration::from_millis(milliseconds));
        controller.kill().unwrap();
        controller.wait().unwrap();
    }
    cluster.check_against_home();
    cluster.check_executed_once();
}

#[test]
fn a_controller_that_is_stopped_leaves_its_jobs_to_the_next() {
    let cluster = Cluster::new(r#"["bp"]"#, 2);
    fs::write(cluster.sandbox.path("slurm/held"), "").unwrap();
    let mut controller = cluster.start();
    wait_for(|| (cluster.calls("sbatch") > 0).then_some(()));
    thread::sleep(Duration::from_millis(300));
    let _ = Command::new("kill")
        .args(["-INT", &controller.id().to_string()])
        .status();
    assert_eq!(controller.wait().unwrap().code(), Some(130));
    let said = fs::read_to_string(cluster.sandbox.path("said")).unwrap();
    assert!(said.contains("scancel --name=assay-"), "{said}");
    fs::remove_file(cluster.sandbox.path("slurm/held")).unwrap();
    cluster.check_against_home();
    cluster.check_executed_once();
}

#[test]
fn a_submission_under_way_is_not_repeated() {
    let cluster = Cluster::new(r#"["bp"]"#, 2);
    cluster.site("slurm", "patience = 8");
    fs::write(cluster.sandbox.path("slurm/slow"), "").unwrap();
    let mut controller = cluster.start();
    wait_for(|| (cluster.calls("sbatch") > 0).then_some(()));
    // The queue's command goes on and submits, while the next controller sees an empty queue.
    controller.kill().unwrap();
    controller.wait().unwrap();
    cluster.check_against_home();
    cluster.check_executed_once();
}

#[test]
fn a_submission_whose_answer_is_lost_is_not_repeated() {
    let cluster = Cluster::new(r#"["bp"]"#, 2);
    cluster.site("slurm", "patience = 8");
    let unanswered = cluster.sandbox.path("slurm/unanswered");
    fs::write(&unanswered, "").unwrap();
    assert!(cluster.start().wait().unwrap().success());
    assert!(!unanswered.exists());
    cluster.check_against_home();
    cluster.check_executed_once();
}

#[test]
fn a_queue_that_cannot_be_asked_fails_nothing() {
    let cluster = Cluster::new(r#"["bp"]"#, 2);
    let down = cluster.sandbox.path("slurm/down");
    fs::write(&down, "").unwrap();
    let mut controller = cluster.start();
    wait_for(|| (cluster.calls("squeue") > 3).then_some(()));
    assert_eq!(
        cluster.calls("sbatch"),
        0,
        "jobs may be there that nobody knows of"
    );
    fs::remove_file(&down).unwrap();
    wait_for(|| cluster.pids().pop());
    // Away again while the jobs run, for longer than anybody waits for a result.
    fs::write(&down, "").unwrap();
    thread::sleep(Duration::from_secs(3));
    assert!(controller.try_wait().unwrap().is_none());
    fs::remove_file(&down).unwrap();
    assert!(controller.wait().unwrap().success());
    let said = fs::read_to_string(cluster.sandbox.path("said")).unwrap();
    assert_eq!(said.matches("the queue does not say").count(), 1, "{said}");
    cluster.check_against_home();
}

#[test]
fn a_preempted_training_goes_on_from_its_checkpoint() {
    let cluster = Cluster::new(r#"["bp"]"#, 200);
    // Each time on another machine.
    let node = cluster.sandbox.path("node-${SLURM_RESTART_COUNT:-0}");
    cluster.replace(text(&cluster.sandbox.path("node")), text(&node));
    let mut controller = cluster.start();
    let mut least = 0;
    for (restart, signal) in ["TERM", "KILL", "TERM", "TERM"].into_iter().enumerate() {
        let (task, pid) = cluster.running();
        // A checkpoint that goes beyond the one before shows that it went on from there.
        let epoch = wait_for(|| checkpoint(&cluster, restart).filter(|epoch| *epoch > least));
        assert!(epoch < 190, "it is over too soon");
        fs::write(cluster.sandbox.path(&format!("slurm/requeue_{task}")), "").unwrap();
        kill(&pid, signal);
        wait_for(|| cluster.pids().pop().filter(|(_, new)| *new != pid));
        // One that is killed leaves what it has left before.
        least = if signal == "TERM" { epoch } else { 0 };
    }
    assert!(controller.wait().unwrap().success());
    // The three that were asked to stop told so, and the end came in the last.
    let attempts = cluster
        .attempts()
        .into_values()
        .max_by_key(Vec::len)
        .unwrap();
    let count = |ending: &str| attempts.iter().filter(|it| *it == ending).count();
    assert_eq!((count("stopped"), count("done")), (3, 1), "{attempts:?}");
    cluster.check_against_home();
}

/// The epoch of the newest checkpoint on the machine of this restart.
fn checkpoint(cluster: &Cluster, restart: usize) -> Option<u64> {
    let scratch = cluster.sandbox.path(&format!("node-{restart}/scratch"));
    let action = fs::read_dir(scratch).ok()?.next()?.ok()?.path();
    let numbers = fs::read_dir(action).ok()?.filter_map(|entry| {
        let name = entry.ok()?.file_name().into_string().ok()?;
        name.strip_prefix("checkpoint-")?.parse().ok()
    });
    numbers.max()
}

#[test]
fn a_job_that_dies_without_a_word_is_submitted_again_and_given_up_in_the_end() {
    let cluster = Cluster::new(r#"["bp"]"#, 2);
    // A machine that kills whatever it is given.
    cluster.site("slurm", "setup = [\"echo out of luck\", \"kill -9 $$\"]");
    let said = cluster.run(&[]).exits(1).stderr;
    assert_eq!(said.matches("it is submitted again").count(), 2, "{said}");
    assert!(said.contains("gave no result"), "{said}");
    assert!(said.contains("out of luck"), "{said}");
    assert_eq!(cluster.calls("sbatch"), 3);
    // Nothing is left behind that would hinder a machine that works.
    cluster.site("slurm", "");
    cluster.check_against_home();
}

#[test]
fn a_failed_action_is_told_as_at_home() {
    let cluster = Cluster::new(r#"["bp"]"#, 2);
    let limit = ["--set", r#"train.limits.time="1ms""#];
    let there = cluster.run(&limit).exits(1).stderr;
    assert!(there.contains("reached its time limit of 1ms"), "{there}");
    assert_eq!(cluster.calls("sbatch"), 1);
    assert!(
        cluster
            .attempts()
            .into_values()
            .all(|endings| endings == ["failed"])
    );
}

#[test]
fn a_machine_that_lacks_something_is_left_out() {
    let cluster = Cluster::new(r#"["bp"]"#, 2);
    // As a job says that its machine lacks something; node2 is as it should be.
    let wrapper = cluster.sandbox.path("wrapper");
    let script = format!(
        "#!/bin/sh\n\
         if [ \"$SLURMD_NODENAME\" = node2 ]; then exec {} \"$@\"; fi\n\
         mkdir -p \"$6/cluster/attempts/$2\"\n\
         echo '{{\"host\": \"node1\", \"ending\": {{\"ended\": \"unmet\", \"reason\": \"no AVX2\"}}}}' \
         > \"$6/cluster/attempts/$2/$8.json\"\n\
         exit 75\n",
        text(&binary())
    );
    fs::write(&wrapper, script).unwrap();
    let _ = Command::new("chmod").arg("+x").arg(&wrapper).status();
    cluster.program(&wrapper);
    let said = cluster.run(&[]).exits(0).stderr;
    assert!(said.contains("node1 cannot execute"), "{said}");
    assert!(said.contains("no AVX2"), "{said}");
    let calls = fs::read_to_string(cluster.sandbox.path("slurm/calls")).unwrap();
    assert!(calls.contains("--exclude=node1"), "{calls}");
}

#[test]
fn a_job_says_what_its_machine_lacks() {
    let cluster = Cluster::new(r#"["bp"]"#, 2);
    let run = cluster.run(&["--json"]).exits(0).json();
    let stages = run["stages"].as_array().unwrap();
    let training = stages
        .iter()
        .find(|stage| stage["kind"] == "train")
        .unwrap();
    let key = training["action"].as_str().unwrap();
    let objects = cluster.sandbox.path("hub/objects");
    let document = fs::read_to_string(objects.join(&key[..2]).join(&key[2..])).unwrap();
    let document = document.replace(r#""libtorch":"2.11.0""#, r#""libtorch":"9.9.9""#);
    let other = ObjectHash::of(document.as_bytes()).to_string();
    assert_ne!(other, key);
    fs::create_dir_all(objects.join(&other[..2])).unwrap();
    fs::write(objects.join(&other[..2]).join(&other[2..]), document).unwrap();
    let hub = cluster.sandbox.path("hub");
    let arguments = [
        "exec",
        &other,
        "--hub",
        text(&hub),
        "--store",
        "other",
        "--attempt",
        "a.0",
    ];
    let said = cluster.sandbox.execute(&arguments).exits(75).stderr;
    assert!(said.contains("environment.libtorch is `9.9.9`"), "{said}");
    let attempt = hub.join(format!("cluster/attempts/{other}/a.0.json"));
    let attempt = fs::read_to_string(attempt).unwrap();
    assert!(
        attempt.contains("unmet") && attempt.contains("9.9.9"),
        "{attempt}"
    );
    let wrong = [
        "exec",
        &other,
        "--hub",
        text(&hub),
        "--store",
        "other",
        "--attempt",
        "../a",
    ];
    let said = cluster.sandbox.execute(&wrong).exits(2).stderr;
    assert!(said.contains("cannot have an attempt"), "{said}");
}

#[test]
fn what_is_damaged_in_the_hub_counts_as_nothing() {
    let cluster = Cluster::new(r#"["bp"]"#, 2);
    let _ = cluster.run(&[]).exits(0);
    let hub = cluster.sandbox.path("hub");
    for (file, mut bytes) in files(&hub.join("objects")) {
        if let Some(byte) = bytes.last_mut() {
            *byte ^= 1;
        }
        fs::write(&file, bytes).unwrap();
    }
    fs::remove_dir_all(cluster.sandbox.path("node")).unwrap();
    let arguments = [
        "run",
        "pipeline.toml",
        "--executor",
        "site",
        "--store",
        "fresh",
    ];
    let run = Finished::run(&mut cluster.command(&arguments)).exits(0);
    assert!(
        run.stderr.contains("in the hub cannot be used yet"),
        "{}",
        run.stderr
    );
    let audit = cluster
        .sandbox
        .execute(&["audit", "--all", "--store", "fresh"]);
    let _ = audit.exits(0);
    let home = cluster.sandbox.run_json(&["--store", "home-store"]);
    let fresh = cluster.run(&["--store", "fresh", "--json"]).exits(0).json();
    assert_eq!(artifacts(&fresh), artifacts(&home));
}

#[test]
fn an_executor_is_described_in_a_file() {
    let cluster = Cluster::new(r#"["bp"]"#, 1);
    let run = |more: &[&str]| {
        let arguments = ["run", "pipeline.toml"];
        Finished::run(&mut cluster.command(&[&arguments[..], more].concat()))
            .exits(2)
            .stderr
    };
    let said = run(&["--executor", "nowhere"]);
    assert!(said.contains("there is no executor `nowhere`"), "{said}");
    assert!(said.contains("has site"), "{said}");
    let said = run(&["--executor", "slurm"]);
    assert!(said.contains("has no hub"), "{said}");
    let said = run(&["--hub", "/tmp/hub"]);
    assert!(said.contains("--hub needs an --executor"), "{said}");
    for (more, problem) in [
        ("nodes = 7", "unknown field `nodes`"),
        ("logs = \"here\"", "no absolute path"),
        ("setup = [\"a\\nb\"]", "line break"),
        ("max_parallel = -1", "invalid value"),
    ] {
        cluster.site("slurm", more);
        let said = run(&["--executor", "site"]);
        assert!(said.contains(problem), "{more}: {said}");
    }
    cluster.site("pbs", "");
    let said = run(&["--executor", "site"]);
    assert!(said.contains("unknown variant `pbs`"), "{said}");
}

#[test]
fn arrays_are_cut_to_what_the_queue_takes() {
    let mut cluster = Cluster::new(r#"["bp", "fa", "dfa"]"#, 1);
    cluster
        .environment
        .push(("FAKE_ARRAY".to_owned(), "2".to_owned()));
    let _ = cluster.run(&[]).exits(0);
    // Three trainings need two arrays.
    assert!(cluster.calls("sbatch") >= 3);
    let names = fs::read_to_string(cluster.sandbox.path("slurm/calls")).unwrap();
    assert!(names.contains("--array=0-1"), "{names}");
    assert!(!names.contains("--array=0-2"), "{names}");
}

#[test]
fn a_bucket_is_a_hub_as_a_folder_is() {
    let Some(server) = Bucket::start() else {
        return;
    };
    let mut cluster = Cluster::new(r#"["bp"]"#, 2);
    let url = format!("http://127.0.0.1:{}", server.port);
    for (name, value) in [
        ("AWS_ACCESS_KEY_ID", "anybody"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL", &url),
        ("AWS_ALLOW_HTTP", "true"),
    ] {
        cluster
            .environment
            .push((name.to_owned(), value.to_owned()));
    }
    let logs = cluster.sandbox.path("logs");
    let run = |cluster: &Cluster, store: &str| {
        let hub = ["--hub", "s3://bucket/hub", "--store", store, "--json"];
        cluster.run(&hub)
    };
    let refused = run(&cluster, "first").exits(2).stderr;
    assert!(refused.contains("needs `logs`"), "{refused}");
    cluster.site("slurm", &format!("logs = \"{}\"", text(&logs)));
    let there = run(&cluster, "first").exits(0).json();
    let home = cluster.sandbox.run_json(&["--store", "home-store"]);
    assert_eq!(artifacts(&there), artifacts(&home));
    // Another store finds everything in the bucket.
    let submitted = cluster.calls("sbatch");
    let _ = run(&cluster, "second").exits(0);
    assert_eq!(cluster.calls("sbatch"), submitted);
}

/// A server of `scripts`, stopped when it is dropped.
struct Server {
    script: PathBuf,
    folder: PathBuf,
}

impl Server {
    /// Nothing where its programs are not installed; else the variable that it prints.
    fn start(script: &str, folder: PathBuf, more: &[&str]) -> Option<(Self, String)> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../scripts")
            .join(script);
        let mut start = Command::new(&script);
        let started = start.arg("start").arg(&folder).args(more).output().unwrap();
        if started.status.code() == Some(77) {
            skip(&format!("{} has nothing to start", script.display()));
            return None;
        }
        let said = String::from_utf8_lossy(&started.stderr).into_owned();
        assert!(started.status.success(), "{said}");
        let printed = String::from_utf8(started.stdout).unwrap();
        Some((Self { script, folder }, printed.trim().to_owned()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new(&self.script)
            .arg("stop")
            .arg(&self.folder)
            .status();
    }
}

/// The pipeline of a sandbox through a real queue, which is preempted where `preempt` says how.
fn through(kind: &str, script: &str, options: &[&str]) {
    let mut cluster = Cluster::new(r#"["bp", "fa", "dfa"]"#, 2);
    let folder = cluster.sandbox.path("server");
    let Some((_server, variable)) = Server::start(script, folder, options) else {
        return;
    };
    let (name, value) = variable.split_once('=').unwrap();
    cluster.environment = vec![(name.to_owned(), value.to_owned())];
    cluster.site(kind, "");
    let run = cluster.run(&["--json"]).exits(0).json();
    assert!(
        outcomes(&run).iter().all(|outcome| *outcome == "ran"),
        "{run}"
    );
    cluster.check_against_home();
}

#[test]
fn slurm_gives_the_bytes_of_home() {
    through("slurm", "slurm-server", &["--nodes", "2"]);
}

#[test]
fn hyperqueue_gives_the_bytes_of_home() {
    through("hyperqueue", "hyperqueue-server", &["--workers", "2"]);
}
