//! Pipeline files through the public surface: complaints, each at its place, and plans.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop there"
)]

use assay_core::{Source, SourceError, StageKind, parse_networks};
use assay_engine::Plan;
use proptest::prelude::*;
use serde_json::{Map, Value};

const SMALL: &str = r#"
name = "small"

[network.net]
input = [1, 2, 2]
layers = ["fc 3", "softmax 2"]

[network.other]
input = [1, 2, 2]
layers = ["softmax 2"]

[method.bp]
algorithm = "bp"
hyperparameters = { learning_rate = 0.1, beta1 = 0.9 }
on.other = { learning_rate = 0.5 }

[method.fa]
algorithm = "fa"

[stage.report]
kind = "report"
evaluations = ["evaluate"]

[stage.evaluate]
kind = "evaluate"
training = "train"

[stage.train]
kind = "train"
dataset = "data"
network = "net"
epochs = 3
matrix = { method = ["bp", "fa"], seed = [1, 2] }

[stage.data]
kind = "dataset"
source = "mnist"
"#;

fn no_file(path: &str) -> Result<Source, String> {
    Err(format!("there is no {path}"))
}

fn parse(text: &str, overrides: &[&str]) -> Result<Plan, SourceError> {
    let overrides: Vec<_> = overrides.iter().map(ToString::to_string).collect();
    Plan::parse("small.toml", text, &overrides, &[], &no_file)
}

fn plan(overrides: &[&str]) -> Plan {
    parse(SMALL, overrides).unwrap()
}

fn parameters(plan: &Plan, stage: usize) -> Map<String, Value> {
    plan.stages[stage].parameters().unwrap()
}

fn names(plan: &Plan) -> Vec<&str> {
    plan.stages
        .iter()
        .map(|stage| stage.name.as_str())
        .collect()
}

/// Everything said about `SMALL` with `old` replaced.
fn complaints(old: &str, new: &str) -> String {
    assert!(SMALL.contains(old), "{old}");
    parse(&SMALL.replacen(old, new, 1), &[])
        .unwrap_err()
        .to_string()
}

#[test]
fn a_matrix_becomes_one_stage_for_each_point_in_dependency_order() {
    let plan = plan(&[]);
    assert_eq!(
        names(&plan),
        [
            "data",
            "train/bp/seed=1",
            "train/bp/seed=2",
            "train/fa/seed=1",
            "train/fa/seed=2",
            "evaluate/bp/seed=1",
            "evaluate/bp/seed=2",
            "evaluate/fa/seed=1",
            "evaluate/fa/seed=2",
            "report",
        ]
    );
    for (at, stage) in plan.stages.iter().enumerate() {
        assert!(
            stage.inputs.values().all(|&input| input < at),
            "{}",
            stage.name
        );
    }
    let report = &plan.stages[9];
    assert_eq!(report.kind(), StageKind::Report);
    assert_eq!(report.inputs["training-00002"], 3);
    assert_eq!(report.inputs["evaluation-00002"], 7);
}

#[test]
fn names_stand_in_an_instances_name_as_they_are() {
    let old =
        "network = \"net\"\nepochs = 3\nmatrix = { method = [\"bp\", \"fa\"], seed = [1, 2] }";
    assert!(SMALL.contains(old));
    let new = "epochs = 3\nmatrix = { network = [\"net\", \"other\"], method = [\"bp\"] }";
    let plan = parse(&SMALL.replace(old, new), &[]).unwrap();
    assert_eq!(names(&plan)[1..3], ["train/net/bp", "train/other/bp"]);
}

#[test]
fn a_long_list_of_names_is_cut_short() {
    let many: Vec<_> = (1..=40).map(|seed| seed.to_string()).collect();
    let old = "method = [\"bp\", \"fa\"], seed = [1, 2]";
    let new = format!("seed = [{}]", many.join(", "));
    let text = SMALL.replace(old, &format!("method = [\"bp\"], {new}"));
    let text = text.replace("[\"evaluate\"]", "[\"none\"]");
    let error = parse(&text, &[]).unwrap_err();
    let help = error.diagnostics[0].help.clone().unwrap();
    assert!(help.ends_with(", and 29 more"), "{help}");
}

