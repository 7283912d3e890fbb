//! A plan in words and for scripts: which stages would run, and why.

use std::collections::HashSet;
use std::fmt::Write as _;

use assay_core::{ActionKey, Difference, ObjectHash, StageKind};
use assay_engine::{Comparison, FollowedRun, Reason, Why};
use serde::Serialize;
use serde_json::Value;

use crate::ui::under_way::{RunUnderWay, RunningStage};
use crate::ui::words::{count, cut, plain};

/// The most differing fields that are listed.
pub(crate) const MOST_DIFFERENCES: usize = 8;

/// A plan: its stages, and why each would or would not run.
#[derive(Serialize)]
pub(crate) struct PlanView<'a> {
    stages: Vec<StageView<'a>>,
    /// The runs under way that have a stage of the plan, or are of its pipeline.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    running: Vec<RunUnderWay<'a>>,
}

#[derive(Serialize)]
struct StageView<'a> {
    name: &'a str,
    kind: StageKind,
    action: Option<ActionKey>,
    reason: &'static str,
    details: Option<Details<'a>>,
    #[serde(skip)]
    why: &'a Reason,
}

/// The part of a reason that a program can go on with.
#[derive(Serialize)]
#[serde(untagged)]
enum Details<'a> {
    Refused {
        why: &'a str,
    },
    Waits {
        stages: &'a [String],
    },
    Differs {
        nearest: ActionKey,
        differences: Vec<&'a Difference>,
    },
}

impl<'a> PlanView<'a> {
    pub(crate) fn of(stages: &'a [Why]) -> Self {
        Self {
            stages: stages.iter().map(StageView::of).collect(),
            running: Vec::new(),
        }
    }

    /// Notes the runs under way that are at work for this plan.
    pub(crate) fn note_running(&mut self, pipeline: &str, runs: &'a [FollowedRun]) {
        let actions = self.stages.iter().filter_map(|stage| stage.action);
        let actions: HashSet<_> = actions.collect();
        let runs = runs.iter().map(|run| RunUnderWay::of(run.state()));
        let is_at_work = |run: &RunUnderWay<'_>| {
            let mut running = run.running.iter().filter_map(|stage| stage.action);
            run.pipeline == pipeline || running.any(|action| actions.contains(&action))
        };
        self.running = runs.filter(is_at_work).collect();
    }

    /// The stage of a run under way that is at this action.
    fn running(&self, action: Option<ActionKey>) -> Option<&RunningStage<'a>> {
        let mut running = self.running.iter().flat_map(|run| &run.running);
        running.find(|stage| action.is_some() && stage.action == action)
    }

    /// Whether no stage would run.
    pub(crate) fn is_current(&self) -> bool {
        self.stages.iter().all(StageView::is_current)
    }
}

impl<'a> StageView<'a> {
    fn of(stage: &'a Why) -> Self {
        let (reason, details) = match &stage.reason {
            Reason::Cached { .. } => ("cached", None),
            Reason::FirstOfItsKind => ("first-of-its-kind", None),
            Reason::Failed { .. } => ("failed", None),
            Reason::Damaged { .. } => ("damaged", None),
            Reason::Refused { why } => ("refused", Some(Details::Refused { why })),
            Reason::Waits { stages, .. } => ("depends-on", Some(Details::Waits { stages })),
            Reason::Differs { comparison } => (
                "differs",
                Some(Details::Differs {
                    nearest: comparison.earlier.action,
                    differences: comparison.differences().collect(),
                }),
            ),
        };
        Self {
            name: &stage.stage,
            kind: stage.kind,
            action: stage.action,
            reason,
            details,
            why: &stage.reason,
        }
    }

    fn is_current(&self) -> bool {
        matches!(self.why, Reason::Cached { .. })
    }
}

