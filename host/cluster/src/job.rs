//! One action executed by a job of a cluster, in a store of the job's machine.

use std::cell::RefCell;
use std::thread;
use std::time::{Duration, Instant};

use assay_core::{ActionKey, ActionResult, Advice};
use assay_engine::{Cancel, Completed, Execution, Failure, News, failed_log, host_name};
use assay_remote::{Access, Place, RemoteError};
use assay_store::Store;

use crate::checkpoint::Checkpoints;
use crate::error::ClusterError;
use crate::hub::{Attempt, AttemptEnding, Hub, is_attempt_name};

/// How long a file that the controller wrote may take to be seen on this machine, and a result to be written.
const PATIENCE: Duration = Duration::from_secs(90);
/// The first wait before another attempt, which doubles each time.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// The name of the machine in Slurm.
const NODE_NAME: &str = "SLURMD_NODENAME";
/// How often a wait looks for a request to stop.
const INTERVAL: Duration = Duration::from_millis(50);

/// A job with its hub.
pub struct Job<'a> {
    hub: Hub,
    /// Its name among the attempts at the action.
    attempt: Option<String>,
    cancel: &'a Cancel,
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
        self.patiently(|| {
            self.hub.take_action(store, key)?;
            for (_, result) in self.hub.results(&[key])? {
                // One that is not whole does not count.
                if self.hub.take_result(store, &result).is_ok() {
                    return Ok(Some(result));
                }
            }
            Ok(None)
        })
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
        let checkpoints = RefCell::new(checkpoints);
        // Without its checkpoint a training takes longer, and that is all.
        let _ = checkpoints.borrow_mut().fetch();
        let observe = |news: News| {
            let is_epoch = matches!(news, News::Epoch(_));
            (execution.observe)(news);
            if is_epoch {
                // A later one may be written, and the result will be.
                let _ = checkpoints.borrow_mut().offer();
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
                let offer = || self.hub.offer_result(execution.store, &completed.result);
                repeat(offer, || false)?;
                let _ = checkpoints.borrow().remove();
                self.report(key, AttemptEnding::Done);
            }
            Err(Failure::Cancelled) => {
                let offered = checkpoints.borrow_mut().offer_now();
                self.report(key, AttemptEnding::Stopped);
                offered?;
            }
            Err(failure) => {
                let _ = checkpoints.borrow_mut().offer_now();
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
        let ending = if failure.is_of_worker() {
            AttemptEnding::Failed {
                message,
                help: failure.help().into_owned(),
                chain: failure.reported_causes(),
                log: failure.log().to_vec(),
            }
        } else {
            AttemptEnding::Unmet { reason: message }
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

/// Asks again until it works, for a while.
fn repeat<T>(
    ask: impl Fn() -> Result<T, RemoteError>,
    stopped: impl Fn() -> bool,
) -> Result<T, ClusterError> {
    let (started, mut wait) = (Instant::now(), FIRST_WAIT);
    loop {
        let error = match ask() {
            Ok(answer) => return Ok(answer),
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
