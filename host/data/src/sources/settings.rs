//! The settings of a dataset as a pipeline file states them, each read once into its own type, and
//! their completion when the pipeline is planned.

use std::collections::HashSet;
use std::error::Error;
use std::fmt::{self, Debug, Formatter};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) use assay_core::settings::placed;
use assay_core::settings::{
    Entry, Node, Reader, Table, Value, array, integer, shortened, string, strings,
};
use assay_core::{Complaints, Diagnostic, ObjectHash, Place, Placed};
use serde::Deserialize;
use serde::de::value::{Error as WordError, StrDeserializer};
use serde::de::{Deserializer, Error as _, IntoDeserializer, Visitor};
use serde_json::json;

use super::{DEFAULT_VALIDATION, DatasetParameters, DatasetSource, KINDS, Limit, ScalingChoice};

/// The largest integer that RFC 8785 JSON holds exactly.
const LARGEST_SEED: i64 = 1 << 53;

/// Labels are stored in at most 16 bits.
const MOST_CLASSES: i64 = (1 << 16) - 1;

/// The hashes of files outside the store, remembered by whoever gives them.
pub trait FileHashes {
    /// The hash of the content of the file at `path`.
    fn file(&mut self, path: &Path) -> Result<ObjectHash, HashError>;

    /// One hash of the names and contents of `files`, paths relative to `root`.
    fn tree(&mut self, root: &Path, files: &[PathBuf]) -> Result<ObjectHash, HashError>;
}

/// The reason why a file has no hash.
pub type HashError = Box<dyn Error + Send + Sync>;

/// Context for completing the settings of datasets.
pub struct Planning<'a> {
    /// The folder of the pipeline file.
    pub base: &'a Path,
    /// The folder in which the user keeps datasets.
    pub data_dir: Option<&'a Path>,
    /// The hashes of the user's files.
    pub hashes: &'a mut dyn FileHashes,
}

/// A kind of source, by the name that it has in pipeline files.
pub(super) struct SourceKind {
    pub(super) name: &'static str,
    /// The settings that it takes beside those of every dataset.
    pub(super) settings: &'static [&'static str],
    /// Reads those settings of the stage of this name; nothing if one is missing or wrong.
    pub(super) read: fn(&mut Reader<'_>, &str, &mut Complaints) -> Option<SourceSettings>,
}

/// The settings of a source that its kind has read.
#[derive(Clone)]
pub(super) struct SourceSettings {
    /// The folder of the files, relative to that of the pipeline file, if it is settled.
    data_path: Option<String>,
    /// Finds and hashes the user's files.
    complete: Arc<Complete>,
}

type Complete = dyn Fn(&mut Planning<'_>) -> Result<DatasetSource, Diagnostic> + Send + Sync;

impl SourceSettings {
    pub(super) fn new(
        data_path: Option<String>,
        complete: impl Fn(&mut Planning<'_>) -> Result<DatasetSource, Diagnostic>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self {
            data_path,
            complete: Arc::new(complete),
        }
    }
}

impl Debug for SourceSettings {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let data_path = &self.data_path;
        f.debug_struct("SourceSettings")
            .field("data_path", data_path)
            .finish_non_exhaustive()
    }
}

/// The settings of a dataset, as written.
#[derive(Clone, Debug)]
pub struct DatasetSettings {
    source: SourceSettings,
    validation: Option<u32>,
    split_seed: u64,
    limit: Limit,
    scaling: Option<ScalingChoice>,
}

impl DatasetSettings {
    /// Reads the settings of the dataset stage of this name: every key but `kind` and `limits`,
    /// which the caller reads. Nothing if `out` has got a complaint that leaves no settings.
    pub fn read(reader: &mut Reader<'_>, stage: &str, out: &mut Complaints) -> Option<Self> {
        let source = reader.required("source", out, placed(string));
        let validation = reader.optional("validation", out, integer(0..=u32::MAX.into()));
        let split_seed = reader.optional("split_seed", out, integer(0..=LARGEST_SEED));
        let scaling = reader.optional("scaling", out, word);
        let limit = reader.optional("limit", out, Ok);
        let limit = limit.map(|node| read_limit(node, out));
        let source = read_source(source, reader, stage, out)?;
        Some(Self {
            source,
            validation: validation.map(|count| count as u32),
            split_seed: split_seed.unwrap_or(0) as u64,
            limit: limit.unwrap_or_default(),
            scaling,
        })
    }

    /// The settings of the known dataset of this name, with every default. Its place is the whole
    /// of a source that holds the name alone.
    pub fn known(name: &str, out: &mut Complaints) -> Option<Self> {
        let place = Place {
            source: 0,
            bytes: 0..name.len(),
        };
        let node = Node {
            place: place.clone(),
            value: Value::String(name.to_owned()),
        };
        let key = place.clone();
        let table = Table::from_iter([("source".to_owned(), Entry { key, node })]);
        Self::read(&mut Reader::new(&table, &place, "the dataset"), name, out)
    }

