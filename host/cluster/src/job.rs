//! One action executed by a job of a cluster, in a store of the job's machine.

use std::cell::Cell;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use assay_core::{ActionKey, ActionResult, Advice};
use assay_engine::{Cancel, Completed, Execution, Failure, News, failed_log, host_name};
use assay_remote::{Access, Belief, Place, RemoteError};
use assay_store::{Retention, Store};

use crate::checkpoint::Checkpoints;
use crate::error::ClusterError;
use crate::hub::{Attempt, AttemptEnding, Hub, is_attempt_name};

/// The time that a file of the controller may take to be seen on this machine, and a result to be written.
const PATIENCE: Duration = Duration::from_secs(90);
/// The first wait before another attempt, which doubles each time.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// One job in so many, by its action's key, tidies the machine's store.
const TIDYING: u8 = 16;
/// Results stay on the machine that made them for so long; the hub has them.
const KEPT: Duration = Duration::from_hours(24);
/// The name of the machine in Slurm.
const NODE_NAME: &str = "SLURMD_NODENAME";
/// A wait looks for a request to stop once in this time.
const INTERVAL: Duration = Duration::from_millis(50);

/// A job with its hub.
pub struct Job<'a> {
    hub: Hub,
    /// Its name among the attempts at the action.
    attempt: Option<String>,
    cancel: &'a Cancel,
    /// The belief in files of the hub.
    belief: Cell<Belief>,
}

impl<'a> Job<'a> {
    /// Opens the hub. Under the name of the `attempt` it is told there how the job ended.
    ///
    /// # Errors
    /// The hub cannot be used, or the name is none.
    pub fn open(
        hub: &Place,
        attempt: Option<String>,
        cancel: &'a Cancel,
    ) -> Result<Self, ClusterError> {
        if let Some(name) = attempt.as_ref().filter(|name| !is_attempt_name(name)) {
            return Err(ClusterError::Site {
                name: hub.to_string(),
                problem: format!("cannot have an attempt `{name}`"),
            });
        }
        Ok(Self {
            hub: Hub::open(hub, Access::Write)?,
            attempt,
            cancel,
            belief: Cell::new(Belief::Size),
        })
    }

    /// A result that the hub has of the action, whole and in the store now; otherwise the action and all that it
    /// reads are.
    ///
    /// # Errors
    /// They are not to be had, however long one waits.
    pub fn fetch(
        &self,
        store: &Store,
        key: ActionKey,
    ) -> Result<Option<ActionResult>, ClusterError> {
        let fetched = self.patiently(|| {
            self.hub.take_action(store, key)?;
            for (_, result) in self.hub.results(&[key])? {
                // One that is not whole does not count, and what is there of it is written anew.
                match self.hub.take_result(store, &result) {
                    Ok(()) => return Ok(Some(result)),
                    Err(_) => self.belief.set(Belief::Nothing),
                }
            }
            Ok(None)
        });
        if let Err(error) = &fetched {
            let ending = if self.cancel.is_requested() {
                AttemptEnding::Stopped
            } else {
                AttemptEnding::Unread {
                    reason: error.to_string(),
                }
            };
            self.report(key, ending);
        }
        fetched
    }

