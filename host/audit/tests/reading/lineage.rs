//! Walks from step to step, on stores that nobody would make by running stages too.

use assay_audit::lineage::{Direction, Lineage, Maker, Row, RowError};
use assay_audit::{Index, Subject};
use assay_core::StageKind;
use serde_json::json;

use crate::support::{Sample, Stage};

fn walk(sample: &Sample, name: &str, direction: Direction) -> Lineage {
    let index = Index::read(&sample.store).unwrap();
    let subject = Subject::find(&sample.store, &index, name).unwrap();
    Lineage::of(&sample.store, &index, &subject, direction)
}

fn rows(sample: &Sample, name: &str, rows: &[&str]) -> Result<Lineage, RowError> {
    let index = Index::read(&sample.store).unwrap();
    let subject = Subject::find(&sample.store, &index, name).unwrap();
    let rows: Vec<Row> = rows.iter().map(|row| row.parse().unwrap()).collect();
    Lineage::of_rows(&sample.store, &index, &subject, &rows)
}

/// The kinds of the steps, in their order.
fn kinds(lineage: &Lineage) -> Vec<&'static str> {
    let steps = lineage.steps.iter().map(|step| match &step.maker {
        Maker::Action(execution) => execution.action.as_ref().map_or("?", |it| it.kind.name()),
        Maker::Unknown => "unknown",
        Maker::Object(_) => "object",
    });
    steps.collect()
}

/// A report of two trainings.
fn report(sample: &Sample) -> Vec<Stage> {
    let (one, two) = (sample.stages(1), sample.stages(2));
    let entry = |method: &str, number: u32| {
        json!({
            "method": method, "network": "n", "dataset": "d",
            "training": format!("training-{number}"), "evaluation": format!("evaluation-{number}"),
        })
    };
    let parameters = json!({ "title": "t", "entries": [entry("bp", 0), entry("fa", 1)] });
    let inputs = [
        ("training-0", one[1].artifact),
        ("evaluation-0", one[2].artifact),
        ("training-1", two[1].artifact),
        ("evaluation-1", two[2].artifact),
    ];
    let table = sample.artifact("table.txt", "table");
    let action = sample.gave(StageKind::Report, &parameters, &inputs, table);
    let report = Stage {
        name: "report".to_owned(),
        action,
        artifact: table,
    };
    one.into_iter()
        .chain(two.into_iter().skip(1))
        .chain([report])
        .collect()
}

#[test]
fn a_table_rests_on_its_trainings_and_the_download() {
    let sample = Sample::new();
    sample.run("sample", 5, &report(&sample));
    let lineage = walk(&sample, "sample:report", Direction::Up);
    let mut found = kinds(&lineage);
    found.sort_unstable();
    assert_eq!(
        found,
        [
            "dataset", "evaluate", "evaluate", "report", "train", "train"
        ]
    );
    assert_eq!(kinds(&lineage)[lineage.roots[0]], "report");
    let dataset = lineage
        .steps
        .iter()
        .find(|step| step.next.is_empty())
        .unwrap();
    let Maker::Action(execution) = &dataset.maker else {
        panic!("no action");
    };
    let digests = execution
        .sources
        .iter()
        .map(|source| source.file.digest.parts());
    let digests: Vec<_> = digests.collect();
    assert_eq!(digests.len(), 4);
    assert!(
        digests
            .iter()
            .all(|(function, digits)| *function == "sha256" && digits.len() == 64)
    );
}

#[test]
fn a_row_rests_on_its_own_training() {
    let sample = Sample::new();
    let stages = report(&sample);
    sample.run("sample", 5, &stages);
    for asked in [
        &["method=bp"][..],
        &["seed=1"],
        &["method=bp", "dataset=d", "seed=1"],
    ] {
        let lineage = rows(&sample, "sample:report", asked).unwrap();
        let artifacts: Vec<_> = lineage
            .steps
            .iter()
            .filter_map(|step| step.artifact)
            .collect();
        assert!(artifacts.contains(&stages[1].artifact), "{asked:?}");
        assert!(!artifacts.contains(&stages[3].artifact), "{asked:?}");
        assert_eq!(lineage.steps.len(), 4, "{asked:?}");
    }
    let unknown = rows(&sample, "sample:report", &["method=dtp"]).unwrap_err();
    let text = unknown.to_string();
    assert!(text.contains("no row with method=dtp"), "{text}");
    assert!(text.contains("method=fa network=n dataset=d"), "{text}");
    let none = rows(&sample, "sample:train", &["method=bp"]);
    assert!(matches!(none, Err(RowError::NoReport)));
    assert!("method".parse::<Row>().is_err() && "=bp".parse::<Row>().is_err());
}

#[test]
fn down_from_the_data_lies_all_that_was_made_of_it() {
    let sample = Sample::new();
    sample.run("sample", 5, &report(&sample));
    let lineage = walk(&sample, "sample:data", Direction::Down);
    assert_eq!(kinds(&lineage).len(), 6);
    let report = lineage
        .steps
        .iter()
        .find(|step| step.next.is_empty())
        .unwrap();
    assert_eq!(report.uses[0].stage, "report");
    let evaluation = walk(&sample, "sample:evaluate", Direction::Down);
    assert_eq!(kinds(&evaluation), ["evaluate", "report"]);
}

#[test]
fn the_run_that_is_asked_about_says_which_of_two_makers_it_was() {
    let sample = Sample::new();
    let stages = sample.stages(1);
    let again = sample.gave(
        StageKind::Train,
        &json!({ "seed": 9 }),
        &[],
        stages[1].artifact,
    );
    let mut others = stages.clone();
    others[1].action = again;
    sample.run("first", 5, &stages);
    sample.run("second", 6, &others);
    for (name, maker) in [
        ("first:evaluate", stages[1].action),
        ("second:evaluate", again),
    ] {
        let lineage = walk(&sample, name, Direction::Up);
        let made = lineage
            .steps
            .iter()
            .find(|step| step.artifact == Some(stages[1].artifact));
        let Some(Maker::Action(execution)) = made.map(|step| &step.maker) else {
            panic!("no maker");
        };
        assert_eq!((execution.key, execution.others), (maker, 1), "{name}");
    }
}

#[test]
fn what_nobody_made_and_what_cannot_be_read_is_the_end() {
    let sample = Sample::new();
    let stray = sample.artifact("stray.txt", "stray");
    let made = sample.artifact("made.txt", "made");
    let action = sample.gave(StageKind::Train, &json!({}), &[("dataset", stray)], made);
    assert_eq!(
        kinds(&walk(&sample, &made.short(), Direction::Up)),
        ["train", "unknown"]
    );
    sample.lose(action);
    assert_eq!(kinds(&walk(&sample, &made.short(), Direction::Up)), ["?"]);
}

#[test]
fn a_circle_ends_and_a_long_chain_does_too() {
    let sample = Sample::new();
    let (one, two) = (
        sample.artifact("one.txt", "1"),
        sample.artifact("two.txt", "2"),
    );
    sample.gave(StageKind::Train, &json!({}), &[("it", one)], two);
    sample.gave(StageKind::Train, &json!({}), &[("it", two)], one);
    for direction in [Direction::Up, Direction::Down] {
        assert_eq!(walk(&sample, &one.short(), direction).steps.len(), 2);
    }
    let mut last = one;
    for number in 0..100 {
        let next = sample.artifact("next.txt", &format!("next {number}"));
        sample.gave(StageKind::Evaluate, &json!({}), &[("it", last)], next);
        last = next;
    }
    assert_eq!(walk(&sample, &last.short(), Direction::Up).steps.len(), 102);
}
