//! From values to places on an axis, and the ticks there.

/// The scale of an axis.
#[derive(Clone, Debug, PartialEq)]
pub enum Scale {
    /// Equal differences are equal distances.
    Linear {
        /// The value at the beginning.
        low: f64,
        /// The value at the end.
        high: f64,
        /// The distance between ticks.
        step: f64,
    },
    /// Equal ratios are equal distances.
    Logarithmic {
        /// The value at the beginning, above zero.
        low: f64,
        /// The value at the end.
        high: f64,
    },
    /// One place for each name; the value of a mark is its index.
    Names(Vec<String>),
}

/// A logarithmic scale is worth its strangeness from this ratio of the largest value to the least on.
const WIDE: f64 = 8.0;

/// How many times its beginning the end of a fitting logarithmic scale is at most, rounding aside.
const DEPTH: f64 = 1000.0;

impl Scale {
    /// A linear scale that holds all values, from zero on unless that would press them all into its upper
    /// half; absent if none is finite.
    pub fn linear(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let (lowest, highest) = extent(values)?;
        let low = if lowest >= 0.0 && lowest < highest / 2.0 {
            0.0
        } else {
            lowest
        };
        let span = highest - low;
        // Of values that are all the same, a part as wide as they are large.
        let span = if span > 0.0 {
            span
        } else {
            (highest.abs() / 2.0).max(0.1)
        };
        let step = nice(span / 6.0);
        let low = (low / step).floor() * step;
        let high = ((highest / step).ceil() * step).max(low + step);
        Some(Self::Linear { low, high, step })
    }

    /// A logarithmic scale that holds all values above zero; absent if there is none.
    pub fn logarithmic(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let (lowest, highest) = extent(values.into_iter().filter(|value| *value > 0.0))?;
        let low = nice_below(lowest);
        let high = nice(highest);
        Some(Self::Logarithmic {
            low,
            high: if high > low { high } else { 10.0 * low },
        })
    }

    /// A logarithmic scale for values that differ by a large ratio, and a linear one for others or where one is
    /// negative. The logarithmic one begins at a thousandth of the largest value at the lowest; what is less, such
    /// as zero, is drawn at its edge.
    pub fn fitting(values: impl IntoIterator<Item = f64> + Clone) -> Option<Self> {
        let (lowest, highest) = extent(values.clone())?;
        let positive = values.clone().into_iter().filter(|value| *value > 0.0);
        match extent(positive) {
            Some((least, _)) if lowest >= 0.0 && highest / least >= WIDE => {
                let floor = highest / DEPTH;
                Self::logarithmic(values.into_iter().map(|value| value.max(floor)))
            }
            _ => Self::linear(values),
        }
    }

    /// A linear scale of whole numbers from 1 to `highest`, such as epochs.
    pub fn count(highest: u32) -> Self {
        let highest = f64::from(highest.max(1));
        Self::Linear {
            low: 1.0,
            high: highest.max(2.0),
            step: nice(highest / 5.0).max(1.0),
        }
    }

    /// The values at its beginning and end, as its ticks are written; nothing of names.
    pub fn ends(&self) -> (String, String) {
        match self {
            Self::Linear { low, high, .. } | Self::Logarithmic { low, high } => {
                (short(*low), short(*high))
            }
            Self::Names(_) => (String::new(), String::new()),
        }
    }

    /// Where a value is between 0, the beginning, and 1, the end.
    pub fn fraction(&self, value: f64) -> f64 {
        match self {
            Self::Linear { low, high, .. } => (value - low) / (high - low),
            Self::Logarithmic { low, high } => (value.max(*low) / low).ln() / (high / low).ln(),
            Self::Names(names) => (value + 0.5) / names.len().max(1) as f64,
        }
    }

    /// The ticks with their labels.
    pub(crate) fn ticks(&self) -> Vec<(f64, String)> {
        match self {
            Self::Linear { low, high, step } => {
                let decimals = decimals(*step);
                let label = |value: f64| (value, format!("{value:.decimals$}"));
                // The first of a scale of counts is its beginning, 1; the rest are multiples of the step.
                let first = (low / step).ceil() as i64;
                let last = (high / step + 1e-9).floor() as i64;
                let multiples = (first..=last).map(|index| index as f64 * step);
                let begin = (first as f64 * step - low > 1e-9 * step).then_some(*low);
                let begin = begin.into_iter();
                // A multiple right beside the beginning would be printed over it.
                let multiples = multiples.filter(|value| {
                    (first as f64 * step - low).abs() < 1e-9 * step || value - low > 0.4 * step
                });
                begin.chain(multiples).map(label).collect()
            }
            Self::Logarithmic { low, high } => {
                let mut ticks = Vec::new();
                let decades = (high / low).log10();
                let multiples: &[f64] = if decades <= 1.3 {
                    &[1.0, 2.0, 3.0, 5.0, 7.0]
                } else if decades <= 3.0 {
                    &[1.0, 2.0, 5.0]
                } else {
                    &[1.0]
                };
                let first = low.log10().floor() as i32;
                let last = high.log10().ceil() as i32;
                let stride = usize::try_from((last - first) / 8).unwrap_or(0) + 1;
                for power in (first..=last).step_by(stride) {
                    for multiple in multiples {
                        let value = multiple * 10_f64.powi(power);
                        if (low * 0.999..=high * 1.001).contains(&value) {
                            ticks.push((value, short(value)));
                        }
                    }
                }
                ticks
            }
            Self::Names(names) => {
                let names = names.iter().enumerate();
                names
                    .map(|(index, name)| (index as f64, name.clone()))
                    .collect()
            }
        }
    }

