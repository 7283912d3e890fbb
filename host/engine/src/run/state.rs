//! The stages of a run between their readiness and their end.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use assay_core::{ActionKey, ArtifactHash};

use super::StageReport;
use crate::freeze::FrozenStage;
use crate::sharing::{PerCard, Sharing};

/// State of the stages in a run.
pub(super) struct State<'a> {
    pub(super) reports: Vec<Option<StageReport>>,
    /// The number of inputs of each stage that have no artifact yet.
    pub(super) missing: Vec<usize>,
    /// Which stages read each stage.
    pub(super) readers: Vec<Vec<usize>>,
    pub(super) ready: BTreeSet<usize>,
    /// Stages to execute, whose actions are stored.
    pub(super) pending: BTreeMap<usize, ActionKey>,
    /// Stages that were announced to wait for another run.
    pub(super) announced: BTreeSet<usize>,
    /// The number of trainings of each search with a limit that are running.
    pub(super) searching: HashMap<Arc<str>, usize>,
    pub(super) sharing: Sharing<'a>,
    pub(super) failed: bool,
}

impl<'a> State<'a> {
    pub(super) fn new(stages: &'a [FrozenStage], per_card: PerCard) -> Self {
        let mut readers = vec![Vec::new(); stages.len()];
        for (at, stage) in stages.iter().enumerate() {
            let waits_for = stage.planned.waits_for();
            waits_for.for_each(|input| readers[input].push(at));
        }
        let missing = stages.iter().map(|stage| stage.planned.waits_for().count());
        let missing: Vec<_> = missing.collect();
        let ready = (0..stages.len()).filter(|&at| missing[at] == 0).collect();
        let reports = stages.iter().map(|_| None).collect();
        Self {
            reports,
            missing,
            readers,
            ready,
            pending: BTreeMap::new(),
            announced: BTreeSet::new(),
            searching: HashMap::new(),
            sharing: Sharing::new(stages, per_card),
            failed: false,
        }
    }

    /// True if another training of the stage's search may run now.
    pub(super) fn has_room(&self, stage: &FrozenStage) -> bool {
        stage.planned.parallel().is_none_or(|limit| {
            let running = self.searching.get(&limit.search);
            running.is_none_or(|&running| running < limit.most)
        })
    }

    /// Counts the stage among the running trainings of its search.
    pub(super) fn take_room(&mut self, stage: &FrozenStage) {
        if let Some(limit) = stage.planned.parallel() {
            let search = Arc::clone(&limit.search);
            *self.searching.entry(search).or_default() += 1;
        }
    }

    /// Gives that back.
    pub(super) fn leave_room(&mut self, stage: &FrozenStage) {
        if let Some(limit) = stage.planned.parallel() {
            let search = Arc::clone(&limit.search);
            *self.searching.entry(search).or_default() -= 1;
        }
    }

    pub(super) fn artifact(&self, at: usize) -> Option<ArtifactHash> {
        Some(self.reports[at].as_ref()?.result.as_ref()?.artifact)
    }
}
