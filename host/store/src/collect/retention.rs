//! Retention: which runs are kept, and for how long results that no run names and working folders
//! of unfinished actions.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use assay_core::graph::{Node, RunEntry};
use assay_core::{ActionKey, Run, RunHash};

use crate::error::StoreError;
use crate::index::Index;
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

/// The runs that markers name: those that stay and those that go.
#[derive(Default)]
pub(super) struct Runs {
    /// When each began, in milliseconds since 1970 (UTC), and its hash.
    pub(super) kept: Vec<(u64, RunHash)>,
    pub(super) dropped: Vec<DroppedRun>,
    /// The runs of which nothing is known. They stay.
    pub(super) unreadable: Vec<RunHash>,
}

/// A run that goes.
pub(super) struct DroppedRun {
    pub(super) started_ms: u64,
    pub(super) hash: RunHash,
    pub(super) run: Run,
}

impl Runs {
    pub(super) fn read(
        store: &Store,
        index: &Index,
        retention: &Retention,
        without: &BTreeSet<RunHash>,
    ) -> Result<Self, StoreError> {
        let pinned: HashSet<_> = index.pins().values().collect();
        let mut complete = HashMap::<&str, usize>::new();
        let mut runs = Self::default();
        let named = store.runs()?.into_iter().rev();
        for (started_ms, hash) in named.filter(|(_, hash)| !without.contains(hash)) {
            let Some(RunEntry { run, .. }) = index.runs().get(&hash) else {
                runs.unreadable.push(hash);
                runs.kept.push((started_ms, hash));
                continue;
            };
            let newer = complete.entry(&run.pipeline).or_default();
            let is_last = retention.keep_last.is_none_or(|last| *newer < last);
            *newer += usize::from(run.stages.iter().all(|stage| stage.artifact.is_some()));
            if is_last || pinned.contains(&Node::Run(hash)) {
                runs.kept.push((started_ms, hash));
            } else {
                runs.dropped.push(DroppedRun {
                    started_ms,
                    hash,
                    run: run.clone(),
                });
            }
        }
        Ok(runs)
    }

    /// The actions of the runs that go.
    pub(super) fn dropped_actions(&self) -> impl Iterator<Item = ActionKey> {
        let stages = self.dropped.iter().flat_map(|dropped| &dropped.run.stages);
        stages.filter_map(|stage| stage.action)
    }
}

impl Retention {
    /// Whether what was left at that time, in milliseconds since 1970, is still to be kept.
    pub(super) fn is_young(&self, left_ms: u64) -> bool {
        let age = self.now_ms.saturating_sub(left_ms);
        u128::from(age) < self.grace.as_millis()
    }
}
