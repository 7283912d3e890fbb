//! Actions executed through the queue of a cluster, and results taken from remotes during a run.
//!
//! Controller and workers share nothing but a hub, a remote that all of them reach: a folder on a shared file
//! system, or a bucket. The controller ([`Cluster`]) writes actions with their inputs there and submits jobs. Each
//! job executes one action in a store of its own machine ([`Job`]) and writes the result to the hub. Files of the
//! hub are written once under names that are hashes, so nobody there needs a lock: the same action executed twice
//! gives the same bytes, and a result that cannot be read and verified does not count.
//!
//! The controller keeps nothing on disk. When it is started again it asks the queue for its jobs and the hub for
//! their results.

mod checkpoint;
mod command;
mod controller;
mod differing;
mod error;
mod hub;
mod job;
mod look_up;
mod queue;
mod sites;

pub use controller::Cluster;
pub use error::ClusterError;
pub use job::Job;
pub use look_up::{Admitted, LookUp};
pub use queue::QueueKind;
pub use sites::{Site, Sites};
