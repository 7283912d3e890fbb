//! The subject of `show` as JSON, for scripts.

use assay_audit::{Index, Subject};
use assay_core::ActionKey;
use assay_core::graph::Role;
use serde_json::{Value, json};

use crate::commands::show::{Details, Shown, ShownFile};
use crate::ui::action::uses_json;
use crate::ui::content;
use crate::ui::json::document;

pub(crate) fn json(shown: &Shown<'_>) -> String {
    let (index, subject) = (shown.index, &shown.subject);
    let damage: Vec<_> = shown.damage.iter().map(ToString::to_string).collect();
    let details = match (&shown.details, subject) {
        (Details::Run, Subject::Run(run)) => {
            json!({ "run": index.runs().get(run).map(|entry| &entry.run) })
        }
        (Details::Action { key, action }, subject) => {
            let (run, stage, artifact) = match subject {
                Subject::Stage {
                    run,
                    stage,
                    artifact,
                    ..
                } => (Some(run), Some(stage), *artifact),
                _ => (None, None, None),
            };
            json!({
                "run": run,
                "stage": stage,
                "artifact": artifact,
                "action": action,
                "results": results(index, *key),
                "used_in": uses_json(index, *key),
            })
        }
        (Details::Result { action, result }, _) => json!({ "of": action, "result": result }),
        (Details::Artifact { files }, Subject::Artifact(artifact)) => json!({
            "files": files.iter().map(file).collect::<Vec<_>>(),
            "made_by": index.producers(*artifact).collect::<Vec<_>>(),
            "read_by": index.readers(*artifact)
                .map(|(action, role)| json!({ "action": action, "role": role }))
                .collect::<Vec<_>>(),
        }),
        (Details::Run | Details::Artifact { .. }, _) => json!({}),
        (
            Details::Object {
                size,
                content,
                handshake,
            },
            subject,
        ) => json!({
            "size": size,
            "roles": index.roles(subject.object()).map(role).collect::<Vec<_>>(),
            "content": content.as_ref().map(content::json),
            "handshake": handshake.as_ref().and_then(|it| it.as_ref().ok()).map(|handshake| json!({
                "abi": handshake.abi_version(),
                "target": handshake.target(),
                "libtorch": handshake.libtorch(),
            })),
        }),
    };
    let mut value = json!({
        "kind": subject.what(),
        "hash": subject.object(),
        "intact": shown.damage.is_empty(),
        "damage": damage,
        "pinned_as": index.labels(subject.object()).collect::<Vec<_>>(),
    });
    if let (Some(value), Value::Object(details)) = (value.as_object_mut(), details) {
        value.extend(details);
    }
    document(&value)
}

fn results(index: &Index, key: ActionKey) -> Vec<Value> {
    let results = index.actions().get(&key).map(|entry| &entry.results);
    let results = results.into_iter().flatten();
    results
        .map(|(record, result)| json!({ "record": record, "result": result }))
        .collect()
}

fn file(file: &ShownFile) -> Value {
    json!({
        "name": file.name,
        "object": file.file.object,
        "size": file.file.size,
        "media_type": file.file.media_type,
        "found": file.found,
    })
}

fn role(role: &Role) -> Value {
    match role {
        Role::Run(run) => json!({ "run": run }),
        Role::Action(action) => json!({ "action": action }),
        Role::Artifact(artifact) => json!({ "artifact": artifact }),
        Role::File { artifact, name } => json!({ "file": name, "of": artifact }),
        Role::Library { action, plugin } => json!({ "plugin": plugin, "used_by": action }),
        Role::Log { action, record } => json!({ "log_of": record, "action": action }),
        Role::PipelineFile(run) => json!({ "pipeline_file_of": run }),
        Role::NetworksFile(run) => json!({ "networks_file_of": run }),
        Role::Pin(label) => json!({ "pinned_as": label }),
    }
}
