//! Results and workers of other machines, as a run sees them. How they are reached is for others.

use std::sync::mpsc::Receiver;

use assay_core::{ActionKey, Limits, Resources};
use assay_store::Store;

use crate::supervise::{Completed, Failure};

/// Help that a run has from elsewhere.
#[derive(Clone, Copy, Default)]
pub struct Elsewhere<'a> {
    /// Has results that others made.
    pub results: Option<&'a dyn ResultSource>,
    /// Executes the stages that load a plugin.
    pub executor: Option<&'a dyn Executor>,
}

/// A place with results of actions.
pub trait ResultSource: Sync {
    /// Takes results of those of `actions` that it has some of into the store. Whatever hinders it is said in a
    /// remark and hinders nothing else.
    fn fetch(&self, store: &Store, actions: &[ActionKey], remark: &dyn Fn(String));
}

/// An action to execute; the store has it and what it reads.
#[derive(Clone, Debug)]
pub struct Task {
    /// The number of its stage in the run.
    pub stage: usize,
    /// The name of the stage.
    pub name: String,
    /// The action.
    pub key: ActionKey,
    /// Limits on its worker.
    pub limits: Limits,
    /// Resources that it asks for; those that follow from its environment are set.
    pub resources: Resources,
}

/// Executes actions of a run on other machines.
pub trait Executor: Sync {
    /// Executes the actions that come until no more can come and every one has ended, or until the run stops.
    /// Then those that have not ended end as [`Failure::Cancelled`] for the run. Elsewhere they may go on, and a
    /// later run takes them up again.
    fn serve(&self, store: &Store, tasks: &Receiver<Task>, run: &dyn Client);
}

/// The run that an [`Executor`] serves.
pub trait Client {
    /// The action stands in a queue.
    fn queued(&self, task: &Task);
    /// A machine executes it.
    fn started(&self, task: &Task);
    /// It ended; a result is in the store.
    fn ended(&self, task: &Task, ended: Result<Completed, Failure>);
    /// Something that concerns no stage alone.
    fn remark(&self, message: String);
    /// True once the run waits for nothing more.
    fn is_stopping(&self) -> bool;
}