#[test]
fn a_report_may_gather_a_part_of_an_evaluate_stage() {
    let plan = plan(&["report.evaluations=[\"evaluate/fa\", \"evaluate/bp/seed=2\"]"]);
    let report = &plan.stages[9];
    let gathered = report.inputs.iter();
    let gathered = gathered.filter(|(role, _)| role.starts_with("evaluation"));
    let names: Vec<_> = gathered
        .map(|(_, &at)| plan.stages[at].name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "evaluate/fa/seed=1",
            "evaluate/fa/seed=2",
            "evaluate/bp/seed=2"
        ]
    );
    let said = complaints("[\"evaluate\"]", "[\"evaluate/fb\"]");
    assert!(
        said.contains("there is no evaluate stage `evaluate/fb`"),
        "{said}"
    );
    let said = complaints("[\"evaluate\"]", "[\"train/fa\"]");
    assert!(
        said.contains("there is no evaluate stage `train/fa`"),
        "{said}"
    );
}

#[test]
fn hyperparameters_come_from_the_method_then_the_network_then_the_stage() {
    let rate = |overrides: &[&str]| {
        let plan = plan(overrides);
        parameters(&plan, 1)["hyperparameters"].clone()
    };
    assert_eq!(rate(&[])["learning_rate"], 0.1);
    let other = "train.network=\"other\"";
    assert_eq!(rate(&[other])["learning_rate"], 0.5);
    assert_eq!(rate(&[other])["beta1"], 0.9);
    assert_eq!(
        rate(&[other, "train.hyperparameters.learning_rate=2.0"])["learning_rate"],
        2.0
    );
}

#[test]
fn an_augmentation_that_does_nothing_is_no_parameter() {
    let augmentation = |overrides: &[&str]| {
        let plan = plan(overrides);
        parameters(&plan, 1).get("augmentation").cloned()
    };
    assert_eq!(augmentation(&[]), None);
    assert_eq!(augmentation(&["train.augmentation={}"]), None);
    assert_eq!(augmentation(&["train.augmentation.crop_padding=0"]), None);
    let both = "train.augmentation={ crop_padding = 4, flip = \"vertical\" }";
    assert_eq!(
        augmentation(&[both]),
        Some(serde_json::json!({ "crop_padding": 4, "flip": "vertical" }))
    );
    let axis = "train.matrix={ augmentation = { crop_padding = [0, 4] } , method = [\"bp\"] }";
    let plan = plan(&[axis]);
    assert_eq!(parameters(&plan, 1).get("augmentation"), None);
    let padding = &parameters(&plan, 2)["augmentation"]["crop_padding"];
    assert_eq!(padding, 4);
}

#[test]
fn names_decide_nothing() {
    let renamed = SMALL
        .replace("[method.bp]", "[method.backprop]")
        .replace("\"bp\", ", "\"backprop\", ");
    let renamed = parse(&renamed, &[]).unwrap();
    assert_eq!(renamed.stages[1].name, "train/backprop/seed=1");
    assert_eq!(parameters(&renamed, 1), parameters(&plan(&[]), 1));
}

#[test]
fn only_keeps_what_is_selected_and_what_that_reads() {
    let only = |name: &str| plan(&[]).only(&[name.to_owned()]);
    assert_eq!(
        names(&only("train/bp").unwrap()),
        ["data", "train/bp/seed=1", "train/bp/seed=2"]
    );
    let one = only("evaluate/fa/seed=2").unwrap();
    assert_eq!(
        names(&one),
        ["data", "train/fa/seed=2", "evaluate/fa/seed=2"]
    );
    assert_eq!(one.stages[2].inputs["training"], 1);
    let unknown = only("evaluate/fb").unwrap_err();
    assert_eq!(unknown.to_string(), "there is no stage `evaluate/fb`");
    // The beginning of a name is no name.
    assert!(only("tra").is_err());
}

#[test]
fn a_name_that_selects_nothing_gets_a_suggestion_or_the_stages_of_the_file() {
    for (name, help) in [
        ("trian", "did you mean `train`?"),
        ("train/bq", "did you mean `train/bp`?"),
        ("evaluate/bp/sed=1", "did you mean `evaluate/bp/seed=1`?"),
        (
            "everything",
            "there is `report`, `evaluate`, `train`, `data`",
        ),
    ] {
        let only = [name.to_owned()];
        let plan = Plan::parse("small.toml", SMALL, &[], &only, &no_file).unwrap();
        assert_eq!(plan.only(&only).unwrap_err().help, help, "{name}");
    }
}

