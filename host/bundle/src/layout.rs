//! Which files a bundle or a remote has, and what their names say. It knows all names that there are: any other
//! is refused, so that no name leads out of a folder.

use assay_core::{ActionKey, ObjectHash, RunHash};

/// The contents of the file `format`.
pub const FORMAT: &[u8] = b"assay store 1\n";

/// The least digits of the time in a run marker's name.
const TIME_DIGITS: usize = 13;

/// One file of a bundle, which has the layout of a store; a remote has it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BundleFile {
    /// The format file, which makes the unpacked bundle a store.
    Format,
    /// An object.
    Object(ObjectHash),
    /// The record of one execution.
    Record {
        /// The action.
        action: ActionKey,
        /// The record's own hash.
        record: ObjectHash,
    },
    /// Description of the bundle, as a Workflow Run RO-Crate.
    Metadata,
    /// Marker of the bundle's run.
    Run {
        /// When the run began, in milliseconds since 1970 (UTC).
        started_ms: u64,
        /// The run.
        run: RunHash,
    },
}

impl BundleFile {
    /// Its name in the archive.
    pub fn name(self) -> String {
        match self {
            Self::Format => "format".to_owned(),
            Self::Object(object) => sharded("objects", &object.to_string()),
            Self::Record { action, record } => {
                format!("{}/{record}.json", Self::folder_of_records(action))
            }
            Self::Metadata => "ro-crate-metadata.json".to_owned(),
            Self::Run { started_ms, run } => format!("runs/{started_ms:0TIME_DIGITS$}-{run}"),
        }
    }

    /// The folder of the records of an action, as [`BundleFile::name`] has it.
    pub fn folder_of_records(action: ActionKey) -> String {
        sharded("results", &action.to_string())
    }

    /// The file with this name; nothing if no bundle has one.
    pub fn parse(name: &str) -> Option<Self> {
        let (folder, rest) = name.split_once('/').unwrap_or(("", name));
        let entry = match folder {
            "" if rest == "format" => Self::Format,
            "" if rest == "ro-crate-metadata.json" => Self::Metadata,
            "objects" => Self::Object(rest.replacen('/', "", 1).parse().ok()?),
            "results" => {
                let (action, record) = rest.rsplit_once('/')?;
                Self::Record {
                    action: action.replacen('/', "", 1).parse().ok()?,
                    record: record.strip_suffix(".json")?.parse().ok()?,
                }
            }
            "runs" => {
                let (time, run) = rest.split_once('-')?;
                Self::Run {
                    started_ms: time.parse().ok()?,
                    run: run.parse().ok()?,
                }
            }
            _ => return None,
        };
        // One name for one file: `ab/c…` and `abc/…` would be the same object.
        (entry.name() == name).then_some(entry)
    }
}

/// `folder/ab/<the rest>`, as a store has it.
fn sharded(folder: &str, hex: &str) -> String {
    let (shard, rest) = hex.split_at_checked(2).unwrap_or(("", hex));
    format!("{folder}/{shard}/{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_has_one_name() {
        let object = ObjectHash::of(b"x");
        let action = ActionKey::of(b"y");
        let run = RunHash::of(b"z");
        for entry in [
            BundleFile::Format,
            BundleFile::Object(object),
            BundleFile::Record {
                action,
                record: object,
            },
            BundleFile::Metadata,
            BundleFile::Run { started_ms: 7, run },
        ] {
            assert_eq!(BundleFile::parse(&entry.name()), Some(entry));
        }
        let hex = object.to_string();
        for name in [
            "",
            "/format",
            "./format",
            "format/",
            "../format",
            "objects/../format",
            &format!("objects/{hex}"),
            &format!("objects/{}/{}", &hex[..3], &hex[3..]),
            &format!("objects//{}/{}", &hex[..2], &hex[2..]),
            &format!("objects/{}/{}", &hex[..2], hex[2..].to_uppercase()),
            &format!("runs/7-{run}"),
            &format!("runs/+000000000007-{run}"),
            &format!("scratch/{hex}"),
        ] {
            assert_eq!(BundleFile::parse(name), None, "{name}");
        }
    }
}
