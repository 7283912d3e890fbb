//! An audit as a document for scripts: everything that is found, with full hashes, and no list cut
//! short.

use std::path::PathBuf;

use assay_audit::{AffectedStage, AuditReport, Finding, Location, Moved, Note};
use assay_core::graph::Role;
use assay_core::{ActionKey, ArtifactHash, ObjectHash, RunHash, StageKind};
use assay_store::Store;
use serde::Serialize;

use super::layout::below;
use crate::ui::run::ListedRun;

/// An audit as it is shown.
pub(super) struct ShownAudit<'a> {
    pub(super) store: &'a Store,
    pub(super) report: AuditReport,
    /// Everything that `--fix` moved or set down as lost; nothing where it was not asked for.
    pub(super) moved: Option<Vec<Moved>>,
    /// How long it took, in milliseconds.
    pub(super) duration_ms: u64,
}

/// An audit and all that it found.
#[derive(Serialize)]
pub(crate) struct AuditView<'a> {
    intact: bool,
    damaged: usize,
    unreadable: usize,
    counts: CountsView,
    duration_ms: u64,
    findings: Vec<FindingView<'a>>,
    notes: Vec<NoteView<'a>>,
    runs: Vec<ListedRun<'a>>,
    /// Nothing where nothing was asked to be moved.
    moved: Option<Vec<MovedView>>,
}

#[derive(Serialize)]
struct CountsView {
    runs: u64,
    results: u64,
    actions: u64,
    artifacts: u64,
    objects: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct MovedView {
    from: String,
    to: Option<String>,
}

#[derive(Serialize)]
struct FindingView<'a> {
    place: &'static str,
    hash: Option<ObjectHash>,
    path: String,
    fault: &'static str,
    message: String,
    fixable: bool,
    roles: Vec<RoleView<'a>>,
    stages: Vec<StageView<'a>>,
    downstream: Vec<StageView<'a>>,
    actions: &'a [ActionKey],
    runs: &'a [RunHash],
}

#[derive(Serialize)]
struct StageView<'a> {
    run: RunHash,
    stage: &'a str,
    action: ActionKey,
    kind: Option<StageKind>,
}

#[derive(Serialize)]
#[serde(tag = "role", rename_all = "kebab-case")]
enum RoleView<'a> {
    Run {
        run: RunHash,
    },
    Action {
        action: ActionKey,
    },
    Artifact {
        artifact: ArtifactHash,
    },
    File {
        artifact: ArtifactHash,
        name: &'a str,
    },
    Plugin {
        action: ActionKey,
        plugin: &'a str,
    },
    Log {
        action: ActionKey,
        record: ObjectHash,
    },
    PipelineFile {
        run: RunHash,
    },
    NetworksFile {
        run: RunHash,
    },
    FiguresFile {
        run: RunHash,
    },
    Pinned {
        label: &'a str,
    },
}

#[derive(Serialize)]
#[serde(tag = "note", rename_all = "kebab-case")]
enum NoteView<'a> {
    Irreproducible {
        action: ActionKey,
        artifacts: &'a [ArtifactHash],
        stages: Vec<StageView<'a>>,
    },
    UnnamedRun {
        run: RunHash,
    },
    NewerRevision {
        action: ActionKey,
        kind: StageKind,
        revision: u32,
    },
    KnownLoss {
        object: ObjectHash,
        roles: Vec<RoleView<'a>>,
    },
    Writable {
        paths: Vec<String>,
    },
    Unnamed {
        objects: u64,
        bytes: u64,
    },
    Unfinished {
        paths: Vec<String>,
    },
    Temporary {
        paths: Vec<String>,
    },
    Strange {
        paths: Vec<String>,
    },
    Quarantine {
        things: usize,
    },
}