    /// The scale for a script that reads values off the plot: its kind and its ends.
    pub(crate) fn data(&self) -> Option<String> {
        match self {
            Self::Linear { low, high, .. } => Some(format!("linear {low} {high}")),
            Self::Logarithmic { low, high } => Some(format!("log {low} {high}")),
            Self::Names(_) => None,
        }
    }
}

fn extent(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    let finite = values.into_iter().filter(|value| value.is_finite());
    finite.fold(None, |extent, value| {
        let (low, high) = extent.unwrap_or((value, value));
        Some((f64::min(low, value), f64::max(high, value)))
    })
}

/// 1, 2 or 5 times a power of ten, at least `value`.
fn nice(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let multiples = [1.0, 2.0, 5.0, 10.0].map(|multiple| multiple * power);
    // The slack keeps rounding from turning a 2 into a 5.
    multiples
        .into_iter()
        .find(|nice| *nice >= value * 0.999)
        .unwrap_or(value)
}

/// 1, 2 or 5 times a power of ten, at most `value`.
fn nice_below(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let multiples = [5.0, 2.0, 1.0].map(|multiple| multiple * power);
    multiples
        .into_iter()
        .find(|nice| *nice <= value * 1.001)
        .unwrap_or(value)
}

fn decimals(step: f64) -> usize {
    (-step.log10() - 1e-9).ceil().clamp(0.0, 17.0) as usize
}

/// A number of few digits: `0.002`, `20`, `1e-5`.
pub(crate) fn short(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-3..1e5).contains(&size) {
        return format!("{value:.0e}");
    }
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: &Scale) -> Vec<String> {
        scale.ticks().into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn a_linear_scale_begins_at_zero_unless_all_values_are_far_from_it() {
        let scale = Scale::linear([1.0, 6.0]).unwrap();
        assert_eq!(labels(&scale), ["0", "1", "2", "3", "4", "5", "6"]);
        let scale = Scale::linear([96.2, 97.9]).unwrap();
        assert_eq!(labels(&scale), ["96.0", "96.5", "97.0", "97.5", "98.0"]);
    }

    #[test]
    fn scales_hold_their_values() {
        for values in [
            vec![0.0],
            vec![5.0],
            vec![-3.0, 4.0],
            vec![1e-9, 3e7],
            vec![2.0, 2.0],
        ] {
            for scale in [
                Scale::linear(values.clone()),
                Scale::fitting(values.clone()),
            ] {
                let scale = scale.unwrap();
                for value in &values {
                    let place = scale.fraction(*value);
                    assert!(
                        (-1e-9..=1.0 + 1e-9).contains(&place),
                        "{value} at {place} of {scale:?}"
                    );
                }
                let ticks = scale.ticks();
                assert!((2..12).contains(&ticks.len()), "{ticks:?}");
            }
        }
        assert_eq!(Scale::linear([f64::NAN]), None);
        assert_eq!(Scale::logarithmic([0.0, -1.0]), None);
    }

    #[test]
    fn a_logarithmic_scale_has_ticks_of_few_digits() {
        let scale = Scale::fitting([1.2, 45.0]).unwrap();
        assert_eq!(labels(&scale), ["1", "2", "5", "10", "20", "50"]);
        assert!(
            (scale.fraction(1.0) - 0.0).abs() < 1e-12 && (scale.fraction(50.0) - 1.0).abs() < 1e-12
        );
        let scale = Scale::logarithmic([1e-5, 1e-2]).unwrap();
        assert_eq!(labels(&scale)[0], "1e-5");
    }

    #[test]
    fn epochs_are_counted_from_one() {
        assert_eq!(
            labels(&Scale::count(25)),
            ["1", "5", "10", "15", "20", "25"]
        );
        assert_eq!(labels(&Scale::count(2)), ["1", "2"]);
        assert_eq!(labels(&Scale::count(1)), ["1", "2"]);
    }
}
