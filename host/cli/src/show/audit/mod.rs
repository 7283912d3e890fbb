//! An audit in words: what is wrong, what it is, which stages and runs rest on it, what to do.

pub(crate) mod json;
mod layout;
mod notes;
mod progress;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use assay_audit::{Affected, AffectedStage, AuditReport, Fault, Finding, Role};
use assay_core::{RunHash, StageKind, printable_line};
use assay_store::Store;

pub(crate) use self::progress::AuditView;

use self::layout::{brief, list, several, wrap};

use super::duration;
use super::words::size;
use crate::command::audit::ShownAudit;

/// The width of what stands before each line of a finding.
const LABEL: usize = 12;

pub(crate) fn text(shown: &ShownAudit<'_>) -> String {
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
    line(label, &brief(store, &finding.place.path(store)));
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

/// What the object is, each thing once.
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
        .map(|(count, noun)| several(count, noun))
        .collect();
    let mut text = format!(
        "read {} ({})",
        several(counts.objects, "object"),
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
        several(names.len() as u64, "stage"),
        several(runs.len() as u64, "run")
    );
    text.push_str(&next(shown));
    text
}

/// What to do next.
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
