//! The state of a run, as its events so far tell it.

use std::collections::HashMap;

use assay_core::{ActionKey, ArtifactHash, RunHash, StageKind};

use super::{Event, RunEvent, StageOutline};
use crate::event::{Epoch, Progress};
use crate::run::RunOutcome;

/// A run, as its events so far tell it.
#[derive(Clone, Debug, Default)]
pub struct RunState {
    /// Its name while it is under way.
    pub id: String,
    /// The name of the pipeline.
    pub pipeline: String,
    /// The machine.
    pub host: String,
    /// The number of its process there.
    pub pid: u32,
    /// When it began, in milliseconds since 1970 (UTC).
    pub started_ms: u64,
    /// Its stages, in the plan's order.
    pub stages: Vec<StageState>,
    /// How it ended, and its record in the store.
    pub ended: Option<(RunOutcome, Option<RunHash>)>,
    /// How many of its stages are where.
    pub counts: StageCounts,
    /// The place of each stage by its name.
    places: HashMap<String, usize>,
}

/// How many stages are where; the rest have not begun or were stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StageCounts {
    /// Those whose result was there already.
    pub cached: usize,
    /// Those that ran.
    pub ran: usize,
    /// Those in the queue of a cluster.
    pub queued: usize,
    /// Those that a worker is at.
    pub running: usize,
    /// Those that another run is at.
    pub waiting: usize,
    /// Those that failed.
    pub failed: usize,
}

impl StageCounts {
    /// Those that have a result.
    pub const fn done(self) -> usize {
        self.cached + self.ran
    }

    fn of(&mut self, status: &StageStatus) -> Option<&mut usize> {
        match status {
            StageStatus::Cached => Some(&mut self.cached),
            StageStatus::Done { .. } => Some(&mut self.ran),
            StageStatus::Queued => Some(&mut self.queued),
            StageStatus::Running => Some(&mut self.running),
            StageStatus::Waiting => Some(&mut self.waiting),
            StageStatus::Failed { .. } => Some(&mut self.failed),
            StageStatus::Planned | StageStatus::Stopped => None,
        }
    }
}

/// A stage of a run.
#[derive(Clone, Debug)]
pub struct StageState {
    /// Its name.
    pub name: String,
    /// Its kind; absent where no plan was announced.
    pub kind: Option<StageKind>,
    /// How many epochs a training has.
    pub epochs: Option<u32>,
    /// Where it is.
    pub status: StageStatus,
    /// Its action, once that is known.
    pub action: Option<ActionKey>,
    /// What it gave.
    pub artifact: Option<ArtifactHash>,
    /// The epochs that were measured, in order.
    pub curve: Vec<Epoch>,
    /// The epoch in which a value became infinite or not a number.
    pub diverged: Option<u32>,
    /// How far its worker is.
    pub progress: Option<Progress>,
    /// When it was started.
    started_ms: u64,
    /// The first and the last that was told of its progress in this execution: the moments and the
    /// fractions done.
    pace: Option<[(u64, f64); 2]>,
}

/// Where a stage is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StageStatus {
    /// It has not begun.
    Planned,
    /// Another run is at it.
    Waiting,
    /// It stands in the queue of a cluster.
    Queued,
    /// A worker is at it.
    Running,
    /// Its result was there already.
    Cached,
    /// It ran.
    Done {
        /// In this many milliseconds.
        duration_ms: u64,
    },
    /// It failed.
    Failed {
        /// Why, in a sentence.
        message: String,
    },
    /// It was stopped on request.
    Stopped,
}

impl StageStatus {
    /// Whether it has a result.
    pub const fn has_result(&self) -> bool {
        matches!(self, Self::Cached | Self::Done { .. })
    }
}

impl StageState {
    fn new(outline: &StageOutline) -> Self {
        Self {
            kind: Some(outline.kind),
            epochs: outline.epochs,
            ..Self::unplanned(&outline.stage)
        }
    }

