//! How much memory and time one execution of a stage may take, as a pipeline file says it. Limits
//! decide no bytes, so they are never part of an action; how they are enforced is for others.

use std::fmt;
use std::time::Duration;

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

/// The limits on one execution; an absent field is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Memory that the worker may hold, mapped files not counted, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Milliseconds from the worker's start to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_ms: Option<u64>,
}

/// One of the limits, with its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Bytes.
    Memory(u64),
    /// Milliseconds.
    Time(u64),
}

impl Limit {
    /// Its key in `limits`.
    pub fn key(self) -> &'static str {
        match self {
            Self::Memory(_) => "memory",
            Self::Time(_) => "time",
        }
    }
}

/// `memory limit of 8.0 GiB`
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Memory(bytes) => write!(f, "memory limit of {}", ByteSize(bytes).display().iec()),
            Self::Time(milliseconds) => {
                let time = humantime::format_duration(Duration::from_millis(milliseconds));
                write!(f, "time limit of {time}")
            }
        }
    }
}

/// A text that is no limit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLimit {
    /// No amount of memory.
    #[error("`{0}` is no amount of memory")]
    Memory(String),
    /// No duration.
    #[error("`{0}` is no duration")]
    Time(String),
    /// Out of range.
    #[error("`{text}` is out of range: expected {range}")]
    Range {
        /// The text.
        text: String,
        /// The range that is allowed.
        range: &'static str,
    },
}

/// No process starts with less.
const LEAST_MEMORY: u64 = 1 << 20;
/// The largest integer that RFC 8785 JSON holds exactly.
const LARGEST: u64 = 1 << 53;

impl Limits {
    /// These limits; where one is not set, that of `fallback`.
    #[must_use]
    pub fn or(self, fallback: Self) -> Self {
        Self {
            memory: self.memory.or(fallback.memory),
            time_ms: self.time_ms.or(fallback.time_ms),
        }
    }

    /// Whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The time limit.
    pub fn time(&self) -> Option<Duration> {
        self.time_ms.map(Duration::from_millis)
    }
}

/// Bytes of an amount of memory such as `8 GiB`, `500 MB` or `1.5GiB`.
///
/// # Errors
/// The text is no such amount, or out of range.
pub fn parse_memory(text: &str) -> Result<u64, InvalidLimit> {
    let size: ByteSize = text
        .parse()
        .map_err(|_| InvalidLimit::Memory(text.to_owned()))?;
    let range = "1 MiB to 8 PiB";
    in_range(size.as_u64(), LEAST_MEMORY, text, range)
}

/// Milliseconds of a duration such as `2h`, `90 s` or `1h 30min`.
///
/// # Errors
/// The text is no such duration, or out of range.
pub fn parse_time(text: &str) -> Result<u64, InvalidLimit> {
    let duration =
        humantime::parse_duration(text).map_err(|_| InvalidLimit::Time(text.to_owned()))?;
    let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    in_range(milliseconds, 1, text, "1 ms to 2^53 ms")
}

fn in_range(value: u64, least: u64, text: &str, range: &'static str) -> Result<u64, InvalidLimit> {
    if (least..=LARGEST).contains(&value) {
        return Ok(value);
    }
    Err(InvalidLimit::Range {
        text: text.to_owned(),
        range,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_of_memory_have_binary_and_decimal_units() {
        assert_eq!(parse_memory("8 GiB"), Ok(8 << 30));
        assert_eq!(parse_memory("1.5GiB"), Ok(3 << 29));
        assert_eq!(parse_memory("500 MB"), Ok(500_000_000));
        for wrong in ["", "8 giraffes", "-8 GiB", "GiB", "NaN GiB"] {
            assert!(
                matches!(parse_memory(wrong), Err(InvalidLimit::Memory(_))),
                "{wrong}"
            );
        }
        for wrong in ["1 kB", "99999 PiB"] {
            assert!(
                matches!(parse_memory(wrong), Err(InvalidLimit::Range { .. })),
                "{wrong}"
            );
        }
    }

    #[test]
    fn durations_add_their_units_up() {
        assert_eq!(parse_time("2h"), Ok(7_200_000));
        assert_eq!(parse_time("1h 30min"), Ok(5_400_000));
        assert_eq!(parse_time("90 s"), Ok(90_000));
        assert_eq!(parse_time("250ms"), Ok(250));
        for wrong in ["", "2", "soon", "-1 s"] {
            assert!(
                matches!(parse_time(wrong), Err(InvalidLimit::Time(_))),
                "{wrong}"
            );
        }
        assert!(matches!(
            parse_time("1 ns"),
            Err(InvalidLimit::Range { .. })
        ));
    }

    #[test]
    fn a_stage_overrides_its_file_limit_by_limit() {
        let file = Limits {
            memory: Some(1),
            time_ms: Some(2),
        };
        let stage = Limits {
            memory: None,
            time_ms: Some(3),
        };
        assert_eq!(stage.or(file).memory, Some(1));
        assert_eq!(stage.or(file).time_ms, Some(3));
        assert_eq!(Limits::default().or(file), file);
    }
}
