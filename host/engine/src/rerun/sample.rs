//! Draws the actions that are executed again: by hash from a seed, so that whoever knows the seed
//! draws the same, and nobody can tell before which they will be.

use std::str::FromStr;

use assay_core::ObjectHash;

use super::Target;

/// The share of the actions that is executed again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sample {
    /// So many, or all if there are fewer.
    Count(usize),
    /// So many of a hundred, rounded up.
    Percent(f64),
}

/// A text that is no sample.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no sample: expected a number of actions such as 5, or a percentage such as 10%")]
pub struct InvalidSample(String);

impl FromStr for Sample {
    type Err = InvalidSample;

    fn from_str(text: &str) -> Result<Self, InvalidSample> {
        let sample = match text.strip_suffix('%') {
            Some(percent) => {
                let percent = percent.parse().ok();
                percent
                    .filter(|percent| *percent > 0.0 && *percent <= 100.0)
                    .map(Self::Percent)
            }
            None => text.parse().ok().filter(|&it| it > 0).map(Self::Count),
        };
        sample.ok_or_else(|| InvalidSample(text.to_owned()))
    }
}

impl Sample {
    /// The size of the sample of so many.
    fn of(self, all: usize) -> usize {
        let count = match self {
            Self::Count(count) => count,
            Self::Percent(percent) => (all as f64 * percent / 100.0).ceil() as usize,
        };
        count.min(all)
    }

    /// The sample that `seed` draws from `targets`, in their order.
    pub fn draw(self, targets: Vec<Target>, seed: u64) -> Vec<Target> {
        let count = self.of(targets.len());
        let mut drawn: Vec<_> = targets.iter().map(|it| sample_key(seed, it)).collect();
        drawn.sort_unstable();
        drawn.truncate(count);
        let is_drawn = |target: &Target| drawn.binary_search(&sample_key(seed, target)).is_ok();
        targets.into_iter().filter(is_drawn).collect()
    }
}

/// The hash by which a target is drawn: a sample is the targets with the smallest keys. Actions
/// differ, and so do the parts of one, and their keys.
fn sample_key(seed: u64, target: &Target) -> ObjectHash {
    let part = target
        .part
        .map_or_else(String::new, |part| format!(" {}", part.last));
    ObjectHash::of(format!("{seed} {}{part}", target.action).as_bytes())
}

#[cfg(test)]
mod tests {
    use assay_core::{ActionKey, ArtifactHash, Limits};

    use super::*;

    fn targets(count: usize) -> Vec<Target> {
        let target = |at: usize| Target {
            name: at.to_string(),
            action: ActionKey::of(at.to_string().as_bytes()),
            recorded: ArtifactHash::of(b""),
            limits: Limits::default(),
            part: None,
        };
        (0..count).map(target).collect()
    }

    fn names(drawn: &[Target]) -> Vec<usize> {
        drawn.iter().map(|it| it.name.parse().unwrap()).collect()
    }

    #[test]
    fn a_sample_has_its_size_its_order_and_its_seed() {
        let draw =
            |text: &str, seed| names(&text.parse::<Sample>().unwrap().draw(targets(40), seed));
        for (text, count) in [
            ("1", 1),
            ("7", 7),
            ("99", 40),
            ("10%", 4),
            ("1%", 1),
            ("100%", 40),
        ] {
            let drawn = draw(text, 1);
            assert_eq!(drawn.len(), count, "{text}");
            assert!(drawn.is_sorted(), "{text}");
            assert_eq!(drawn, draw(text, 1));
        }
        let others = (2..10).filter(|&seed| draw("7", seed) != draw("7", 1));
        assert!(others.count() > 6);
        let met: std::collections::BTreeSet<_> =
            (0..200).flat_map(|seed| draw("7", seed)).collect();
        assert_eq!(met.len(), 40, "each can be drawn");
    }

    #[test]
    fn what_is_no_sample_is_refused() {
        for text in ["", "0", "-1", "0%", "101%", "NaN%", "x", "5 %", "inf%"] {
            assert!(text.parse::<Sample>().is_err(), "{text}");
        }
    }
}
