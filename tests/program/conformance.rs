//! The checks of plugins: what is right passes all of them, and whatever is wrong with an algorithm
//! fails the one check that is about it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use assay_tests::{Finished, binary, libraries};
use serde_json::Value;

/// The algorithms of `tests/broken`, and the check that each has to fail.
const BROKEN: [(&str, &str); 32] = [
    ("no-default", "schema"),
    ("no-schema", "schema"),
    ("other-default", "schema"),
    ("takes-unknown-keys", "refuses-bad-values"),
    ("takes-bad-values", "refuses-bad-values"),
    ("refuses-without-words", "refuses-bad-values"),
    ("refuses-without-code", "networks"),
    ("normalises-batches", "predictions"),
    ("counts-predictions", "asking-changes-nothing"),
    ("shares-state", "repeats"),
    ("ignores-seed", "seeds"),
    ("forgets-moments", "resumes"),
    ("takes-bad-states", "refuses-bad-states"),
    ("reports-undeclared", "metrics"),
    ("reports-too-little", "metrics"),
    ("reports-infinity", "metrics"),
    ("averages-nothing", "batches"),
    ("aborts", "batches"),
    ("ignores-cancellation", "cancels"),
    ("asks-on", "cancels"),
    ("scales-directions", "directions"),
    ("ascends", "directions"),
    ("bends-gradient", "gradient"),
    ("renames-gradient", "gradient"),
    ("is-linear", "learns"),
    ("promises-too-much", "learns"),
    ("leaks", "leaks"),
    ("prints", "silent"),
    ("counts-threads", "portable"),
    ("minds-instructions", "portable"),
    ("ignores-order", "resident"),
    ("notices-others", "concurrent"),
];

fn broken() -> PathBuf {
    libraries().join("libbroken_plugins.so")
}

fn check(plugin: &Path, arguments: &[&str]) -> Finished {
    let mut command = Command::new(binary());
    command
        .args(["plugin", "check"])
        .arg(plugin)
        .args(arguments)
        .stdin(Stdio::null());
    Finished::run(&mut command)
}

/// The checks that failed, with their reasons, by algorithm.
fn failures(report: &Value) -> BTreeMap<String, Vec<(String, String)>> {
    let mut failures: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for check in report["checks"].as_array().unwrap() {
        let text = |key: &str| check[key].as_str().unwrap_or_default().to_owned();
        let of = failures.entry(text("algorithm")).or_default();
        if check["outcome"] == "failed" {
            of.push((text("check"), text("reason")));
        }
    }
    failures
}

#[test]
fn every_defect_fails_its_own_check_and_no_other() {
    let mut expected: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (algorithm, check) in BROKEN {
        expected.insert(algorithm, vec![check]);
    }
    for right in ["right", "right-bounded", "promises-little"] {
        expected.insert(right, Vec::new());
    }
    let mut arguments = vec!["--json"];
    for algorithm in expected.keys() {
        arguments.extend(["--algorithm", algorithm]);
    }
    let report = check(&broken(), &arguments).exits(1).json();
    let mut failures = failures(&report);
    assert_eq!(failures.remove(""), Some(Vec::new()), "the library itself");
    assert_eq!(failures.len(), expected.len());
    for (algorithm, reason) in [
        ("counts-threads", "with 3 threads it gave other bytes"),
        (
            "minds-instructions",
            "with no vector instructions it gave other bytes",
        ),
    ] {
        assert_eq!(failures[algorithm][0].1, reason);
    }
    let reason = &failures["forgets-moments"][0].1;
    let named = "`forward.1.bias` and 5 more tensors differ, so what moves them is not all saved";
    assert!(reason.ends_with(named), "{reason}");
    for (algorithm, expected) in expected {
        let failed = failures[algorithm].iter().map(|(check, _)| check.as_str());
        let failed: Vec<_> = failed.collect();
        assert_eq!(failed, expected, "{algorithm}: {:#?}", failures[algorithm]);
    }
}

#[test]
fn a_rule_without_layers_keeps_every_promise() {
    let plugin = libraries().join("libstandalone_plugin.so");
    let report = check(&plugin, &["--json"]).exits(0).json();
    let checks = report["checks"].as_array().unwrap();
    let passed = checks.iter().filter(|check| check["outcome"] == "passed");
    assert!(passed.count() > 15, "{checks:#?}");
    let failed: Vec<_> = failures(&report).into_values().flatten().collect();
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn a_plugin_that_crashes_or_hangs_fails_the_check_it_does_so_in() {
    let ended = |algorithm: &str, more: &[&str]| {
        let arguments = [
            "--algorithm",
            algorithm,
            "--only",
            "batches",
            "--only",
            "metrics",
        ];
        check(&broken(), &[&arguments, more].concat())
            .exits(1)
            .stdout
    };
    let said = ended("aborts", &[]);
    assert!(said.contains("SIGABRT (signal 6)"), "{said}");
    assert!(said.contains("promised: Epochs without a batch"), "{said}");
    assert!(said.contains("1 passed, 1 failed, 0 skipped"), "{said}");
    let said = ended("panics", &[]);
    let place = "train_epoch panicked at tests/broken/src/learner.rs:";
    assert!(said.contains(place), "{said}");
    assert!(said.contains(": read past the end"), "{said}");
    assert!(said.contains("1 passed, 1 failed, 0 skipped"), "{said}");
    let said = ended("hangs", &["--time-limit", "10"]);
    assert!(
        said.contains("its process reached the time limit of 10s"),
        "{said}"
    );
    assert!(said.contains("1 passed, 1 failed, 0 skipped"), "{said}");
}

/// Failures of the library as a whole, as (check, reason), after `change` at every occurrence of
/// `what`.
fn changed(what: &[u8], change: impl Fn(&mut [u8]), more: &[&str]) -> Vec<(String, String)> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("changed.so");
    let mut library = fs::read(broken()).unwrap();
    let mut places = 0;
    for at in 0..library.len() - what.len() {
        if library[at..].starts_with(what) {
            change(&mut library[at..]);
            places += 1;
        }
    }
    assert!(places > 0, "{what:?} is not in the library");
    fs::write(&path, library).unwrap();
    let report = check(&path, &[&["--json"], more].concat()).exits(1).json();
    failures(&report).remove("").unwrap_or_default()
}

