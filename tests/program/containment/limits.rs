//! Limits of a stage, their record in the result, and the effect of the user's variables.

use assay_tests::Sandbox;

use super::{assert_says, finish};

#[test]
fn the_level_and_the_limits_are_in_the_result() {
    let sandbox = Sandbox::new();
    let run = sandbox.run_json(&[
        "--only",
        "train/bp",
        "--set",
        "train.limits.memory=\"4 GiB\"",
    ]);
    let stages = run["stages"].as_array().unwrap();
    for stage in stages {
        let containment = &stage["containment"];
        assert_eq!(containment["seccomp"], true, "{stage}");
        assert_eq!(containment["no_new_privileges"], true, "{stage}");
        assert!(containment["landlock"].as_u64().unwrap() > 0, "{stage}");
    }
    let training = stages
        .iter()
        .find(|stage| stage["kind"] == "train")
        .unwrap();
    assert_eq!(training["limits"]["memory"], 4_u64 << 30);
    // The limits of an action are no part of it.
    let again = sandbox.run_json(&["--only", "train/bp"]);
    let outcomes = again["stages"].as_array().unwrap();
    assert!(outcomes.iter().all(|stage| stage["outcome"] == "cached"));
}

#[test]
fn threads_that_are_to_be_bound_to_processors_do_not_end_a_worker() {
    let sandbox = Sandbox::new();
    let arguments = [
        "run",
        "pipeline.toml",
        "--only",
        "train/bp",
        "--threads",
        "2",
    ];
    let mut command = sandbox.command(&arguments);
    command.envs([("OMP_PROC_BIND", "true"), ("GOMP_CPU_AFFINITY", "0-1")]);
    let _ = finish(&mut command).exits(0);
}

#[test]
fn limits_that_are_none_are_pointed_at() {
    let sandbox = Sandbox::new();
    for (limit, words) in [
        (
            "memory=\"8 giraffes\"",
            "`8 giraffes` is no amount of memory",
        ),
        ("time=\"soon\"", "`soon` is no duration"),
        (
            "memory=\"1 kB\"",
            "is out of range: expected 1 MiB to 8 PiB",
        ),
        ("time=2", "expected a string, found an integer"),
        ("disk=\"1 GiB\"", "`limits` has no key `disk`"),
    ] {
        for at in [
            "limits",
            "train.limits",
            "evaluate.limits",
            "report.limits",
            "data.limits",
        ] {
            let limit = format!("{at}.{limit}");
            let said = sandbox.run(&["--set", &limit]).exits(2).stderr;
            assert_says(&said, &[words, "--set"]);
        }
    }
}
