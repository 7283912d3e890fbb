//! Results taken from remotes during a run, so that nobody trains what a colleague has trained.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use assay_core::ActionKey;
use assay_engine::ResultSource;
use assay_remote::Remote;
use assay_store::Store;

/// The most bytes that one result may have.
const MOST_BYTES: u64 = 64 << 30;
/// How long a remote may take to answer the first question, and each later one. Whoever has no network is not kept
/// waiting.
const FIRST_ANSWER: Duration = Duration::from_millis(800);
const ANSWER: Duration = Duration::from_secs(20);

/// Remotes that a run asks for results.
pub struct LookUp {
    remotes: Mutex<Vec<Asked>>,
}

struct Asked {
    remote: Remote,
    /// Whether it has answered.
    is_there: bool,
}

impl LookUp {
    /// Asks these remotes, the first one first.
    pub fn new(remotes: Vec<Remote>) -> Self {
        let asked = remotes.into_iter().map(|remote| Asked {
            remote,
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
            for (_, result) in records {
                match asked.remote.take_result(store, &result, MOST_BYTES) {
                    Ok(()) => drop(missing.remove(&result.action)),
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
