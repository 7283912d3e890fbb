//! Comparisons of rows of reports: pairs of methods, the evidence, and a verdict on each
//! (`docs/statistics.md`).

use std::collections::BTreeMap;

use assay_network::Task;
use assay_statistics::{
    Crossed, Interval, Paired, Probability, SIGNIFICANCE, Sample, Unpaired, holm,
    seeds_for_difference, seeds_for_family,
};
use serde::Serialize;

use crate::results::Label;
use crate::summary::Quantity;
use crate::trainings::ReportTraining;

/// The probability of a lower error from which a difference is called meaningful (Bouthillier et
/// al. 2021, γ).
const MEANINGFUL: f64 = 0.75;

/// A row of a report: one quantity of its trainings.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// Key of the row.
    pub label: Label,
    /// The quantity of the training from each seed; nothing where it was not measured or is not
    /// finite, as after a training that diverged.
    pub values: BTreeMap<u64, Option<f64>>,
    /// Which images of the test set the training from each seed gets wrong, where that is known.
    pub wrong: BTreeMap<u64, Vec<bool>>,
}

impl Cell {
    /// The cells of a report's trainings, in the order of their labels; without the images.
    pub fn all(trainings: &[ReportTraining], quantity: Quantity, task: Task) -> Vec<Self> {
        let mut cells = BTreeMap::<&Label, BTreeMap<u64, Option<f64>>>::new();
        for training in trainings {
            let values = cells.entry(&training.label).or_default();
            values.insert(training.seed, training.value(quantity, task));
        }
        let cells = cells.into_iter().map(|(label, values)| Self {
            label: label.clone(),
            values,
            wrong: BTreeMap::new(),
        });
        cells.collect()
    }

    /// The seeds that have a value in both cells, with the values.
    fn pairs(&self, other: &Self) -> BTreeMap<u64, (f64, f64)> {
        let pairs = self.values.iter().filter_map(|(&seed, value)| {
            let other = other.values.get(&seed).copied().flatten()?;
            Some((seed, ((*value)?, other)))
        });
        pairs.collect()
    }

    /// The values that were measured; nothing if there are none.
    pub fn sample(&self) -> Option<Sample> {
        Sample::new(self.values.values().copied().flatten())
    }

    /// How many trainings have no value.
    pub fn missing(&self) -> usize {
        self.values.values().filter(|value| value.is_none()).count()
    }
}

/// Evidence on the difference between two rows.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "samples", rename_all = "kebab-case")]
pub enum Measured {
    /// In pairs of trainings from the same seed.
    Paired(Paired),
    /// From trainings of different seeds.
    Unpaired(Unpaired),
    /// One of the rows has no value.
    Missing,
}

impl Measured {
    fn of(first: &Cell, second: &Cell) -> Self {
        let pairs: Vec<_> = first.pairs(second).into_values().collect();
        let (Some(a), Some(b)) = (first.sample(), second.sample()) else {
            return Self::Missing;
        };
        // Where only some seeds are common, pairs would leave out most of what was measured.
        let paired = (pairs.len() == a.count().min(b.count()))
            .then(|| Paired::of(&pairs))
            .flatten();
        paired.map_or_else(|| Self::Unpaired(Unpaired::of(&a, &b)), Self::Paired)
    }

    /// The mean of the first row less that of the second.
    pub const fn difference(&self) -> Option<f64> {
        match self {
            Self::Paired(paired) => Some(paired.difference),
            Self::Unpaired(unpaired) => Some(unpaired.difference),
            Self::Missing => None,
        }
    }

    /// The 95 % interval of the difference.
    pub const fn interval(&self) -> Option<Interval> {
        match self {
            Self::Paired(paired) => paired.interval,
            Self::Unpaired(unpaired) => unpaired.interval,
            Self::Missing => None,
        }
    }

    /// The p-value of the difference, before any adjustment.
    pub const fn p_value(&self) -> Option<f64> {
        match self {
            Self::Paired(paired) => Some(paired.test.p_value),
            Self::Unpaired(unpaired) => unpaired.p_value,
            Self::Missing => None,
        }
    }
}