#[test]
fn of_stages_that_are_not_selected_nothing_is_said() {
    let text = format!(
        "{SMALL}\n[stage.other]\nkind = \"report\"\nevaluations = [\"evaluate/fa\"]\n\
         [stage.worse]\nkind = \"repot\"\n[stage.worst]\nkind = \"evaluate\"\ntraining = \"none\"\n"
    );
    let overrides = ["train.matrix.method=[\"bp\"]".to_owned()];
    let parse = |only: &str| {
        let only: Vec<_> = only.split_whitespace().map(str::to_owned).collect();
        Plan::parse("small.toml", &text, &overrides, &only, &no_file)
    };
    let said = |only| parse(only).unwrap_err().to_string();
    let plan = parse("report").unwrap().only(&["report".to_owned()]);
    assert_eq!(names(&plan.unwrap()).len(), 6);
    assert!(parse("train/bp evaluate").is_ok());
    let [part, kind, training] = [
        "small.toml:41:16: there is no evaluate stage `evaluate/fa`",
        "small.toml:43:8: there is no stage kind `repot`",
        "small.toml:46:12: there is no train or search stage `none`",
    ];
    assert_eq!(said("report other"), part);
    assert_eq!(said("worst"), training);
    assert_eq!(said("worse report"), kind);
    assert_eq!(said(""), [part, kind, training].join("\n"));
}

#[test]
fn what_follows_from_a_complaint_is_not_complained_about() {
    let text = SMALL.replace(
        "[\"evaluate\"]",
        "[\"evaluate/bp\", \"evaluate/fa/seed=2\"]",
    );
    assert!(parse(&text, &[]).is_ok());
    for (wrong, said) in [
        (
            "train.epohcs=3",
            "--set:1:7: [stage.train] has no key `epohcs`",
        ),
        ("train.epochs=0", "--set:1:14: 0 is out of range"),
        (
            "train.seed=3",
            "--set:1:7: `seed` is set both here and by the matrix",
        ),
        ("train=3", "--set:1:7: expected a table, found an integer"),
        (
            "train.kind=3",
            "--set:1:12: expected a string, found an integer",
        ),
        (
            "train.kind=\"trian\"",
            "--set:1:12: there is no stage kind `trian`",
        ),
        ("data=3", "--set:1:6: expected a table, found an integer"),
        ("stage=3", "--set:1:7: expected a table, found an integer"),
        ("method=3", "--set:1:8: expected a table, found an integer"),
        ("network=3", "--set:1:9: expected a table, found an integer"),
        (
            "method.bp.algorithm=3",
            "--set:1:21: expected a string, found an integer",
        ),
        (
            "network.net.layers=3",
            "--set:1:20: expected an array, found an integer",
        ),
        (
            "networks=\"gone.toml\"",
            "--set:1:10: cannot read `gone.toml`: there is no gone.toml",
        ),
        ("trian.epochs=3", "--set:1:1: there is no stage `trian`"),
        (
            "epochs=3",
            "--set:1:1: the pipeline file has no key `epochs`",
        ),
        (
            "train.epochs=nan",
            "--set:1:14: a setting must be finite, and `nan` is not",
        ),
        (
            "train.x=[1, -inf]",
            "--set:1:13: a setting must be finite, and `-inf` is not",
        ),
        (
            "train.network=net",
            "--set:1:1: `train.network=net` is not an override",
        ),
    ] {
        assert_eq!(
            parse(&text, &[wrong]).unwrap_err().to_string(),
            said,
            "{wrong}"
        );
    }
    let complaint = |wrong| parse(&text, &[wrong]).unwrap_err().diagnostics.remove(0);
    assert_eq!(
        complaint("trian.epochs=3").help.unwrap(),
        "did you mean `train`?"
    );
    let said = parse(&text.replace("fa/seed=2", "fa/seed=3"), &[]).unwrap_err();
    assert!(
        said.to_string()
            .contains("no evaluate stage `evaluate/fa/seed=3`"),
        "{said}"
    );
}

