//! The report as one self-contained page: no request leaves it, by its own content policy. It
//! owns the page's structure; its looks are in `style.css`, its charts in `chart`.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;

use super::chart::{Axes, Series, chart, line_class};
use super::comparison::{Comparison, HEADINGS, comparison};
use super::sections::Section;
use super::selection::{CHOSEN_ON_TEST, Selection, measured, selections};
use crate::curve::error_curve;
use crate::entry::ReportEntry;
use crate::measure::ErrorMeasure;
use crate::metrics::Split;
use crate::report::Report;
use crate::results::{ReportRow, task_of};
use crate::summary::Quantity;

const STYLE: &str = include_str!("style.css");
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

pub(super) fn render(report: &Report, parts: &[Section], reproduce: Option<&str>) -> String {
    let sections = networks(report);
    let selections = selections(report.rows());
    let error = ErrorMeasure::of(task_of(report.rows()));
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (report.title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    h1 { (report.title) }
                    p.lede { (measured(report.rows())) }
                    (table(&sections, &selections, error))
                    @if report.rows().iter().any(ReportRow::is_marked) { p { "† " (CHOSEN_ON_TEST) } }
                    @for part in parts { (plain_section(part)) }
                    @if let Some(comparison) = comparison(report) { (beside(&comparison)) }
                    (definitions(&selections))
                    (curves(&sections, error))
                    (settings(&sections))
                    @if let Some(command) = reproduce {
                        h2 { "Make it again" }
                        pre tabindex="0" { code { (command) } }
                    }
                    footer {
                        p {
                            "The same numbers at full precision are in " code { "table.parquet" }
                            " and " code { "table.csv" } "; every epoch of every training is in "
                            code { "metrics.parquet" } "."
                        }
                    }
                }
            }
        }
    };
    page.into_string()
}

/// The rows of one network on one dataset.
struct NetworkRows<'a> {
    dataset: &'a str,
    network: &'a str,
    lines: Vec<Line<'a>>,
}

struct Line<'a> {
    /// Numbers the method's name within the report, so that it looks the same in every chart.
    style: usize,
    row: &'a ReportRow,
    entries: &'a [ReportEntry],
}

impl NetworkRows<'_> {
    fn title(&self) -> String {
        format!("{}, {}", self.dataset, self.network)
    }
}

fn networks(report: &Report) -> Vec<NetworkRows<'_>> {
    let mut methods: Vec<&str> = Vec::new();
    let mut sections: Vec<NetworkRows<'_>> = Vec::new();
    for (row, entries) in report.groups() {
        let label = &row.label;
        let style = methods.iter().position(|method| *method == label.method);
        let style = style.unwrap_or_else(|| {
            methods.push(&label.method);
            methods.len() - 1
        });
        let line = Line {
            style,
            row,
            entries,
        };
        let same = |one: &&mut NetworkRows<'_>| {
            one.dataset == label.dataset && one.network == label.network
        };
        match sections.iter_mut().find(same) {
            Some(section) => section.lines.push(line),
            None => sections.push(NetworkRows {
                dataset: &label.dataset,
                network: &label.network,
                lines: vec![line],
            }),
        }
    }
    sections
}

