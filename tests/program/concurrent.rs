//! Many runs on one store: they share the work, each action runs once, and one that is killed costs
//! the others nothing.

use std::thread;
use std::time::Duration;

use assay_tests::{Sandbox, check_store};

/// Stages of the sandbox's pipeline, and the descriptions of its plugins.
const ACTIONS: usize = 8 + 3;

fn each_action_ran_once(sandbox: &Sandbox, runs: usize) {
    let found = check_store(&sandbox.path("artifacts"));
    assert_eq!(found.results.len(), ACTIONS);
    assert!(
        found.results.iter().all(|(_, count)| *count == 1),
        "{found:?}"
    );
    assert_eq!(found.runs.len(), runs);
}

#[test]
fn runs_at_once_train_nothing_twice() {
    for count in [2, 4, 8] {
        let sandbox = Sandbox::with_methods(r#"["bp", "fa", "dfa"]"#);
        let runs: Vec<_> = (0..count)
            .map(|_| sandbox.start(&["--jobs", "1"]))
            .collect();
        for mut run in runs {
            assert_eq!(run.wait().unwrap().code(), Some(0));
        }
        each_action_ran_once(&sandbox, count);
    }
}

#[test]
fn a_killed_run_leaves_its_work_to_the_others() {
    for round in 0..3 {
        let sandbox = Sandbox::with_methods(r#"["bp", "fa", "dfa"]"#);
        let mut runs: Vec<_> = (0..4).map(|_| sandbox.start(&["--jobs", "1"])).collect();
        thread::sleep(Duration::from_millis(150 + 400 * round));
        let mut killed = runs.remove(0);
        // It may have ended by itself, on a fast machine.
        let _ = killed.kill();
        killed.wait().unwrap();
        for mut run in runs {
            assert_eq!(run.wait().unwrap().code(), Some(0));
        }
        let found = check_store(&sandbox.path("artifacts"));
        assert_eq!(found.results.len(), ACTIONS);
        assert!(
            found.results.iter().all(|(_, count)| *count == 1),
            "{found:?}"
        );
        assert!(found.runs.len() >= 3);
    }
}
