//! Whether the metadata of a bundle say what its documents say. A person's words are taken from
//! them; everything else must come out the same when it is written again. Neither what was found
//! nor what is expected is ever held as a whole but in its bytes: a crate has more entities than files.

use std::collections::BTreeMap;
use std::fmt;
use std::io;

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde_json::Value;

use super::people::{AUTHOR, Attribution, ORGANIZATION};
use super::{FileFacts, REVISION, ROOT, Sources, write};
use crate::contents::{Contents, Objects};
use crate::error::BundleError;
use crate::layout::BundleFile;

/// # Errors
/// They are not JSON, of another revision, or about anything but this run and these files.
pub(crate) fn check(
    metadata: &[u8],
    contents: &Contents,
    objects: &Objects,
    files: &BTreeMap<BundleFile, FileFacts>,
) -> Result<(), BundleError> {
    let Crate { graph } = serde_json::from_slice(metadata)
        .map_err(|error| BundleError::Untrue(format!("are not JSON: {error}")))?;
    let stated = graph.unwrap_or_default();
    let revision = stated.entity(&BundleFile::Metadata.name());
    let revision = revision.and_then(|entity| text(entity.version.as_ref()));
    if revision != Some(REVISION) {
        let found = revision.unwrap_or("none");
        return Err(BundleError::Untrue(format!(
            "are of revision {found:.20?}, and this version knows {REVISION:?}; use the version of \
             assay that made it"
        )));
    }
    let sources = Sources {
        contents,
        objects,
        files,
        about: &Attribution::read(&stated),
    };
    let mut comparison = Comparison::new(metadata);
    let written = write(&sources, &mut comparison);
    if !comparison.differs && comparison.rest.is_empty() {
        return written.map_err(BundleError::Metadata);
    }
    Err(BundleError::Untrue(format!(
        "do not say what its documents say, from line {} on",
        comparison.line
    )))
}

/// Takes what should be there, and finds where what is there differs first.
struct Comparison<'a> {
    rest: &'a [u8],
    /// The line, from one, that has come so far.
    line: usize,
    differs: bool,
}

impl<'a> Comparison<'a> {
    fn new(found: &'a [u8]) -> Self {
        Self {
            rest: found,
            line: 1,
            differs: false,
        }
    }
}

impl io::Write for Comparison<'_> {
    fn write(&mut self, expected: &[u8]) -> io::Result<usize> {
        let pairs = expected.iter().zip(self.rest);
        let same = pairs.take_while(|(one, other)| one == other).count();
        let (same, rest) = self.rest.split_at(same);
        self.line += same.split(|byte| *byte == b'\n').count() - 1;
        self.rest = rest;
        if same.len() < expected.len() {
            self.differs = true;
            return Err(io::Error::other("it differs"));
        }
        Ok(expected.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A crate, as far as it is read.
#[derive(serde::Deserialize)]
struct Crate {
    #[serde(rename = "@graph")]
    graph: Option<Stated>,
}

/// The entities of a crate in which a person's word may be, or the revision.
#[derive(Default)]
pub(super) struct Stated(Vec<StatedEntity>);

/// An entity, as far as it is read: what it says may be of any type.
#[derive(serde::Deserialize)]
pub(super) struct StatedEntity {
    #[serde(rename = "@id")]
    id: Option<Value>,
    #[serde(rename = "@type")]
    kind: Option<Value>,
    version: Option<Value>,
    pub(super) name: Option<Value>,
    pub(super) license: Option<Value>,
}

impl Stated {
    /// The first entity with this identifier.
    pub(super) fn entity(&self, id: &str) -> Option<&StatedEntity> {
        self.0
            .iter()
            .find(|entity| text(entity.id.as_ref()) == Some(id))
    }
}

impl StatedEntity {
    /// The root, people and licences, which are works as the metadata themselves are.
    fn may_be_a_word(&self) -> bool {
        let is_work = text(self.kind.as_ref()) == Some("CreativeWork");
        is_work
            || text(self.id.as_ref()).is_some_and(|id| [ROOT, AUTHOR, ORGANIZATION].contains(&id))
    }
}

impl<'de> Deserialize<'de> for Stated {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entities;

        impl<'de> Visitor<'de> for Entities {
            type Value = Stated;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of entities")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut entities: A) -> Result<Stated, A::Error> {
                let mut stated = Vec::new();
                while let Some(entity) = entities.next_element::<StatedEntity>()? {
                    if entity.may_be_a_word() {
                        stated.push(entity);
                    }
                }
                Ok(Stated(stated))
            }
        }

        deserializer.deserialize_seq(Entities)
    }
}

pub(super) fn text(value: Option<&Value>) -> Option<&str> {
    value.and_then(Value::as_str)
}
