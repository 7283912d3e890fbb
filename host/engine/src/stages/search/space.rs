//! The space of a search: a range for each hyper-parameter that is drawn, and the value that a
//! trial's point has in it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::points::{MOST_DIMENSIONS, Point, Sampling};
use crate::plugin::properties;

/// The keyword of a schema's property under which an algorithm declares the range that a search
/// draws from, written as in a pipeline file.
const DECLARED: &str = "search";

/// A range of values.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Range {
    /// Every value between two bounds is as likely.
    Uniform { low: f64, high: f64 },
    /// Every factor between two positive bounds is as likely.
    LogUniform { low: f64, high: f64 },
    /// One of these values.
    Choice(Vec<Value>),
}

/// Ranges by the name of the hyper-parameter. Sorted, so that the order of a file decides nothing.
pub(super) type Space = BTreeMap<String, Range>;

impl Range {
    /// Reads `[a, b, …]`, `{ uniform = [low, high] }` or `{ log_uniform = [low, high] }`.
    ///
    /// # Errors
    /// The reason why it is none of these.
    pub(super) fn read(written: &Value) -> Result<Self, String> {
        match written {
            Value::Array(values) if values.is_empty() => Err("a choice needs values".to_owned()),
            Value::Array(values) => Ok(Self::Choice(values.clone())),
            Value::Object(table) => {
                let mut entries = table.iter();
                match (entries.next(), entries.next()) {
                    (Some((kind, bounds)), None) => Self::between(kind, bounds),
                    _ => Err(FORMS.to_owned()),
                }
            }
            _ => Err(FORMS.to_owned()),
        }
    }

    fn between(kind: &str, bounds: &Value) -> Result<Self, String> {
        let bounds = bounds.as_array().map(Vec::as_slice).unwrap_or_default();
        let [low, high] = bounds else {
            return Err(FORMS.to_owned());
        };
        let (Some(low), Some(high)) = (low.as_f64(), high.as_f64()) else {
            return Err("the bounds of a range are numbers".to_owned());
        };
        if low >= high {
            return Err("the lower bound of a range comes first".to_owned());
        }
        match kind {
            "uniform" => Ok(Self::Uniform { low, high }),
            "log_uniform" if low > 0.0 => Ok(Self::LogUniform { low, high }),
            "log_uniform" => Err("the bounds of a log-uniform range are above 0".to_owned()),
            _ => Err(FORMS.to_owned()),
        }
    }

    /// How many values a grid has of it.
    fn steps(&self, steps: u32) -> u64 {
        match self {
            Self::Choice(values) => values.len() as u64,
            Self::Uniform { .. } | Self::LogUniform { .. } => u64::from(steps),
        }
    }

    /// The value at the coordinate `at`, which is in [0, 1). Numbers have four significant digits:
    /// no result depends on the others, and people can read them.
    fn value(&self, at: f64, is_integer: bool) -> Value {
        match self {
            Self::Choice(values) => {
                let index = (at * values.len() as f64) as usize;
                values
                    .get(index)
                    .or(values.last())
                    .cloned()
                    .unwrap_or_default()
            }
            Self::Uniform { low, high } => number(low + at * (high - low), *low, *high, is_integer),
            Self::LogUniform { low, high } => {
                // Of a library that gives the same bits everywhere.
                let (first, last) = (libm::log(*low), libm::log(*high));
                let value = libm::exp(first + at * (last - first));
                number(value, *low, *high, is_integer)
            }
        }
    }
}

const FORMS: &str = "a range is a list of values, { uniform = [low, high] } or \
                     { log_uniform = [low, high] }";

fn number(value: f64, low: f64, high: f64, is_integer: bool) -> Value {
    if is_integer {
        return json!(value.round().clamp(low, high) as i64);
    }
    let rounded = format!("{value:.3e}").parse().unwrap_or(value);
    json!(f64::clamp(rounded, low, high))
}

/// How many points a grid has; nothing if there are more than can be counted.
pub(super) fn grid_size(space: &Space, steps: u32) -> Option<u64> {
    let mut sizes = space.values().map(|range| range.steps(steps));
    sizes.try_fold(1_u64, u64::checked_mul)
}

