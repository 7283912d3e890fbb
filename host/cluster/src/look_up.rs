//! Results taken from remotes during a run, so that nobody trains what a colleague has trained.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use assay_core::{ActionKey, ActionResult, ObjectHash, canonical_json};
use assay_engine::{ResultSource, SigningKey, verify_signature};
use assay_remote::Remote;
use assay_store::Store;

use crate::differing::differing;

/// The most bytes that one result may have.
const MOST_BYTES: u64 = 64 << 30;
/// The time that a remote has for the answer to the first question, and to each later one. Whoever has no network is not kept
/// waiting.
const FIRST_ANSWER: Duration = Duration::from_millis(800);
const ANSWER: Duration = Duration::from_secs(20);

/// Remotes that a run asks for results.
pub struct LookUp {
    remotes: Mutex<Vec<Asked>>,
}

struct Asked {
    remote: Remote,
    admits: Admitted,
    /// It has answered.
    is_there: bool,
}

/// The results that count.
#[derive(Clone, Debug)]
pub enum Admitted {
    /// All.
    Any,
    /// Those that one of these keys has signed.
    SignedBy(Vec<SigningKey>),
}

impl Asked {
    /// True if the result counts.
    fn admits(&self, record: ObjectHash, result: &ActionResult) -> bool {
        let Admitted::SignedBy(keys) = &self.admits else {
            return true;
        };
        // The record's very bytes: they were found to be canonical.
        let Ok(bytes) = canonical_json(result) else {
            return false;
        };
        keys.iter().any(|key| {
            let signature = self.remote.signature(record, key.as_str());
            signature.ok().flatten().is_some_and(|signature| {
                let file = Path::new("result");
                verify_signature(file, &bytes, &signature, key).is_ok()
            })
        })
    }
}

impl LookUp {
    /// Asks these remotes, the first one first.
    pub fn new(remotes: Vec<(Remote, Admitted)>) -> Self {
        let asked = remotes.into_iter().map(|(remote, admits)| Asked {
            remote,
            admits,
            is_there: false,
        });
        Self {
            remotes: Mutex::new(asked.collect()),
        }
    }
}

impl ResultSource for LookUp {
    fn fetch(&self, store: &Store, actions: &[ActionKey], remark: &dyn Fn(String)) {
        let mut remotes = self.remotes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut missing: BTreeSet<_> = actions.iter().copied().collect();
        remotes.retain_mut(|asked| {
            let wanted: Vec<_> = missing.iter().copied().collect();
            if wanted.is_empty() {
                return true;
            }
            let patience = if asked.is_there { ANSWER } else { FIRST_ANSWER };
            let records = match asked.remote.results_within(&wanted, patience) {
                Ok(records) => records,
                Err(error) => {
                    remark(format!(
                        "going on without the results of {}: {error}",
                        asked.remote.place()
                    ));
                    return false;
                }
            };
            asked.is_there = true;
            for (record, result) in records {
                if !asked.admits(record, &result) {
                    continue;
                }
                match asked.remote.take_result(store, &result, MOST_BYTES) {
                    Ok(()) => {
                        missing.remove(&result.action);
                        if let Some(message) = differing(store, result.action) {
                            remark(message);
                        }
                    }
                    Err(error) => remark(format!(
                        "a result of {} at {} cannot be used: {error}",
                        result.action.short(),
                        asked.remote.place()
                    )),
                }
            }
            true
        });
    }
}
