//! Forgetting runs: their markers go, and a later [collection](crate::Collection) removes what only
//! they kept. Nothing else is removed here.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::io;

use assay_core::RunHash;
use assay_core::graph::Node;

use crate::disk;
use crate::error::{At, StoreError};
use crate::store::{Part, Store};

impl Store {
    /// Removes the markers of runs, all of them or, if one may not go, none. The store is closed to
    /// others meanwhile, so that nobody begins to use or pins a run that is about to go. When this
    /// returns, the runs would stay forgotten through a power cut.
    ///
    /// # Errors
    /// As [`Store::check_forgettable`], or a marker cannot be removed; those before it are then gone.
    pub fn forget(&self, runs: &BTreeSet<RunHash>) -> Result<(), StoreError> {
        let _closed = self.close()?;
        for (started_ms, run) in self.forgettable(runs)? {
            let marker = self.marker_path(started_ms, run);
            match fs::remove_file(&marker) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Err(error).at("remove", &marker)?;
                }
                _ => {}
            }
        }
        disk::sync(&[self.part(Part::Runs)])
    }

    /// Whether [`Store::forget`] would forget these runs now. Nothing is written.
    ///
    /// # Errors
    /// A run is not recorded, is pinned, or gave a result that a process at work relies on; or the
    /// store cannot be read.
    pub fn check_forgettable(&self, runs: &BTreeSet<RunHash>) -> Result<(), StoreError> {
        let _guard = self.hold()?;
        self.forgettable(runs).map(|_| ())
    }

    /// The markers of runs that may all be forgotten.
    fn forgettable(&self, runs: &BTreeSet<RunHash>) -> Result<Vec<(u64, RunHash)>, StoreError> {
        let mut markers = self.runs()?;
        markers.retain(|(_, run)| runs.contains(run));
        let recorded: BTreeSet<_> = markers.iter().map(|(_, run)| *run).collect();
        if let Some(&run) = runs.difference(&recorded).next() {
            return Err(StoreError::NoSuchRun { run });
        }
        for (label, pinned) in self.pins()? {
            if let Node::Run(run) = pinned
                && runs.contains(&run)
            {
                return Err(StoreError::PinnedRun { run, label });
            }
        }
        let living = self.leases()?.living;
        for &run in runs {
            if let Some(stage) = self.stage_in_use(run, &living)? {
                return Err(StoreError::RunInUse { run, stage });
            }
        }
        Ok(markers)
    }

    /// The first stage of a run whose action is among these.
    fn stage_in_use(
        &self,
        run: RunHash,
        living: &HashSet<Node>,
    ) -> Result<Option<String>, StoreError> {
        let is_used = |action| living.contains(&Node::Action(action));
        let mut stages = self.run(run)?.stages.into_iter();
        let used = stages.find(|stage| stage.action.is_some_and(is_used));
        Ok(used.map(|stage| stage.name))
    }
}