/// The values of a trial. Those hyper-parameters are integers that `is_integer` says so of.
///
/// # Errors
/// The reason why the space has no such points.
pub(super) fn draw(
    space: &Space,
    sampling: Sampling,
    point: Point,
    is_integer: impl Fn(&str) -> bool,
) -> Result<Map<String, Value>, String> {
    let mut rest = u64::from(point.trial);
    let mut drawn = Map::new();
    for (dimension, (name, range)) in space.iter().enumerate() {
        let at = match sampling {
            Sampling::Random => point.uniform(name),
            Sampling::Halton => point.halton(name, dimension).ok_or_else(|| {
                format!("a Halton sequence has at most {MOST_DIMENSIONS} dimensions")
            })?,
            Sampling::Grid { steps } => {
                let steps = range.steps(steps).max(1);
                let step = rest % steps;
                rest /= steps;
                match range {
                    Range::Choice(_) => (step as f64 + 0.5) / steps as f64,
                    // Both bounds are points of the grid.
                    _ => step as f64 / (steps - 1).max(1) as f64,
                }
            }
        };
        drawn.insert(name.clone(), range.value(at, is_integer(name)));
    }
    Ok(drawn)
}

/// The ranges that an algorithm declares in its schema.
///
/// # Errors
/// The reason why one of them cannot be read.
pub(super) fn declared(schema: &Value) -> Result<Space, String> {
    let declared = properties(schema).into_iter().flatten();
    let declared = declared.filter_map(|(name, property)| Some((name, property.get(DECLARED)?)));
    let ranges = declared.map(|(name, written)| {
        let range = Range::read(written)
            .map_err(|reason| format!("the algorithm's range of `{name}` is wrong: {reason}"))?;
        Ok((name.clone(), range))
    });
    ranges.collect()
}

/// Whether the schema says that the hyper-parameter is an integer.
pub(super) fn is_integer(schema: &Value, name: &str) -> bool {
    let property = properties(schema).and_then(|all| all.get(name));
    property
        .and_then(|it| it.get("type"))
        .and_then(Value::as_str)
        == Some("integer")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn space() -> Space {
        let ranges = [
            ("rate", json!({ "log_uniform": [1e-5, 1e-2] })),
            ("sigma", json!({ "uniform": [0.0, 0.5] })),
            ("beta", json!([0.9, 0.99, "off"])),
            ("units", json!({ "uniform": [1, 9] })),
        ];
        let ranges = ranges.map(|(name, range)| (name.to_owned(), Range::read(&range).unwrap()));
        ranges.into()
    }

    fn drawn(sampling: Sampling, seed: u64, trial: u32) -> Map<String, Value> {
        draw(&space(), sampling, Point { seed, trial }, |name| {
            name == "units"
        })
        .unwrap()
    }

    #[test]
    fn a_grid_has_every_combination_once_and_both_bounds() {
        let sampling = Sampling::Grid { steps: 3 };
        let size = grid_size(&space(), 3).unwrap();
        assert_eq!(size, 81);
        let points: Vec<_> = (0..81)
            .map(|trial| Value::Object(drawn(sampling, 0, trial)))
            .collect();
        let all: std::collections::HashSet<_> = points.iter().map(ToString::to_string).collect();
        assert_eq!(all.len(), 81);
        for (name, value) in [
            ("sigma", json!(0.5)),
            ("rate", json!(1e-5)),
            ("units", json!(5)),
        ] {
            assert!(points.iter().any(|point| point[name] == value), "{name}");
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for wrong in [
            json!(1),
            json!("x"),
            json!([]),
            json!({}),
            json!({ "uniform": [1] }),
            json!({ "uniform": [2, 1] }),
            json!({ "uniform": ["a", "b"] }),
            json!({ "log_uniform": [0, 1] }),
            json!({ "normal": [0, 1] }),
            json!({ "uniform": [0, 1], "log_uniform": [1, 2] }),
        ] {
            assert!(Range::read(&wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn values_lie_in_their_ranges(seed: u64, trial: u32, halton: bool) {
            let sampling = if halton { Sampling::Halton } else { Sampling::Random };
            let point = drawn(sampling, seed, trial);
            let number = |name: &str| point[name].as_f64().unwrap();
            prop_assert!((1e-5..=1e-2).contains(&number("rate")));
            prop_assert!((0.0..=0.5).contains(&number("sigma")));
            prop_assert!((1..=9).contains(&point["units"].as_i64().unwrap()));
            prop_assert!(point["beta"].is_number() || point["beta"] == "off");
        }
    }
}