#[test]
fn each_complaint_has_its_line_and_column() {
    for (old, new, expected) in [
        (
            "epochs = 3",
            "epoch = 3",
            "small.toml:32:1: [stage.train] has no key `epoch`",
        ),
        (
            "epochs = 3",
            "epochs = 0",
            "small.toml:32:10: 0 is out of range",
        ),
        (
            "epochs = 3",
            "epochs = 3\naugmentation = { flip = \"horizontall\" }",
            "small.toml:33:25: `horizontall` is not known here",
        ),
        (
            "epochs = 3",
            "epochs = 3\naugmentation = { crop = 4 }",
            "small.toml:33:18: `augmentation` has no key `crop`",
        ),
        (
            "epochs = 3",
            "epochs = 3\naugmentation = 4",
            "small.toml:33:16: expected a table",
        ),
        ("\"fc 3\"", "\"fc three\"", "small.toml:6:11: "),
        (
            "[1, 2, 2]",
            "[1, 2]",
            "small.toml:5:9: an input has three sizes",
        ),
        (
            "\"bp\", \"fa\"]",
            "\"pb\"]",
            "small.toml:33:22: there is no method `pb`",
        ),
        (
            "seed = [1, 2]",
            "seed = []",
            "small.toml:33:42: the axis `seed` has no values",
        ),
        (
            "on.other",
            "on.others",
            "small.toml:15:4: there is no network `others`",
        ),
        (
            "dataset = \"data\"",
            "dataset = \"evaluate\"",
            "there is no dataset stage `evaluate`",
        ),
        (
            "kind = \"train\"",
            "kind = \"training\"",
            "there is no stage kind `training`",
        ),
        (
            "[stage.data]",
            "[stage.\"a b\"]",
            "`a b` cannot be a name here",
        ),
        (
            "name = \"small\"",
            "name = \"../up\"",
            "`../up` cannot be a name here",
        ),
        ("0.9 }", "2026-01-01 }", "a date has no meaning"),
        (
            "0.9 }",
            "inf }",
            "a setting must be finite, and `inf` is not",
        ),
        ("name = \"small\"", "name = ", "small.toml:2:8: "),
    ] {
        let said = complaints(old, new);
        assert!(said.contains(expected), "{new}: no {expected:?} in\n{said}");
    }
}

#[test]
fn all_complaints_come_at_once_and_none_twice() {
    let text = SMALL
        .replace("epochs = 3", "epochs = 0\nbatchsize = 1")
        .replace("\"fc 3\"", "\"fd 3\"");
    let error = parse(&text, &[]).unwrap_err();
    assert_eq!(error.diagnostics.len(), 3, "{error}");
}

#[test]
fn overrides_are_pointed_at_like_the_file() {
    let error = parse(SMALL, &["train.epohcs=3"]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "--set:1:7: [stage.train] has no key `epohcs`"
    );
    assert_eq!(
        error.diagnostics[0].help.as_deref(),
        Some("did you mean `epochs`?")
    );
    let error = parse(SMALL, &["train.epochs"]).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("`train.epochs` is not an override"),
        "{error}"
    );
    // A string without quotes is the likeliest slip.
    let error = parse(SMALL, &["train.network=other"]).unwrap_err();
    assert!(
        error.diagnostics[0]
            .help
            .as_ref()
            .unwrap()
            .contains("quotes"),
        "{error:?}"
    );
}

#[test]
fn a_setting_that_the_matrix_sets_too_is_refused() {
    for (setting, at) in [
        ("train.seed=[1, 2, 3]", "seed"),
        ("train.method=\"bp\"", "method"),
    ] {
        let error = parse(SMALL, &[setting]).unwrap_err().to_string();
        let expected = format!("`{at}` is set both here and by the matrix");
        assert!(error.contains(&expected), "{error}");
    }
    // An axis that is added later takes the place of the setting.
    let plan = plan(&["train.matrix.epochs=[1, 2]"]);
    assert_eq!(
        names(&plan)[1..3],
        ["train/bp/seed=1/epochs=1", "train/bp/seed=1/epochs=2"]
    );
}

#[test]
fn a_matrix_too_large_to_be_meant_is_refused() {
    let seeds: Vec<_> = (0..1000).map(|seed| seed.to_string()).collect();
    let axis = format!("[{}]", seeds.join(","));
    let error = parse(
        SMALL,
        &[
            &format!("train.matrix.seed={axis}"),
            &format!("train.matrix.epochs={axis}"),
        ],
    );
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("more than 100000 points")
    );
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "[a-z0-9\\[\\]{}=.,\"' \n-]{0,200}") {
        if let Err(error) = parse(&text, &[]) {
            prop_assert!(!error.diagnostics.is_empty());
        }
    }

    #[test]
    fn no_damage_makes_the_reader_panic(at in 0..SMALL.len(), with in any::<char>()) {
        let mut text = SMALL.to_owned();
        text.replace_range(at..=at, &with.to_string());
        let _ = parse(&text, &[]);
    }

    #[test]
    fn no_override_makes_the_reader_panic(text in "[a-z0-9\\[\\]{}=.\"]{0,40}") {
        let _ = parse(SMALL, &[&text]);
    }
}

const NETWORKS: &str = r#"
[network.shared]
input = [1, 2, 2]
layers = ["fc 3", "softmax 2"]

