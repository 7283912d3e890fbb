//! `pipeline diff`: what differs between two runs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;

use assay_audit::{Index, Metric, RunDifference, Sides, StageDifference, Subject};
use assay_core::{Difference, Run, RunHash};
use clap::Args;
use serde::Serialize;

use crate::arguments::StoreArguments;
use crate::error::CliError;
use crate::ui::compare::number;
use crate::ui::words::{plain, right, table};
use crate::ui::{self, compare};

const EXAMPLES: &str = "\
Examples:
  pipeline diff quickstart latest
  pipeline diff 3f2a9c 81d0e7
  pipeline diff 3f2a9c 81d0e7 --json

Stages are matched by name, and what is left by kind and point of the matrix. Only what differs is
shown.

Exit codes: 0 the runs are the same, 1 they differ, 2 a run or the store cannot be used.";

/// Two runs.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DiffArguments {
    /// A run: HASH, PREFIX, PIPELINE (its latest run) or latest
    #[arg(value_name = "RUN")]
    before: String,

    /// The run that it is compared with
    #[arg(value_name = "RUN")]
    now: String,

    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    store: StoreArguments,
}

/// Two runs and what differs between them.
#[derive(Serialize)]
struct DiffView {
    runs: [RunView; 2],
    same: bool,
    fields: Vec<Difference>,
    stages: Vec<StageDifference>,
    stages_the_same: usize,
}

#[derive(Serialize)]
struct RunView {
    run: RunHash,
    pipeline: String,
    started_ms: u64,
    duration_ms: u64,
    host: String,
    version: String,
}

impl RunView {
    fn of(hash: RunHash, run: Run) -> Self {
        Self {
            run: hash,
            pipeline: run.pipeline,
            started_ms: run.started_ms,
            duration_ms: run.duration_ms,
            host: run.host,
            version: run.version,
        }
    }
}

