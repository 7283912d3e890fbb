//! An audit for scripts: everything that is found, with full hashes, and no list cut short.

use assay_audit::{AffectedStage, Finding, Location, Note};
use assay_core::graph::Role;
use assay_store::Store;
use serde_json::{Value, json};

use crate::commands::audit::ShownAudit;
use crate::commands::audit::layout::below;
use crate::ui::json::document;

pub(crate) fn text(shown: &ShownAudit<'_>) -> String {
    let (report, store) = (&shown.report, shown.store);
    let counts = report.counts;
    let findings: Vec<_> = report
        .findings
        .iter()
        .map(|it| finding(store, it))
        .collect();
    let notes: Vec<_> = report.notes.iter().map(|it| note(store, it)).collect();
    let moved = shown.moved.as_ref().map(|moved| {
        let moved = moved.iter().map(|moved| {
            let to = moved.to.as_ref().map(|to| below(store, to));
            json!({ "from": below(store, &moved.from), "to": to })
        });
        moved.collect::<Vec<_>>()
    });
    let runs: Vec<_> = report
        .runs
        .iter()
        .map(|(hash, run)| {
            json!({ "run": hash, "pipeline": run.pipeline, "started_ms": run.started_ms })
        })
        .collect();
    document(&json!({
        "intact": report.findings.is_empty(),
        "damaged": report.damaged(),
        "unreadable": report.unreadable(),
        "counts": {
            "runs": counts.runs,
            "results": counts.results,
            "actions": counts.actions,
            "artifacts": counts.artifacts,
            "objects": counts.objects,
            "bytes": counts.bytes,
        },
        "duration_ms": shown.duration_ms,
        "findings": findings,
        "notes": notes,
        "runs": runs,
        "moved": moved,
    }))
}

fn finding(store: &Store, finding: &Finding) -> Value {
    let (place, hash) = match &finding.location {
        Location::Object(object) => ("object", Some(object.to_string())),
        Location::Record { action, .. } => ("record", Some(action.to_string())),
        Location::Marker { run, .. } => ("marker", Some(run.to_string())),
        Location::Path(_) => ("entry", None),
    };
    let affected = &finding.affected;
    json!({
        "place": place,
        "hash": hash,
        "path": below(store, &finding.location.path(store)),
        "fault": finding.fault.name(),
        "message": finding.fault.to_string(),
        "fixable": !finding.remedy.is_empty(),
        "roles": affected.roles.iter().map(role).collect::<Vec<_>>(),
        "stages": affected.stages.iter().map(stage).collect::<Vec<_>>(),
        "downstream": affected.downstream.iter().map(stage).collect::<Vec<_>>(),
        "actions": affected.actions,
        "runs": affected.runs,
    })
}

fn stage(stage: &AffectedStage) -> Value {
    json!({
        "run": stage.run,
        "stage": stage.stage,
        "action": stage.action,
        "kind": stage.kind,
    })
}

fn role(role: &Role) -> Value {
    match role {
        Role::Run(run) => json!({ "role": "run", "run": run }),
        Role::Action(action) => json!({ "role": "action", "action": action }),
        Role::Artifact(artifact) => json!({ "role": "artifact", "artifact": artifact }),
        Role::File { artifact, name } => {
            json!({ "role": "file", "artifact": artifact, "name": name })
        }
        Role::Library { action, plugin } => {
            json!({ "role": "plugin", "action": action, "plugin": plugin })
        }
        Role::Log { action, record } => {
            json!({ "role": "log", "action": action, "record": record })
        }
        Role::PipelineFile(run) => json!({ "role": "pipeline-file", "run": run }),
        Role::NetworksFile(run) => json!({ "role": "networks-file", "run": run }),
        Role::Pin(label) => json!({ "role": "pinned", "label": label }),
    }
}

fn note(store: &Store, note: &Note) -> Value {
    let paths = |paths: &[std::path::PathBuf]| -> Vec<_> {
        paths.iter().map(|path| below(store, path)).collect()
    };
    match note {
        Note::Irreproducible {
            action,
            artifacts,
            stages,
        } => json!({
            "note": "irreproducible",
            "action": action,
            "artifacts": artifacts,
            "stages": stages.iter().map(stage).collect::<Vec<_>>(),
        }),
        Note::UnnamedRun(run) => json!({ "note": "unnamed-run", "run": run }),
        Note::NewerRevision {
            action,
            kind,
            revision,
        } => json!({
            "note": "newer-revision",
            "action": action,
            "kind": kind,
            "revision": revision,
        }),
        Note::KnownLoss { object, roles } => json!({
            "note": "known-loss",
            "object": object,
            "roles": roles.iter().map(role).collect::<Vec<_>>(),
        }),
        Note::Writable(files) => json!({ "note": "writable", "paths": paths(files) }),
        Note::Unnamed { objects, bytes } => {
            json!({ "note": "unnamed", "objects": objects, "bytes": bytes })
        }
        Note::Unfinished(folders) => json!({ "note": "unfinished", "paths": paths(folders) }),
        Note::Temporary(files) => json!({ "note": "temporary", "paths": paths(files) }),
        Note::Strange(files) => json!({ "note": "strange", "paths": paths(files) }),
        Note::Quarantine(count) => json!({ "note": "quarantine", "things": count }),
    }
}
