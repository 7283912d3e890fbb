//! The steps as a document for scripts.

use std::collections::BTreeMap;

use assay_audit::lineage::{Direction, Execution, Lineage, Maker, Source, Step};
use assay_audit::{Index, Subject};
use assay_core::{Action, ActionKey, ActionResult, ArtifactHash, ObjectHash};
use serde::Serialize;

use crate::ui::action::{UseView, use_views};

/// Everything that something rests on, or that rests on it.
#[derive(Serialize)]
pub(crate) struct LineageView<'a> {
    kind: &'static str,
    hash: ObjectHash,
    direction: &'static str,
    roots: &'a [usize],
    steps: Vec<StepView<'a>>,
}

#[derive(Serialize)]
struct StepView<'a> {
    step: usize,
    artifact: Option<ArtifactHash>,
    next: Vec<LinkView<'a>>,
    #[serde(flatten)]
    maker: MakerView<'a>,
}

#[derive(Serialize)]
struct LinkView<'a> {
    role: &'a str,
    step: usize,
}

#[derive(Serialize)]
#[serde(untagged)]
enum MakerView<'a> {
    Unknown {},
    Object {
        object: ObjectHash,
    },
    Action {
        action: ActionKey,
        document: Option<&'a Action>,
        executions: Vec<ExecutionView<'a>>,
        sources: Vec<SourceView<'a>>,
        other_makers: usize,
        used_in: Vec<UseView<'a>>,
    },
}

#[derive(Serialize)]
struct ExecutionView<'a> {
    record: ObjectHash,
    result: &'a ActionResult,
}

#[derive(Serialize)]
struct SourceView<'a> {
    file: &'a str,
    bytes: Option<u64>,
    origin: Option<&'a str>,
    /// The digest, under the name of its function.
    #[serde(flatten)]
    digest: BTreeMap<&'static str, String>,
}

impl<'a> LineageView<'a> {
    pub(crate) fn of(
        subject: &Subject,
        direction: Direction,
        lineage: &'a Lineage,
        index: &'a Index,
    ) -> Self {
        let steps = lineage.steps.iter().enumerate();
        Self {
            kind: subject.what(),
            hash: subject.object(),
            direction: match direction {
                Direction::Up => "up",
                Direction::Down => "down",
            },
            roots: &lineage.roots,
            steps: steps
                .map(|(at, step)| StepView::of(at, step, index))
                .collect(),
        }
    }
}

impl<'a> StepView<'a> {
    fn of(at: usize, step: &'a Step, index: &'a Index) -> Self {
        let next = step.next.iter().map(|link| LinkView {
            role: &link.role,
            step: link.step,
        });
        Self {
            step: at,
            artifact: step.artifact,
            next: next.collect(),
            maker: match &step.maker {
                Maker::Unknown => MakerView::Unknown {},
                Maker::Object(object) => MakerView::Object { object: *object },
                Maker::Action(execution) => MakerView::of(execution, index),
            },
        }
    }
}

impl<'a> MakerView<'a> {
    fn of(execution: &'a Execution, index: &'a Index) -> Self {
        let records = execution.records.iter();
        let executions = records.map(|(record, result)| ExecutionView {
            record: *record,
            result,
        });
        Self::Action {
            action: execution.key,
            document: execution.action.as_ref(),
            executions: executions.collect(),
            sources: execution.sources.iter().map(SourceView::of).collect(),
            other_makers: execution.others,
            used_in: use_views(index, execution.key),
        }
    }
}

impl<'a> SourceView<'a> {
    fn of(source: &'a Source) -> Self {
        Self {
            file: &source.file.name,
            bytes: source.file.bytes,
            origin: source.origin.as_deref(),
            digest: [source.file.digest.parts()].into(),
        }
    }
}