pub(crate) fn run(arguments: &DiffArguments) -> Result<ExitCode, CliError> {
    let store = arguments.store.open_existing()?;
    let index = Index::read(&store)?;
    let before = Subject::find_run(&store, &index, &arguments.before)?;
    let now = Subject::find_run(&store, &index, &arguments.now)?;
    let difference = RunDifference::between(&store, before, now)?;
    let view = DiffView {
        runs: [
            RunView::of(before, store.run(before)?),
            RunView::of(now, store.run(now)?),
        ],
        same: difference.is_empty(),
        fields: difference.fields,
        stages: difference.stages,
        stages_the_same: difference.same,
    };
    ui::print_view(&view, arguments.json, text)?;
    Ok(if view.same {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// How many stages are named that a difference is in.
const MOST_NAMES: usize = 4;
/// The prefix of those fields of an action that name the artifacts it reads.
const INPUTS: &str = "inputs.";

fn text(view: &DiffView) -> String {
    let mut text = String::new();
    for (letter, run) in ["a", "b"].iter().zip(&view.runs) {
        let _ = writeln!(
            text,
            "{letter}  {}  {}, on {} with {}",
            run.run.short(),
            plain(&run.pipeline),
            plain(&run.host),
            plain(&run.version)
        );
    }
    for line in compare::fields(&view.fields) {
        let _ = write!(text, "\n{line}");
    }
    if !view.fields.is_empty() {
        text.push('\n');
    }
    text.push_str(&only(&view.stages));
    text.push_str(&fields(&view.stages));
    text.push_str(&results(&view.stages));
    text.push_str(&metrics(&view.stages));
    let _ = writeln!(
        text,
        "\n{} stages differ, {} are the same",
        view.stages.len(),
        view.stages_the_same
    );
    text
}

/// The stage's name, in both runs where it is not one.
fn name(stage: &StageDifference) -> String {
    plain(&match &stage.names {
        Sides::Both(before, now) if before == now => before.clone(),
        Sides::Both(before, now) => format!("{before} ({now})"),
        Sides::Before(one) | Sides::Now(one) => one.clone(),
    })
}

fn only(stages: &[StageDifference]) -> String {
    let mut text = String::new();
    for (letter, at, other) in [("a", 0, 1), ("b", 1, 0)] {
        let alone = stages.iter().filter(|stage| {
            let names = stage.names.each();
            names[at].is_some() && names[other].is_none()
        });
        let names: Vec<_> = alone.map(name).collect();
        if !names.is_empty() {
            let _ = writeln!(text, "\nonly in {letter}: {}", names.join(", "));
        }
    }
    text
}

/// Every field of an action that differs, with the stages it differs in.
fn fields(stages: &[StageDifference]) -> String {
    let mut changes: BTreeMap<(bool, String), Vec<String>> = BTreeMap::new();
    for stage in stages {
        for difference in &stage.fields {
            // An input is another artifact wherever the action that made it differs.
            let input = difference.field.strip_prefix(INPUTS);
            let line = input.map_or_else(
                || line(difference),
                |role| format!("reads another {}", kind_of_role(role)),
            );
            let names = changes.entry((input.is_some(), line)).or_default();
            let name = name(stage);
            if names.last() != Some(&name) {
                names.push(name);
            }
        }
    }
    let mut text = String::new();
    for ((_, line), names) in changes {
        let _ = writeln!(text, "\n{line}\n    {}", list(&names));
    }
    text
}

fn line(difference: &Difference) -> String {
    compare::fields(std::slice::from_ref(difference)).concat()
}

/// `training` of `training.12`: a report has one for each of its entries.
fn kind_of_role(role: &str) -> &str {
    role.trim_end_matches(|digit: char| digit.is_ascii_digit())
        .trim_end_matches(['.', '-', '_', '/', '#'])
}

fn list(names: &[String]) -> String {
    match names.get(MOST_NAMES..) {
        Some(more) if !more.is_empty() => {
            let first = names.get(..MOST_NAMES).unwrap_or_default();
            format!("{} and {} more", first.join(", "), more.len())
        }
        _ => names.join(", "),
    }
}

/// Stages whose action is the same and whose result is not.
fn results(stages: &[StageDifference]) -> String {
    let mut text = String::new();
    for stage in stages
        .iter()
        .filter(|stage| stage.actions[0] == stage.actions[1])
    {
        let what = match stage.artifacts {
            [Some(_), Some(_)] => "gave other bytes for the same action",
            [Some(_), None] => "has a result in a only",
            [None, Some(_)] => "has a result in b only",
            [None, None] => continue,
        };
        let _ = writeln!(text, "\n{}: {what}", name(stage));
        text.push_str(&compare::files(&stage.files, 4));
    }
    text
}

fn metrics(stages: &[StageDifference]) -> String {
    if stages.iter().all(|stage| stage.metrics.is_empty()) {
        return String::new();
    }
    let mut table = table(&["stage", "metric", "a", "b", "difference"]);
    for stage in stages {
        for metric in &stage.metrics {
            table.add_row(
                [name(stage), words(metric)]
                    .into_iter()
                    .chain(values(metric)),
            );
        }
    }
    right(&mut table, &[2, 3, 4]);
    format!("\n{table}\n")
}

fn words(metric: &Metric) -> String {
    let name = metric.metric.trim_end_matches("_mean").replace('_', " ");
    let of = metric.of.values().map(String::as_str);
    let words: Vec<_> = of.chain([name.as_str()]).collect();
    plain(&words.join(", "))
}

fn values(metric: &Metric) -> [String; 3] {
    let show = |value: Option<f64>| value.map_or_else(|| "—".to_owned(), number);
    let difference = metric
        .before
        .zip(metric.now)
        .map(|(before, now)| now - before);
    let sign = if difference.is_some_and(|it| it > 0.0) {
        "+"
    } else {
        ""
    };
    [
        show(metric.before),
        show(metric.now),
        format!("{sign}{}", show(difference)),
    ]
}
