//! Retention: which runs are kept, and for how long results that no run names and working folders
//! of unfinished actions.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use assay_core::{ActionKey, Run, RunHash};

use crate::error::{StoreError, readable};
use crate::pin::Pinned;
use crate::store::Store;

/// Rules for what a collection keeps beside everything that pins and processes at work reach.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Of each pipeline, the newest complete runs to keep, and whatever run began after them; all
    /// runs, if nothing is said.
    pub keep_last: Option<usize>,
    /// How long results that no run names are kept, and the working folders of actions that have
    /// not finished: a run that was killed leaves both.
    pub grace: Duration,
    /// The time, in milliseconds since 1970 (UTC).
    pub now_ms: u64,
}

/// A run that a marker names.
pub(super) struct MarkedRun {
    pub(super) started_ms: u64,
    pub(super) hash: RunHash,
    /// Its manifest, if it can be read.
    pub(super) run: Option<Run>,
}

impl MarkedRun {
    pub(super) fn actions(&self) -> impl Iterator<Item = ActionKey> {
        let stages = self.run.iter().flat_map(|run| &run.stages);
        stages.filter_map(|stage| stage.action)
    }

    fn is_complete(&self) -> bool {
        let mut stages = self.run.iter().flat_map(|run| &run.stages);
        stages.all(|stage| stage.artifact.is_some())
    }
}

/// The runs that stay and those that go.
pub(super) struct Runs {
    pub(super) kept: Vec<MarkedRun>,
    pub(super) dropped: Vec<MarkedRun>,
}

impl Runs {
    pub(super) fn read(
        store: &Store,
        retention: &Retention,
        pins: &BTreeMap<String, Pinned>,
    ) -> Result<Self, StoreError> {
        let pinned: HashSet<_> = pins.values().collect();
        let mut complete = HashMap::<String, usize>::new();
        let (mut kept, mut dropped) = (Vec::new(), Vec::new());
        for (started_ms, hash) in store.runs()?.into_iter().rev() {
            let marked = MarkedRun {
                started_ms,
                hash,
                run: readable(store.run(hash))?,
            };
            let stays = match (&marked.run, retention.keep_last) {
                (Some(run), Some(last)) => {
                    let newer = complete.entry(run.pipeline.clone()).or_default();
                    let stays = *newer < last;
                    *newer += usize::from(marked.is_complete());
                    stays || pinned.contains(&Pinned::Run(hash))
                }
                // A run of which nothing is known is no run to drop.
                (None, _) | (_, None) => true,
            };
            if stays {
                kept.push(marked);
            } else {
                dropped.push(marked);
            }
        }
        Ok(Self { kept, dropped })
    }

    /// The runs of which nothing is known.
    pub(super) fn unreadable(&self) -> Vec<RunHash> {
        let unreadable = self.kept.iter().filter(|marked| marked.run.is_none());
        unreadable.map(|marked| marked.hash).collect()
    }
}

impl Retention {
    /// Whether what was left at that time, in milliseconds since 1970, is still to be kept.
    pub(super) fn is_young(&self, left_ms: u64) -> bool {
        let age = self.now_ms.saturating_sub(left_ms);
        u128::from(age) < self.grace.as_millis()
    }
}
