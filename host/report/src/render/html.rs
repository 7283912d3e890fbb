//! The report as one self-contained page: no request leaves it, by its own content policy, and nothing in it
//! needs the script. It owns the page's structure; its looks are in `style.css`, its figures in `figures`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::comparison::{Comparison, HEADINGS, comparison};
use super::figures::{Figure, Line, NetworkRows, Strip, figures, networks};
use super::sections::Section;
use super::selection::{CHOSEN_ON_TEST, Selection, measured, selections};
use crate::conditions::{describe, shortfalls};
use crate::entry::ReportEntry;
use crate::measure::ErrorMeasure;
use crate::report::Report;
use crate::results::{ReportRow, task_of};
use crate::summary::{Quantity, summarise};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// A policy under which the page can load nothing, and run nothing but its own style and script.
fn policy(style: &str) -> String {
    let digest = |text: &str| BASE64.encode(Sha256::digest(text));
    format!(
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'",
        digest(style),
        digest(SCRIPT)
    )
}

pub(super) fn render(report: &Report, parts: &[Section], reproduce: Option<&str>) -> String {
    let networks = networks(report.groups());
    let selections = selections(report.rows());
    let error = ErrorMeasure::of(task_of(report.rows()));
    let figures = figures(report);
    let comparison = comparison(report);
    let main = html! {
        h1 { (report.title) }
        (conditions(report.rows()))
        (contents(parts, &figures, comparison.as_ref()))
        (table(&networks, &selections, error))
        p.lede { (measured(report.rows())) }
        @if report.rows().iter().any(ReportRow::is_marked) { p { "† " (CHOSEN_ON_TEST) } }
        @if let Some(comparison) = &comparison { (beside(report, comparison)) }
        @for (title, figures) in &figures { (figure_group(title, figures)) }
        @for part in parts { (plain_section(part)) }
        (definitions(&selections))
        (origins(&networks))
        @if let Some(command) = reproduce {
            h2 { "Make it again" }
            pre tabindex="0" { code { (command) } }
        }
        (footer())
    };
    page(&report.title, &main)
}

