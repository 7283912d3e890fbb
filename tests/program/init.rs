//! `pipeline init`: the file that it writes runs as it is.

use std::fs;

use assay_skips::skip;
use assay_tests::Sandbox;

#[test]
fn the_file_plans_as_it_is_and_is_never_overwritten() {
    let sandbox = Sandbox::new();
    let said = sandbox.execute(&["init", "./mine"]).exits(0).stdout;
    assert!(said.starts_with("wrote mine/pipeline.toml\n"), "{said}");
    let next = said
        .lines()
        .last()
        .unwrap()
        .split_once("pipeline ")
        .unwrap()
        .1;
    let next: Vec<_> = next.split(' ').collect();
    assert_eq!(next, ["run", "mine/pipeline.toml"]);
    let planned = [&next[..], &["--dry-run", "--json"]].concat();
    let planned = sandbox.execute(&planned).exits(0).json();
    // A dataset, nine trainings with an evaluation each, and a report.
    assert_eq!(planned["stages"].as_array().unwrap().len(), 20);

    let file = sandbox.path("mine/pipeline.toml");
    fs::write(&file, "mine").unwrap();
    for arguments in [&["init", "mine"][..], &["init"]] {
        let refused = sandbox.execute(arguments).exits(2).stderr;
        assert!(refused.contains("is there already"), "{refused}");
        assert!(refused.contains("pipeline init DIR"), "{refused}");
    }
    assert_eq!(fs::read_to_string(file).unwrap(), "mine");
    let refused = sandbox
        .execute(&["init", "pipeline.toml/x"])
        .exits(2)
        .stderr;
    assert!(
        refused.contains("cannot write pipeline.toml/x/pipeline.toml"),
        "{refused}"
    );
}

#[test]
fn a_part_of_it_runs_on_real_mnist() {
    let Some(data) = std::env::var_os("ASSAY_TEST_DATA") else {
        skip("set ASSAY_TEST_DATA to a folder with mnist/ to run the file of `pipeline init`");
        return;
    };
    let sandbox = Sandbox::new();
    let _ = sandbox.execute(&["init", "mine"]).exits(0);
    let part = [
        "train.epochs=1",
        "train.matrix.seed=[1,2]",
        "mnist.limit={train=500,test=500}",
    ];
    let mut arguments = vec![
        "run",
        "mine/pipeline.toml",
        "--data-dir",
        data.to_str().unwrap(),
    ];
    arguments.extend(part.iter().flat_map(|part| ["--set", *part]));
    let table = sandbox.execute(&arguments).exits(0).stdout;
    for method in ["bp", "fa", "dfa"] {
        assert!(table.contains(method), "{table}");
    }
}
