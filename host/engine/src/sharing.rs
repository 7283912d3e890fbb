//! Which stages share a worker on a card, and how many of them: as many as were asked for, or as this run has found to
//! be worth while.

use std::collections::BTreeMap;

use assay_core::{ActionResult, StageOutcome};

use crate::freeze::FrozenStage;
use crate::stages::TrainingParameters;

/// The most actions that a worker executes at once: it may open so many files at a time that each training has dozens.
pub const MOST_PER_CARD: usize = 64;

/// Actions that the first workers on a card execute at once where their number is measured.
const FIRST: usize = 4;

/// The factor by which more at once have to be faster together to be worth the memory that they take.
const GAIN: f64 = 1.1;

/// The actions that one worker executes at once on a card, where they can share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PerCard {
    /// So many at most.
    Most(usize),
    /// Twice as many as before while that makes them faster together.
    Measured,
}

/// Limits and speeds of the stages of a run that share workers.
pub(crate) struct Sharing<'a> {
    stages: &'a [FrozenStage],
    per_card: PerCard,
    /// The most stages that may share a worker with each, itself included: one that they shared ended before they did.
    most: BTreeMap<usize, usize>,
    /// The speeds of stages that do the same work, each with one of them.
    paces: Vec<(usize, Pace)>,
}

impl<'a> Sharing<'a> {
    pub(crate) fn new(stages: &'a [FrozenStage], per_card: PerCard) -> Self {
        Self {
            stages,
            per_card,
            most: BTreeMap::new(),
            paces: Vec::new(),
        }
    }

    /// The most stages that may share a worker with this one now, itself included.
    pub(crate) fn most_with(&self, at: usize) -> usize {
        let most = match self.per_card {
            PerCard::Most(most) => most,
            PerCard::Measured => self
                .known(at)
                .map_or(FIRST, |known| self.paces[known].1.next()),
        };
        let own = self.most.get(&at).copied();
        most.min(own.unwrap_or(most)).max(1)
    }

    /// True if both may share a worker. Where speeds are measured, both do the same work: what is measured of one then
    /// holds for the other.
    pub(crate) fn go_together(&self, one: usize, other: usize) -> bool {
        match self.per_card {
            PerCard::Most(_) => self.stages[one].shares_worker_with(&self.stages[other]),
            PerCard::Measured => self.same_work(one, other),
        }
    }

    /// Takes note of a stage that came to its end in this run.
    pub(crate) fn ended(&mut self, at: usize, outcome: StageOutcome, result: &ActionResult) {
        if self.per_card == PerCard::Measured
            && outcome == StageOutcome::Ran
            && self.go_together(at, at)
        {
            self.pace_mut(at).ended(result);
        }
    }

    /// Takes note of a stage that is left of a worker with so many, which ended before it did.
    pub(crate) fn left(&mut self, at: usize, count: usize) {
        self.most.insert(at, count / 2);
        if self.per_card == PerCard::Measured {
            self.pace_mut(at).were_too_many(count);
        }
    }

    /// The place of a stage's work among the speeds.
    fn known(&self, at: usize) -> Option<usize> {
        let mut paces = self.paces.iter();
        paces.position(|(of, _)| self.same_work(*of, at))
    }

    fn pace_mut(&mut self, at: usize) -> &mut Pace {
        let known = self.known(at).unwrap_or_else(|| {
            self.paces.push((at, Pace::default()));
            self.paces.len() - 1
        });
        &mut self.paces[known].1
    }

    /// True if both may share a worker and do the same work, but for their number of epochs.
    fn same_work(&self, one: usize, other: usize) -> bool {
        let work = |at| {
            let training = self.training(at)?;
            Some((&training.network, training.batch_size, training.alignment))
        };
        self.stages[one].shares_worker_with(&self.stages[other]) && work(one) == work(other)
    }

    /// The parameters of a training, or of the one that is evaluated; those that a search chooses are not known.
    fn training(&self, at: usize) -> Option<&TrainingParameters> {
        let planned = &self.stages[at].planned;
        let of = |input: usize| self.stages[input].planned.training();
        planned
            .training()
            .or_else(|| planned.waits_for().find_map(of))
    }
}