/// A page with what is below `main`.
pub(super) fn page(title: &str, main: &Markup) -> String {
    let style = format!("{STYLE}{}", assay_chart::STYLES);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy(&style));
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(&style)) }
            }
            body {
                main { (main) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

/// The conditions of the numbers, right beneath the title.
pub(super) fn conditions(rows: &[ReportRow]) -> Markup {
    html! {
        dl.conditions {
            @for (name, conditions) in describe(rows) {
                div { dt { (name) } dd { (conditions) } }
            }
        }
    }
}

/// Links to the parts of the page.
fn contents(
    parts: &[Section],
    figures: &[(&'static str, Vec<Figure>)],
    comparison: Option<&Comparison<'_>>,
) -> Markup {
    let comparison = comparison.map(Comparison::title);
    let titles = comparison
        .into_iter()
        .chain(figures.iter().map(|(title, _)| (*title).to_owned()))
        .chain(parts.iter().map(|part| part.title.to_owned()))
        .chain([DEFINITIONS, ORIGINS].map(str::to_owned));
    html! {
        nav aria-label="Contents" {
            @for title in titles { a href=(format!("#{}", id_of(&title))) { (title) } " " }
        }
    }
}

/// The id of the part of the page with this title.
fn id_of(title: &str) -> String {
    let letters = title.chars().map(|letter| {
        if letter.is_ascii_alphanumeric() {
            letter.to_ascii_lowercase()
        } else {
            '-'
        }
    });
    letters.collect()
}

fn footer() -> Markup {
    html! {
        footer {
            p {
                "The same numbers at full precision are in " code { "table.parquet" }
                " and " code { "table.csv" } ", for LaTeX in " code { "table.tex" }
                "; every epoch of every training is in " code { "metrics.parquet" }
                ". This page is a file of an artifact: " code { "pipeline lineage" }
                " with the hash of the artifact, or with PIPELINE:STAGE, lists what it was made from, down to \
                 the dataset’s files; " code { "pipeline audit" } " checks all of it. Times, which no artifact \
                 has, are in " code { "times.html" } " beside it, where " code { "pipeline run" } " put it."
            }
            p { "Made by Assay " (env!("CARGO_PKG_VERSION")) "." }
        }
    }
}

fn table(networks: &[NetworkRows<'_>], selections: &[Selection], error: &ErrorMeasure) -> Markup {
    let heading = format!("{} {}", error.heading, error.unit);
    let width = 3 + selections
        .iter()
        .map(|one| one.columns.len())
        .sum::<usize>();
    let spreads = networks
        .iter()
        .flat_map(|network| &network.lines)
        .any(|line| line.row.seeds > 1);
    html! {
        h2 { (heading) }
        div.scroll tabindex="0" role="region" aria-label=(heading) {
            table.spreads[spreads] {
                thead {
                    tr {
                        th rowspan="2" scope="col" { "Method" }
                        @for selection in selections {
                            th.group colspan=(selection.columns.len()) scope="colgroup" { (selection.name) }
                        }
                        th.count rowspan="2" scope="col" { "Epochs" }
                        th.count rowspan="2" scope="col" { "Seeds" }
                    }
                    tr {
                        @for selection in selections {
                            @for (index, (heading, column)) in selection.columns.iter().enumerate() {
                                th.number[column.is_error()].count[!column.is_error()].first[index == 0] scope="col" { (heading) }
                            }
                        }
                    }
                }
                @for network in networks {
                    tbody {
                        tr.section { th colspan=(width) scope="rowgroup" { span { (network.title()) } } }
                        @for line in &network.lines { (table_row(line, selections)) }
                    }
                }
            }
        }
    }
}

fn table_row(line: &Line<'_>, selections: &[Selection]) -> Markup {
    let row = line.row;
    let origin = format!("#row-{}", line.number);
    html! {
        tr {
            th scope="row" { a href=(origin) { (row.show_method()) } }
            @for selection in selections {
                @for (index, (_, column)) in selection.columns.iter().enumerate() {
                    td.number[column.is_error()].count[!column.is_error()].first[index == 0] {
                        a href=(origin) {
                            @if column.is_error() { (number(&column.show(row))) } @else { (column.show(row)) }
                        }
                    }
                }
            }
            td.count { (row.epochs) }
            td.count { (row.show_seeds()) }
        }
    }
}

/// A number as [`ReportRow::show`] has it, with the spread in a box of its own so that the
/// decimal points of a column stand beneath each other.
fn number(text: &str) -> Markup {
    let (mean, spread) = text.split_at(text.find(' ').unwrap_or(text.len()));
    html! { (mean) span.spread { (spread) } }
}

pub(super) fn plain_section(part: &Section) -> Markup {
    html! {
        h2 id=(id_of(part.title)) { (part.title) }
        p { (part.definition) }
        div.scroll tabindex="0" role="region" aria-label=(part.title) {
            table {
                thead {
                    tr {
                        @for (index, heading) in part.headings.iter().enumerate() {
                            th.number[part.is_number(index)] scope="col" { (heading) }
                        }
                    }
                }
                tbody {
                    @for row in &part.rows {
                        tr {
                            @for (index, cell) in row.iter().enumerate() {
                                @if index + 1 == part.names {
                                    th scope="row" { (cell) }
                                } @else {
                                    td.number[part.is_number(index)].words[part.is_text(index)] { (cell) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn beside(report: &Report, comparison: &Comparison<'_>) -> Markup {
    let shortfalls = shortfalls(report.rows());
    let title = comparison.title();
    html! {
        h2 id=(id_of(&title)) { (title) }
        @for (shortfall, rows) in &shortfalls {
            p.warning {
                strong { "Not comparable: " (shortfall) }
                @if rows.len() < comparison.rows.len() {
                    ". " (rows.iter().map(|row| row.label.method.as_str()).collect::<Vec<_>>().join(", "))
                }
            }
        }
        p { (comparison.definition()) }
        div.scroll tabindex="0" role="region" aria-label=(title) {
            table {
                thead {
                    tr {
                        th rowspan="2" scope="col" { "Method" }
                        th rowspan="2" scope="col" { "Network" }
                        @for error in &comparison.errors {
                            th.group colspan=(HEADINGS.len()) scope="colgroup" { (error) }
                        }
                    }
                    tr {
                        @for _ in &comparison.errors {
                            @for (index, heading) in HEADINGS.iter().enumerate() {
                                th.number.first[index == 0] scope="col" { (heading) }
                            }
                        }
                    }
                }
                tbody {
                    @for (row, errors) in &comparison.rows {
                        tr {
                            th scope="row" { (row.label.method) }
                            td { (row.label.network) }
                            @for cells in errors {
                                @for (index, cell) in cells.iter().enumerate() {
                                    td.number.first[index == 0] { (cell) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

const DEFINITIONS: &str = "What the numbers mean";
const ORIGINS: &str = "Where the numbers are from";

fn definitions(selections: &[Selection]) -> Markup {
    html! {
        h2 id=(id_of(DEFINITIONS)) { (DEFINITIONS) }
        div.definitions {
            @for selection in selections {
                section {
                    h3 { (selection.name) }
                    p { (selection.definition) }
                }
            }
        }
    }
}

pub(super) fn figure_group(title: &str, figures: &[Figure]) -> Markup {
    html! {
        h2 id=(id_of(title)) { (title) }
        @for figure in figures {
            figure {
                figcaption {
                    h3 { (figure.title) }
                    p { (figure.note) }
                    @if !figure.legend.is_empty() {
                        ul.legend {
                            @for (style, name) in &figure.legend {
                                li data-name=(name) { (assay_chart::swatch(*style)) (name) }
                            }
                        }
                    }
                }
                @if !figure.strips.is_empty() { (strips(&figure.title, &figure.strips)) }
                div.panels.alone[figure.plots.len() == 1] { @for plot in &figure.plots { (plot.svg()) } }
                @if !figure.plots.is_empty() { details.words {
                    summary { "In words" }
                    ul { @for plot in &figure.plots { li { strong { (plot.title) ": " } (plot.description) } } }
                } }
            }
        }
    }
}

fn strips(title: &str, strips: &[Strip]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(title) {
            table.strips {
                @for strip in strips {
                    tr {
                        th scope="row" { (strip.name) }
                        td {
                            img alt=(strip.description) width=(2 * strip.width) height=(2 * strip.height)
                                src=(format!("data:image/png;base64,{}", BASE64.encode(&strip.png)));
                        }
                    }
                }
            }
        }
    }
}

/// Each row's settings, its trainings with their numbers, and the commands that look them up.
fn origins(networks: &[NetworkRows<'_>]) -> Markup {
    html! {
        h2 id=(id_of(ORIGINS)) { (ORIGINS) }
        p {
            "The settings of each row, and each training with its test errors by the epoch that is chosen and with \
             its hashes. " code { "pipeline show HASH" } " says what it is, "
            code { "pipeline lineage HASH" } " what it rests on, and " code { "pipeline audit HASH --rerun" }
            " computes it again and compares the bytes."
        }
        @for network in networks {
            @for line in &network.lines {
                details {
                    summary { (line.row.label.method) " " span.where { (network.title()) } }
                    div id=(format!("row-{}", line.number)) {
                        pre tabindex="0" { (settings(line)) }
                        pre tabindex="0" { (trainings(line)) }
                    }
                }
            }
        }
    }
}

/// The trainings of a row as lines of text: a page with many of them would be slow if each were a row of cells.
fn trainings(line: &Line<'_>) -> String {
    let decimals = ErrorMeasure::of(line.row.task).decimals;
    let headings = [
        "seed",
        "validation",
        "last",
        "best",
        "training",
        "evaluation",
    ];
    let mut rows = vec![headings.map(str::to_owned)];
    rows.extend(line.entries.iter().map(|entry| {
        let summary = summarise(&entry.metrics, &entry.evaluation, entry.epochs, entry.task);
        let diverged = |it: &ReportEntry| match it.diverged_in_epoch {
            Some(epoch) => format!("diverged in epoch {epoch}"),
            None => "diverged".to_owned(),
        };
        let show = |quantity| {
            let value = summary.get(quantity);
            value.map_or("—".to_owned(), |value| format!("{value:.decimals$}"))
        };
        let [validation, last, best] = if entry.is_diverged() {
            ["—".to_owned(), diverged(entry), "—".to_owned()]
        } else {
            [
                show(Quantity::TestErrorValidationEpoch),
                show(Quantity::TestErrorLastEpoch),
                show(Quantity::TestErrorBestEpoch),
            ]
        };
        let sources = &entry.sources;
        let (training, evaluation) = (sources.training.clone(), sources.evaluation.clone());
        [
            entry.seed.to_string(),
            validation,
            last,
            best,
            training,
            evaluation,
        ]
    }));
    let widths: [usize; 6] = std::array::from_fn(|column| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or(0)
    });
    let lines = rows.iter().map(|row| {
        let cells = row.iter().zip(widths).enumerate();
        let cells = cells.map(|(column, (cell, width))| match column {
            // Hashes stand below their heading, numbers end with it.
            4.. => format!("{cell:width$}"),
            _ => format!("{cell:>width$}"),
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        line.trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The settings of a row, one in a line.
fn settings(line: &Line<'_>) -> String {
    let seeds = line.entries.iter().map(|entry| Value::from(entry.seed));
    let fixed = [
        ("algorithm", Value::from(line.row.algorithm.as_str())),
        ("epochs", Value::from(line.row.epochs)),
        ("batch_size", Value::from(line.row.batch_size)),
        ("seeds", seeds.collect()),
    ];
    let mut hyperparameters: Vec<_> = line.row.hyperparameters.iter().collect();
    hyperparameters.sort_by_key(|(name, _)| *name);
    let fixed = fixed.iter().map(|(name, value)| (*name, value));
    let hyperparameters = hyperparameters
        .into_iter()
        .map(|(name, value)| (name.as_str(), value));
    let lines = fixed.chain(hyperparameters);
    let lines = lines.map(|(name, value)| format!("{name} = {value}"));
    lines.collect::<Vec<_>>().join("\n")
}
