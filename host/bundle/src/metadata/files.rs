//! The files of a bundle as entities of its crate.

use std::collections::BTreeMap;

use assay_core::ObjectHash;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::graph::Graph;
use crate::contents::{BundledObject, Contents, Objects};
use crate::layout::BundleFile;

/// Size and SHA-256 of a file, which every reader of crates can check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileFacts {
    /// Its size in bytes.
    pub(crate) size: u64,
    pub(crate) sha256: [u8; 32],
}

impl FileFacts {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self {
            size: bytes.len() as u64,
            sha256: Sha256::digest(bytes).into(),
        }
    }

    /// The SHA-256 in hexadecimal digits, which any hash of this size can spell.
    pub(crate) fn hex(&self) -> String {
        blake3::Hash::from_bytes(self.sha256).to_hex().to_string()
    }

    /// The size, as crates write it.
    pub(crate) fn content_size(&self) -> String {
        self.size.to_string()
    }
}

/// Adds every file but the pipeline file, which is more than a file ([`super::workflow`]).
pub(super) fn add(
    graph: &mut Graph<'_>,
    contents: &Contents,
    objects: &Objects,
    facts: &BTreeMap<BundleFile, FileFacts>,
) {
    for (entry, facts) in facts {
        let fields = match *entry {
            BundleFile::Object(object) => {
                let Some(bundled) = objects.get(&object) else {
                    continue;
                };
                object_fields(object, bundled)
            }
            BundleFile::Record { action, record } => vec![
                (
                    "name",
                    json!(format!("record of an execution of {}", action.short())),
                ),
                ("encodingFormat", json!("application/json")),
                ("identifier", json!(format!("blake3:{record}"))),
            ],
            BundleFile::Format => plain("format of the store"),
            BundleFile::Run { .. } => plain("marker that names the run"),
            BundleFile::Metadata => continue,
        };
        let is_pipeline = *entry == BundleFile::Object(contents.manifest.file);
        let kind = if is_pipeline {
            json!([
                "File",
                "SoftwareSourceCode",
                "ComputationalWorkflow",
                "HowTo"
            ])
        } else {
            json!("File")
        };
        let mut fields = fields;
        fields.push(("contentSize", json!(facts.content_size())));
        fields.push(("sha256", json!(facts.hex())));
        if is_pipeline {
            fields.extend(super::workflow::fields(contents));
        }
        graph.add(&entry.name(), kind, fields);
    }
}

fn plain(name: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("name", json!(name)),
        ("encodingFormat", json!("text/plain")),
    ]
}

/// An object has the name of each of its roles.
fn object_fields(object: ObjectHash, bundled: &BundledObject) -> Vec<(&'static str, Value)> {
    let names = bundled.roles.iter().map(|it| it.description.as_str());
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    names.dedup();
    vec![
        ("name", json!(names.join(", "))),
        ("encodingFormat", json!(bundled.media_type)),
        ("identifier", json!(format!("blake3:{object}"))),
    ]
}
