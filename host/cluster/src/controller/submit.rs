//! Submitting actions in arrays.

use std::collections::BTreeMap;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use assay_core::{ActionKey, ObjectHash};
use assay_remote::Belief;

use super::open::Job;
use super::{Controller, failure, hub_tag};
use crate::hub::WaveNote;
use crate::queue::{Needs, SubmitError, Wave};
use crate::sites::Site;

impl Controller<'_> {
    /// Submits the actions that have no job, in arrays of those that ask for the same.
    pub(super) fn submit(&mut self) {
        if !self.is_known || Instant::now() < self.retry {
            return;
        }
        let mut groups: BTreeMap<Needs, Vec<ActionKey>> = BTreeMap::new();
        for (key, open) in self.open.iter().filter(|(_, open)| open.job.is_none()) {
            groups.entry(open.needs.clone()).or_default().push(*key);
        }
        if groups.is_empty() {
            return;
        }
        let run = self.run;
        let most = match self.most_tasks {
            Some(most) => most,
            None => *self
                .most_tasks
                .insert(self.queue.most_tasks(&|| run.is_stopping())),
        };
        let mut groups: Vec<_> = groups.into_iter().collect();
        // In the order of the plan.
        for (_, keys) in &mut groups {
            keys.sort_by_key(|key| self.open[key].tasks.first().map(|task| task.stage));
        }
        for (needs, keys) in groups {
            // A job of an earlier run may have ended between the look for its result and the question to the queue.
            if self.take_results(&keys, true).is_none() {
                return;
            }
            let keys: Vec<_> = keys
                .into_iter()
                .filter(|key| self.open.contains_key(key))
                .collect();
            for actions in keys.chunks(most) {
                if self.run.is_stopping() || !self.submit_wave(&needs, actions) {
                    return;
                }
            }
        }
    }

    /// Submits an array; whether more can be submitted now.
    fn submit_wave(&mut self, needs: &Needs, actions: &[ActionKey]) -> bool {
        let name = wave_name(&self.cluster.site, actions);
        let note = WaveNote {
            actions: actions.to_vec(),
        };
        let hub = &self.cluster.hub;
        // A job may have been lost for damage to what it reads, which is written again.
        let is_lost = |key: &ActionKey| self.open.get(key).is_some_and(|open| open.lost > 0);
        let belief = if actions.iter().any(is_lost) {
            Belief::Nothing
        } else {
            Belief::Size
        };
        let offered = hub.offer_actions(self.store, actions, belief);
        if let Err(error) = offered.and_then(|()| hub.write_wave(&name, &note)) {
            self.retry = Instant::now() + self.cluster.site.poll;
            self.remark(format!("cannot write to the hub ({error}); trying again"));
            return false;
        }
        let wave = Wave {
            name: &name,
            actions,
            needs,
            program: &self.cluster.program,
        };
        let run = self.run;
        match self.queue.submit(&wave, &|| run.is_stopping()) {
            Ok(()) => {
                for (index, key) in actions.iter().enumerate() {
                    if let Some(open) = self.open.get_mut(key) {
                        open.job = Some(Job::new(name.clone(), index));
                        open.tasks.iter().for_each(|task| run.queued(task));
                    }
                }
                self.waves.insert(name.clone(), note);
                self.submitted.insert(name);
                true
            }
            Err(SubmitError::Unreachable(error)) => {
                self.retry = Instant::now() + self.cluster.site.poll;
                // It may have taken the jobs and lost its answer.
                self.is_known = false;
                self.remark(format!(
                    "the queue takes no jobs now ({error}); trying again"
                ));
                false
            }
            Err(SubmitError::Full(error)) => {
                self.retry = Instant::now() + self.cluster.site.poll;
                self.most_tasks = Some((actions.len() / 2).max(1));
                self.remark(format!(
                    "the queue takes no more jobs now ({error}); trying again"
                ));
                false
            }
            Err(SubmitError::Refused(error)) => {
                let message = format!("the queue refuses its job: {error}");
                let help = "what a site needs stands in executors.toml, what a stage needs in its `resources`";
                for key in actions {
                    self.end(*key, |_| Err(failure(message.clone(), help)));
                }
                true
            }
        }
    }
}

/// A name that no other array has.
fn wave_name(site: &Site, actions: &[ActionKey]) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |now| now.as_nanos());
    let text = format!(
        "{actions:?} {now} {} {}",
        assay_engine::host_name(),
        std::process::id()
    );
    let unique = ObjectHash::of(text.as_bytes()).to_string();
    format!("{}{}", hub_tag(site), &unique[..16])
}