    fn unplanned(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: None,
            epochs: None,
            status: StageStatus::Planned,
            action: None,
            artifact: None,
            curve: Vec::new(),
            diverged: None,
            progress: None,
            started_ms: 0,
            pace: None,
        }
    }

    /// The time that it has run, in milliseconds.
    pub fn running_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.started_ms)
    }

    /// The time that it will still take, in milliseconds, if it goes on as it did since it was
    /// started; nothing where too little is done to say so.
    pub fn left_ms(&self, now_ms: u64) -> Option<u64> {
        let [(began, first), (last_ms, last)] = self.pace?;
        let (done, took) = (last - first, last_ms.saturating_sub(began));
        if done < LEAST_DONE || took < LEAST_TIME || last > 1.0 {
            return None;
        }
        let left = took as f64 * (1.0 - last) / done;
        Some((left as u64).saturating_sub(now_ms.saturating_sub(last_ms)))
    }

    fn is_at(&mut self, now_ms: u64, fraction: f64) {
        let point = (now_ms, fraction);
        let first = self.pace.map_or(point, |[first, _]| first);
        self.pace = Some([first, point]);
    }
}

/// The fraction that must be done in this execution, and the milliseconds that it must have taken,
/// before it says anything about the rest.
const LEAST_DONE: f64 = 0.005;
const LEAST_TIME: u64 = 1000;

impl RunState {
    /// The stage of this name.
    pub fn stage(&self, name: &str) -> Option<&StageState> {
        self.stages.get(*self.places.get(name)?)
    }

    /// The stages that a worker is at.
    pub fn running(&self) -> impl Iterator<Item = &StageState> {
        let running = |stage: &&StageState| stage.status == StageStatus::Running;
        self.stages.iter().filter(running)
    }

    /// Takes in what happened next.
    pub fn apply(&mut self, event: &RunEvent) {
        let now_ms = event.time_ms;
        match &event.event {
            Event::RunStarted {
                pipeline,
                host,
                pid,
                stages,
                ..
            } => {
                *self = Self {
                    id: event.id.clone(),
                    pipeline: pipeline.clone(),
                    host: host.clone(),
                    pid: *pid,
                    started_ms: now_ms,
                    places: stages.iter().map(|it| it.stage.clone()).zip(0..).collect(),
                    stages: stages.iter().map(StageState::new).collect(),
                    ended: None,
                    counts: StageCounts::default(),
                };
            }
            Event::StageCached {
                stage,
                action,
                artifact,
            } => {
                let stage = self.enter(stage, StageStatus::Cached);
                (stage.action, stage.artifact) = (Some(*action), Some(*artifact));
            }
            Event::StageWaiting { stage, action } => {
                self.enter(stage, StageStatus::Waiting).action = Some(*action);
            }
            Event::StageQueued { stage, action } => {
                self.enter(stage, StageStatus::Queued).action = Some(*action);
            }
            Event::StageStarted { stage, action } => {
                let stage = self.enter(stage, StageStatus::Running);
                stage.action = Some(*action);
                stage.started_ms = now_ms;
            }
            Event::StageProgress { stage, progress } => {
                let stage = self.stage_mut(stage);
                stage.is_at(now_ms, progress.fraction);
                stage.progress = Some(progress.clone());
            }
            Event::Epoch { stage, epoch } => {
                let stage = self.stage_mut(stage);
                stage.epochs = Some(epoch.epochs);
                if !epoch.restored {
                    let done = f64::from(epoch.epoch) / f64::from(epoch.epochs.max(1));
                    stage.is_at(now_ms, done);
                }
                stage.curve.push(epoch.clone());
            }
            Event::Diverged { stage, epoch } => self.stage_mut(stage).diverged = Some(*epoch),
            Event::StageFinished {
                stage,
                action,
                artifact,
                duration_ms,
            } => {
                let duration_ms = *duration_ms;
                let stage = self.enter(stage, StageStatus::Done { duration_ms });
                (stage.action, stage.artifact) = (Some(*action), Some(*artifact));
            }
            Event::StageFailed { stage, message } => {
                let message = message.clone();
                self.enter(stage, StageStatus::Failed { message });
            }
            Event::StageStopped { stage } => {
                self.enter(stage, StageStatus::Stopped);
            }
            Event::StageRepeated { .. } | Event::Remark { .. } => {}
            Event::RunFinished { outcome, run } => self.ended = Some((*outcome, *run)),
        }
    }

