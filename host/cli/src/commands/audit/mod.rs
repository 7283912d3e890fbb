//! `pipeline audit`: whether what the store holds is what its names say, and what any damage
//! affects; moves it aside where that is asked for.

mod layout;
mod notes;
mod progress;
mod rerun;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::process::ExitCode;

use assay_audit::{
    Affected, AffectedStage, AuditReport, Fault, Finding, Index, Scope, Subject, audit, fix,
};
use assay_core::graph::Role;
use assay_core::{RunHash, StageKind, printable_line};
use assay_engine::Cancel;
use assay_store::Store;
use clap::Args;

use crate::arguments::StoreArguments;
use crate::error::CliError;
use crate::ui::words::{count, size};
use crate::ui::{self, duration};
use layout::{LABEL, brief, list, wrap};
use progress::AuditProgress;
use rerun::RerunArguments;
use view::{AuditView, ShownAudit};

const EXAMPLES: &str = "\
Examples:
  pipeline audit                     everything that a run or a result names
  pipeline audit --all               and every object that nothing names
  pipeline audit quickstart          the latest run of a pipeline, and all that it rests on
  pipeline audit quickstart:report   a stage of it, and all that it rests on
  pipeline audit 3f9a72c1            whatever has a hash that begins so
  pipeline audit --fix               move what is damaged to STORE/quarantine
  pipeline audit quickstart --rerun  execute its actions again, and compare what comes out
  pipeline audit latest --rerun=5 --seed 42 --data-dir ~/datasets
  pipeline audit latest --rerun=1% --by-epochs
  pipeline audit --against run.tar.zst --rerun=10%

Exit codes: 0 intact, 1 damage found (also where --fix moved it), 2 something could not be read,
so that nothing is known of it. With --rerun or --against: 0 the same came out of all, 1 other bytes
came out of some or the bundle is refused, 2 some could not be executed again or failed, 130 stopped
by Ctrl-C.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct AuditArguments {
    /// Runs, stages, artifacts, files or any other hash, each with all that it rests on [default:
    /// everything that a run or a result names; with --rerun, the latest run]
    #[arg(value_name = "NAME")]
    names: Vec<String>,

    /// Read every object in the store, also those that nothing names
    #[arg(long, conflicts_with_all = ["names", "again"])]
    all: bool,

    /// Move what is damaged to STORE/quarantine, so that the next run makes it again; nothing is
    /// deleted
    #[arg(long, conflicts_with = "again")]
    fix: bool,

    #[command(flatten)]
    rerun: RerunArguments,

    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    store: StoreArguments,
}

pub(crate) fn run(arguments: &AuditArguments, cancel: &Cancel) -> Result<ExitCode, CliError> {
    let (again, json) = (&arguments.rerun, arguments.json);
    if let Some(bundle) = &again.against {
        return rerun::against(again, bundle, json, cancel);
    }
    let store = arguments.store.open_existing()?;
    if again.is_asked() {
        return rerun::again(again, &store, &arguments.names, json, cancel);
    }
    let subjects = subjects(&store, &arguments.names)?;
    let scope = match (arguments.all, subjects.as_slice()) {
        (true, _) => Scope::All,
        (false, []) => Scope::Named,
        (false, subjects) => Scope::Subjects(subjects),
    };
    let progress = AuditProgress::new();
    let audited = audit(&store, scope, &progress);
    let duration_ms = progress.finish();
    let report = audited?;
    let moved = arguments.fix.then(|| fix(&store, &report)).transpose()?;
    let shown = ShownAudit {
        store: &store,
        report,
        moved,
        duration_ms,
    };
    let view = || AuditView::of(&shown);
    ui::print_either(arguments.json, view, || text(&shown))?;
    Ok(match (shown.report.damaged(), shown.report.unreadable()) {
        (0, 0) => ExitCode::SUCCESS,
        (0, _) => ExitCode::from(2),
        _ => ExitCode::FAILURE,
    })
}

fn subjects(store: &Store, names: &[String]) -> Result<Vec<Subject>, CliError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let index = Index::read(store)?;
    let found = names.iter().map(|name| Subject::find(store, &index, name));
    Ok(found.collect::<Result<_, _>>()?)
}

fn text(shown: &ShownAudit<'_>) -> String {
    let report = &shown.report;
    let mut text = String::new();
    for finding in &report.findings {
        let _ = writeln!(text, "{}", self::finding(shown.store, report, finding));
    }
    for note in &report.notes {
        let words = notes::text(shown.store, note);
        let _ = writeln!(text, "note: {}", wrap(&words, "note: ".len()));
    }
    if !report.notes.is_empty() {
        text.push('\n');
    }
    for moved in shown.moved.iter().flatten() {
        let from = brief(shown.store, &moved.from);
        let _ = match &moved.to {
            Some(to) => writeln!(text, "moved {from}\n   to {}", brief(shown.store, to)),
            None => writeln!(text, "left {from}: it has become sound meanwhile"),
        };
    }
    if shown.moved.as_ref().is_some_and(|moved| !moved.is_empty()) {
        text.push('\n');
    }
    text.push_str(&summary(shown));
    text
}

fn finding(store: &Store, report: &AuditReport, finding: &Finding) -> String {
    let mut text = String::new();
    let mut line = |label: &str, words: &str| {
        let _ = writeln!(text, "{label:LABEL$}{}", wrap(words, LABEL));
    };
    let label = match finding.fault {
        Fault::Missing | Fault::FolderGone => "MISSING",
        Fault::Unreadable(_) => "UNREADABLE",
        _ => "DAMAGED",
    };
    line(label, &brief(store, &finding.location.path(store)));
    line("", &printable_line(&finding.fault.to_string()));
    let mut cause = std::error::Error::source(&finding.fault);
    while let Some(error) = cause {
        line(
            "",
            &format!("caused by: {}", printable_line(&error.to_string())),
        );
        cause = error.source();
    }
    let affected = &finding.affected;
    let lines = [
        ("it is", roles(&affected.roles)),
        ("of", stages(&affected.stages)),
        ("on it rest", stages(&affected.downstream)),
        ("in", runs(report, &affected.runs)),
        ("and in", actions(affected)),
    ];
    for (label, words) in lines {
        if !words.is_empty() {
            line(label, &words);
        }
    }
    text
}