fn table(sections: &[NetworkRows<'_>], selections: &[Selection], error: &ErrorMeasure) -> Markup {
    let heading = format!("{} {}", error.heading, error.unit);
    let width = 3 + selections
        .iter()
        .map(|one| one.columns.len())
        .sum::<usize>();
    let spreads = sections
        .iter()
        .flat_map(|section| &section.lines)
        .any(|line| line.row.seeds > 1);
    html! {
        h2 { (heading) }
        div.scroll tabindex="0" role="region" aria-label=(heading) {
            table.spreads[spreads] {
                thead {
                    tr {
                        th rowspan="2" scope="col" { "Method" }
                        th.count rowspan="2" scope="col" { "Seeds" }
                        th.count rowspan="2" scope="col" { "Epochs" }
                        @for selection in selections {
                            th.group colspan=(selection.columns.len()) scope="colgroup" { (selection.name) }
                        }
                    }
                    tr {
                        @for selection in selections {
                            @for (index, (heading, _)) in selection.columns.iter().enumerate() {
                                th.number.first[index == 0] scope="col" { (heading) }
                            }
                        }
                    }
                }
                @for section in sections {
                    tbody {
                        tr.section { th colspan=(width) scope="rowgroup" { span { (section.title()) } } }
                        @for line in &section.lines { (table_row(line.row, selections)) }
                    }
                }
            }
        }
    }
}

fn table_row(row: &ReportRow, selections: &[Selection]) -> Markup {
    html! {
        tr {
            th scope="row" { (row.show_method()) }
            td.count { (row.show_seeds()) }
            td.count { (row.epochs) }
            @for selection in selections {
                @for (index, (_, quantity)) in selection.columns.iter().enumerate() {
                    td.number.first[index == 0] { (number(row, *quantity)) }
                }
            }
        }
    }
}

/// The number as [`ReportRow::show`] has it, with the spread in a box of its own so that the
/// decimal points of a column stand beneath each other.
fn number(row: &ReportRow, quantity: Quantity) -> Markup {
    let text = row.show(quantity);
    let (mean, spread) = text.split_at(text.find(' ').unwrap_or(text.len()));
    html! { (mean) span.spread { (spread) } }
}

fn plain_section(part: &Section) -> Markup {
    html! {
        h2 { (part.title) }
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

fn beside(comparison: &Comparison<'_>) -> Markup {
    let title = comparison.title();
    html! {
        h2 { (title) }
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

fn definitions(selections: &[Selection]) -> Markup {
    html! {
        h2 { "What the numbers mean" }
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

fn curves(sections: &[NetworkRows<'_>], error: &ErrorMeasure) -> Markup {
    html! {
        h2 { "Learning curves" }
        p { "Lines are means over seeds; bands reach from the lowest seed to the highest." }
        @for (index, section) in sections.iter().enumerate() { (section_curves(index + 1, section, error)) }
    }
}

fn section_curves(number: usize, section: &NetworkRows<'_>, error: &ErrorMeasure) -> Markup {
    let panels = [(Split::Test, "Test"), (Split::Train, "Train")].map(|(split, name)| {
        let title = format!("{name} {}", error.axis);
        (split, title, series(section, split))
    });
    let points = panels
        .iter()
        .flat_map(|(_, _, series)| series)
        .flat_map(|series| &series.points);
    let axes = Axes::around(points);
    html! {
        figure {
            figcaption { h3 { (section.title()) } (legend(section)) }
            @if let Some(axes) = axes {
                div.panels {
                    @for (split, title, series) in &panels {
                        (chart(&format!("curve-{number}-{split}"), title, &describe(section, *split, error), &axes, series))
                    }
                }
            }
        }
    }
}

fn series(section: &NetworkRows<'_>, split: Split) -> Vec<Series> {
    let lines = section.lines.iter().map(|line| Series {
        style: line.style,
        points: error_curve(line.entries, split),
    });
    lines.collect()
}

fn legend(section: &NetworkRows<'_>) -> Markup {
    html! {
        ul.legend {
            @for line in &section.lines {
                li {
                    svg viewBox="0 0 28 10" aria-hidden="true" {
                        path class=(line_class(line.style)) d="M1 5L27 5" {}
                    }
                    (line.row.label.method)
                }
            }
        }
    }
}

/// The chart in words: where each curve starts and ends.
fn describe(section: &NetworkRows<'_>, split: Split, error: &ErrorMeasure) -> String {
    let decimals = error.decimals;
    let curves = section.lines.iter().map(|line| {
        let method = &line.row.label.method;
        match error_curve(line.entries, split).as_slice() {
            [] => format!("{method}: not measured."),
            [only] => format!(
                "{method}: {:.decimals$} after epoch {}.",
                only.mean, only.epoch
            ),
            [first, .., last] => format!(
                "{method}: {:.decimals$} after epoch {}, {:.decimals$} after epoch {}.",
                first.mean, first.epoch, last.mean, last.epoch
            ),
        }
    });
    let curves: Vec<String> = curves.collect();
    let title = section.title();
    let (name, unit) = (error.name, error.unit);
    format!(
        "{split} {name} {unit} against epoch on {title}. {}",
        curves.join(" ")
    )
}

fn settings(sections: &[NetworkRows<'_>]) -> Markup {
    html! {
        h2 { "Hyper-parameters" }
        @for section in sections {
            @for line in &section.lines {
                details {
                    summary { (line.row.label.method) " " span.where { (section.title()) } }
                    (settings_list(line))
                }
            }
        }
    }
}

fn settings_list(line: &Line<'_>) -> Markup {
    let seeds: Vec<String> = line
        .entries
        .iter()
        .map(|entry| entry.seed.to_string())
        .collect();
    let mut hyperparameters: Vec<_> = line.row.hyperparameters.iter().collect();
    hyperparameters.sort_by_key(|(name, _)| *name);
    html! {
        dl {
            div { dt { "algorithm" } dd { (line.row.algorithm) } }
            div { dt { "epochs" } dd { (line.row.epochs) } }
            div { dt { "seeds" } dd { (seeds.join(", ")) } }
            @for (name, value) in hyperparameters {
                div { dt { (name) } dd { (setting(value)) } }
            }
        }
    }
}

fn setting(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
