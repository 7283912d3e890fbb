//! Numbers that a step reports. On a processor they are known at once; on a card they are read when somebody asks, since
//! every question has all that was launched before come to its end.

use tch::{Device, Kind, Tensor};

use crate::card;
use crate::error::Error;

/// A number, or what a card computes it from.
#[derive(Debug)]
pub(crate) enum Value {
    Known(f64),
    OnCard {
        /// Floats of 64 bits, one after another.
        parts: Tensor,
        meaning: Meaning,
    },
}

/// The number that parts on a card stand for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Meaning {
    /// `multiply Σ parts / divide`, the sum in their order.
    Sum { multiply: f64, divide: f64 },
    /// The mean of `m + ln s − a` over the samples, of which all m come first, then all s, then all a.
    CrossEntropy,
}

impl Value {
    /// The number times `multiply`, divided by `divide`.
    pub(crate) fn scaled(self, multiply: f64, divide: f64) -> Self {
        match self {
            Self::Known(value) => Self::Known(value * multiply / divide),
            Self::OnCard { parts, .. } => Self::OnCard {
                parts,
                meaning: Meaning::Sum { multiply, divide },
            },
        }
    }

    /// The number, as soon as it is there.
    pub(crate) fn read(&self) -> Result<f64, Error> {
        let values = Self::read_all(&[self])?;
        Ok(values.into_iter().next().unwrap_or(f64::NAN))
    }

    /// The numbers, in one transfer.
    pub(crate) fn read_all(values: &[&Self]) -> Result<Vec<f64>, Error> {
        let parts = values.iter().filter_map(|it| match it {
            Self::Known(_) => None,
            Self::OnCard { parts, .. } => Some(parts),
        });
        let parts: Vec<_> = parts.collect();
        let all = if parts.is_empty() {
            Vec::new()
        } else {
            card::finish()?;
            Vec::try_from(Tensor::f_cat(&parts, 0)?.f_to_device(Device::Cpu)?)?
        };
        let mut rest = &all[..];
        let mut number = |value: &&Self| match value {
            Self::Known(value) => *value,
            Self::OnCard { parts, meaning } => {
                let (own, others) = rest.split_at(parts.numel().min(rest.len()));
                rest = others;
                meaning.of(own)
            }
        };
        Ok(values.iter().map(&mut number).collect())
    }

    /// The parts that a card computes it from.
    pub(crate) fn parts(&self) -> Option<&Tensor> {
        match self {
            Self::Known(_) => None,
            Self::OnCard { parts, .. } => Some(parts),
        }
    }
}

impl Meaning {
    fn of(self, parts: &[f64]) -> f64 {
        let sum = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0, |sum, it| sum + it);
        match self {
            Self::Sum { multiply, divide } => sum(&mut parts.iter().copied()) * multiply / divide,
            Self::CrossEntropy => {
                let samples = parts.len() / 3;
                sum(&mut cross_entropies(parts).into_iter()) / samples as f64
            }
        }
    }
}

/// `m + ln s − a` of each sample; see [`Meaning::CrossEntropy`].
pub(crate) fn cross_entropies(parts: &[f64]) -> Vec<f64> {
    let samples = parts.len() / 3;
    let (largest, rest) = parts.split_at(samples);
    let (sums, labelled) = rest.split_at(samples);
    let logs = largest.iter().zip(sums).map(|(m, s)| m + libm::log(*s));
    logs.zip(labelled).map(|(log, a)| log - a).collect()
}

/// Memory on a card for so many parts.
pub(crate) fn parts(count: usize, device: Device) -> Result<Tensor, Error> {
    Ok(Tensor::f_empty([count as i64], (Kind::Double, device))?)
}
