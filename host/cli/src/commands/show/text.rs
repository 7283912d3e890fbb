//! The subject of `show` as text, for people.

use std::collections::BTreeSet;

use assay_abi::{Handshake, PanicStrategy};
use assay_audit::content::Content;
use assay_audit::{Index, Subject};
use assay_core::{Action, ActionKey, ActionResult, ArtifactHash, Containment};

use crate::commands::show::{Details, Shown, ShownFile, run};
use crate::ui::role::{action_words, artifact_words, kind, pins, roles};
use crate::ui::words::{count, fields, lines, moment, plain, right, size, table};
use crate::ui::{action, content, duration};

/// Readers of an artifact that are told one by one.
const NAMED_READERS: usize = 5;

pub(crate) fn text(shown: &Shown<'_>) -> String {
    let (index, subject) = (shown.index, &shown.subject);
    match &shown.details {
        Details::Run => match subject {
            Subject::Run(hash) => run::text(index, *hash),
            _ => String::new(),
        },
        Details::Action { key, action } => action_text(index, subject, *key, action.as_ref()),
        Details::Result { action, result } => {
            let head = format!("result {}\n", subject.object());
            let action = ("of", action_words(index, *action));
            let more = result
                .iter()
                .flat_map(|result| result_fields(index, result));
            let known: Vec<_> = std::iter::once(action).chain(more).collect();
            head + &fields(&known)
        }
        Details::Artifact { files } => artifact_text(index, subject, files),
        Details::Object {
            size,
            content,
            handshake,
        } => object_text(index, subject, *size, content.as_ref(), handshake.as_ref()),
    }
}

fn action_text(
    index: &Index,
    subject: &Subject,
    key: ActionKey,
    document: Option<&Action>,
) -> String {
    let mut known = Vec::new();
    if let Subject::Stage { run, stage, .. } = subject {
        known.push(("stage", format!("{} of run {}", plain(stage), run.short())));
    }
    if let Some(document) = document {
        let kind = format!("{} (revision {})", document.kind, document.revision);
        known.push(("kind", kind));
        known.push(("parameters", action::parameters(document)));
        let reads = document.inputs.iter().map(|(role, artifact)| {
            format!("{}: {}", plain(role), artifact_words(index, *artifact))
        });
        known.push(("reads", reads.collect::<Vec<_>>().join("\n")));
        let plugin = document.plugin.as_ref().map(action::plugin);
        known.extend(plugin.map(|plugin| ("plugin", plugin)));
        let environment = document.environment.as_ref().map(action::environment);
        known.extend(environment.map(|it| ("environment", it)));
    }
    let entry = index.actions().get(&key);
    let results = entry.map_or(&[][..], |entry| &entry.results);
    let gave: BTreeSet<_> = results.iter().map(|(_, result)| result.artifact).collect();
    let gave: Vec<_> = gave.into_iter().map(|it| holds(index, it)).collect();
    if gave.len() > 1 {
        let warning = "NOT REPRODUCIBLE: its executions gave different artifacts";
        known.push(("gave", format!("{warning}\n{}", gave.join("\n"))));
    } else {
        let nothing = || "nothing: it has no result".to_owned();
        known.push(("gave", gave.first().cloned().unwrap_or_else(nothing)));
    }
    known.push(("used in", action::uses(index, index.stages(key))));
    known.push(("pinned as", pins(index, key.into())));
    known.retain(|(_, value)| !value.is_empty());
    format!("action {key}\n{}{}", fields(&known), executions(results))
}

/// An artifact by what it holds: `42a5db9457ae: 4 files, 11.2 MB`.
fn holds(index: &Index, artifact: ArtifactHash) -> String {
    format!("{}: {}", artifact.short(), sizes(index, artifact))
}

fn sizes(index: &Index, artifact: ArtifactHash) -> String {
    let Some(manifest) = index.artifacts().get(&artifact) else {
        return "not known".to_owned();
    };
    let bytes = manifest
        .files
        .values()
        .map(|file| file.size)
        .fold(0, u64::saturating_add);
    let files = count(manifest.files.len() as u64, "file");
    format!("{files}, {}", size(bytes))
}

fn executions(results: &[assay_core::Record]) -> String {
    if results.is_empty() {
        return String::new();
    }
    let header = [
        "execution",
        "began (UTC)",
        "took",
        "memory",
        "host",
        "artifact",
        "log",
    ];
    let mut shown = table(&header);
    for (record, result) in results {
        shown.add_row([
            record.short(),
            moment(result.started_ms),
            duration(result.duration_ms),
            size(result.peak_memory),
            plain(&result.host),
            result.artifact.short(),
            result.log.map_or("—".to_owned(), |log| log.short()),
        ]);
    }
    right(&mut shown, &[2, 3]);
    format!("\n{}", lines(&shown))
}