/// The roles of the object in words, each once.
fn roles(roles: &[Role]) -> String {
    let words: BTreeSet<_> = roles.iter().map(role).collect();
    list(words.into_iter())
}

fn role(role: &Role) -> String {
    match role {
        Role::Run(_) => "the manifest of a run".to_owned(),
        Role::Action(_) => "the document of an action".to_owned(),
        Role::Artifact(_) => "the manifest of an artifact".to_owned(),
        Role::File { name, .. } => format!("the file `{}`", printable_line(name)),
        Role::Library { plugin, .. } => format!("the plugin `{}`", printable_line(plugin)),
        Role::Log { .. } => "what a worker printed".to_owned(),
        Role::PipelineFile(_) => "a pipeline file".to_owned(),
        Role::NetworksFile(_) => "a file of networks".to_owned(),
        Role::FiguresFile(_) => "a file of published figures".to_owned(),
        Role::Pin(label) => format!("pinned as `{}`", printable_line(label)),
    }
}

fn stages(stages: &[AffectedStage]) -> String {
    let words: BTreeSet<_> = stages.iter().map(stage).collect();
    list(words.into_iter())
}

fn stage(stage: &AffectedStage) -> String {
    let name = printable_line(&stage.stage).into_owned();
    match stage.kind {
        Some(StageKind::Report) => format!("the table of {name}"),
        _ => name,
    }
}

/// The runs by their pipelines: `quickstart (runs 64ddec79a2c7, e0e04a030544)`.
fn runs(report: &AuditReport, runs: &[RunHash]) -> String {
    let mut by_pipeline = BTreeMap::<_, Vec<_>>::new();
    for run in runs {
        let name = report
            .runs
            .get(run)
            .map(|name| printable_line(&name.pipeline));
        by_pipeline.entry(name).or_default().push(run.short());
    }
    let words = by_pipeline.into_iter().map(|(pipeline, runs)| {
        let noun = if runs.len() == 1 { "run" } else { "runs" };
        let runs = list(runs.into_iter());
        match pipeline {
            Some(pipeline) => format!("{pipeline} ({noun} {runs})"),
            None => format!("{noun} {runs}"),
        }
    });
    words.collect::<Vec<_>>().join(", ")
}

fn actions(affected: &Affected) -> String {
    let actions = affected.actions.iter();
    let words = list(actions.map(|key| format!("action {}", key.short())));
    if words.is_empty() {
        words
    } else {
        format!("{words}, which no run names")
    }
}

fn summary(shown: &ShownAudit<'_>) -> String {
    let report = &shown.report;
    let counts = report.counts;
    let parts = [
        (counts.runs, "run"),
        (counts.results, "result"),
        (counts.actions, "action"),
    ];
    let parts: Vec<_> = parts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(number, noun)| count(number, noun))
        .collect();
    let mut text = format!(
        "read {} ({})",
        count(counts.objects, "object"),
        size(counts.bytes)
    );
    if !parts.is_empty() {
        let _ = write!(text, " of {}", parts.join(", "));
    }
    let _ = write!(text, " in {}: ", duration(shown.duration_ms));
    let (damaged, unreadable) = (report.damaged(), report.unreadable());
    if report.findings.is_empty() {
        text.push_str("intact\n");
        return text;
    }
    if damaged > 0 {
        let _ = write!(text, "{damaged} damaged");
    }
    if unreadable > 0 {
        let comma = if damaged > 0 { ", " } else { "" };
        let _ = write!(text, "{comma}{unreadable} unreadable");
    }
    let affected = |finding: &Finding| {
        let own = finding.affected.stages.iter();
        let all = own.chain(&finding.affected.downstream);
        all.map(|stage| (stage.run, stage.stage.clone()))
            .collect::<Vec<_>>()
    };
    let stages: BTreeSet<_> = report.findings.iter().flat_map(affected).collect();
    let names: BTreeSet<_> = stages.iter().map(|(_, stage)| stage).collect();
    let runs: BTreeSet<_> = report
        .findings
        .iter()
        .flat_map(|it| &it.affected.runs)
        .collect();
    let _ = writeln!(
        text,
        "\n{} of {} affected",
        count(names.len() as u64, "stage"),
        count(runs.len() as u64, "run")
    );
    text.push_str(&next(shown));
    text
}

/// Advice on the next steps.
fn next(shown: &ShownAudit<'_>) -> String {
    let report = &shown.report;
    let mut text = String::new();
    let fixable = report
        .findings
        .iter()
        .any(|finding| !finding.remedy.is_empty());
    let missing = report
        .findings
        .iter()
        .any(|finding| finding.remedy.is_empty() && !finding.fault.is_unreadable());
    if report.unreadable() > 0 {
        text.push_str(
            "next: see that you may read what is unreadable, and that the disk is sound; then audit again\n",
        );
    }
    if fixable && shown.moved.is_none() {
        text.push_str(
            "next: `pipeline audit --fix` moves what is damaged to the store's quarantine, and deletes \
             nothing;\n      `pipeline run` of the same pipeline file then makes it again\n",
        );
    } else if fixable || missing {
        text.push_str(
            "next: `pipeline run` of the same pipeline file makes again what is missing; then audit again\n",
        );
    }
    text
}
