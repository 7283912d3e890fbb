//! Statistics of comparisons between methods, and of searches. Pure functions of numbers: the same
//! values in any order give the same bits, except where a function says that their order counts, and
//! nothing is drawn at random but by a key made of the values.
//!
//! A value is an error of one training, so lower is better. Two methods are compared in pairs of
//! trainings from the same seed wherever there are such: they start from the same weights and see
//! the same batches, and much of the spread is common to both.
//!
//! `docs/statistics.md` has the formulas and their sources.

mod aggregate;
mod draws;
mod family;
mod importance;
mod interval;
mod order_band;
mod paired;
mod sample;
mod sign_flip;
mod test_set;
mod tuning;
mod unpaired;

pub use aggregate::{Aggregate, performance_profiles};
pub use family::{holm, seeds_for_family};
pub use importance::{Importance, Importances, NoImportance, Parameter, Scale};
pub use interval::{Interval, wilson};
pub use order_band::OrderBand;
pub use paired::{Paired, Probability, seeds_for_difference};
pub use sample::Sample;
pub use sign_flip::SignFlip;
pub use test_set::{Crossed, TestSet};
pub use tuning::{Trial, TuningCurve, TuningPoint};
pub use unpaired::Unpaired;

/// The confidence of every interval.
pub const CONFIDENCE: f64 = 0.95;
/// The probability of a false alarm that a family of comparisons may have.
pub const SIGNIFICANCE: f64 = 0.05;
