//! The points of a search: coordinates in the unit cube, each a function of the search's seed, the
//! trial's number and the name of what it stands for. Neither the number of trials nor their order
//! of execution changes a point.

/// How points are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sampling {
    /// Independent uniform draws.
    Random,
    /// The scrambled Halton sequence, which leaves smaller gaps.
    Halton,
    /// Every combination of so many values of each range.
    Grid {
        /// Values of a range that is no choice.
        steps: u32,
    },
}

/// The point of one trial, but for grids, whose points depend on the ranges.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    /// The seed of the search.
    pub(super) seed: u64,
    /// The trial, counted from 0.
    pub(super) trial: u32,
}

/// The bases of the Halton sequence: that of dimension d is the d-th prime number.
const PRIMES: [u64; 32] = [
    2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
    101, 103, 107, 109, 113, 127, 131,
];
/// The most dimensions of a Halton sequence.
pub(super) const MOST_DIMENSIONS: usize = PRIMES.len();
/// Digits are scrambled up to this resolution.
const RESOLUTION: u64 = 1 << 40;

impl Point {
    /// The uniform draw in [0, 1) for the parameter `name`.
    pub(super) fn uniform(self, name: &str) -> f64 {
        let mut reader = stream("uniform", self.seed, name, u64::from(self.trial));
        let mut bytes = [0; 8];
        reader.fill(&mut bytes);
        // The 53 bits of a float's significand.
        (u64::from_le_bytes(bytes) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// The coordinate in [0, 1) of the scrambled Halton sequence (Halton 1960) in this dimension: the
    /// digits of the trial's number in the dimension's base, mirrored at the point, after each was
    /// exchanged by a permutation that is keyed by the seed, the name and the position of the digit
    /// (Owen 2017, "A randomized Halton algorithm in R").
    ///
    /// Nothing beyond [`MOST_DIMENSIONS`].
    pub(super) fn halton(self, name: &str, dimension: usize) -> Option<f64> {
        let base = *PRIMES.get(dimension)?;
        let (mut rest, mut size, mut mirrored, mut position) =
            (u64::from(self.trial), 1_u64, 0_u64, 0);
        while size < RESOLUTION {
            let digit = (rest % base) as usize;
            let permutation = permutation(base, self.seed, name, position);
            mirrored = mirrored * base + permutation.get(digit).copied().unwrap_or(0);
            (rest, size, position) = (rest / base, size * base, position + 1);
        }
        Some(mirrored as f64 / size as f64)
    }
}

/// A stream of bytes keyed by its arguments.
fn stream(what: &str, seed: u64, name: &str, number: u64) -> blake3::OutputReader {
    let mut hasher = blake3::Hasher::new_derive_key("assay search point 2026-11");
    hasher.update(&(what.len() as u64).to_le_bytes());
    hasher.update(what.as_bytes());
    hasher.update(&seed.to_le_bytes());
    hasher.update(&number.to_le_bytes());
    hasher.update(name.as_bytes());
    hasher.finalize_xof()
}

/// A permutation of the digits of a base (Fisher and Yates 1938).
fn permutation(base: u64, seed: u64, name: &str, position: u64) -> Vec<u64> {
    let mut digits: Vec<u64> = (0..base).collect();
    let mut reader = stream("halton", seed, name, position);
    for last in (1..digits.len()).rev() {
        let mut bytes = [0; 8];
        reader.fill(&mut bytes);
        // The bias of the remainder is below 2⁻⁵⁶.
        let other = u64::from_le_bytes(bytes) % (last as u64 + 1);
        digits.swap(last, other as usize);
    }
    digits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn point(seed: u64, trial: u32) -> Point {
        Point { seed, trial }
    }

    /// Kept values, so that a change of the generator, which would change every search, is noticed.
    #[test]
    fn the_first_points_are_those_that_they_always_were() {
        let uniform: Vec<_> = (0..3)
            .map(|trial| point(1, trial).uniform("learning_rate"))
            .collect();
        let halton: Vec<_> = (0..3)
            .map(|trial| point(1, trial).halton("learning_rate", 1).unwrap())
            .collect();
        assert_eq!(uniform, UNIFORM);
        assert_eq!(halton, HALTON);
    }

    const UNIFORM: [f64; 3] = [
        0.217_529_920_753_298_24,
        0.233_562_062_913_450_27,
        0.485_322_706_949_389_7,
    ];
    const HALTON: [f64; 3] = [
        0.807_454_946_681_925_1,
        0.474_121_613_348_591_76,
        0.140_788_280_015_258_4,
    ];

    #[test]
    fn a_halton_sequence_fills_every_cell_once() {
        for (dimension, base) in [(0, 2_u32), (1, 3), (2, 5), (3, 7)] {
            let cells = base * base;
            let mut hit = vec![0; cells as usize];
            for trial in 0..cells {
                let x = point(7, trial).halton("x", dimension).unwrap();
                hit[(x * f64::from(cells)) as usize] += 1;
            }
            assert!(hit.iter().all(|&hits| hits == 1), "{base}: {hit:?}");
        }
        assert_eq!(point(0, 0).halton("x", MOST_DIMENSIONS), None);
    }

    #[test]
    fn uniform_draws_have_the_mean_and_variance_of_their_distribution() {
        let draws: Vec<_> = (0..20_000)
            .map(|trial| point(3, trial).uniform("x"))
            .collect();
        let mean = draws.iter().sum::<f64>() / 20_000.0;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 20_000.0;
        assert!((mean - 0.5).abs() < 0.01, "{mean}");
        assert!((variance - 1.0 / 12.0).abs() < 0.002, "{variance}");
    }

    proptest! {
        #[test]
        fn coordinates_lie_in_the_unit_interval(seed: u64, trial: u32, dimension in 0..MOST_DIMENSIONS) {
            let point = point(seed, trial);
            let halton = point.halton("x", dimension).unwrap();
            prop_assert!((0.0..1.0).contains(&point.uniform("x")));
            prop_assert!((0.0..1.0).contains(&halton));
        }

        #[test]
        fn names_and_seeds_change_points(seed: u64, trial: u32) {
            let one = point(seed, trial);
            let bits = |point: Point, name: &str| point.uniform(name).to_bits();
            prop_assert_ne!(bits(one, "a"), bits(one, "b"));
            prop_assert_ne!(bits(one, "a"), bits(point(seed ^ 1, trial), "a"));
        }
    }
}