/// The conclusion on the first row of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Its error is lower, significantly, and in most trainings.
    Better,
    /// Its error is higher, significantly, and in most trainings.
    Worse,
    /// The difference is significant, and so small beside the spread that it is no reason to prefer
    /// either.
    NotMeaningful,
    /// The difference may be chance.
    NotSignificant,
}

/// Two rows and what may be concluded about them.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The first row.
    pub first: Cell,
    /// The row that it is compared with.
    pub second: Cell,
    /// The evidence.
    pub measured: Measured,
    /// The 95 % interval of the difference for new seeds and new images, by the crossed bootstrap, in
    /// percentage points; nothing where the trainings are not in pairs, are fewer than three pairs, or
    /// their predictions are not known.
    pub interval_new_images: Option<Interval>,
    /// The p-value adjusted by Holm for the family of comparisons.
    pub p_adjusted: Option<f64>,
    /// The conclusion.
    pub verdict: Verdict,
    /// How many common seeds it takes to find a difference of this size and spread, and at least to
    /// find any in this family; nothing where that cannot be told from what was measured.
    pub seeds_needed: Option<usize>,
}

/// Compares the rows of each pair, as one family.
pub fn compare(pairs: Vec<(Cell, Cell)>) -> Vec<Comparison> {
    let measured = pairs
        .iter()
        .map(|(first, second)| Measured::of(first, second));
    let measured: Vec<_> = measured.collect();
    let p_values: Vec<_> = measured.iter().filter_map(Measured::p_value).collect();
    let mut adjusted = holm(&p_values).into_iter();
    let family = p_values.len();
    let compared = pairs.into_iter().zip(measured);
    let compared = compared.map(|((first, second), measured)| {
        let p_adjusted = measured.p_value().and_then(|_| adjusted.next());
        Comparison {
            verdict: verdict(&measured, p_adjusted),
            seeds_needed: seeds_needed(&measured, family),
            interval_new_images: match measured {
                Measured::Paired(_) => interval_new_images(&first, &second),
                Measured::Unpaired(_) | Measured::Missing => None,
            },
            first,
            second,
            measured,
            p_adjusted,
        }
    });
    compared.collect()
}

fn verdict(measured: &Measured, p_adjusted: Option<f64>) -> Verdict {
    if p_adjusted.is_none_or(|p| p > SIGNIFICANCE) {
        return Verdict::NotSignificant;
    }
    match measured {
        Measured::Paired(paired) => {
            let Probability { interval, .. } = paired.lower;
            let is_lower = interval.low > 0.5;
            let most = if is_lower {
                interval.high
            } else {
                1.0 - interval.low
            };
            match (is_lower, interval.high < 0.5) {
                (false, false) => Verdict::NotSignificant,
                _ if most <= MEANINGFUL => Verdict::NotMeaningful,
                (true, _) => Verdict::Better,
                (false, true) => Verdict::Worse,
            }
        }
        Measured::Unpaired(unpaired) if unpaired.difference < 0.0 => Verdict::Better,
        Measured::Unpaired(_) => Verdict::Worse,
        Measured::Missing => Verdict::NotSignificant,
    }
}

fn interval_new_images(first: &Cell, second: &Cell) -> Option<Interval> {
    let seeds: Vec<u64> = first.pairs(second).into_keys().collect();
    let wrong = |cell: &Cell| {
        let wrong = seeds.iter().map(|seed| cell.wrong.get(seed).cloned());
        wrong.collect::<Option<Vec<_>>>()
    };
    let Interval { low, high } = Crossed::of(&wrong(first)?, &wrong(second)?)?.interval?;
    Some(Interval {
        low: 100.0 * low,
        high: 100.0 * high,
    })
}

fn seeds_needed(measured: &Measured, family: usize) -> Option<usize> {
    let Measured::Paired(paired) = measured else {
        return None;
    };
    let for_difference = seeds_for_difference(paired.difference, paired.standard_deviation?)?;
    Some(for_difference.max(seeds_for_family(family)))
}
