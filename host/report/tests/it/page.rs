//! The HTML page, read by the parser of a browser.

use std::fs;

use assay_report::{Report, ReportEntry};
use scraper::{Html, Selector};
use tempfile::tempdir;

use crate::samples::{entry, reconstruction, small};

fn page(entries: Vec<ReportEntry>) -> String {
    let folder = tempdir().unwrap();
    let report = Report::build("Small", entries).unwrap();
    report
        .write(folder.path(), Some("pipeline run a.toml && echo '<done>'"))
        .unwrap();
    fs::read_to_string(folder.path().join("report.html")).unwrap()
}

/// The page as a browser builds it; a parse error fails the test.
fn parse(text: &str) -> Html {
    let html = Html::parse_document(text);
    assert!(html.errors.is_empty(), "{:?}", html.errors);
    html
}

fn texts(html: &Html, selector: &str) -> Vec<String> {
    let selector = Selector::parse(selector).unwrap();
    html.select(&selector)
        .map(|element| element.text().collect())
        .collect()
}

#[test]
fn the_table_has_the_numbers() {
    let html = parse(&page(small()));
    assert_eq!(texts(&html, "tbody th[scope=row]"), ["bp", "fa|b"]);
    let cells = texts(&html, "tbody tr:last-child td");
    assert_eq!(
        cells,
        ["1", "2", "6.00", "5.00", "4.50", "6.50", "4.50", "—", "—"]
    );
}

#[test]
fn a_reconstruction_has_its_own_columns_words_and_axes() {
    let text = page(vec![reconstruction("bp", 1, &[(60.0, 50.0), (40.5, 41.0)])]);
    let html = parse(&text);
    assert_eq!(
        texts(&html, "tbody tr:last-child td"),
        [
            "1", "2", "40.500", "41.000", "41.000", "40.500", "41.000", "—", "—"
        ]
    );
    assert!(texts(&html, "h2").contains(&"Reconstruction errors as squared distances".to_owned()));
    assert_eq!(
        texts(&html, "svg text.heading"),
        ["Test reconstruction error", "Train reconstruction error"]
    );
    let described = texts(&html, "svg desc").concat();
    assert!(
        described.contains("bp: 60.000 after epoch 1, 40.500 after epoch 2."),
        "{described}"
    );
    assert!(!text.contains("percent") && !text.contains("error, %"));
}

#[test]
fn every_row_of_the_table_is_as_wide_as_its_head() {
    let html = parse(&page(small()));
    let body = texts(&html, "tbody tr:last-child > *").len();
    let head = texts(&html, "thead tr:first-child > [rowspan]").len()
        + texts(&html, "thead tr:last-child > *").len();
    assert_eq!(body, head);
}

#[test]
fn names_are_text_and_never_markup() {
    let mut hostile = entry("<script>alert(1)</script>", 1, &[(5.0, 4.0), (4.0, 3.0)]);
    hostile.dataset = "\"><img src=x onerror=alert(1)>".to_owned();
    hostile
        .hyperparameters
        .insert("</dl><script>".to_owned(), "</details>".into());
    let html = parse(&page(vec![hostile]));
    assert!(texts(&html, "script, img, iframe").is_empty());
    assert_eq!(
        texts(&html, "tbody th[scope=row]"),
        ["<script>alert(1)</script>"]
    );
    assert_eq!(
        texts(&html, "pre"),
        ["pipeline run a.toml && echo '<done>'"]
    );
    assert!(texts(&html, "dt").contains(&"</dl><script>".to_owned()));
}

#[test]
fn nothing_is_fetched_from_elsewhere() {
    let text = page(small());
    let html = parse(&text);
    assert!(texts(&html, "[src], [href], link, script").is_empty());
    assert!(!text.contains("url(") && !text.contains("@import") && !text.contains("://"));
}

#[test]
fn charts_are_named_and_described_by_unique_ids() {
    let html = parse(&page(small()));
    let charts = Selector::parse("svg[role=img]").unwrap();
    let mut names = Vec::new();
    for chart in html.select(&charts) {
        let ids = chart.attr("aria-labelledby").unwrap().split(' ');
        for id in ids {
            assert_eq!(texts(&html, &format!("[id='{id}']")).len(), 1);
            names.push(id);
        }
    }
    assert_eq!(names.len(), 4);
    let described = texts(&html, "svg desc").concat();
    assert!(
        described.contains("bp: 3.50 after epoch 1, 2.75 after epoch 2."),
        "{described}"
    );
}

#[test]
fn a_line_per_method_and_a_band_per_spread() {
    let html = parse(&page(small()));
    assert_eq!(texts(&html, ".panels path.line").len(), 4);
    assert_eq!(texts(&html, ".panels path.band").len(), 2);
}

#[test]
fn coordinates_are_numbers_whatever_the_curve() {
    let odd = [
        vec![entry("one epoch", 1, &[(5.0, 4.0)])],
        vec![entry("nothing left", 1, &[(0.0, 0.0), (0.0, 0.0)])],
        vec![entry("all wrong", 1, &[(100.0, 100.0), (100.0, 100.0)])],
        vec![entry(
            "diverged",
            1,
            &[(f64::NAN, f64::NAN), (f64::INFINITY, 1e-300)],
        )],
        vec![entry("never finite", 1, &[(f64::NAN, f64::NAN)])],
    ];
    for entries in odd {
        let text = page(entries);
        parse(&text);
        assert!(!text.contains("NaN") && !text.contains("\"inf") && !text.contains(" inf"));
    }
}

#[test]
fn the_same_report_gives_the_same_bytes() {
    assert_eq!(page(small()), page(small()));
}
