//! The Markdown and CSV files, word for word.

use std::fs;

use assay_report::{Citation, Figures, PublishedConditions, Report, read_table};
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
            "| Dataset | Network | Method | Seeds | Epochs | Validation epoch: test | Validation epoch: train | Validation epoch: epoch | Last epoch: test | Last epoch: train | Best test epoch: test | Best test epoch: train | Best test epoch: lowest train | Best test epoch: epoch |",
            "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
            "| mnist | fc | bp | 2 | 2 | 3.50 ± 0.71 | 2.50 ± 0.71 | 1 | 2.75 ± 1.06 | 1.25 ± 0.35 | 2.50 ± 0.71 | 1.50 ± 0.71 | 1.25 ± 0.35 | 1–2 |",
            "| mnist | fc | fa\\|b | 1 | 2 | — | — | — | 6.50 | 4.50 | 6.00 | 5.00 | 4.50 | 1 |",
        ]
    );
    assert!(text.starts_with(
        "# Small &lt;table>\n\n\
         - **mnist, fc:** 55,000 training images · none held out for validation · 10,000 test images · \
         2 epochs · batches of 128 · 1 to 2 seeds · configurations as given · computed on cpu\n\n"
    ));
    assert!(text.ends_with("\nMake it again:\n\n```sh\npipeline run small.toml\n```\n"));
}

#[test]
fn csv_is_as_expected() {
    let text = written("table.csv");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[0].starts_with(
        "dataset,network,method,algorithm,hyperparameters,epochs,seeds,diverged,\
         diverged_in_epoch_lowest,diverged_in_epoch_highest,batch_size,train_images,validation_images,\
         test_images,device,best_epoch_lowest,best_epoch_highest,validation_epoch_lowest,\
         validation_epoch_highest,test_error_best_epoch_mean,\
         test_error_best_epoch_sd,test_error_best_epoch_n,train_error_best_epoch_mean,"
    ));
    assert_eq!(
        lines[2],
        "mnist,fc,fa|b,fa|b,\"{\"\"learning_rate\"\":0.001}\",2,1,0,\
         ,,128,55000,,10000,cpu,1,1,,,\
         6,,1,5,,1,4.5,,1,6.5,,1,4.5,,1,,,0,,,0,,,0,,,0,,,0,,,0,,,,,,,,,,,,"
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
    assert!(
        lines[0].contains(",validation_epoch_highest,test_reconstruction_error_best_epoch_mean,")
    );
    assert!(!lines[0].contains("top_5"));
    assert!(lines[1].contains(",1,1,,,60.5,,1,50,,1,"), "{}", lines[1]);
}

#[test]
fn published_figures_stand_beside_ours() {
    let mut entries = small();
    entries[1].figures = Some(Figures {
        train_error: None,
        test_error: Some(7.25),
        test_top_5_error: None,
        conditions: PublishedConditions {
            epochs: Some(500),
            train_images: Some(60_000),
            test_images: Some(10_000),
            configurations: None,
        },
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
         | Dataset | Network | Method | test error: paper | test error: ours | test error: difference | conditions |\n\
         | --- | --- | --- | ---: | ---: | ---: | --- |\n\
         | mnist | fc | fa\\|b | 7.25 | 6.00 | −1.25 | \
         2 of 500 epochs, 55,000 of 60,000 training images: not comparable |\n"
    ));
    let page = Html::parse_document(&read("report.html"));
    let cells = Selector::parse("[aria-label='Beside A. Paper'] tbody td").unwrap();
    let cells: Vec<String> = page.select(&cells).map(|it| it.text().collect()).collect();
    assert_eq!(cells, ["fc", "7.25", "6.00", "−1.25"]);
    let warning = Selector::parse(".warning").unwrap();
    let warning: Vec<String> = page
        .select(&warning)
        .map(|it| it.text().collect())
        .collect();
    assert_eq!(
        warning,
        ["Not comparable: 2 of 500 epochs, 55,000 of 60,000 training images"]
    );
    assert!(
        read("table.csv")
            .lines()
            .nth(2)
            .unwrap()
            .ends_with(",7.25,,,500,60000,10000,")
    );
    let rows = read_table(&folder.path().join("table.parquet")).unwrap();
    assert_eq!(rows, report.rows());
}

#[test]
fn latex_has_the_numbers_of_the_other_formats() {
    let text = written("table.tex");
    assert!(text.contains(
        "bp & 2 & 3.50 $\\pm$ 0.71 & 2.50 $\\pm$ 0.71 & 1 & 2.75 $\\pm$ 1.06 & 1.25 $\\pm$ 0.35 & \
         2.50 $\\pm$ 0.71 & 1.50 $\\pm$ 0.71 & 1.25 $\\pm$ 0.35 & 1--2 \\\\\n"
    ), "{text}");
    assert!(
        text.contains("fa\\textbar{}b & 1 & --- & --- & --- & 6.50"),
        "{text}"
    );
    let columns = text
        .split_once("{lr")
        .unwrap()
        .1
        .split_once('}')
        .unwrap()
        .0
        .len()
        + 2;
    let rows = text
        .lines()
        .filter(|line| line.starts_with("bp &") || line.starts_with("Method &"));
    for row in rows {
        assert_eq!(row.matches('&').count() + 1, columns, "{row}");
    }
}

#[test]
fn latex_prints_any_name_as_text() {
    let mut hostile = crate::samples::entry(r"\input{x} %$&_#^~{}", 1, &[(1.0, 0.0)]);
    hostile.dataset = "a\n\\end{tabular}".to_owned();
    let folder = tempdir().unwrap();
    let report = Report::build("a\nb", vec![hostile]).unwrap();
    report.write(folder.path(), None).unwrap();
    let text = fs::read_to_string(folder.path().join("table.tex")).unwrap();
    assert!(
        text.contains(
            r"\textbackslash{}input\{x\} \%\$\&\_\#\textasciicircum{}\textasciitilde{}\{\} & 1"
        ),
        "{text}"
    );
    let ends = text
        .lines()
        .filter(|line| !line.starts_with('%') && line.contains("\\end{tabular}"));
    assert_eq!(ends.count(), 1, "{text}");
}
