//! Changes to the files of a store, at random: bits, lengths, names, fields of documents, folders.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use assay_core::ObjectHash;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;

use crate::support::{Sample, remove, write};

/// A change to the files of a store.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Edit {
        file: Index,
        edit: Edit,
    },
    Delete {
        file: Index,
    },
    Swap {
        one: Index,
        other: Index,
    },
    Copy {
        from: Index,
        to: Index,
    },
    Rename {
        file: Index,
        name: [u8; 32],
    },
    Link {
        file: Index,
    },
    Folder {
        file: Index,
    },
    Permit {
        file: Index,
    },
    Add {
        folder: Index,
        name: String,
    },
    Field {
        file: Index,
        field: Index,
        value: Index,
        rename: bool,
    },
    DeleteFolder {
        file: Index,
        above: bool,
    },
}

/// A change to the bytes of one.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    Flip { at: Index, bit: u8 },
    Truncate { to: Index },
    Append { bytes: Vec<u8> },
    Insert { at: Index, byte: u8 },
}

impl Edit {
    fn apply(&self, bytes: &[u8]) -> Vec<u8> {
        let mut new = bytes.to_vec();
        match self {
            Self::Flip { at, bit } if !new.is_empty() => {
                let at = at.index(new.len());
                new[at] ^= 1 << bit;
            }
            Self::Flip { .. } => {}
            Self::Truncate { to } => new.truncate(to.index(new.len() + 1)),
            Self::Append { bytes } => new.extend(bytes),
            Self::Insert { at, byte } => new.insert(at.index(new.len() + 1), *byte),
        }
        new
    }
}

fn edits() -> impl Strategy<Value = Edit> {
    let index = any::<Index>;
    prop_oneof![
        2 => (index(), 0..8_u8).prop_map(|(at, bit)| Edit::Flip { at, bit }),
        1 => index().prop_map(|to| Edit::Truncate { to }),
        1 => prop::collection::vec(any::<u8>(), 1..9).prop_map(|bytes| Edit::Append { bytes }),
        1 => (index(), any::<u8>()).prop_map(|(at, byte)| Edit::Insert { at, byte }),
    ]
}

pub(crate) fn changes() -> impl Strategy<Value = Change> {
    let index = any::<Index>;
    prop_oneof![
        20 => (index(), edits()).prop_map(|(file, edit)| Change::Edit { file, edit }),
        4 => index().prop_map(|file| Change::Delete { file }),
        4 => (index(), index()).prop_map(|(one, other)| Change::Swap { one, other }),
        4 => (index(), index()).prop_map(|(from, to)| Change::Copy { from, to }),
        2 => (index(), any::<[u8; 32]>()).prop_map(|(file, name)| Change::Rename { file, name }),
        1 => index().prop_map(|file| Change::Link { file }),
        1 => index().prop_map(|file| Change::Folder { file }),
        1 => index().prop_map(|file| Change::Permit { file }),
        4 => (index(), "[a-z]{1,8}(\\.json)?")
            .prop_map(|(folder, name)| Change::Add { folder, name }),
        16 => (index(), index(), index(), any::<bool>()).prop_map(|(file, field, value, rename)| {
            Change::Field { file, field, value, rename }
        }),
        1 => (index(), any::<bool>())
            .prop_map(|(file, above)| Change::DeleteFolder { file, above }),
    ]
}

/// Paths below the store that are not as they were; none where nothing changed.
pub(crate) fn apply(sample: &Sample, change: &Change) -> Vec<PathBuf> {
    let pick = |index: &Index| pick(sample, *index);
    match change {
        Change::Edit { file, edit } => {
            let path = pick(file);
            put(sample, path, &edit.apply(&sample.files[path]))
        }
        Change::Delete { file } => {
            let path = pick(file);
            remove(&sample.root().join(path));
            vec![path.to_owned()]
        }
        Change::Swap { one, other } => {
            let (one, other) = (pick(one), pick(other));
            let mut touched = put(sample, one, &sample.files[other]);
            touched.extend(put(sample, other, &sample.files[one]));
            touched
        }
        Change::Copy { from, to } => put(sample, pick(to), &sample.files[pick(from)]),
        Change::Rename { file, name } => rename(sample, pick(file), name),
        Change::Link { file } => link(sample, pick(file)),
        Change::Folder { file } => {
            let path = pick(file);
            remove(&sample.root().join(path));
            fs::create_dir(sample.root().join(path)).unwrap();
            vec![path.to_owned()]
        }
        Change::Permit { file } => permit(sample, pick(file)),
        Change::Add { folder, name } => add(sample, *folder, name),
        Change::Field {
            file,
            field,
            value,
            rename,
        } => {
            let path = pick(file);
            match with_field(sample, path, *field, *value) {
                Some(new) if *rename => put_under_its_name(sample, path, &new),
                Some(new) => put(sample, path, &new),
                None => Vec::new(),
            }
        }
        Change::DeleteFolder { file, above } => delete_folder(sample, pick(file), *above),
    }
}

