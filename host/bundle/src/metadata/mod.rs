//! Description of a bundle for readers that know nothing of Assay: `ro-crate-metadata.json`, a
//! Workflow Run RO-Crate. It repeats what the documents in the bundle say, and nothing more;
//! [`check()`] finds a crate that says anything else.
//!
//! The terms are those of RO-Crate 1.1 and of the profiles Process, Workflow and Provenance Run
//! Crate 0.5, which are at <https://w3id.org/ro/wfrun/provenance/0.5>.

mod check;
mod execution;
mod files;
mod graph;
mod people;
mod workflow;

pub(crate) use check::check;
pub(crate) use files::FileFacts;
pub use people::Attribution;

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, UNIX_EPOCH};

use assay_core::ObjectHash;
use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};
use serde_json::{Value, json};

use self::graph::{Entity, Graph, all, reference};
use crate::contents::{Contents, Objects};
use crate::layout::BundleFile;

/// The vocabulary, and the terms of workflow runs that it lacks.
const CONTEXT: &str = "https://w3id.org/ro/crate/1.1/context";
const TERMS: &str = "https://w3id.org/ro/terms/workflow-run#";

/// The profiles that the crate conforms to: identifier, name, version.
const PROFILES: [(&str, &str, &str); 4] = [
    (
        "https://w3id.org/ro/wfrun/process/0.5",
        "Process Run Crate",
        "0.5",
    ),
    (
        "https://w3id.org/ro/wfrun/workflow/0.5",
        "Workflow Run Crate",
        "0.5",
    ),
    (
        "https://w3id.org/ro/wfrun/provenance/0.5",
        "Provenance Run Crate",
        "0.5",
    ),
    (WORKFLOW_CRATE, "Workflow RO-Crate", "1.0"),
];
const WORKFLOW_CRATE: &str = "https://w3id.org/workflowhub/workflow-ro-crate/1.0";

/// Which entities and fields a crate has. A reader writes the metadata of a bundle again to compare:
/// raise it with every change of them.
const REVISION: &str = "1";

/// The name of the whole.
const ROOT: &str = "./";

/// Inputs to the metadata of a bundle.
pub(crate) struct Sources<'a> {
    pub(crate) contents: &'a Contents,
    /// The objects among the files.
    pub(crate) objects: &'a Objects,
    /// The files that the metadata are about.
    pub(crate) files: &'a BTreeMap<BundleFile, FileFacts>,
    pub(crate) about: &'a Attribution,
}

/// The metadata as they are written.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "@context")]
    context: Value,
    #[serde(rename = "@graph")]
    graph: &'a Sources<'a>,
}

/// Writes the metadata of a bundle.
pub(crate) fn write(sources: &Sources<'_>, to: impl io::Write) -> Result<(), serde_json::Error> {
    let terms =
        ["environment", "resourceUsage", "sha256"].map(|term| (term, format!("{TERMS}{term}")));
    let document = Document {
        context: json!([CONTEXT, BTreeMap::from(terms)]),
        graph: sources,
    };
    serde_json::to_writer_pretty(to, &document)
}

impl Serialize for Sources<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut entities = serializer.serialize_seq(None)?;
        let mut written = Ok(());
        let mut take = |entity: &Entity<'_>| {
            if written.is_ok() {
                written = entities.serialize_element(entity);
            }
        };
        add(&mut Graph::new(&mut take), self);
        written?;
        entities.end()
    }
}

fn add(graph: &mut Graph<'_>, sources: &Sources<'_>) {
    let Sources {
        contents,
        objects,
        files,
        about,
    } = *sources;
    graph.add(
        &BundleFile::Metadata.name(),
        "CreativeWork",
        [
            ("about", reference(ROOT)),
            ("version", json!(REVISION)),
            (
                "conformsTo",
                all(["https://w3id.org/ro/crate/1.1", WORKFLOW_CRATE].map(reference)),
            ),
        ],
    );
    for (id, name, version) in PROFILES {
        let fields = [("name", json!(name)), ("version", json!(version))];
        graph.add(id, "CreativeWork", fields);
    }
    files::add(graph, contents, objects, files);
    workflow::add(graph, contents, objects);
    execution::add(graph, contents, objects, about);
    people::add(graph, about);
    add_root(graph, contents, files, about);
}

fn add_root(
    graph: &mut Graph<'_>,
    contents: &Contents,
    facts: &BTreeMap<BundleFile, FileFacts>,
    about: &Attribution,
) {
    let run = &contents.manifest;
    let description = format!(
        "A run of the pipeline `{}` by Assay {}, with everything that it rests on: the pipeline \
         file, each stage's action and its records, and the artifacts. The folder is a store of \
         Assay; `pipeline unbundle` verifies the file that it came in.",
        run.pipeline, run.version
    );
    let ended = run.started_ms.saturating_add(run.duration_ms);
    let conforms = PROFILES.map(|(id, ..)| reference(id));
    let mentioned = graph.take_mentioned().into_iter();
    let mut fields = vec![
        ("name", json!(format!("Run of `{}`", run.pipeline))),
        ("description", json!(description)),
        ("identifier", json!(contents.run)),
        ("datePublished", json!(time(ended))),
        ("conformsTo", all(conforms)),
        (
            "hasPart",
            all(facts.keys().map(|entry| reference(&entry.name()))),
        ),
        ("mainEntity", reference(&object_id(run.file))),
        ("mentions", all(mentioned.map(|id| reference(&id)))),
        ("license", reference(&about.license_id())),
    ];
    fields.extend(about.author_id().map(|id| ("author", reference(id))));
    fields.extend(about.publisher_id().map(|id| ("publisher", reference(id))));
    graph.add(ROOT, "Dataset", fields);
}

/// The name of an object's file, which identifies it in the crate too.
fn object_id(object: ObjectHash) -> String {
    BundleFile::Object(object).name()
}

/// A time as ISO 8601 has it.
fn time(milliseconds: u64) -> String {
    // The year 9999 ends before this; humantime knows none after.
    const LAST: u64 = 253_402_300_799_999;
    let time = UNIX_EPOCH + Duration::from_millis(milliseconds.min(LAST));
    let text = humantime::format_rfc3339_millis(time).to_string();
    text.replace('Z', "+00:00")
}
