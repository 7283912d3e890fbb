//! The user's executors: what a site needs (a partition, an account, a folder that its machines share), and no
//! pipeline file should know.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use assay_remote::Place;
use serde::Deserialize;

use crate::error::ClusterError;
use crate::queue::QueueKind;

/// Hundreds of executors fit in it.
const LARGEST: u64 = 1 << 20;

/// The executors of a file.
#[derive(Debug)]
pub struct Sites {
    path: Option<PathBuf>,
    entries: BTreeMap<String, Entry>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    kind: QueueKind,
    hub: Option<String>,
    logs: Option<PathBuf>,
    program: Option<PathBuf>,
    local_store: Option<String>,
    partition: Option<String>,
    account: Option<String>,
    #[serde(default)]
    options: Vec<String>,
    #[serde(default)]
    setup: Vec<String>,
    max_parallel: Option<u32>,
    poll: Option<u64>,
    patience: Option<u64>,
}

/// An executor: a queue, and what the site wants of jobs in it.
#[derive(Clone, Debug)]
pub struct Site {
    /// Its name.
    pub name: String,
    /// The queue.
    pub kind: QueueKind,
    /// The remote that controller and workers share.
    pub hub: Place,
    /// The folder for what jobs print, which their machines reach.
    pub(crate) logs: PathBuf,
    /// The program that jobs run; without one, a copy of this one in the hub.
    pub(crate) program: Option<PathBuf>,
    /// The store of a job's machine, as a word of the shell.
    pub(crate) local_store: String,
    pub(crate) partition: Option<String>,
    pub(crate) account: Option<String>,
    /// Options for the command that submits.
    pub(crate) options: Vec<String>,
    /// Lines of shell before the program.
    pub(crate) setup: Vec<String>,
    /// Tasks of one array that may run at a time.
    pub(crate) max_parallel: Option<u32>,
    /// The shortest time between two questions to the queue.
    pub(crate) poll: Duration,
    /// The time to look for the result of a job that has ended.
    pub(crate) patience: Duration,
}

/// The store of a machine, unless an executor names another: processes of one user share it.
const LOCAL_STORE: &str = "${TMPDIR:-/tmp}/assay-$(id -u)";
const POLL: Duration = Duration::from_secs(10);
/// File systems show a new name to other machines up to a minute late.
const PATIENCE: Duration = Duration::from_secs(90);

impl Sites {
    /// Reads the file; without one there are no executors.
    ///
    /// # Errors
    /// It cannot be read, or is no file of executors.
    pub fn read(path: Option<PathBuf>) -> Result<Self, ClusterError> {
        let entries = match &path {
            None => BTreeMap::new(),
            Some(path) => Self::entries(path)?,
        };
        Ok(Self { path, entries })
    }

    fn entries(path: &Path) -> Result<BTreeMap<String, Entry>, ClusterError> {
        let bytes = match assay_files::read(path, LARGEST) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            Err(source) => {
                return Err(ClusterError::Unreadable {
                    path: path.to_owned(),
                    source,
                });
            }
        };
        let malformed = |problem: String| ClusterError::Malformed {
            path: path.to_owned(),
            problem,
        };
        let text = String::from_utf8(bytes).map_err(|error| malformed(error.to_string()))?;
        toml::from_str(&text).map_err(|error| malformed(error.message().to_owned()))
    }

    /// The executor of this name; `slurm` and `hyperqueue` need no entry where a hub is given, which counts
    /// before that of an entry.
    ///
    /// # Errors
    /// There is none, or something is missing.
    pub fn find(&self, name: &str, hub: Option<&Place>) -> Result<Site, ClusterError> {
        let entry = match (self.entries.get(name), QueueKind::of(name)) {
            (Some(entry), _) => entry.clone(),
            (None, Some(kind)) => Entry::new(kind),
            (None, None) => {
                return Err(ClusterError::Unknown {
                    name: name.to_owned(),
                    known: self.entries.keys().cloned().collect(),
                    file: self.path.clone(),
                });
            }
        };
        let lacks = |problem: &str| ClusterError::Site {
            name: name.to_owned(),
            problem: problem.to_owned(),
        };
        let hub = match (hub, &entry.hub) {
            (Some(hub), _) => hub.clone(),
            (None, Some(hub)) => Place::parse(hub)?,
            (None, None) => {
                return Err(lacks(
                    "has no hub: name a folder or bucket that this machine and those of the cluster \
                     reach, as `hub` or with --hub",
                ));
            }
        };
        let hub = absolute(hub)?;
        if let Place::Web(_) = hub {
            return Err(lacks(
                "has a hub that can only be read: name a folder or bucket",
            ));
        }
        let logs = match (&entry.logs, &hub) {
            (Some(logs), _) => logs.clone(),
            (None, Place::Folder(hub)) => hub.join("cluster/logs"),
            (None, Place::Bucket { .. } | Place::Web(_)) => {
                return Err(lacks(
                    "needs `logs`, a folder that its machines reach, since its hub is a bucket",
                ));
            }
        };
        if entry.program.is_none() && matches!(hub, Place::Bucket { .. }) {
            return Err(lacks(
                "needs `program`, the path of `pipeline` on its machines, since its hub is a bucket",
            ));
        }
        if !logs.is_absolute() || entry.program.as_ref().is_some_and(|it| !it.is_absolute()) {
            return Err(lacks(
                "names a `logs` or `program` that is no absolute path",
            ));
        }
        let is_line = |text: &String| !text.contains(['\n', '\0']);
        if !entry.options.iter().chain(&entry.setup).all(is_line) {
            return Err(lacks(
                "has an option or a line of `setup` with a line break",
            ));
        }
        Ok(Site {
            name: name.to_owned(),
            kind: entry.kind,
            hub,
            logs,
            program: entry.program,
            local_store: entry.local_store.unwrap_or_else(|| LOCAL_STORE.to_owned()),
            partition: entry.partition,
            account: entry.account,
            options: entry.options,
            setup: entry.setup,
            max_parallel: entry.max_parallel.map(|most| most.max(1)),
            poll: entry.poll.map_or(POLL, Duration::from_secs),
            patience: entry.patience.map_or(PATIENCE, Duration::from_secs),
        })
    }
}

/// The place as it is called from every folder.
fn absolute(hub: Place) -> Result<Place, ClusterError> {
    let Place::Folder(path) = hub else {
        return Ok(hub);
    };
    match std::path::absolute(&path) {
        Ok(absolute) => Ok(Place::Folder(absolute)),
        Err(source) => Err(ClusterError::File {
            what: "find",
            path,
            source,
        }),
    }
}

impl Entry {
    fn new(kind: QueueKind) -> Self {
        Self {
            kind,
            hub: None,
            logs: None,
            program: None,
            local_store: None,
            partition: None,
            account: None,
            options: Vec::new(),
            setup: Vec::new(),
            max_parallel: None,
            poll: None,
            patience: None,
        }
    }
}
