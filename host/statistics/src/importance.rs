//! How much each hyper-parameter matters for being among the best trials of a search.

use std::fmt;

use serde::Serialize;

use crate::draws::Draws;
use crate::interval::{Interval, normal_tail, percentile_interval};

/// One trial in so many is among the best.
const ONE_IN: usize = 10;
/// The fewest trials among the best that say anything about the others.
const FEWEST_BEST: usize = 5;
/// The cells that the range of a number is cut into, as by Optuna.
const CELLS: usize = 50;
/// The width of the prior's kernel, in cells.
const PRIOR_WIDTH: f64 = CELLS as f64;
/// The least width of a kernel, in cells, so that 90 % of it lies in one.
const LEAST_WIDTH: f64 = 0.5 / 1.64;
/// The searches that are drawn for the intervals.
const DRAWS: usize = 1000;

/// The values of one hyper-parameter, one for each trial.
#[derive(Clone, Debug, PartialEq)]
pub enum Parameter {
    /// Numbers from a range.
    Numeric {
        /// The numbers.
        values: Vec<f64>,
        /// The least that could be drawn.
        low: f64,
        /// The largest that could be drawn.
        high: f64,
        /// The scale on which they were drawn.
        scale: Scale,
    },
    /// Choices, each counted from 0.
    Categorical {
        /// The choices made.
        values: Vec<usize>,
        /// How many there were.
        choices: usize,
    },
}

/// The scale on which the distance of two numbers means the same everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Scale {
    /// Equal differences.
    Linear,
    /// Equal ratios.
    Logarithmic,
}

/// The importances of the hyper-parameters of a search.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Importances {
    /// How many trials were among the best.
    pub best: usize,
    /// The importances in the order of the parameters.
    pub parameters: Vec<Importance>,
}

/// The importance of one hyper-parameter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Importance {
    /// The share of the parameter among all; they add to 1.
    pub share: f64,
    /// The middle 95 % of the shares from 1,000 searches that are drawn from the trials with
    /// repetition, by a key made of them: how much the share depends on which points were tried.
    pub interval: Interval,
}

/// Why there are no importances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoImportance {
    /// A parameter has more or fewer values than there are trials.
    Unequal,
    /// A value is not finite, outside its range, or not positive on a logarithmic scale.
    OutOfRange,
    /// Fewer than five trials are among the best.
    TooFew,
    /// All trials are equally good, or no parameter differs between them.
    NoDifference,
}

impl fmt::Display for NoImportance {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Unequal => "a parameter has more or fewer values than there are trials",
            Self::OutOfRange => "a value is outside its range",
            Self::TooFew => "fewer than five trials are among the best tenth",
            Self::NoDifference => "the trials do not differ",
        })
    }
}

impl std::error::Error for NoImportance {}

impl Importances {
    /// The importances of these parameters for the errors of the trials, in any order, by PED-ANOVA
    /// (Watanabe, Bansal and Hutter 2023). Numbers are treated as in Optuna's source, choices more simply.
    ///
    /// The best are the trials whose error is at most the ⌈(B − 1)/10⌉-th after the least of B. With
    /// p the density of a parameter among them and q that among all trials, both on a grid, its
    /// importance is the Pearson divergence Σ (p − q)²/q over the sum of those of all parameters.
    /// A parameter that has one value only has none.
    ///
    /// A number is counted in one of 50 cells of its range, and the density is the mean of normal
    /// kernels, cut off at the ends of the range: one for each trial, as wide as Scott's rule (1992)
    /// has it, and one as wide as the range. The density of a choice is the share of the trials that
    /// made it, with one trial more that is split among all.
    ///
    /// A trial that diverged takes part with an error above all others.
    pub fn of(errors: &[f64], parameters: &[Parameter]) -> Result<Self, NoImportance> {
        if !errors.iter().all(|error| error.is_finite()) {
            return Err(NoImportance::OutOfRange);
        }
        let grids: Result<Vec<_>, _> = parameters.iter().map(|it| Grid::of(it, errors)).collect();
        let search = Search::new(errors, grids?);
        let every = vec![1; errors.len()];
        let best = search.best(&every);
        if best.iter().sum::<usize>() < FEWEST_BEST {
            return Err(NoImportance::TooFew);
        }
        let shares = search.shares(&every).ok_or(NoImportance::NoDifference)?;
        let intervals = search.intervals(shares.len());
        let parameters = shares.into_iter().zip(intervals);
        Ok(Self {
            best: best.iter().sum(),
            parameters: parameters
                .map(|(share, interval)| Importance { share, interval })
                .collect(),
        })
    }
}