    /// Executes an action that was fetched, from the newest checkpoint that the hub has, and writes the result
    /// there. A job that is asked to stop leaves its checkpoint.
    ///
    /// # Errors
    /// See [`Failure`]; or the result cannot be written to the hub.
    pub fn execute(
        &self,
        execution: Execution<'_>,
        key: ActionKey,
    ) -> Result<Result<Completed, Failure>, ClusterError> {
        let checkpoints = Checkpoints::new(&self.hub, execution.store, key);
        let checkpoints = Mutex::new(checkpoints);
        let held = || checkpoints.lock().unwrap_or_else(PoisonError::into_inner);
        // Without its checkpoint a training takes longer, and that is all.
        let _ = held().fetch();
        let observe = |news: News| {
            let is_epoch = matches!(news, News::Epoch(_));
            (execution.observe)(news);
            if is_epoch {
                // A later one may be written, and the result will be.
                let _ = held().offer();
            }
        };
        let execution = Execution {
            observe: &observe,
            ..execution
        };
        let ended = execution.execute(key);
        let _work = self.cancel.begin_work();
        match &ended {
            Ok(completed) => {
                // In spite of a request to stop: what was computed is to be kept.
                let (store, result) = (execution.store, &completed.result);
                let offer = || self.hub.offer_result(store, result, self.belief.get());
                repeat(offer, || false)?;
                let _ = held().remove();
                self.report(key, AttemptEnding::Done);
                if key
                    .as_bytes()
                    .first()
                    .is_some_and(|byte| byte % TIDYING == 0)
                {
                    tidy(execution.store);
                }
            }
            Err(Failure::Cancelled) => {
                let offered = held().offer_now();
                self.report(key, AttemptEnding::Stopped);
                offered?;
            }
            Err(failure) => {
                let _ = held().offer_now();
                self.report_failure(execution.store, key, failure);
            }
        }
        Ok(ended)
    }

    /// Tells the controller that this machine lacks what the action needs.
    pub fn refuse(&self, key: ActionKey, reason: String) {
        self.report(key, AttemptEnding::Unmet { reason });
    }

    fn report_failure(&self, store: &Store, key: ActionKey, failure: &Failure) {
        if let (Some(attempt), Some(log)) = (&self.attempt, failed_log(store, key)) {
            let _ = self.hub.write_log(key, attempt, log);
        }
        let message = failure.to_string();
        // A full disk or a store that cannot be written is the machine's fault: another may do better.
        let ending = if failure.is_of_machine() {
            let causes = failure.reported_causes();
            let reason = std::iter::once(message).chain(causes).collect::<Vec<_>>();
            AttemptEnding::Unmet {
                reason: reason.join(": "),
            }
        } else {
            AttemptEnding::Failed {
                message,
                help: failure.help().into_owned(),
                chain: failure.reported_causes(),
                log: failure.log().to_vec(),
            }
        };
        self.report(key, ending);
    }

    /// Writes down how the job ended. Where that cannot be done the controller learns it from the queue.
    fn report(&self, key: ActionKey, ending: AttemptEnding) {
        if let Some(name) = &self.attempt {
            // A queue may know the machine by another name than the machine itself.
            let host = std::env::var(NODE_NAME).unwrap_or_else(|_| host_name());
            let _ = self.hub.write_attempt(key, name, &Attempt { host, ending });
        }
    }

    /// Asks again until it works, for a while, unless the job is asked to stop.
    fn patiently<T>(&self, ask: impl Fn() -> Result<T, RemoteError>) -> Result<T, ClusterError> {
        repeat(ask, || self.cancel.is_requested())
    }
}

/// Removes from the machine's store what is a day old. It is there for the next job alone.
fn tidy(store: &Store) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let retention = Retention {
        keep_last: None,
        grace: KEPT,
        now_ms: now.unwrap_or_default().as_millis() as u64,
    };
    // A store that cannot be tidied is as good as before.
    if let Ok(collection) = store.collection(&retention) {
        let _ = collection.remove(|_| ());
    }
}

/// Asks again until it works, for a while.
fn repeat<T>(
    ask: impl Fn() -> Result<T, RemoteError>,
    stopped: impl Fn() -> bool,
) -> Result<T, ClusterError> {
    let (started, mut wait) = (Instant::now(), FIRST_WAIT);
    loop {
        let error = match ask() {
            Ok(answer) => return Ok(answer),
            // Waiting mends nothing.
            Err(error @ RemoteError::Damaged { .. }) => return Err(error.into()),
            Err(error) => error,
        };
        let until = Instant::now() + wait;
        while Instant::now() < until && !stopped() {
            thread::sleep(INTERVAL);
        }
        if started.elapsed() > PATIENCE || stopped() {
            return Err(error.into());
        }
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}