impl<'a> AuditView<'a> {
    pub(crate) fn of(shown: &'a ShownAudit<'_>) -> Self {
        let (report, store) = (&shown.report, shown.store);
        let counts = report.counts;
        let findings = report.findings.iter();
        let notes = report.notes.iter();
        let runs = report.runs.iter().map(|(hash, run)| ListedRun {
            run: *hash,
            pipeline: &run.pipeline,
            started_ms: run.started_ms,
        });
        let moved = shown.moved.as_ref().map(|moved| {
            let moved = moved.iter().map(|moved| MovedView {
                from: below(store, &moved.from),
                to: moved.to.as_ref().map(|to| below(store, to)),
            });
            moved.collect()
        });
        Self {
            intact: report.findings.is_empty(),
            damaged: report.damaged(),
            unreadable: report.unreadable(),
            counts: CountsView {
                runs: counts.runs,
                results: counts.results,
                actions: counts.actions,
                artifacts: counts.artifacts,
                objects: counts.objects,
                bytes: counts.bytes,
            },
            duration_ms: shown.duration_ms,
            findings: findings.map(|it| FindingView::of(store, it)).collect(),
            notes: notes.map(|it| NoteView::of(store, it)).collect(),
            runs: runs.collect(),
            moved,
        }
    }
}

impl<'a> FindingView<'a> {
    fn of(store: &Store, finding: &'a Finding) -> Self {
        let (place, hash) = match &finding.location {
            Location::Object(object) => ("object", Some(*object)),
            Location::Record { action, .. } => ("record", Some((*action).into())),
            Location::Marker { run, .. } => ("marker", Some((*run).into())),
            Location::Path(_) => ("entry", None),
        };
        let affected = &finding.affected;
        Self {
            place,
            hash,
            path: below(store, &finding.location.path(store)),
            fault: finding.fault.name(),
            message: finding.fault.to_string(),
            fixable: !finding.remedy.is_empty(),
            roles: affected.roles.iter().map(RoleView::of).collect(),
            stages: affected.stages.iter().map(StageView::of).collect(),
            downstream: affected.downstream.iter().map(StageView::of).collect(),
            actions: &affected.actions,
            runs: &affected.runs,
        }
    }
}

impl<'a> StageView<'a> {
    fn of(stage: &'a AffectedStage) -> Self {
        Self {
            run: stage.run,
            stage: &stage.stage,
            action: stage.action,
            kind: stage.kind,
        }
    }
}

impl<'a> RoleView<'a> {
    fn of(role: &'a Role) -> Self {
        match role {
            Role::Run(run) => Self::Run { run: *run },
            Role::Action(action) => Self::Action { action: *action },
            Role::Artifact(artifact) => Self::Artifact {
                artifact: *artifact,
            },
            Role::File { artifact, name } => Self::File {
                artifact: *artifact,
                name,
            },
            Role::Library { action, plugin } => Self::Plugin {
                action: *action,
                plugin,
            },
            Role::Log { action, record } => Self::Log {
                action: *action,
                record: *record,
            },
            Role::PipelineFile(run) => Self::PipelineFile { run: *run },
            Role::NetworksFile(run) => Self::NetworksFile { run: *run },
            Role::FiguresFile(run) => Self::FiguresFile { run: *run },
            Role::Pin(label) => Self::Pinned { label },
        }
    }
}

impl<'a> NoteView<'a> {
    fn of(store: &Store, note: &'a Note) -> Self {
        let paths = |paths: &[PathBuf]| paths.iter().map(|path| below(store, path)).collect();
        match note {
            Note::Irreproducible {
                action,
                artifacts,
                stages,
            } => Self::Irreproducible {
                action: *action,
                artifacts,
                stages: stages.iter().map(StageView::of).collect(),
            },
            Note::UnnamedRun(run) => Self::UnnamedRun { run: *run },
            Note::NewerRevision {
                action,
                kind,
                revision,
            } => Self::NewerRevision {
                action: *action,
                kind: *kind,
                revision: *revision,
            },
            Note::KnownLoss { object, roles } => Self::KnownLoss {
                object: *object,
                roles: roles.iter().map(RoleView::of).collect(),
            },
            Note::Writable(files) => Self::Writable {
                paths: paths(files),
            },
            Note::Unnamed { objects, bytes } => Self::Unnamed {
                objects: *objects,
                bytes: *bytes,
            },
            Note::Unfinished(folders) => Self::Unfinished {
                paths: paths(folders),
            },
            Note::Temporary(files) => Self::Temporary {
                paths: paths(files),
            },
            Note::Strange(files) => Self::Strange {
                paths: paths(files),
            },
            Note::Quarantine(count) => Self::Quarantine { things: *count },
        }
    }
}