[network.auto]
input = [1, 2, 2]
layers = ["fc 3", "fc 4"]
"#;

/// `SMALL` with the networks of a file beside its own.
fn parse_with(networks: &str, overrides: &[&str]) -> Result<Plan, SourceError> {
    let overrides: Vec<_> = overrides.iter().map(ToString::to_string).collect();
    let load = |path: &str| {
        Ok(Source {
            name: format!("folder/{path}"),
            text: networks.to_owned(),
        })
    };
    let text = format!("networks = \"networks.toml\"\n{SMALL}");
    Plan::parse("small.toml", &text, &overrides, &[], &load)
}

#[test]
fn networks_come_from_a_file_of_their_own() {
    let shared = "train.network=\"shared\"";
    let layers = |overrides: &[&str]| {
        let plan = parse_with(NETWORKS, overrides).unwrap();
        parameters(&plan, 1)["network"]["layers"].to_string()
    };
    assert_eq!(layers(&[shared]), r#"["fc 3","softmax 2"]"#);
    let wider = "network.shared.layers=[\"fc 5\", \"softmax 2\"]";
    assert_eq!(layers(&[shared, wider]), r#"["fc 5","softmax 2"]"#);
    assert_eq!(layers(&[wider]), r#"["fc 3","softmax 2"]"#);
}

#[test]
fn a_file_of_networks_is_complained_about_at_its_own_lines() {
    let said = |networks: &str| parse_with(networks, &[]).unwrap_err().to_string();
    assert_eq!(
        said(&NETWORKS.replace("\"fc 4\"", "\"fc 5\"")),
        "folder/networks.toml:8:19: layer 2: the network ends with `fc 5` of 5 units; a classifier \
         ends with `softmax N`, N being the number of classes, and an autoencoder with as many \
         units as it has inputs, 4"
    );
    assert_eq!(
        said(&format!("{NETWORKS}[stage.x]\nkind = 1")),
        "folder/networks.toml:9:2: a file of networks has no key `stage`"
    );
    assert!(said("[network").starts_with("folder/networks.toml:1:"));
    assert_eq!(
        said(""),
        "folder/networks.toml:1:1: a file of networks has no `network`"
    );
    assert_eq!(
        said(&NETWORKS.replace("shared", "net")),
        "small.toml:5:10: `networks.toml` has a network `net` too"
    );
}

#[test]
fn a_file_of_networks_that_cannot_be_read_is_complained_about_where_it_is_named() {
    let text = format!("networks = \"gone.toml\"\n{SMALL}");
    assert_eq!(
        parse(&text, &[]).unwrap_err().to_string(),
        "small.toml:1:12: cannot read `gone.toml`: there is no gone.toml"
    );
    let text = format!("networks = 3\n{SMALL}");
    assert_eq!(
        parse(&text, &[]).unwrap_err().to_string(),
        "small.toml:1:12: expected a string, found an integer"
    );
}

#[test]
fn the_networks_of_a_file_are_read_without_the_rest() {
    let names = |text: &str| -> Vec<String> {
        let networks = parse_networks("file.toml", text, &no_file).unwrap();
        networks.into_keys().collect()
    };
    assert_eq!(names(SMALL), ["net", "other"]);
    assert_eq!(names(NETWORKS), ["shared", "auto"]);
    let none = parse_networks("file.toml", "name = \"x\"", &no_file).unwrap_err();
    assert_eq!(none.to_string(), "file.toml:1:1: the file has no `network`");
}

#[test]
fn tasks_do_not_mix() {
    let auto = "network.auto={ input = [1, 2, 2], layers = [\"fc 3\", \"fc 4\"] }";
    let said = |overrides: &[&str]| parse(SMALL, overrides).unwrap_err().to_string();
    parse(SMALL, &[auto, "train.network=\"auto\""]).unwrap();
    assert_eq!(
        said(&[auto, "train.network=\"auto\"", "evaluate.top_k=[1]"]),
        "--set:1:16: a reconstruction has no classes to be among the `top_k`"
    );
    assert_eq!(
        said(&[
            auto,
            "train.network=\"auto\"",
            "report.reference=\"figures.toml\""
        ]),
        "--set:1:18: published figures are errors of classifications, and this report has none"
    );
    let both = "train.matrix={ method = [\"bp\"], network = [\"net\", \"auto\"] }";
    assert_eq!(
        said(&[auto, both]),
        "small.toml:22:16: a report cannot mix classification and reconstruction: their errors \
         have different units"
    );
}
