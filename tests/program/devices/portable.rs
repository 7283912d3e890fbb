//! Portable algorithms on cards that are emulated: the bits of a processor, and its actions.

use std::fs;

use assay_tests::CLASSES;

use super::machine::{H100, Machine, emulated};

/// Writes a pipeline of two portable rules, with windows and fully connected, and what is measured of them.
pub(super) fn portable_pipeline(machine: &Machine) {
    let text = format!(
        r#"name = "portable"
[network.fc]
input = [1, 8, 8]
layers = ["fc 20", "fc 10", "softmax {CLASSES}"]
[network.lc]
input = [1, 8, 8]
layers = ["lc 3x3 4 s2", "softmax {CLASSES}"]
[method.bp]
algorithm = "bp"
[method.dtp]
algorithm = "dtp"
[stage.data]
kind = "dataset"
source = "idx"
path = "data"
classes = {CLASSES}
validation = 100
[stage.train]
kind = "train"
dataset = "data"
epochs = 2
augmentation = {{ crop_padding = 2, flip = "horizontal" }}
matrix = {{ network = ["fc", "lc"], method = ["bp", "dtp"] }}
[stage.evaluate]
kind = "evaluate"
training = "train"
"#
    );
    fs::write(machine.sandbox.path("pipeline.toml"), text).unwrap();
}

#[test]
fn a_portable_algorithm_on_a_card_gives_what_it_gives_on_a_processor() {
    let machine = emulated(&[H100]);
    portable_pipeline(&machine);
    let on_card = machine.run("cuda", &["--portable"]).exits(0);
    assert!(on_card.stdout.contains("9 ran"), "{on_card:?}");
    let trainings = machine.trainings();
    assert_eq!(trainings.len(), 4);
    for training in &trainings {
        let environment = training.environment.as_ref().unwrap();
        assert_eq!(environment.device, "cpu");
        assert_eq!(environment.cuda, None);
    }
    let name = "NVIDIA H100 80GB HBM3";
    let mut on_cards = machine.results();
    on_cards.retain(|result| result.card.is_some());
    assert_eq!(on_cards.len(), 8);
    for result in on_cards {
        assert_eq!(result.card.as_deref(), Some(name));
        let key = result.action.to_string();
        let shown = machine.execute(&["show", &key]).exits(0);
        assert!(shown.stdout.contains(name), "{shown:?}");
    }
    let logs = machine.logs();
    let kept = "keeps these splits where it computes: train, validation, test";
    assert_eq!(
        logs.iter().filter(|log| log.contains(kept)).count(),
        4,
        "{logs:#?}"
    );
    // Whoever has no card finds everything done, and does it again with the same bits.
    let on_processor = machine.run("cpu", &[]).exits(0);
    assert!(on_processor.stdout.contains("9 cached"), "{on_processor:?}");
    let rerun = ["audit", "latest", "--rerun", "--data-dir", "data"];
    let same = machine.execute(&rerun).exits(0);
    assert!(same.stdout.contains("9 the same"), "{same:?}");
    let on_card = [&rerun[..], &["--device", "cuda", "--portable"]].concat();
    let same = machine.execute(&on_card).exits(0);
    assert!(same.stdout.contains("9 the same"), "{same:?}");
    let check = [
        "plugin", "check", "dtp", "--only", "portable", "--device", "cuda",
    ];
    let checked = machine.execute(&check).exits(0);
    assert!(checked.stdout.contains("and with a card"), "{checked:?}");
    // It was this card that computed.
    let other = machine.set("ASSAY_EMULATED_CARD", "/nowhere.so");
    let failed = other.execute(&on_card).exits(2);
    assert!(failed.stdout.contains("/nowhere.so"), "{failed:?}");
    let failed = other.execute(&check).exits(1);
    assert!(failed.stdout.contains("with a card"), "{failed:?}");
}

#[test]
fn what_is_portable_goes_with_cards_of_this_machine_alone() {
    let machine = Machine::new(&[H100]);
    let alone = machine
        .execute(&["run", "pipeline.toml", "--portable"])
        .exits(2);
    assert!(alone.stderr.contains("--device"), "{alone:?}");
    let elsewhere = machine.run(
        "cuda",
        &["--portable", "--executor", "slurm", "--hub", "hub"],
    );
    assert!(elsewhere.exits(2).stderr.contains("--executor"));
    // What says nothing of being portable computes on a card as before.
    let _ = machine.run("cuda", &["--portable"]).exits(0);
    let environment = machine.trainings()[0].environment.clone().unwrap();
    assert_eq!(environment.device, "cuda");
    assert!(environment.cuda.is_some());
}
