//! The hub: the remote that a controller and its workers share, and the notes that they leave each other there.
//!
//! | note | written by | says |
//! |---|---|---|
//! | `waves/WAVE.json` | controller, before it submits | which action each task of an array executes |
//! | `attempts/KEY/ATTEMPT.json` | job, at its end | how an execution of the action ended |
//! | `attempts/KEY/ATTEMPT.log` | job, after a failure | the end of the worker's log |
//! | `checkpoints/KEY/…` | job, while it trains | the newest checkpoint |

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use assay_core::{ActionKey, ActionResult, Record};
use assay_remote::{Access, Belief, Place, Remote, RemoteError, Seen};
use assay_store::Store;
use serde::{Deserialize, Serialize};

/// A note is not larger.
const LARGEST: u64 = 64 << 20;
/// The most bytes that an action may read or write, so that a hub that went wrong fills no disk.
const MOST_BYTES: u64 = 1 << 40;
/// Letters of the name of an attempt.
const LONGEST_ATTEMPT: usize = 100;

/// The shared remote.
pub(crate) struct Hub {
    pub(crate) remote: Remote,
    seen: Mutex<Seen>,
}

/// The actions of an array, by the number of the task.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WaveNote {
    pub(crate) actions: Vec<ActionKey>,
}

/// One execution of an action by a job, which has ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Attempt {
    /// The machine.
    pub(crate) host: String,
    pub(crate) ending: AttemptEnding,
}

/// The end of an attempt.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "ended", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum AttemptEnding {
    /// There is a result.
    Done,
    /// The action failed.
    Failed {
        message: String,
        help: String,
        chain: Vec<String>,
        log: Vec<String>,
    },
    /// The machine lacks what the action needs.
    Unmet { reason: String },
    /// The inputs of the action were not to be had from the hub.
    Unread { reason: String },
    /// It was asked to stop.
    Stopped,
}

impl Hub {
    pub(crate) fn open(place: &Place, access: Access) -> Result<Self, RemoteError> {
        Ok(Self {
            remote: Remote::open(place.clone(), access)?,
            seen: Mutex::default(),
        })
    }

    /// Writes actions and what they read.
    pub(crate) fn offer_actions(
        &self,
        store: &Store,
        keys: &[ActionKey],
        belief: Belief,
    ) -> Result<(), RemoteError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        self.remote.send_actions(store, keys, belief, &mut seen)
    }

    /// Writes a result.
    pub(crate) fn offer_result(
        &self,
        store: &Store,
        result: &ActionResult,
        belief: Belief,
    ) -> Result<(), RemoteError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        self.remote.send_result(store, result, belief, &mut seen)
    }

    /// The results of these actions, whose artifacts may not be whole.
    pub(crate) fn results(&self, keys: &[ActionKey]) -> Result<Vec<Record>, RemoteError> {
        self.remote.results(keys)
    }

    /// Takes a result with its artifact into the store.
    pub(crate) fn take_result(
        &self,
        store: &Store,
        result: &ActionResult,
    ) -> Result<(), RemoteError> {
        self.remote.take_result(store, result, MOST_BYTES)
    }

    /// Takes an action with what it reads into the store.
    pub(crate) fn take_action(&self, store: &Store, key: ActionKey) -> Result<(), RemoteError> {
        self.remote.take_action(store, key, MOST_BYTES).map(drop)
    }

    pub(crate) fn write_wave(&self, name: &str, wave: &WaveNote) -> Result<(), RemoteError> {
        self.write(&format!("waves/{name}.json"), wave)
    }

    pub(crate) fn wave(&self, name: &str) -> Result<Option<WaveNote>, RemoteError> {
        self.read(&format!("waves/{name}.json"))
    }

    /// The names of waves that begin so and were written a moment ago.
    pub(crate) fn recent_waves(
        &self,
        tag: &str,
        within: Duration,
    ) -> Result<Vec<String>, RemoteError> {
        let notes = self.remote.recent_notes("waves", within)?;
        let names = notes.iter().filter_map(|name| name.strip_suffix(".json"));
        let names = names.filter(|name| name.starts_with(tag));
        Ok(names.map(str::to_owned).collect())
    }

    /// True if a job of the wave has told how its attempt at the action ended.
    pub(crate) fn has_attempt(&self, key: ActionKey, wave: &str) -> Result<bool, RemoteError> {
        let notes = self.remote.notes(&format!("attempts/{key}"))?;
        Ok(notes.iter().any(|name| name.starts_with(wave)))
    }

    pub(crate) fn write_attempt(
        &self,
        key: ActionKey,
        name: &str,
        attempt: &Attempt,
    ) -> Result<(), RemoteError> {
        self.write(&attempt_note(key, name, "json"), attempt)
    }

    pub(crate) fn write_log(
        &self,
        key: ActionKey,
        name: &str,
        log: Vec<u8>,
    ) -> Result<(), RemoteError> {
        self.remote.write_note(&attempt_note(key, name, "log"), log)
    }

    /// The last attempt at the action whose name begins so; of a job that was requeued there are several, whose
    /// names go on with a number.
    pub(crate) fn last_attempt(
        &self,
        key: ActionKey,
        job: &str,
    ) -> Result<Option<Attempt>, RemoteError> {
        let names = self.remote.notes(&format!("attempts/{key}"))?;
        let number = |name: &String| -> Option<u64> {
            let restart = name.strip_suffix(".json")?.strip_prefix(job)?;
            restart.strip_prefix('.')?.parse().ok()
        };
        let last = names.iter().filter_map(number).max();
        match last {
            None => Ok(None),
            Some(last) => self.read(&attempt_note(key, &format!("{job}.{last}"), "json")),
        }
    }

    fn write(&self, name: &str, note: &impl Serialize) -> Result<(), RemoteError> {
        // Strings and numbers alone.
        let bytes = serde_json::to_vec(note).unwrap_or_default();
        self.remote.write_note(name, bytes)
    }

    /// A note; one that cannot be read as what it should be counts as none.
    fn read<T: for<'a> Deserialize<'a>>(&self, name: &str) -> Result<Option<T>, RemoteError> {
        let bytes = self.remote.read_note(name, LARGEST)?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }
}

fn attempt_note(key: ActionKey, name: &str, extension: &str) -> String {
    format!("attempts/{key}/{name}.{extension}")
}

/// True of a text that can name an attempt: it becomes the name of a file.
pub(crate) fn is_attempt_name(text: &str) -> bool {
    let allowed = |char: char| char.is_ascii_alphanumeric() || "-_.".contains(char);
    !text.is_empty()
        && text.len() <= LONGEST_ATTEMPT
        && !text.starts_with('.')
        && text.chars().all(allowed)
}