#[test]
fn a_library_that_cannot_be_used_fails_as_a_whole() {
    let fails = |what: &[u8], at: usize, by: u8, name: &str, words: &str| {
        let only = ["--only", "loads", "--only", "layout", "--only", "describes"];
        let failures = changed(what, |bytes| bytes[at] = by, &only);
        let [(check, reason)] = &failures[..] else {
            panic!("{name}: {failures:#?}");
        };
        assert_eq!(check, name);
        assert!(reason.contains(words), "{reason}");
    };
    let whole = b"ASSAY-BROKEN-AS-A-WHOL";
    fails(whole, 22, b'C', "loads", "SIGABRT (signal 6)");
    fails(b"ASSAYPLG", 12, 99, "loads", "it speaks ABI 99.");
    fails(
        b"hyperparameters;metrics",
        0,
        b'H',
        "layout",
        "does not match",
    );
    fails(
        whole,
        22,
        b'N',
        "describes",
        "the name of an algorithm is empty",
    );
}

#[test]
fn questions_that_cannot_be_asked_are_refused() {
    let refused = |plugin: &Path, arguments: &[&str], words: &[&str]| {
        let said = check(plugin, arguments).exits(2).stderr;
        for part in words {
            assert!(said.contains(part), "no {part:?} in:\n{said}");
        }
    };
    refused(
        Path::new("no-such-plugin"),
        &[],
        &["there is no plugin `no-such-plugin`"],
    );
    refused(
        Path::new("./nowhere.so"),
        &[],
        &["cannot read the plugin", "check the path"],
    );
    refused(&broken(), &["--only", "lerns"], &["lerns", "learns"]);
    refused(
        &broken(),
        &["--algorithm", "rihgt", "--only", "loads"],
        &["has no algorithm `rihgt`", "did you mean `right`?"],
    );
}

#[test]
fn the_promises_are_listed_and_documented() {
    let list = |arguments: &[&str]| {
        let output = Command::new(binary())
            .args(["plugin", "check", "--list"])
            .args(arguments)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let document: Value = serde_json::from_str(&list(&["--json"])).unwrap();
    let text = list(&[]);
    let guide = include_str!("../../docs/conformance.md").replace('\n', " ");
    let checks = document["checks"].as_array().unwrap();
    assert!(checks.len() > 15);
    for check in checks {
        for key in ["check", "promise", "why"] {
            let said = check[key].as_str().unwrap();
            assert!(text.contains(said), "`--list` lacks {said:?}");
            assert!(guide.contains(said), "docs/conformance.md lacks {said:?}");
        }
    }
}

/// Fails unless every check of these plugins passes, but for that of splits, which they keep on cards alone.
fn assert_keeps_every_promise(names: &[&str]) {
    for name in names {
        let report = check(Path::new(name), &["--json"]).json();
        assert!(failures(&report).values().all(Vec::is_empty), "{report:#}");
        assert_eq!(report["complete"], true);
        let checks = report["checks"].as_array().unwrap().iter();
        let skipped: Vec<_> = checks.filter(|it| it["outcome"] == "skipped").collect();
        assert!(
            skipped.iter().all(|it| it["check"] == "resident"),
            "{skipped:#?}"
        );
    }
}

#[test]
fn real_plugins_keep_every_promise() {
    assert_keeps_every_promise(&["bp", "ao-sdtp"]);
}

#[test]
fn rules_with_learned_or_no_feedback_keep_every_promise() {
    let rules = [
        "drtp",
        "kp",
        "dkp",
        "sign-symmetry",
        "weight-mirror",
        "fdfa",
        "pepita",
    ];
    assert_keeps_every_promise(&rules);
}

#[test]
fn rules_with_targets_losses_or_states_of_their_own_keep_every_promise() {
    assert_keeps_every_promise(&["fw-dtp", "l-drl", "ddtp", "local-loss", "perturbation"]);
    assert_keeps_every_promise(&[
        "predictive-coding",
        "equilibrium-propagation",
        "forward-forward",
    ]);
}
