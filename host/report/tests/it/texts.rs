//! The Markdown and CSV files, word for word.

use std::fs;

use assay_report::{Citation, Figures, Report, read_table};
use scraper::{Html, Selector};
use tempfile::tempdir;

use crate::samples::{reconstruction, small};

fn written(name: &str) -> String {
    let folder = tempdir().unwrap();
    let report = Report::build("Small <table>", small()).unwrap();
    report
        .write(folder.path(), Some("pipeline run small.toml"))
        .unwrap();
    fs::read_to_string(folder.path().join(name)).unwrap()
}

#[test]
fn markdown_is_as_expected() {
    let text = written("table.md");
    let table: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
    assert_eq!(
        table,
        [
            "| Dataset | Network | Method | Seeds | Epochs | Best test epoch: test | Best test epoch: train | Best test epoch: lowest train | Last epoch: test | Last epoch: train | Validation epoch: test | Validation epoch: train |",
            "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
            "| mnist | fc | bp | 2 | 2 | 2.50 ± 0.71 | 1.50 ± 0.71 | 1.25 ± 0.35 | 2.75 ± 1.06 | 1.25 ± 0.35 | 3.50 ± 0.71 | 2.50 ± 0.71 |",
            "| mnist | fc | fa\\|b | 1 | 2 | 6.00 | 5.00 | 4.50 | 6.50 | 4.50 | — | — |",
        ]
    );
    assert!(text.starts_with("# Small &lt;table>\n\n"));
    assert!(text.ends_with("\nMake it again:\n\n```sh\npipeline run small.toml\n```\n"));
}

#[test]
fn csv_is_as_expected() {
    let text = written("table.csv");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[0].starts_with(
        "dataset,network,method,algorithm,hyperparameters,epochs,seeds,diverged,test_error_best_epoch_mean,\
         test_error_best_epoch_sd,test_error_best_epoch_n,train_error_best_epoch_mean,"
    ));
    assert_eq!(
        lines[2],
        "mnist,fc,fa|b,fa|b,\"{\"\"learning_rate\"\":0.001}\",2,1,0,\
         6,,1,5,,1,4.5,,1,6.5,,1,4.5,,1,,,0,,,0,,,0,,,0,,,0,,,0,,,,,,,,"
    );
}

#[test]
fn the_csv_of_a_reconstruction_has_its_own_columns() {
    let folder = tempdir().unwrap();
    let entries = vec![reconstruction("bp", 1, &[(60.5, 50.0)])];
    let report = Report::build("Small", entries).unwrap();
    report.write(folder.path(), None).unwrap();
    let text = fs::read_to_string(folder.path().join("table.csv")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].contains(",seeds,diverged,test_reconstruction_error_best_epoch_mean,"));
    assert!(!lines[0].contains("top_5"));
    assert!(lines[1].contains(",1,1,0,60.5,,1,50,,1,"), "{}", lines[1]);
}

#[test]
fn published_figures_stand_beside_ours() {
    let mut entries = small();
    entries[1].figures = Some(Figures {
        train_error: None,
        test_error: Some(7.25),
        test_top_5_error: None,
    });
    let citation = Citation {
        name: "A. Paper".to_owned(),
        protocol: "As it says.".to_owned(),
    };
    let report = Report::build("Small", entries).unwrap().beside(citation);
    let folder = tempdir().unwrap();
    report.write(folder.path(), None).unwrap();
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert!(read("table.md").contains(
        "## Beside A. Paper\n\nErrors in percent; the difference, ours less the paper’s, is in \
         percentage points. Ours are those of the best test epoch, which is the paper’s choice. \
         As it says.\n\n\
         | Dataset | Network | Method | test error: paper | test error: ours | test error: difference |\n\
         | --- | --- | --- | ---: | ---: | ---: |\n\
         | mnist | fc | fa\\|b | 7.25 | 6.00 | −1.25 |\n"
    ));
    let page = Html::parse_document(&read("report.html"));
    let cells = Selector::parse("[aria-label='Beside A. Paper'] tbody td").unwrap();
    let cells: Vec<String> = page.select(&cells).map(|it| it.text().collect()).collect();
    assert_eq!(cells, ["fc", "7.25", "6.00", "−1.25"]);
    assert!(
        read("table.csv")
            .lines()
            .nth(2)
            .unwrap()
            .ends_with(",7.25,,")
    );
    let rows = read_table(&folder.path().join("table.parquet")).unwrap();
    assert_eq!(rows, report.rows());
}
