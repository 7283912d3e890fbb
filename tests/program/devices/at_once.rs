//! Trainings that share a worker on a card: each is what it is alone, whatever the others do.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use assay_tests::Finished;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::TROUBLES;
use super::machine::{H100, Machine, emulated, uuid};
use super::portable::portable_pipeline;

/// Trainings of an algorithm that shares workers, from so many seeds, and as many with other hyper-parameters.
fn sharing_pipeline(
    machine: &Machine,
    seeds: usize,
    epochs: u32,
    hyperparameters: &str,
    other: &str,
) {
    machine.pipeline(seeds, epochs, hyperparameters);
    machine.change(r#"algorithm = "cards""#, r#"algorithm = "sharing""#);
    machine.change(r#"method = ["cards"]"#, r#"method = ["cards", "other"]"#);
    let method = format!(
        r#"[method.other]
algorithm = "sharing"
plugin = "./libcards_plugin.so"
hyperparameters = {other}
[stage.data]"#
    );
    machine.change("[stage.data]", &method);
}

/// A run of trainings that share workers, so many at once.
fn run(machine: &Machine, device: &str, at_once: &str, arguments: &[&str]) -> Finished {
    let sharing = ["--portable", "--per-device", at_once];
    machine.run(device, &[&sharing[..], arguments].concat())
}

/// The artifact of each stage of a run that was told as JSON, by name.
pub(super) fn artifacts(run: &Value) -> Vec<(String, String)> {
    let stages = run["stages"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap_or("none").to_owned();
    stages
        .map(|stage| (text(&stage["name"]), text(&stage["artifact"])))
        .collect()
}

/// How many trainings each result says that its worker trained at once, sorted.
pub(super) fn at_once(machine: &Machine) -> Vec<u32> {
    let results = machine.results().into_iter();
    let mut counts: Vec<_> = results.filter_map(|it| it.at_once).collect();
    counts.sort_unstable();
    counts
}

/// Seed, epoch, beginning and process of each epoch: a worker prints for all of its trainings.
fn epochs(machine: &Machine) -> BTreeSet<[u64; 4]> {
    let epochs = machine.epochs().into_iter();
    let moments = ["seed", "epoch", "begun", "process"];
    epochs
        .map(|epoch| moments.map(|name| epoch.moment(name)))
        .collect()
}

/// The trainings of a run that came out so.
fn outcomes(run: &Finished, outcome: &str) -> Vec<String> {
    let run = run.json();
    let stages = run["stages"].as_array().unwrap().iter();
    stages
        .filter(|stage| stage["outcome"] == outcome && stage["name"] != "data")
        .map(|stage| stage["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn trainings_that_share_a_worker_give_what_each_gives_alone() {
    let machine = emulated(&[H100]);
    portable_pipeline(&machine);
    let together = run(&machine, "cuda", "3", &["--json"]).exits(0);
    // Those of one plugin share a worker, and so do their evaluations.
    assert_eq!(at_once(&machine), [2; 8]);
    let alone = machine.run("cpu", &["--store", "alone", "--json"]).exits(0);
    assert_eq!(artifacts(&together.json()), artifacts(&alone.json()));
    let cached = machine.run("cpu", &[]).exits(0);
    assert!(cached.stdout.contains("9 cached"), "{cached:?}");
    let results = machine.results();
    let shared = results.iter().find(|it| it.at_once.is_some()).unwrap();
    let shown = machine
        .execute(&["show", &shared.action.to_string()])
        .exits(0);
    assert!(
        shown.stdout.contains("80GB HBM3, 2 at once)"),
        "{}",
        shown.stdout
    );
    // Each has a log of its own.
    let kept = "keeps these splits where it computes: train, validation, test";
    for log in machine.logs() {
        assert!(log.matches(kept).count() <= 1, "{log}");
    }
}

#[test]
fn trainings_share_a_worker_unless_it_is_for_one_and_where_their_algorithm_says_so() {
    let machine = emulated(&[H100]);
    sharing_pipeline(&machine, 1, 1, "{}", "{ epoch = 2 }");
    let _ = run(&machine, "cuda", "1", &[]).exits(0);
    machine.pipeline(2, 1, "{}");
    let _ = run(&machine, "cuda", "2", &[]).exits(0);
    assert_eq!(machine.trainings().len(), 4);
    assert!(at_once(&machine).is_empty());
}

#[test]
fn more_trainings_share_a_worker_while_that_makes_them_faster_together() {
    let machine = emulated(&[H100]);
    // They sleep, so that each is as fast as alone.
    let slow = "{ milliseconds = 200, epoch = 2 }";
    sharing_pipeline(&machine, 8, 3, "{ milliseconds = 200 }", slow);
    let _ = machine.run("cuda", &["--portable"]).exits(0);
    // Four, then eight, then those that are left.
    assert_eq!(at_once(&machine), [[4; 8], [8; 8]].concat());

    // Of those that have another network nothing is known.
    let machine = emulated(&[H100]);
    portable_pipeline(&machine);
    let auto = ["--portable", "--per-device", "auto"];
    let _ = machine.run("cuda", &auto).exits(0);
    assert!(at_once(&machine).is_empty());
}

#[test]
fn trainings_are_shared_evenly_among_workers_of_several_cards() {
    let machine = emulated(&[H100; 2]);
    let slow = "{ milliseconds = 300, epoch = 2 }";
    sharing_pipeline(&machine, 2, 1, "{ milliseconds = 300 }", slow);
    let _ = run(&machine, "cuda:all", "8", &[]).exits(0);
    assert_eq!(at_once(&machine), [2; 4]);
    let processes: BTreeSet<_> = epochs(&machine).into_iter().map(|it| it[3]).collect();
    assert_eq!(processes.len(), 2);
    let epochs = machine.epochs();
    let cards: BTreeSet<_> = epochs.iter().map(|it| it.card().to_owned()).collect();
    assert_eq!(cards, BTreeSet::from([uuid(0), uuid(1)]));
}

#[test]
fn a_training_that_fails_fails_alone() {
    let machine = emulated(&[H100]);
    let fails = "{ words = 'nothing will come of it', epoch = 2 }";
    sharing_pipeline(&machine, 3, 3, "{ milliseconds = 100 }", fails);
    let failed = run(&machine, "cuda", "6", &["--keep-going", "--json"]).exits(1);
    assert_eq!(outcomes(&failed, "failed").len(), 3, "{failed:?}");
    assert_eq!(outcomes(&failed, "ran").len(), 3, "{failed:?}");
    assert!(
        failed.stderr.contains("nothing will come of it"),
        "{failed:?}"
    );
    assert!(!failed.stderr.contains("smaller groups"), "{failed:?}");
    assert_eq!(at_once(&machine), [6; 3]);
    let processes: BTreeSet<_> = epochs(&machine).into_iter().map(|it| it[3]).collect();
    assert_eq!(processes.len(), 1);
}

#[test]
fn trainings_go_on_in_smaller_groups_where_their_worker_dies_or_lacks_memory() {
    let crash = "{ words = 'no way', aborts = true, epoch = 2 }".to_owned();
    let memory = format!("{{ words = '''{}''', epoch = 2 }}", TROUBLES[0].0);
    for (fails, said, at_once_after) in [
        // Of five that shared a worker, two may share the next.
        (crash, "SIGABRT", [2; 4]),
        (memory, "ran out of memory", [5; 4]),
    ] {
        let machine = emulated(&[H100]);
        sharing_pipeline(&machine, 4, 3, "{ milliseconds = 400 }", &fails);
        let arguments = [
            "--only",
            "train/cards",
            "--only",
            "train/other/seed=1",
            "--keep-going",
            "--json",
        ];
        let failed = run(&machine, "cuda", "5", &arguments).exits(1);
        let other = outcomes(&failed, "failed");
        assert_eq!(other, ["train/other/seed=1"], "{failed:?}");
        assert_eq!(outcomes(&failed, "ran").len(), 4, "{failed:?}");
        for words in ["go on in smaller groups", said, "train/other/seed=1"] {
            assert!(failed.stderr.contains(words), "{words}: {failed:?}");
        }
        assert_eq!(at_once(&machine), at_once_after);
        // Nobody did the first epoch again: it had ended, and was kept.
        let epochs = epochs(&machine);
        let firsts = epochs.iter().filter(|[_, epoch, ..]| *epoch == 1);
        assert!(firsts.count() <= 5, "{epochs:?}");
    }
}

#[test]
fn a_card_that_is_lost_under_several_trainings_is_left_alone() {
    let machine = emulated(&[H100, H100]);
    let (words, card) = (TROUBLES[1].0, uuid(0));
    let lost = format!("{{ words = '''{words}''', card = '{card}', milliseconds = 300 }}");
    machine.pipeline(4, 1, &lost);
    machine.change(r#"algorithm = "cards""#, r#"algorithm = "sharing""#);
    let ran = run(&machine, "cuda:all", "2", &["--json"]).exits(0);
    for said in ["go on in smaller groups", "was lost or is defective"] {
        assert!(ran.stderr.contains(said), "{ran:?}");
    }
    assert_eq!(outcomes(&ran, "ran").len(), 4, "{ran:?}");
}

#[test]
fn each_training_of_a_worker_keeps_what_it_did_in_its_time() {
    let machine = emulated(&[H100]);
    let slow = "{ milliseconds = 250, epoch = 20 }";
    sharing_pipeline(&machine, 1, 12, "{ milliseconds = 250 }", slow);
    let arguments = ["--set", "limits.time='1s'", "--keep-going", "--json"];
    let begun = Instant::now();
    let ended = run(&machine, "cuda", "2", &arguments).exits(1);
    assert!(begun.elapsed() < Duration::from_secs(15));
    assert_eq!(outcomes(&ended, "failed").len(), 2, "{ended:?}");
    assert!(ended.stderr.contains("limits.time"), "{ended:?}");
    let _ = run(&machine, "cuda", "2", &[]).exits(0);
    let logs = machine.logs().into_iter();
    let resumed = logs.filter(|log| log.contains("resuming after epoch"));
    assert_eq!(resumed.count(), 2);
    assert_eq!(at_once(&machine), [2; 2]);
}

#[test]
fn trainings_of_a_worker_have_their_memory_together_and_each_fails_of_its_own() {
    let machine = emulated(&[H100]);
    let greedy = "{ milliseconds = 300, mebibytes = 1000 }";
    // Long enough to be there when the other has taken its memory, on a busy machine too.
    sharing_pipeline(&machine, 1, 2, "{ milliseconds = 3000 }", greedy);
    let arguments = ["--set", "limits.memory='300 MiB'", "--keep-going", "--json"];
    let ended = run(&machine, "cuda", "2", &arguments).exits(1);
    assert_eq!(outcomes(&ended, "failed"), ["train/other/seed=1"]);
    for words in ["go on in smaller groups", "limits.memory"] {
        assert!(ended.stderr.contains(words), "{words}: {ended:?}");
    }
    assert!(at_once(&machine).is_empty());
    // Together they may take what one alone may not.
    let machine = emulated(&[H100]);
    sharing_pipeline(&machine, 1, 2, "{ milliseconds = 300 }", greedy);
    let arguments = ["--set", "limits.memory='700 MiB'"];
    let _ = run(&machine, "cuda", "2", &arguments).exits(0);
    assert_eq!(at_once(&machine), [2; 2]);
}

/// The scratch folders with a checkpoint.
fn checkpoints(machine: &Machine) -> BTreeSet<PathBuf> {
    let folders = fs::read_dir(machine.sandbox.path("artifacts/scratch"));
    let folders = folders.into_iter().flatten().flatten();
    let files = folders.filter_map(|folder| fs::read_dir(folder.path()).ok());
    let paths = files.flatten().flatten().map(|file| file.path());
    let checkpoints = paths.filter(|path| path.to_string_lossy().contains("/checkpoint-"));
    checkpoints
        .filter_map(|path| Some(path.parent()?.to_owned()))
        .collect()
}

#[test]
fn stopped_or_killed_and_grouped_otherwise_they_end_with_the_same_bytes() {
    let machine = emulated(&[H100]);
    portable_pipeline(&machine);
    machine.change("epochs = 2", "epochs = 30");
    machine.change(
        r#"network = ["fc", "lc"], method = ["bp", "dtp"]"#,
        r#"network = ["fc"], method = ["bp"], seed = [1, 2, 3, 4]"#,
    );
    let on_processor = ["--only", "train", "--store", "alone", "--json"];
    let alone = machine.run("cpu", &on_processor).exits(0).json();
    let sharing = ["run", "pipeline.toml", "--device", "cuda", "--portable"];
    for (at_once, signal, code) in [("4", Signal::INT, Some(130)), ("3", Signal::KILL, None)] {
        let arguments = ["--only", "train", "--per-device", at_once];
        let mut command = machine.command(&[&sharing[..], &arguments].concat());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut run = command.spawn().unwrap();
        let patience = Instant::now() + Duration::from_mins(1);
        while checkpoints(&machine).len() < 4 {
            assert!(Instant::now() < patience, "no checkpoints came");
            thread::sleep(Duration::from_millis(5));
        }
        if signal == Signal::KILL {
            // Those of the first time are there from the beginning.
            thread::sleep(Duration::from_millis(700));
        }
        kill_process(Pid::from_child(&run), signal).unwrap();
        assert_eq!(run.wait().unwrap().code(), code);
    }
    let ended = run(&machine, "cuda", "2", &["--only", "train", "--json"]).exits(0);
    assert_eq!(artifacts(&ended.json()), artifacts(&alone));
    assert_eq!(at_once(&machine), [2; 4]);
    let logs = machine.logs().into_iter();
    let resumed = logs.filter(|log| log.contains("resuming after epoch"));
    assert_eq!(resumed.count(), 4);
    let left = fs::read_dir(machine.sandbox.path("artifacts/scratch")).unwrap();
    assert_eq!(left.count(), 0, "scratch folders are left");
}

#[test]
fn sharing_a_worker_goes_with_portable_algorithms_alone() {
    let machine = Machine::new(&[H100]);
    let refused = machine.run("cuda", &["--per-device", "2"]).exits(2);
    assert!(refused.stderr.contains("--portable"), "{refused:?}");
    let refused = run(&machine, "cpu", "2", &[]).exits(2);
    assert!(refused.stderr.contains("--jobs"), "{refused:?}");
    for count in ["0", "65", "many"] {
        let refused = run(&machine, "cuda", count, &[]).exits(2);
        assert!(refused.stderr.contains("--per-device"), "{refused:?}");
    }
}