fn pick(sample: &Sample, index: Index) -> &Path {
    let paths: Vec<_> = sample.files.keys().collect();
    paths[index.index(paths.len())]
}

fn put(sample: &Sample, path: &Path, new: &[u8]) -> Vec<PathBuf> {
    if sample.files.get(path).is_some_and(|old| old == new) {
        return Vec::new();
    }
    let at = sample.root().join(path);
    remove(&at);
    write(&at, new);
    vec![path.to_owned()]
}

/// A name that the store could have given, but not to these bytes.
fn rename(sample: &Sample, path: &Path, name: &[u8; 32]) -> Vec<PathBuf> {
    let hex = ObjectHash::from_bytes(*name).to_string();
    let to = match path.to_str().unwrap().split('/').next().unwrap() {
        "objects" => PathBuf::from(format!("objects/{}/{}", &hex[..2], &hex[2..])),
        "results" => path.with_file_name(format!("{hex}.json")),
        "runs" => path.with_file_name(format!("1700000000000-{hex}")),
        _ => PathBuf::from(&hex),
    };
    remove(&sample.root().join(path));
    write(&sample.root().join(&to), &sample.files[path]);
    vec![path.to_owned(), to]
}

/// A link to a file with the right bytes is no object.
fn link(sample: &Sample, path: &Path) -> Vec<PathBuf> {
    let copy = sample.root().join("tmp/copy");
    write(&copy, &sample.files[path]);
    let at = sample.root().join(path);
    remove(&at);
    symlink(&copy, &at).unwrap();
    vec![path.to_owned()]
}

fn permit(sample: &Sample, path: &Path) -> Vec<PathBuf> {
    if !(path.starts_with("objects") || path.starts_with("results")) {
        return Vec::new();
    }
    let at = sample.root().join(path);
    fs::set_permissions(at, fs::Permissions::from_mode(0o644)).unwrap();
    vec![path.to_owned()]
}

fn add(sample: &Sample, folder: Index, name: &str) -> Vec<PathBuf> {
    let files = sample.files.keys();
    let mut folders: Vec<_> = files.flat_map(|path| path.ancestors().skip(1)).collect();
    folders.extend(["locks", "scratch", "tmp"].map(Path::new));
    folders.sort_unstable();
    folders.dedup();
    let path = folder.get(&folders).join(name);
    write(&sample.root().join(&path), b"what is this?");
    vec![path]
}

/// Moves a document to where its new bytes belong: only what names it can tell.
fn put_under_its_name(sample: &Sample, path: &Path, new: &[u8]) -> Vec<PathBuf> {
    if sample.files[path] == new {
        return Vec::new();
    }
    let hash = ObjectHash::of(new).to_string();
    let to = if path.starts_with("results") {
        path.with_file_name(format!("{hash}.json"))
    } else {
        PathBuf::from(format!("objects/{}/{}", &hash[..2], &hash[2..]))
    };
    remove(&sample.root().join(path));
    let mut touched = vec![path.to_owned()];
    touched.extend(put(sample, &to, new));
    touched
}

fn delete_folder(sample: &Sample, path: &Path, above: bool) -> Vec<PathBuf> {
    let folder = path.ancestors().nth(if above { 2 } else { 1 });
    let Some(folder) = folder.filter(|folder| !folder.as_os_str().is_empty()) else {
        return Vec::new();
    };
    remove(&sample.root().join(folder));
    let files = sample.files.keys().filter(|file| file.starts_with(folder));
    let mut touched: Vec<_> = files.cloned().collect();
    touched.push(folder.to_owned());
    touched
}

/// A document with one of its fields changed, if the file is one.
fn with_field(sample: &Sample, path: &Path, field: Index, value: Index) -> Option<Vec<u8>> {
    let mut document: Value = serde_json::from_slice(&sample.files[path]).ok()?;
    let pointers = pointers(&document, String::new());
    if pointers.is_empty() {
        return None;
    }
    let others = [
        Value::Null,
        Value::from(7),
        Value::from("ran"),
        Value::from("cached"),
        Value::from("../outside"),
        Value::from("ab".repeat(32)),
        Value::from(sample.actions["train"].to_string()),
        Value::from(sample.actions["data"].to_string()),
    ];
    let place = document.pointer_mut(pointers.get(field.index(pointers.len()))?)?;
    *place = value.get(&others).clone();
    assay_core::canonical_json(&document).ok()
}

/// Every value of a document that is no object or array.
fn pointers(value: &Value, at: String) -> Vec<String> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(key, value)| pointers(value, format!("{at}/{}", key.replace('/', "~1"))))
            .collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .flat_map(|(index, item)| pointers(item, format!("{at}/{index}")))
            .collect(),
        _ => vec![at],
    }
}
