//! Several tasks at once, such as networks and data sets.

use serde::Serialize;

use crate::draws::Draws;
use crate::interval::{Interval, percentile_interval};
use crate::sample::FEWEST_FOR_INTERVAL;

/// The draws of an interval.
const DRAWS: usize = 10_000;

/// The middle of one method's values on several tasks, which must be comparable: for example the
/// ratios of its errors to a reference's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Aggregate {
    /// The interquartile mean (Agarwal et al. 2021): the mean of all values of all tasks without the
    /// ⌊n/4⌋ lowest and the ⌊n/4⌋ highest of n.
    pub interquartile_mean: f64,
    /// Its 95 % interval from a stratified bootstrap: the middle 95 % of 10,000 draws, each of as many
    /// seeds in each task as there are, with repetition. The tasks are the same in all draws, so it
    /// speaks of new seeds and not of other tasks. Nothing where a task has fewer than three seeds.
    pub interval: Option<Interval>,
}

impl Aggregate {
    /// The aggregate of these tasks, with a value for each seed: the seeds in any order and the tasks
    /// in any order. Nothing if there are no tasks, a task has no values, or one is not finite.
    pub fn of(tasks: &[Vec<f64>]) -> Option<Self> {
        let is_sound = |task: &Vec<f64>| !task.is_empty() && task.iter().all(|it| it.is_finite());
        if tasks.is_empty() || !tasks.iter().all(is_sound) {
            return None;
        }
        let mut all: Vec<_> = tasks.iter().flatten().copied().collect();
        all.sort_by(f64::total_cmp);
        let is_enough = |task: &Vec<f64>| task.len() >= FEWEST_FOR_INTERVAL;
        let interval = || percentile_interval(resampled(tasks, &all));
        Some(Self {
            interquartile_mean: middle_mean(&all, &vec![1; all.len()]),
            interval: tasks.iter().all(is_enough).then(interval).flatten(),
        })
    }
}

/// The interquartile mean of drawn seeds.
fn resampled(tasks: &[Vec<f64>], all: &[f64]) -> Vec<f64> {
    // Each task as the places of its values among all, so that no draw needs to be sorted.
    let place = |value: &f64| all.partition_point(|other| other.total_cmp(value).is_lt());
    let mut tasks: Vec<Vec<usize>> = tasks
        .iter()
        .map(|task| task.iter().map(place).collect())
        .collect();
    for task in &mut tasks {
        task.sort_unstable();
    }
    tasks.sort_unstable();
    let sizes = tasks.iter().map(|task| task.len() as f64);
    let places = tasks.iter().flatten().map(|place| *place as f64);
    let key = sizes.chain(places).chain(all.iter().copied());
    let mut draws = Draws::keyed("assay stratified bootstrap", key);
    let mut times = vec![0; all.len()];
    let one = |_| {
        times.fill(0);
        for task in &tasks {
            for _ in task {
                let place = task.get(draws.below(task.len() as u32));
                if let Some(times) = place.and_then(|place| times.get_mut(*place)) {
                    *times += 1;
                }
            }
        }
        middle_mean(all, &times)
    };
    (0..DRAWS).map(one).collect()
}

/// The mean without a quarter on each side of ascending values, each so many times.
fn middle_mean(values: &[f64], times: &[usize]) -> f64 {
    let count: usize = times.iter().sum();
    let (first, end) = (count / 4, count - count / 4);
    let (mut sum, mut before) = (0.0, 0);
    for (value, times) in values.iter().zip(times) {
        let after = before + times;
        sum += after.min(end).saturating_sub(before.max(first)) as f64 * value;
        before = after;
    }
    sum / (end - first) as f64
}

/// The performance profile of each method (Dolan and Moré 2002): for each ratio τ, the share of the
/// tasks on which its error is at most τ times the lowest of all methods.
///
/// For each method, the error on each task is given; where there is none, as after divergence, it is
/// above any ratio. Nothing without tasks, or if the methods have different numbers of them.
pub fn performance_profiles(errors: &[Vec<Option<f64>>], ratios: &[f64]) -> Option<Vec<Vec<f64>>> {
    let tasks = errors.first()?.len();
    if tasks == 0 || errors.iter().any(|method| method.len() != tasks) {
        return None;
    }
    let finite = |error: &Option<f64>| error.filter(|error| error.is_finite());
    let lowest = |task: usize| {
        let errors = errors.iter().filter_map(|method| method.get(task));
        errors.filter_map(finite).fold(f64::INFINITY, f64::min)
    };
    let lowest: Vec<_> = (0..tasks).map(lowest).collect();
    let share = |method: &Vec<Option<f64>>, ratio: f64| {
        let pairs = method.iter().zip(&lowest);
        let within = pairs
            .filter(|(error, lowest)| finite(error).is_some_and(|error| error <= ratio * **lowest));
        within.count() as f64 / tasks as f64
    };
    let profile = |method| ratios.iter().map(|ratio| share(method, *ratio)).collect();
    Some(errors.iter().map(profile).collect())
}
