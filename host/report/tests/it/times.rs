//! The page of times beside a report.

use std::fs;

use assay_report::{Report, TIMES, TimedTraining, read_table, read_trainings, write_times};
use scraper::Html;
use tempfile::tempdir;

use crate::page::texts;
use crate::samples::entry;

/// Two seeds of backpropagation and one of feedback alignment, with these times of epochs.
fn page(epoch_ms: impl Fn(&str, u64) -> Vec<u64>) -> Option<Html> {
    page_with_cards(epoch_ms, |_| None, |_| None)
}

/// The same, where trainings of a method computed on a card, so many at once.
fn page_with_cards(
    epoch_ms: impl Fn(&str, u64) -> Vec<u64>,
    card: impl Fn(&str) -> Option<&'static str>,
    at_once: impl Fn(&str) -> Option<u32>,
) -> Option<Html> {
    let folder = tempdir().unwrap();
    let mut diverged = entry("tp", 1, &[(90.0, 90.0)]);
    diverged.diverged_in_epoch = Some(1);
    let entries = vec![
        entry("bp", 1, &[(11.0, 1.0), (4.0, 1.0), (2.0, 1.0)]),
        entry("bp", 2, &[(9.0, 1.0), (4.0, 1.0), (2.0, 1.0)]),
        entry("fa", 1, &[(8.0, 1.0), (5.0, 1.0), (3.5, 1.0)]),
        diverged,
    ];
    let report = Report::build("Small", entries).unwrap();
    report.write(folder.path(), None).unwrap();
    let rows = read_table(&folder.path().join("table.parquet")).unwrap();
    let trainings = read_trainings(&folder.path().join("metrics.parquet")).unwrap();
    let timed = trainings.into_iter().map(|training| TimedTraining {
        epoch_ms: epoch_ms(&training.label.method, training.seed),
        multiply_adds: match training.label.method.as_str() {
            "bp" => Some(1_234_500),
            "fa" => Some(617_250),
            _ => None,
        },
        card: card(&training.label.method).map(str::to_owned),
        at_once: at_once(&training.label.method),
        transports: (training.label.method == "bp").then(|| "<W>".to_owned()),
        training,
        host: "<there>".to_owned(),
    });
    let timed: Vec<_> = timed.collect();
    let written = write_times(folder.path(), "<Small>", &rows, &timed).unwrap();
    let text = fs::read_to_string(folder.path().join(TIMES));
    assert_eq!(written, text.is_ok());
    text.ok().map(|text| Html::parse_document(&text))
}

/// The cells of a row of the table with this title.
fn cells(html: &Html, title: &str, row: usize) -> Vec<String> {
    let table = format!("[aria-label='{title}'] tbody tr:nth-child({row}) > *");
    texts(html, &table)
}

const TIME: &str = "Time per step and time to accuracy";
const COST: &str = "Multiply-adds and signals of a training step";

#[test]
fn times_are_those_of_steps_and_of_errors_reached() {
    let html = page(|method, seed| match (method, seed) {
        ("bp", 1) => vec![430, 860, 860],
        ("bp", _) => vec![430, 860, 1290],
        ("fa", _) => vec![1290, 1290, 1290],
        _ => vec![9, 9, 9],
    });
    let html = html.unwrap();
    assert_eq!(texts(&html, "h1"), ["Times of <Small>"]);
    assert!(texts(&html, "p")[0].contains("Measured on <there>,"));
    // 430 steps in an epoch; the lowest error is 2.
    let expected = [
        "mnist", "fc", "bp", "128", "0.860", "2.00", "1.00", "2.37", "2.37", "1.29",
    ];
    assert_eq!(cells(&html, TIME, 1), expected);
    let expected = [
        "mnist", "fc", "fa", "128", "1.29", "3.00", "1.50", "—", "—", "3.87",
    ];
    assert_eq!(cells(&html, TIME, 2), expected);
    assert!(
        cells(&html, TIME, 3).is_empty(),
        "what diverged is not timed"
    );
    let described = texts(&html, "svg desc").concat();
    assert!(
        described.contains("bp: 2.00 after 2.37 s. fa: 3.50 after 3.87 s."),
        "{described}"
    );
}

#[test]
fn multiply_adds_are_compared_with_backpropagation() {
    let html = page(|_, _| vec![10; 3]).unwrap();
    let expected = ["mnist", "fc", "bp", "1,234,500", "1.00", "<W>"];
    assert_eq!(cells(&html, COST, 1), expected);
    let expected = ["mnist", "fc", "fa", "617,250", "0.50", "—"];
    assert_eq!(cells(&html, COST, 2), expected);
}

#[test]
fn times_on_a_card_are_compared_with_those_on_the_same() {
    let relative = |card: fn(&str) -> Option<&'static str>| {
        let html = page_with_cards(|_, _| vec![10; 3], card, |_| None).unwrap();
        assert!(
            texts(&html, "main p")
                .join(" ")
                .contains("<there> (<H100>)")
        );
        cells(&html, TIME, 2)[6].clone()
    };
    assert_eq!(relative(|_| Some("<H100>")), "1.00");
    assert_eq!(relative(|method| (method == "bp").then_some("<H100>")), "—");
    let other = |method: &str| Some(if method == "bp" { "<H100>" } else { "A100" });
    assert_eq!(relative(other), "—");
    let shared = |at_once: fn(&str) -> Option<u32>| {
        let html = page_with_cards(|_, _| vec![10; 3], |_| Some("H100"), at_once).unwrap();
        let machines = texts(&html, "main p").join(" ");
        assert!(machines.contains("<there> (H100, 8 at once)"));
        cells(&html, TIME, 2)[6].clone()
    };
    assert_eq!(shared(|_| Some(8)), "1.00");
    assert_eq!(shared(|method| (method == "bp").then_some(8)), "—");
}

#[test]
fn trainings_without_times_have_no_page() {
    assert!(page(|_, _| Vec::new()).is_none());
    // Other methods are compared with backpropagation only where it has a time.
    let html = page(|method, _| {
        if method == "fa" {
            vec![10; 3]
        } else {
            Vec::new()
        }
    });
    let html = html.unwrap();
    let times = cells(&html, TIME, 1);
    assert_eq!(times[2..7], ["fa", "128", "0.010", "0.023", "—"]);
    assert_eq!(cells(&html, COST, 1)[2..], ["fa", "617,250", "—", "—"]);
}
