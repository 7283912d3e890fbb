//! The HTML page, read by the parser of a browser.

use std::fs;

use assay_report::{Report, ReportEntry};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use scraper::{Html, Selector};
use sha2::{Digest as _, Sha256};
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

pub(crate) fn texts(html: &Html, selector: &str) -> Vec<String> {
    let selector = Selector::parse(selector).unwrap();
    html.select(&selector)
        .map(|element| element.text().collect())
        .collect()
}

#[test]
fn the_table_has_the_numbers() {
    let html = parse(&page(small()));
    assert_eq!(
        texts(&html, "main > .scroll:first-of-type tbody th[scope=row]"),
        ["bp", "fa|b"]
    );
    let cells = texts(&html, "main > .scroll:first-of-type tbody tr:last-child td");
    assert_eq!(
        cells,
        [
            "—", "—", "—", "6.50", "4.50", "6.00", "5.00", "4.50", "1", "2", "1"
        ]
    );
}

#[test]
fn a_reconstruction_has_its_own_columns_words_and_axes() {
    let text = page(vec![reconstruction("bp", 1, &[(60.0, 50.0), (40.5, 41.0)])]);
    let html = parse(&text);
    assert_eq!(
        texts(&html, "main > .scroll:first-of-type tbody tr:last-child td"),
        [
            "40.500", "41.000", "40.500", "41.000", "41.000", "2", "2", "1"
        ]
    );
    assert!(texts(&html, "h2").contains(&"Reconstruction errors as squared distances".to_owned()));
    assert_eq!(
        texts(&html, "svg text.heading"),
        [
            "Test reconstruction error, last epoch",
            "Test reconstruction error",
            "Train reconstruction error"
        ]
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
    let scripts = texts(&html, "script");
    assert!(scripts.len() == 1 && !scripts[0].contains("alert"));
    assert!(texts(&html, "img, iframe").is_empty());
    assert_eq!(
        texts(&html, "main > .scroll:first-of-type tbody th[scope=row]"),
        ["<script>alert(1)</script>"]
    );
    let listings = texts(&html, "pre");
    assert_eq!(
        listings.last().map(String::as_str),
        Some("pipeline run a.toml && echo '<done>'")
    );
    assert!(listings[0].contains("</dl><script> = \"</details>\"\n"));
}

#[test]
fn nothing_is_fetched_from_elsewhere() {
    let text = page(small());
    let html = parse(&text);
    assert!(texts(&html, "[src], link, [style], [onclick]").is_empty());
    let links = Selector::parse("[href]").unwrap();
    for link in html.select(&links) {
        let target = link.attr("href").unwrap();
        let id = target
            .strip_prefix('#')
            .expect("links lead to parts of the page");
        assert_eq!(
            html.select(&Selector::parse(&format!("[id='{id}']")).unwrap())
                .count(),
            1,
            "{target}"
        );
    }
    let elsewhere = text.replace("http://www.w3.org/2000/svg", "");
    assert!(!text.contains("url(") && !text.contains("@import") && !elsewhere.contains("://"));
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
    assert_eq!(names.len(), 8);
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
        let (text, _) = text.split_once("<script>").unwrap();
        assert!(!text.contains("NaN") && !text.contains("\"inf") && !text.contains(" inf"));
    }
}

#[test]
fn the_same_report_gives_the_same_bytes() {
    assert_eq!(page(small()), page(small()));
}

#[test]
fn the_policy_allows_the_style_and_script_of_the_page_alone() {
    let html = parse(&page(small()));
    let policy = Selector::parse("meta[http-equiv=Content-Security-Policy]").unwrap();
    let policy = html
        .select(&policy)
        .next()
        .unwrap()
        .attr("content")
        .unwrap();
    for (directive, element) in [("style-src", "style"), ("script-src", "script")] {
        let digest = BASE64.encode(Sha256::digest(&texts(&html, element)[0]));
        assert!(
            policy.contains(&format!("{directive} 'sha256-{digest}'")),
            "{policy}"
        );
    }
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"));
}

#[test]
fn a_training_that_diverged_is_a_row() {
    let mut diverged = entry("sdtp", 1, &[(90.0, 90.0)]);
    diverged.diverged_in_epoch = Some(2);
    diverged.epochs = 5;
    let html = parse(&page(vec![entry("bp", 1, &[(5.0, 4.0)]), diverged]));
    let cells = texts(&html, "main > .scroll:first-of-type tbody tr:last-child td");
    assert_eq!(cells[cells.len() - 1], "1, diverged in epoch 2");
    assert!(
        cells[..cells.len() - 2].iter().all(|cell| cell == "—"),
        "{cells:?}"
    );
}

#[test]
fn every_number_leads_to_the_hashes_of_its_trainings() {
    let html = parse(&page(small()));
    let link = Selector::parse("main > .scroll:first-of-type tbody tr:last-child td a").unwrap();
    let links: Vec<_> = html
        .select(&link)
        .map(|it| it.attr("href").unwrap())
        .collect();
    assert_eq!(links, ["#row-2"; 9]);
    let origin = texts(&html, "#row-2 pre");
    let expected = [
        "seed  validation  last  best  training                  evaluation",
        "   1           —  6.50  6.00  training of fa|b, seed 1  evaluation of fa|b, seed 1",
    ];
    assert_eq!(origin[1], expected.join("\n"));
    assert!(
        origin[0].starts_with("algorithm = \"fa|b\"\nepochs = 2\n"),
        "{}",
        origin[0]
    );
}

/// The size that the largest page is allowed: 17 methods, 4 networks, 500 epochs, 10 seeds.
const LARGEST: usize = 1_000_000;
/// The elements that it is allowed.
const MOST_ELEMENTS: usize = 6_000;

#[test]
fn a_page_of_many_trainings_stays_small() {
    let mut entries = Vec::new();
    let mut random = 1_u64;
    for network in ["mnist-fc", "mnist-lc", "cifar-fc", "cifar-lc"] {
        for method in 0..17 {
            for seed in 1..=10 {
                let mut errors = Vec::new();
                for epoch in 1..=500_u32 {
                    // Noise like that of a test error.
                    random = random
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1);
                    let noise = (random >> 40) as f64 / f64::from(1_u32 << 24);
                    let error =
                        2.0 + f64::from(method) / 10.0 + 30.0 / f64::from(epoch) + 0.2 * noise;
                    errors.push((error, error / 2.0));
                }
                let mut one = entry(&format!("method-{method}"), seed, &errors);
                network.clone_into(&mut one.network);
                for name in ["beta1", "beta2", "epsilon", "feedback_scale", "noise"] {
                    one.hyperparameters.insert(name.to_owned(), 0.5.into());
                }
                entries.push(one);
            }
        }
    }
    let text = page(entries);
    assert!(text.len() <= LARGEST, "{} bytes", text.len());
    let nodes = texts(&parse(&text), "*").len();
    assert!(nodes <= MOST_ELEMENTS, "{nodes} elements");
    let small = page(small());
    assert!(small.len() <= 120_000, "{} bytes", small.len());
}
