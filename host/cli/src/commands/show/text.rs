//! The subject of `show` as text, for people.

use std::collections::BTreeSet;

use assay_abi::PanicStrategy;
use assay_audit::Index;
use assay_core::{ActionResult, ArtifactHash, Containment, Run, RunStage};

use super::{
    ActionView, ArtifactView, Details, FileView, HandshakeView, ObjectView, ResultView, ShowView,
};
use crate::ui::action::{ending, outcomes};
use crate::ui::role::{action_words, artifact_words, kind, roles};
use crate::ui::words::{count, fields, lines, moment, plain, right, size, table};
use crate::ui::{action, content, duration};

/// Readers of an artifact that are told one by one.
const NAMED_READERS: usize = 5;

pub(super) fn text(index: &Index, view: &ShowView<'_>) -> String {
    let pins = view.pinned_as.join(", ");
    let (head, known, rest) = match &view.details {
        Details::Run { run: None } => ("run", Vec::new(), String::new()),
        Details::Run { run: Some(run) } => (
            "run",
            run_fields(run, pins),
            format!("\n{}", stages(index, run)),
        ),
        Details::Action(action) => (
            "action",
            action_fields(index, action, pins),
            executions(&action.results),
        ),
        Details::Result { of, result } => {
            let mut known = vec![("of", action_words(index, *of))];
            known.extend(result.iter().flat_map(|it| result_fields(index, it)));
            ("result", known, String::new())
        }
        Details::Artifact(artifact) => (
            "artifact",
            artifact_fields(index, artifact, pins),
            format!("\n{}", files(&artifact.files)),
        ),
        Details::Object(object) => {
            let content = object.content.as_ref().map(content::text);
            let content = content.filter(|text| !text.is_empty());
            let content = content.map(|text| format!("\n{text}"));
            (
                "object",
                object_fields(index, view, object),
                content.unwrap_or_default(),
            )
        }
    };
    format!("{head} {}\n{}{rest}", view.hash, fields(&known))
}

