//! The end of jobs that left no result: whether their actions failed, are submitted again, or are given up.

use std::time::Duration;

use assay_core::ActionKey;
use assay_engine::Failure;

use super::{Controller, failure};
use crate::checkpoint::whole_checkpoints;
use crate::hub::AttemptEnding;
use crate::queue::TaskState;

/// The times that an action may be lost without getting on, or refused by machines, before it is given up.
const MOST_LOST: u32 = 3;
const MOST_REFUSED: u32 = 8;

impl Controller<'_> {
    /// Decides what becomes of actions whose jobs have ended without a result that could be seen.
    pub(super) fn conclude(&mut self) {
        let over = self.open.iter().filter(|(_, open)| {
            let job = open.job.as_ref();
            job.is_some_and(|job| job.ended.is_some() && job.is_looked_for)
        });
        let over: Vec<_> = over.map(|(key, _)| *key).collect();
        for key in over {
            self.conclude_one(key);
        }
    }

    fn conclude_one(&mut self, key: ActionKey) {
        let Some((job, name)) = self.open.get(&key).and_then(|open| {
            let name = open.tasks.first().map(|task| task.name.clone())?;
            Some((open.job.as_ref()?, name))
        }) else {
            return;
        };
        let waited = job.ended.map_or(Duration::ZERO, |ended| ended.elapsed());
        let is_late = waited >= self.cluster.site.patience;
        let words = job.words();
        let is_cancelled = job.is_in_state(TaskState::Cancelled);
        let attempt = match &job.queued {
            None => None,
            Some(queued) => {
                let attempt = format!("{}-{}", job.wave, queued.job);
                match self.cluster.hub.last_attempt(key, &attempt) {
                    Ok(attempt) => attempt,
                    Err(error) => {
                        return self.remark_unread(&error);
                    }
                }
            }
        };
        match attempt.map(|attempt| (attempt.host, attempt.ending)) {
            Some((
                _,
                AttemptEnding::Failed {
                    message,
                    help,
                    chain,
                    log,
                },
            )) => {
                self.end(key, |_| {
                    Err(Failure::Stage {
                        message: message.clone(),
                        help: help.clone(),
                        chain: chain.clone(),
                        log: log.clone(),
                    })
                });
            }
            Some((host, AttemptEnding::Unmet { reason })) => self.exclude(key, &host, &reason),
            _ if is_cancelled => {
                let message = format!("its {words} was cancelled in the queue");
                self.end(key, |_| {
                    Err(failure(message.clone(), "run it again to submit it anew"))
                });
            }
            Some((host, AttemptEnding::Unread { reason })) => {
                self.remark(format!("{host} cannot read what {name} needs: {reason}"));
                self.lose(key, &name, &words);
            }
            // A result, or the end of a later attempt, may be on its way.
            Some((_, AttemptEnding::Done | AttemptEnding::Stopped)) | None => {
                if is_late {
                    self.lose(key, &name, &words);
                }
            }
        }
    }

    /// Submits the action again, on another machine.
    fn exclude(&mut self, key: ActionKey, host: &str, reason: &str) {
        self.remark(format!("{host} cannot execute {}: {reason}", key.short()));
        let Some(open) = self.open.get_mut(&key) else {
            return;
        };
        open.refused += 1;
        if open.refused >= MOST_REFUSED {
            let message =
                format!("no machine of the cluster can execute it; {host} says: {reason}");
            return self.end(key, |_| Err(failure(message.clone(), "")));
        }
        open.job = None;
        // Only the letters of names of machines go to the queue's command.
        let allowed = |char: char| char.is_ascii_alphanumeric() || "-._".contains(char);
        if !host.is_empty() && host.chars().all(allowed) {
            open.needs.excluded.insert(host.to_owned());
        }
    }

    /// Submits an action again whose job is gone, unless it does not get on.
    fn lose(&mut self, key: ActionKey, name: &str, words: &str) {
        let checkpoint = match whole_checkpoints(&self.cluster.hub, key) {
            Ok(mut checkpoints) => checkpoints.pop(),
            Err(error) => {
                return self.remark_unread(&error);
            }
        };
        let Some(open) = self.open.get_mut(&key) else {
            return;
        };
        if checkpoint > open.checkpoint {
            open.lost = 0;
        } else {
            open.lost += 1;
        }
        if open.lost >= MOST_LOST {
            let job = open.job.take();
            let log = job.and_then(|job| job.output());
            let message = format!("its {words} gave no result, and neither did those before it");
            return self.end(key, |_| {
                Err(Failure::Stage {
                    message: message.clone(),
                    help: "the output of its jobs is in the executor's folder of logs; `resources` of the stage \
                           ask for more time or memory"
                        .to_owned(),
                    chain: Vec::new(),
                    log: log.clone().unwrap_or_default(),
                })
            });
        }
        open.checkpoint.clone_from(&checkpoint);
        open.job = None;
        let from = checkpoint.as_deref().and_then(|name| name.rsplit_once('-'));
        let from = from.map_or("its beginning".to_owned(), |(_, epoch)| {
            format!("epoch {}", epoch.trim_start_matches('0'))
        });
        self.run.remark(format!(
            "{name}: its {words} gave no result; it is submitted again and goes on from {from}"
        ));
    }
}