    /// The stage of this name, which is there from now on.
    fn enter(&mut self, name: &str, status: StageStatus) -> &mut StageState {
        let before = self.stage_mut(name).status.clone();
        if let Some(count) = self.counts.of(&before) {
            *count -= 1;
        }
        if let Some(count) = self.counts.of(&status) {
            *count += 1;
        }
        let stage = self.stage_mut(name);
        stage.status = status;
        stage
    }

    /// The stage of this name, which is added where no plan announced it.
    fn stage_mut(&mut self, name: &str) -> &mut StageState {
        let next = self.stages.len();
        let place = *self.places.entry(name.to_owned()).or_insert(next);
        if place == next {
            self.stages.push(StageState::unplanned(name));
        }
        &mut self.stages[place]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::EVENT_VERSION;

    fn told(events: Vec<(u64, Event)>) -> RunState {
        let mut state = RunState::default();
        for (time_ms, event) in events {
            state.apply(&RunEvent {
                version: EVENT_VERSION,
                id: "1-a".to_owned(),
                time_ms,
                event,
            });
        }
        state
    }

    fn begin(stages: &[&str]) -> Event {
        let stages = stages.iter().map(|stage| StageOutline {
            stage: (*stage).to_owned(),
            kind: StageKind::Train,
            epochs: Some(100),
        });
        Event::RunStarted {
            pipeline: "p".to_owned(),
            host: "h".to_owned(),
            pid: 1,
            assay: "0".to_owned(),
            stages: stages.collect(),
        }
    }

    fn started(stage: &str) -> Event {
        Event::StageStarted {
            stage: stage.to_owned(),
            action: ActionKey::from_bytes([1; 32]),
        }
    }

    fn epoch(epoch: u32, restored: bool) -> Event {
        Event::Epoch {
            stage: "a".to_owned(),
            epoch: Epoch {
                epoch,
                epochs: 100,
                restored,
                measured: std::collections::BTreeMap::new(),
                best: None,
            },
        }
    }

    #[test]
    fn stages_are_counted_where_they_are() {
        let failed = Event::StageFailed {
            stage: "a".to_owned(),
            message: "no".to_owned(),
        };
        let state = told(vec![
            (0, begin(&["a", "b"])),
            (1, started("a")),
            (2, started("b")),
            (3, failed),
            // One that no plan announced.
            (4, started("c")),
        ]);
        let expected = StageCounts {
            running: 2,
            failed: 1,
            ..StageCounts::default()
        };
        assert_eq!(state.counts, expected);
        assert_eq!(state.stages.len(), 3);
    }

    #[test]
    fn what_an_earlier_execution_did_says_nothing_about_the_pace() {
        let state = told(vec![
            (0, begin(&["a"])),
            (0, started("a")),
            (10, epoch(49, true)),
            (10, epoch(50, true)),
            (10_000, epoch(51, false)),
            (20_000, epoch(52, false)),
        ]);
        let left = state.stage("a").unwrap().left_ms(20_000);
        // 48 epochs at 10 seconds each.
        assert_eq!(left.map(|left| (left + 500) / 1000), Some(480));
        assert_eq!(
            state
                .stage("a")
                .unwrap()
                .left_ms(30_000)
                .map(|it| (it + 500) / 1000),
            Some(470)
        );
    }
}