fn result_fields(index: &Index, result: &ActionResult) -> Vec<(&'static str, String)> {
    let mut known = vec![
        ("gave", holds(index, result.artifact)),
        ("ran", action::execution(result)),
        ("memory", format!("{} at most", size(result.peak_memory))),
        ("contained", contained(result.containment)),
    ];
    if let Some(memory) = result.limits.memory {
        known.push(("limit", format!("{} of memory", size(memory))));
    }
    if let Some(time) = result.limits.time_ms {
        known.push(("limit", duration(time)));
    }
    known.extend(result.log.map(|log| ("log", log.short())));
    known
}

fn contained(containment: Option<Containment>) -> String {
    let Some(containment) = containment else {
        return "not known".to_owned();
    };
    let landlock = match containment.landlock {
        0 => "no Landlock".to_owned(),
        version => format!("Landlock {version}"),
    };
    let yes_or_no = |is: bool| if is { "yes" } else { "no" };
    format!(
        "{landlock}, seccomp {}, no new privileges {}",
        yes_or_no(containment.seccomp),
        yes_or_no(containment.no_new_privileges)
    )
}

fn artifact_text(index: &Index, subject: &Subject, files: &[ShownFile]) -> String {
    let hash = subject.object();
    let Subject::Artifact(artifact) = subject else {
        return format!("artifact {hash}\n");
    };
    let mut readers: Vec<_> = index.readers(*artifact).collect();
    let more = readers.len().saturating_sub(NAMED_READERS);
    readers.truncate(NAMED_READERS);
    let readers = readers
        .into_iter()
        .map(|(action, role)| format!("{} as {}", action_words(index, action), plain(role)));
    let mut readers: Vec<_> = readers.collect();
    if more > 0 {
        readers.push(format!("and {more} more"));
    }
    let makers = index.producers(*artifact).map(|maker| {
        let uses = match action::uses(index, index.stages(maker)) {
            uses if uses.is_empty() => uses,
            uses => format!(" in {uses}"),
        };
        format!("{} {}{uses}", kind(index, maker), maker.short())
    });
    let makers: Vec<_> = makers.collect();
    let mut known = vec![
        ("holds", sizes(index, *artifact)),
        ("made by", makers.join("\n")),
        ("read by", readers.join("\n")),
        ("pinned as", pins(index, hash)),
    ];
    known.retain(|(_, value)| !value.is_empty());
    let mut shown = table(&["file", "size", "type", "object", "state"]);
    for file in files {
        shown.add_row([
            plain(&file.name),
            size(file.file.size),
            plain(&file.file.media_type),
            file.file.object.short(),
            file.state().to_owned(),
        ]);
    }
    right(&mut shown, &[1]);
    format!("artifact {hash}\n{}\n{}", fields(&known), lines(&shown))
}

fn object_text(
    index: &Index,
    subject: &Subject,
    bytes: Option<u64>,
    found: Option<&Content>,
    handshake: Option<&Result<Handshake, String>>,
) -> String {
    let object = subject.object();
    let state = match (bytes, found) {
        (None, _) => "MISSING".to_owned(),
        (Some(bytes), None) => format!("{}, DAMAGED: not the bytes of that hash", size(bytes)),
        (Some(bytes), Some(_)) => format!("{}, intact", size(bytes)),
    };
    let mut known = vec![("size", state), ("is", roles(index, index.roles(object)))];
    known.extend(found.map(|content| ("holds", content.what().to_owned())));
    known.extend(handshake.map(|handshake| ("plugin", self::handshake(handshake))));
    let mut text = format!("object {object}\n{}", fields(&known));
    let content = found.map(content::text).unwrap_or_default();
    if !content.is_empty() {
        text.push('\n');
        text.push_str(&content);
    }
    text
}

fn handshake(handshake: &Result<Handshake, String>) -> String {
    match handshake {
        Err(why) => format!("no plugin: {}", plain(why)),
        Ok(handshake) => {
            let libtorch = match handshake.libtorch() {
                version if version.is_empty() => "no libtorch".to_owned(),
                version => format!("libtorch {version}"),
            };
            let panics = match handshake.panic_strategy() {
                PanicStrategy::Unwind => "unwinds",
                PanicStrategy::Abort => "aborts",
            };
            let (abi, target) = (handshake.abi_version(), handshake.target());
            format!("ABI {abi}, {target}, {libtorch}, {panics} on a panic")
        }
    }
}
