//! The files of a bundle as entities of its crate.

use std::collections::BTreeMap;

use assay_core::ObjectHash;
use assay_core::graph::Role;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::graph::{Graph, all};
use crate::contents::Contents;
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
    objects: &BTreeMap<ObjectHash, Vec<Role>>,
    facts: &BTreeMap<BundleFile, FileFacts>,
) {
    for (entry, facts) in facts {
        let fields = match *entry {
            BundleFile::Object(object) => {
                let roles = objects.get(&object).map_or(&[][..], Vec::as_slice);
                object_fields(contents, object, roles)
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

/// A file may be several things at once, such as the best weights and the last: it has the name of
/// each.
fn object_fields(
    contents: &Contents,
    object: ObjectHash,
    roles: &[Role],
) -> Vec<(&'static str, Value)> {
    let mut names: Vec<_> = roles.iter().map(|role| contents.role_name(role)).collect();
    names.sort_unstable();
    names.dedup();
    let format = roles.first().map(|role| contents.media_type(role));
    vec![
        ("name", json!(names.join(", "))),
        ("encodingFormat", all(format.map(|format| json!(format)))),
        ("identifier", json!(format!("blake3:{object}"))),
    ]
}