    /// The names of the sources.
    pub fn sources() -> impl Iterator<Item = &'static str> {
        KINDS.iter().map(|kind| kind.name)
    }

    /// The folder in which the worker finds the files, relative to that of the pipeline file; none
    /// if they are where the user keeps datasets.
    pub fn data_path(&self) -> Option<&str> {
        self.source.data_path.as_deref()
    }

    /// Decides everything: finds and hashes the user's files and fills in defaults.
    ///
    /// # Errors
    /// The files cannot be found or read.
    pub fn complete(&self, planning: &mut Planning<'_>) -> Result<DatasetParameters, Diagnostic> {
        let source = (self.source.complete)(planning)?;
        Ok(DatasetParameters {
            validation: self.validation.unwrap_or(DEFAULT_VALIDATION),
            split_seed: self.split_seed,
            limit: self.limit,
            scaling: self.scaling.unwrap_or_else(|| source.default_scaling()),
            source,
        })
    }
}

fn read_limit(node: &Node, out: &mut Complaints) -> Limit {
    let Some(mut reader) = Reader::of(node, "`limit`", out) else {
        return Limit::default();
    };
    let mut count = |key| {
        let count = reader.optional(key, out, integer(1..=u32::MAX.into()));
        count.map(|count| count as u32)
    };
    let limit = Limit {
        train: count("train"),
        test: count("test"),
    };
    reader.finish(out);
    limit
}

/// Reads the settings of the source that is named, and refuses those of all others.
fn read_source(
    name: Option<Placed<String>>,
    reader: &mut Reader<'_>,
    stage: &str,
    out: &mut Complaints,
) -> Option<SourceSettings> {
    let kind = name
        .as_ref()
        .and_then(|name| KINDS.iter().find(|kind| kind.name == name.value));
    let mut seen: HashSet<_> = kind.map_or(&[][..], |kind| kind.settings).iter().collect();
    for key in KINDS.iter().flat_map(|kind| kind.settings) {
        if seen.insert(key)
            && let Some(entry) = reader.unwanted(key)
            && let Some(kind) = kind
        {
            out.push(not_taken(key, &entry.node, kind));
        }
    }
    if let (None, Some(name)) = (kind, name) {
        let message = format!("there is no dataset `{}`", shortened(&name.value));
        let help = out.choices(&name.value, KINDS.iter().map(|kind| kind.name));
        out.push(Diagnostic::new(message, &name.place).help(help));
    }
    (kind?.read)(reader, stage, out)
}

/// The complaint about a setting that is for other sources.
fn not_taken(key: &str, node: &Node, kind: &SourceKind) -> Diagnostic {
    let takers = KINDS.iter().filter(|kind| kind.settings.contains(&key));
    let takers: Vec<_> = takers.map(|kind| format!("`{}`", kind.name)).collect();
    let message = format!(
        "`{key}` is for a dataset from {}, not for `{}`",
        takers.join(" or "),
        kind.name
    );
    let help =
        (key == "path").then(|| "a folder with its files is named with --data-dir".to_owned());
    Diagnostic::new(message, &node.place).help(help)
}

/// One of the few words that `T` has.
pub(super) fn word<T: for<'de> Deserialize<'de>>(node: &Node) -> Result<T, Diagnostic> {
    if let Value::Outline(outline) = &node.value {
        return outline.refuse(json!({ "enum": words::<T>() }));
    }
    let word = string(node)?;
    let deserializer: StrDeserializer<'_, WordError> = word.as_str().into_deserializer();
    T::deserialize(deserializer).map_err(|error| Diagnostic::new(error.to_string(), &node.place))
}

/// The words that `T` has.
fn words<T: for<'de> Deserialize<'de>>() -> &'static [&'static str] {
    let mut words = Words(&[]);
    // It asks for a word, and is given none.
    let _ = T::deserialize(&mut words);
    words.0
}

/// Gives no value, and keeps the words among which one would be chosen.
struct Words(&'static [&'static str]);

impl<'de> Deserializer<'de> for &mut Words {
    type Error = WordError;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, WordError> {
        Err(WordError::custom("there is no word"))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        words: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, WordError> {
        self.0 = words;
        self.deserialize_any(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// A number of classes.
pub(super) fn class_count(node: &Node) -> Result<u16, Diagnostic> {
    integer(1..=MOST_CLASSES)(node).map(|classes| classes as u16)
}

/// Names by label: no two alike, since a table tells classes apart by them.
pub(super) fn class_names(node: &Node) -> Result<Vec<String>, Diagnostic> {
    let names = strings(node)?;
    let mut known = HashSet::new();
    for (name, item) in names.iter().zip(array(node)?) {
        let problem = if name.trim().is_empty() {
            "a class needs a name".to_owned()
        } else if !known.insert(name) {
            format!("two classes have the name `{name}`")
        } else {
            continue;
        };
        return Err(Diagnostic::new(problem, &item.place));
    }
    Ok(names)
}

/// The setting `key`, without which there is no dataset in this form.
pub(super) fn needed<'a, T>(
    key: &'static str,
    form: &str,
    reader: &mut Reader<'a>,
    out: &mut Complaints,
    read: impl FnOnce(&'a Node) -> Result<T, Diagnostic>,
) -> Option<T> {
    let missing = |reader: &Reader<'_>| {
        let message = format!("a dataset in {form} needs `{key}`");
        Diagnostic::new(message, &reader.place)
    };
    reader.required_or(key, missing, out, read)
}

#[cfg(test)]
mod tests;