/// The trials, the best first, with the cell of each parameter.
struct Search {
    errors: Vec<f64>,
    grids: Vec<Grid>,
}

/// The cells of one parameter.
struct Grid {
    /// The cell of each trial.
    cells: Vec<usize>,
    /// How many there are.
    count: usize,
    /// Whether they are neighbours of each other.
    is_ordered: bool,
}

impl Search {
    fn new(errors: &[f64], mut grids: Vec<Grid>) -> Self {
        let mut order: Vec<_> = (0..errors.len()).collect();
        let cells = |trial: &usize| {
            let trial = *trial;
            grids.iter().map(move |grid| grid.cells.get(trial))
        };
        let error = |trial: &usize| errors.get(*trial).copied().unwrap_or(f64::INFINITY);
        order.sort_by(|a, b| {
            let by_error = error(a).total_cmp(&error(b));
            by_error.then_with(|| cells(a).cmp(cells(b)))
        });
        let errors = order.iter().map(error).collect();
        for grid in &mut grids {
            grid.cells = order
                .iter()
                .filter_map(|trial| grid.cells.get(*trial).copied())
                .collect();
        }
        Self { errors, grids }
    }

    /// How often each trial is among the best of a search that has each so often.
    fn best(&self, times: &[usize]) -> Vec<usize> {
        let total: usize = times.iter().sum();
        let before_cutoff = total.saturating_sub(1).div_ceil(ONE_IN);
        let mut seen = 0;
        let cutoff = self.errors.iter().zip(times).find(|(_, times)| {
            seen += **times;
            seen > before_cutoff
        });
        let cutoff = cutoff.map_or(f64::NEG_INFINITY, |(error, _)| *error);
        let best = self.errors.iter().zip(times);
        best.map(|(error, times)| if *error <= cutoff { *times } else { 0 })
            .collect()
    }

    /// The importances in a search that has each trial so often; nothing where nothing differs.
    fn shares(&self, times: &[usize]) -> Option<Vec<f64>> {
        let best = self.best(times);
        let grids = self.grids.iter();
        let divergences: Vec<_> = grids.map(|grid| grid.divergence(&best, times)).collect();
        let total: f64 = divergences.iter().sum();
        (total > 0.0).then(|| divergences.iter().map(|it| it / total).collect())
    }

    fn intervals(&self, parameters: usize) -> Vec<Interval> {
        let cells = self.grids.iter().flat_map(|grid| &grid.cells);
        let values = self.errors.iter().copied();
        let values = values.chain(cells.map(|cell| *cell as f64));
        let mut draws = Draws::keyed("assay importance of hyper-parameters", values);
        let mut samples = vec![Vec::with_capacity(DRAWS); parameters];
        for _ in 0..DRAWS {
            let mut times = vec![0; self.errors.len()];
            for _ in 0..times.len() {
                if let Some(times) = times.get_mut(draws.below(self.errors.len() as u32)) {
                    *times += 1;
                }
            }
            // Where nothing differs, each is as important as the others.
            let shares = self.shares(&times);
            let shares = shares.unwrap_or_else(|| vec![1.0 / parameters as f64; parameters]);
            for (sample, share) in samples.iter_mut().zip(shares) {
                sample.push(share);
            }
        }
        samples
            .into_iter()
            .filter_map(percentile_interval)
            .collect()
    }
}

impl Grid {
    fn of(parameter: &Parameter, errors: &[f64]) -> Result<Self, NoImportance> {
        let (grid, values) = match parameter {
            Parameter::Numeric {
                values,
                low,
                high,
                scale,
            } => (numeric(values, [*low, *high], *scale)?, values.len()),
            Parameter::Categorical { values, choices } => {
                if values.iter().any(|value| value >= choices) {
                    return Err(NoImportance::OutOfRange);
                }
                let grid = Self {
                    cells: values.clone(),
                    count: *choices,
                    is_ordered: false,
                };
                (grid, values.len())
            }
        };
        if values == errors.len() {
            Ok(grid)
        } else {
            Err(NoImportance::Unequal)
        }
    }

    /// Σ (p − q)²/q, with p the density of the best and q that of all.
    fn divergence(&self, best: &[usize], all: &[usize]) -> f64 {
        let [best, all] = [best, all].map(|times| self.counted(times));
        if all.iter().filter(|count| **count > 0.0).count() < 2 {
            return 0.0;
        }
        let [best, all] = [best, all].map(|counts| {
            if self.is_ordered {
                parzen(&counts)
            } else {
                smoothed(&counts)
            }
        });
        let terms = best.iter().zip(&all).map(|(p, q)| (p - q).powi(2) / q);
        terms.sum()
    }