/// Names and what they are.
type Known = Vec<(&'static str, String)>;

fn run_fields(run: &Run, pins: String) -> Known {
    let ended = format!(
        "{}: {}, {}",
        ending(&run.outcomes()),
        count(run.stages.len() as u64, "stage"),
        outcomes(&run.outcomes())
    );
    let began = format!(
        "{} UTC on {}, took {}, assay {}",
        moment(run.started_ms),
        plain(&run.host),
        duration(run.duration_ms),
        plain(&run.version)
    );
    let mut known = vec![
        ("pipeline", plain(&run.pipeline)),
        ("began", began),
        ("ended", ended),
        ("file", format!("{}, as it was", run.file.short())),
    ];
    let networks = run.networks.map(|networks| ("networks", networks.short()));
    known.extend(networks);
    let figures = run.figures.iter();
    let figures = figures.map(|(path, file)| format!("{}, {}", file.short(), plain(path)));
    known.push(("figures", figures.collect::<Vec<_>>().join("\n")));
    if !run.overrides.is_empty() {
        let overrides: Vec<_> = run.overrides.iter().map(|it| plain(it)).collect();
        known.push(("overrides", overrides.join("\n")));
    }
    known.push(("pinned as", pins));
    known.retain(|(_, value)| !value.is_empty());
    known
}

fn stages(index: &Index, run: &Run) -> String {
    let header = [
        "stage", "kind", "outcome", "time", "size", "action", "artifact",
    ];
    let mut stages = table(&header);
    for stage in &run.stages {
        stages.add_row(cells(index, stage));
    }
    right(&mut stages, &[3, 4]);
    lines(&stages)
}

fn cells(index: &Index, stage: &RunStage) -> [String; 7] {
    let dash = || "—".to_owned();
    let entry = stage.action.and_then(|action| index.actions().get(&action));
    let document = entry.and_then(|entry| entry.document.as_ref());
    let gave = |result: &assay_core::ActionResult| Some(result.artifact) == stage.artifact;
    let mut results = entry.into_iter().flat_map(|entry| &entry.results);
    let result = results.find(|(_, result)| gave(result));
    let manifest = stage.artifact.and_then(|it| index.artifacts().get(&it));
    let bytes = manifest.map(|it| {
        it.files
            .values()
            .map(|file| file.size)
            .fold(0, u64::saturating_add)
    });
    [
        plain(&stage.name),
        document.map_or_else(dash, |document| document.kind.name().to_owned()),
        action::outcome(stage.outcome).to_owned(),
        result.map_or_else(dash, |(_, result)| duration(result.duration_ms)),
        bytes.map_or_else(dash, size),
        stage.action.map_or_else(dash, |action| action.short()),
        stage
            .artifact
            .map_or_else(dash, |artifact| artifact.short()),
    ]
}

fn action_fields(index: &Index, view: &ActionView<'_>, pins: String) -> Known {
    let mut known = Vec::new();
    if let (Some(run), Some(stage)) = (view.run, view.stage) {
        known.push(("stage", format!("{} of run {}", plain(stage), run.short())));
    }
    if let Some(document) = &view.action {
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
    let gave = view.results.iter().map(|view| view.result.artifact);
    let gave: BTreeSet<_> = gave.collect();
    let gave: Vec<_> = gave.into_iter().map(|it| holds(index, it)).collect();
    if gave.len() > 1 {
        let warning = "NOT REPRODUCIBLE: its executions gave different artifacts";
        known.push(("gave", format!("{warning}\n{}", gave.join("\n"))));
    } else {
        let nothing = || "nothing: it has no result".to_owned();
        known.push(("gave", gave.first().cloned().unwrap_or_else(nothing)));
    }
    known.push(("used in", action::uses(index, &index.stages(view.key))));
    known.push(("pinned as", pins));
    known.retain(|(_, value)| !value.is_empty());
    known
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

fn executions(results: &[ResultView<'_>]) -> String {
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
    for ResultView { record, result } in results {
        shown.add_row([
            record.short(),
            moment(result.started_ms),
            duration(result.duration_ms),
            size(result.peak_memory),
            action::machine(result),
            result.artifact.short(),
            result.log.map_or("—".to_owned(), |log| log.short()),
        ]);
    }
    right(&mut shown, &[2, 3]);
    format!("\n{}", lines(&shown))
}

/// The most memory of its worker.
fn memory(result: &ActionResult) -> String {
    let memory = size(result.peak_memory);
    match result.at_once {
        None => format!("{memory} at most"),
        Some(count) => format!("{memory} at most, for {count} actions"),
    }
}

fn result_fields(index: &Index, result: &ActionResult) -> Known {
    let mut known = vec![
        ("gave", holds(index, result.artifact)),
        ("ran", action::execution(result)),
        ("memory", memory(result)),
        ("contained", contained(result.containment)),
    ];
    if let Some(earlier) = result.continued_from {
        known.push(("continues", holds(index, earlier)));
    }
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

fn artifact_fields(index: &Index, view: &ArtifactView<'_>, pins: String) -> Known {
    let named = view.read_by.iter().take(NAMED_READERS);
    let readers = named.map(|reader| {
        let action = action_words(index, reader.action);
        format!("{action} as {}", plain(reader.role))
    });
    let mut readers: Vec<_> = readers.collect();
    let more = view.read_by.len() - readers.len();
    if more > 0 {
        readers.push(format!("and {more} more"));
    }
    let makers = view.made_by.iter().map(|maker| {
        let uses = match action::uses(index, &index.stages(*maker)) {
            uses if uses.is_empty() => uses,
            uses => format!(" in {uses}"),
        };
        format!("{} {}{uses}", kind(index, *maker), maker.short())
    });
    let makers: Vec<_> = makers.collect();
    let mut known = vec![
        ("holds", sizes(index, view.artifact)),
        ("made by", makers.join("\n")),
        ("read by", readers.join("\n")),
        ("pinned as", pins),
    ];
    known.retain(|(_, value)| !value.is_empty());
    known
}

fn files(files: &[FileView]) -> String {
    let mut shown = table(&["file", "size", "type", "object", "state"]);
    for file in files {
        let state = match file.found {
            None => "MISSING",
            Some(size) if size == file.size => "there",
            Some(_) => "WRONG SIZE",
        };
        shown.add_row([
            plain(&file.name),
            size(file.size),
            plain(&file.media_type),
            file.object.short(),
            state.to_owned(),
        ]);
    }
    right(&mut shown, &[1]);
    lines(&shown)
}

fn object_fields(index: &Index, view: &ShowView<'_>, object: &ObjectView) -> Known {
    let state = match (object.size, &object.content) {
        (None, _) => "MISSING".to_owned(),
        (Some(bytes), None) => format!("{}, DAMAGED: not the bytes of that hash", size(bytes)),
        (Some(bytes), Some(_)) => format!("{}, intact", size(bytes)),
    };
    let mut known = vec![("size", state), ("is", roles(index, view.hash))];
    let content = object.content.as_ref();
    known.extend(content.map(|content| ("holds", content.what.to_owned())));
    known.extend(
        object
            .handshake
            .as_ref()
            .map(|it| ("plugin", handshake(it))),
    );
    let no_plugin = object.no_plugin.as_ref();
    known.extend(no_plugin.map(|why| ("plugin", format!("no plugin: {}", plain(why)))));
    known
}

fn handshake(handshake: &HandshakeView) -> String {
    let libtorch = match &handshake.libtorch {
        version if version.is_empty() => "no libtorch".to_owned(),
        version => format!("libtorch {version}"),
    };
    let panics = match handshake.panics {
        PanicStrategy::Unwind => "unwinds",
        PanicStrategy::Abort => "aborts",
    };
    let (abi, target) = (&handshake.abi, &handshake.target);
    format!("ABI {abi}, {target}, {libtorch}, {panics} on a panic")
}