/// Every stage with the reason, and how many would run.
pub(crate) fn text(plan: &PlanView<'_>) -> String {
    let width = plan.stages.iter().map(|stage| stage.name.len()).max();
    let width = width.unwrap_or(0);
    let mut text = String::new();
    for stage in &plan.stages {
        let _ = write!(text, "{:width$}  ", plain(stage.name));
        let _ = match stage.why {
            Reason::Cached { .. } => writeln!(text, "cached"),
            Reason::FirstOfItsKind => {
                writeln!(text, "runs: no {} has run in this store", stage.kind)
            }
            Reason::Failed { .. } => writeln!(text, "runs: it failed when it last ran"),
            Reason::Damaged { .. } => {
                writeln!(text, "runs: a file of its result is missing or damaged")
            }
            Reason::Refused { why } => writeln!(text, "fails: {}", plain(why)),
            Reason::Waits { stages, .. } => writeln!(text, "depends on {}", list(stages)),
            Reason::Differs { comparison } => write!(
                text,
                "runs: differs from the nearest result, {}, in\n{}",
                comparison.earlier.action.short(),
                fields(comparison)
            ),
        };
    }
    let run = plan
        .stages
        .iter()
        .filter(|stage| !stage.is_current())
        .count();
    let cached = plan.stages.len() - run;
    let _ = writeln!(text, "\n{cached} cached, {run} to run");
    text
}

/// The stages that are not up to date, each with the reason in a few words.
pub(crate) fn status(plan: &PlanView<'_>) -> String {
    let stale = plan.stages.iter().filter(|stage| !stage.is_current());
    let stale: Vec<_> = stale.collect();
    let width = stale.iter().map(|stage| stage.name.len()).max();
    let mut text = String::new();
    for stage in &stale {
        let _ = writeln!(
            text,
            "{:width$}  {}",
            plain(stage.name),
            plan.running(stage.action).map_or_else(
                || in_short(stage),
                |running| format!("runs now: {}", plain(&running.words(NOW)))
            ),
            width = width.unwrap_or(0)
        );
    }
    if !stale.is_empty() {
        text.push('\n');
    }
    for run in &plan.running {
        let _ = writeln!(
            text,
            "a run of {} is under way, {} of {} done: `pipeline watch {}` follows it",
            plain(run.pipeline),
            run.done,
            count(run.stages as u64, "stage"),
            plain(run.id)
        );
    }
    let current = plan.stages.len() - stale.len();
    let _ = writeln!(text, "{current} up to date, {} not", stale.len());
    text
}

/// The columns of what is said of a stage that runs.
const NOW: usize = 60;

fn in_short(stage: &StageView<'_>) -> String {
    match stage.why {
        Reason::Cached { .. } => "up to date".to_owned(),
        Reason::FirstOfItsKind => format!("no {} has run in this store", stage.kind),
        Reason::Failed { .. } => "failed when it last ran".to_owned(),
        Reason::Damaged { .. } => "a file of its result is missing or damaged".to_owned(),
        Reason::Refused { why } => plain(why),
        Reason::Waits { stages, .. } => format!("depends on {}", list(stages)),
        Reason::Differs { comparison } => {
            let names = comparison.differences().map(|it| it.field.clone());
            let names: Vec<_> = names.collect();
            format!("changed: {}", list(&names))
        }
    }
}

/// The differing fields, a line for each.
fn fields(comparison: &Comparison) -> String {
    let differences = comparison.differences().take(MOST_DIFFERENCES);
    let mut lines: Vec<_> = differences
        .map(|difference| {
            let (before, now) = (
                value(difference.before.as_ref()),
                value(difference.now.as_ref()),
            );
            format!("    {}: {before} → {now}\n", plain(&difference.field))
        })
        .collect();
    if let Some(more @ 1..) = comparison.changes.len().checked_sub(MOST_DIFFERENCES) {
        lines.push(format!("    and {more} more\n"));
    }
    lines.concat()
}

/// A value, shortened: hashes and long lists are recognised by their beginning.
pub(crate) fn value(value: Option<&Value>) -> String {
    let Some(value) = value else {
        return "(absent)".to_owned();
    };
    let text = value.to_string();
    let is_hash = value
        .as_str()
        .is_some_and(|text| text.parse::<ObjectHash>().is_ok());
    cut(&text, if is_hash { 14 } else { 61 })
}

fn list(names: &[String]) -> String {
    plain(&match names {
        [first, second, .., last] if names.len() > 3 => {
            format!("{first}, {second}, …, {last} ({} in all)", names.len())
        }
        _ => names.join(", "),
    })
}