    /// The number of trials in each cell.
    fn counted(&self, times: &[usize]) -> Vec<f64> {
        let mut counts = vec![0.0; self.count];
        for (cell, times) in self.cells.iter().zip(times) {
            if let Some(count) = counts.get_mut(*cell) {
                *count += *times as f64;
            }
        }
        counts
    }
}

/// Each number in the cell whose middle is next to it, the lower of two.
fn numeric(values: &[f64], ends: [f64; 2], scale: Scale) -> Result<Grid, NoImportance> {
    let scaled = |value: f64| match scale {
        Scale::Linear => value,
        Scale::Logarithmic => value.ln(),
    };
    let [low, high] = ends.map(scaled);
    let is_inside = |value: &f64| ends[0] <= *value && *value <= ends[1];
    if !(low.is_finite() && high.is_finite() && values.iter().all(is_inside)) {
        return Err(NoImportance::OutOfRange);
    }
    let step = (high - low) / (CELLS - 1) as f64;
    let middles: Vec<_> = (0..CELLS).map(|cell| low + cell as f64 * step).collect();
    let cell = |value: &f64| {
        let value = scaled(*value) - step / 2.0;
        middles
            .partition_point(|middle| *middle < value)
            .min(CELLS - 1)
    };
    Ok(Grid {
        cells: values.iter().map(cell).collect(),
        count: CELLS,
        is_ordered: true,
    })
}

/// The share of each choice, with one trial more that is split among them.
fn smoothed(counts: &[f64]) -> Vec<f64> {
    let total: f64 = counts.iter().sum();
    let split = 1.0 / counts.len() as f64;
    let shares = counts.iter().map(|count| (count + split) / (total + 1.0));
    shares.collect()
}

/// The probability of each cell under the mean of the kernels of all trials and of the prior's.
fn parzen(counts: &[f64]) -> Vec<f64> {
    let total: f64 = counts.iter().sum();
    let mut density = vec![0.0; counts.len()];
    let width = scott(counts).max(LEAST_WIDTH);
    let tails: Vec<_> = (0..counts.len())
        .map(|cells| normal_tail((cells as f64 + 0.5) / width))
        .collect();
    let tail = |cells: usize| tails.get(cells).copied().unwrap_or(0.0);
    for (middle, count) in counts.iter().enumerate() {
        if *count > 0.0 {
            let inside = 1.0 - tail(middle) - tail(counts.len() - 1 - middle);
            for (cell, density) in density.iter_mut().enumerate() {
                let mass = match cell.abs_diff(middle) {
                    0 => 1.0 - 2.0 * tail(0),
                    distance => tail(distance - 1) - tail(distance),
                };
                *density += count / (total + 1.0) * mass / inside;
            }
        }
    }
    let middle = (counts.len() - 1) as f64 / 2.0;
    let below = |end: f64| 1.0 - normal_tail((end - middle) / PRIOR_WIDTH);
    let inside = below(counts.len() as f64 - 0.5) - below(-0.5);
    for (cell, density) in density.iter_mut().enumerate() {
        let mass = below(cell as f64 + 0.5) - below(cell as f64 - 0.5);
        *density += mass / inside / (total + 1.0);
    }
    density
}

/// Scott's rule (1992): 1.059 n^(−1/5) times the lesser of the standard deviation and the quartiles'
/// distance over 1.34, in cells.
fn scott(counts: &[f64]) -> f64 {
    let total: f64 = counts.iter().sum();
    let cells = || counts.iter().enumerate().filter(|(_, count)| **count > 0.0);
    let mean = cells().map(|(at, count)| at as f64 * count).sum::<f64>() / total;
    let squares = cells().map(|(at, count)| (at as f64 - mean).powi(2) * count);
    let deviation = (squares.sum::<f64>() / (total - 1.0).max(1.0)).sqrt();
    // The cell in which the count from below passes a number, or reaches it.
    let quartile = |passes: &dyn Fn(f64) -> bool| {
        let mut below = 0.0;
        let mut last = 0;
        for (at, count) in cells() {
            below += count;
            last = at;
            if passes(below) {
                break;
            }
        }
        last as f64
    };
    let (first, third) = ((total / 4.0).floor(), (total * 3.0 / 4.0).floor());
    let distance = quartile(&|below| below > third) - quartile(&|below| below >= first);
    1.059 * deviation.min(distance / 1.34) * total.powf(-0.2)
}