/// The speeds of stages that do the same work, so many at once.
#[derive(Debug, Default)]
struct Pace {
    /// The speed of so many together, in epochs per millisecond, and the number of stages that it is the mean of.
    speeds: BTreeMap<usize, (f64, u32)>,
    /// So many have ended before they were done, or more.
    too_many: Option<usize>,
}

impl Pace {
    fn ended(&mut self, result: &ActionResult) {
        let count = result.at_once.map_or(1, |count| count as usize);
        let Some(time) = time_of(result) else { return };
        let (mean, of) = self.speeds.entry(count).or_default();
        *of += 1;
        *mean += (count as f64 / time - *mean) / f64::from(*of);
    }

    fn were_too_many(&mut self, count: usize) {
        let too_many = self.too_many.get_or_insert(count);
        *too_many = count.min(*too_many);
    }

    /// The number to execute at once: twice the largest that was tried if that paid, else the smallest that no larger one
    /// beats.
    fn next(&self) -> usize {
        let (mut best, mut most) = ((FIRST, 0.0), 0);
        for (&count, &(speed, _)) in &self.speeds {
            if speed >= GAIN * best.1 {
                best = (count, speed);
            }
            most = count;
        }
        let next = if best.0 == most { 2 * most } else { best.0 };
        let room = self.too_many.map_or(MOST_PER_CARD, |count| count / 2);
        next.min(room).clamp(1, MOST_PER_CARD)
    }
}

/// The time of an epoch, but not of the first, which has more to do; of what has no epochs, all of its time.
fn time_of(result: &ActionResult) -> Option<f64> {
    let mut epochs = match &result.epoch_ms[..] {
        [] => vec![result.duration_ms],
        [only] => vec![*only],
        [_, rest @ ..] => rest.to_vec(),
    };
    epochs.sort_unstable();
    let time = epochs.get(epochs.len() / 2)?;
    (*time > 0).then_some(*time as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sizes of workers, one after another, for stages whose epoch takes so long with so many at once.
    fn sizes(pace: &mut Pace, epoch: impl Fn(usize) -> u64) -> Vec<usize> {
        let mut sizes = Vec::new();
        for _ in 0..7 {
            let count = pace.next();
            sizes.push(count);
            for _ in 0..count {
                note(pace, count, &[5000, epoch(count), epoch(count)]);
            }
        }
        sizes
    }

    fn note(pace: &mut Pace, count: usize, epoch_ms: &[u64]) {
        let result = serde_json::from_value(serde_json::json!({
            "action": "00".repeat(32),
            "artifact": "00".repeat(32),
            "started_ms": 0,
            "duration_ms": 9000,
            "peak_memory": 0,
            "at_once": count,
            "host": "here",
            "version": "1",
            "log": null,
            "epoch_ms": epoch_ms,
        }));
        pace.ended(&result.unwrap());
    }

    #[test]
    fn workers_double_while_that_makes_them_faster_together() {
        // Each as fast as alone, however many there are.
        let none = Pace::default;
        assert_eq!(sizes(&mut none(), |_| 100), [4, 8, 16, 32, 64, 64, 64]);
        // A card that is full with twelve, and one that is full with one.
        let full = |most: u64| move |count: usize| 100 * (count as u64).max(most);
        assert_eq!(sizes(&mut none(), full(12)), [4, 8, 16, 32, 16, 16, 16]);
        assert_eq!(sizes(&mut none(), full(1)), [4, 8, 4, 4, 4, 4, 4]);
    }

    #[test]
    fn what_was_too_many_is_not_tried_again() {
        let mut pace = Pace::default();
        note(&mut pace, 4, &[100]);
        assert_eq!(pace.next(), 8);
        pace.were_too_many(8);
        assert_eq!(pace.next(), 4);
        pace.were_too_many(2);
        assert_eq!(pace.next(), 1);
    }

    #[test]
    fn a_size_that_the_stages_left_gave_counts_too() {
        let mut pace = Pace::default();
        note(&mut pace, 3, &[100]);
        assert_eq!(pace.next(), 6);
        // A time of zero says nothing.
        note(&mut pace, 6, &[0, 0]);
        assert_eq!(pace.next(), 6);
    }
}
