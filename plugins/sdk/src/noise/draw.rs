//! Random numbers that an algorithm declares in its set-up and asks for in its directions.

use tch::Tensor;

use super::{DrawStream, GivenNoise, write_normal};
use crate::card::{self, Count};
use crate::error::Error;
use crate::layout::{Layout, Units};
use crate::operand;

/// The distribution of a draw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Distribution {
    /// N(0, σ²), with its σ.
    Normal(f64),
    /// −1 or 1, either with probability ½.
    Sign,
}

/// The shape of random numbers.
#[derive(Clone, Debug)]
pub(crate) enum Extent {
    /// Of some `h_l`: a column for each sample.
    Activation(Units),
    /// Of some `W_l`.
    Weight(Layout),
}

impl Extent {
    /// The shape in memory for a batch of `samples`.
    fn stored(&self, samples: i64) -> Vec<i64> {
        match self {
            Self::Activation(units) => vec![units.count(), samples],
            Self::Weight(layout) => layout.operand().to_vec(),
        }
    }

    /// The shape in a file, for a batch of `samples`.
    pub(super) fn saved(&self, samples: i64) -> Vec<i64> {
        match self {
            Self::Activation(units) => vec![samples, units.count()],
            Self::Weight(layout) => layout.saved().to_vec(),
        }
    }

    /// Writes `values`, laid out as in a file, into `out`.
    pub(super) fn fill(&self, out: &Tensor, values: &Tensor) -> Result<(), Error> {
        match self {
            Self::Activation(units) => {
                let mut by_sample = units.by_sample(out)?;
                let values = values.f_view(by_sample.size().as_slice())?;
                by_sample.f_copy_(&values).map(drop)?;
                Ok(())
            }
            Self::Weight(layout) => layout.canonical(out)?.write(values),
        }
    }
}

/// Random numbers shaped like `h_l` or like `W_l`, fresh in every update; made by
/// [`Setup::draw`](crate::Setup::draw) and [`Setup::draw_weight`](crate::Setup::draw_weight).
#[derive(Clone, Debug)]
pub struct Draw {
    /// `noise.{tag}.{l}`
    name: String,
    /// Among the draws of the algorithm.
    index: u32,
    extent: Extent,
    distribution: Distribution,
}

/// The origin of draws.
#[derive(Clone, Copy)]
pub(crate) enum DrawSource<'a> {
    /// The algorithm declared none.
    Nothing,
    /// From the learner's own stream.
    Drawn { key: u64, step: Count },
    /// From a caller.
    Given(&'a GivenNoise),
}

impl<'a> DrawSource<'a> {
    /// The numbers that a caller has `given`, or else what comes next from the stream of what was `declared`.
    pub(crate) fn new(
        given: Option<&'a GivenNoise>,
        declared: Option<&DrawStream>,
    ) -> Result<Self, Error> {
        match (given, declared) {
            (Some(given), _) => Ok(Self::Given(given)),
            (None, Some(declared)) => declared.next(),
            (None, None) => Ok(Self::Nothing),
        }
    }
}

impl Draw {
    pub(crate) fn new(
        name: String,
        index: u32,
        extent: Extent,
        distribution: Distribution,
    ) -> Self {
        Self {
            name,
            index,
            extent,
            distribution,
        }
    }

    /// Its name, under which a caller gives its values.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn extent(&self) -> &Extent {
        &self.extent
    }

    /// Writes the numbers of one update for a batch of `samples` into `out`. Numbers that are drawn
    /// follow one another in the order of that memory.
    #[track_caller]
    pub(crate) fn write(
        &self,
        source: DrawSource<'_>,
        samples: i64,
        out: &Tensor,
    ) -> Result<(), Error> {
        operand::shape("an output", out, &self.extent.stored(samples), || {
            format!("`{}` is drawn for {samples} samples", self.name)
        })?;
        match source {
            DrawSource::Nothing => Err(operand::refused(
                format!("`{}` was declared by another algorithm", self.name),
                "declare draws in `new`, with `Setup::draw`",
            )),
            DrawSource::Given(given) => given.write(&self.name, out),
            DrawSource::Drawn { key, step } => {
                let write = |sigma| write_normal(key, self.index, step, sigma, out);
                match self.distribution {
                    Distribution::Normal(sigma) => write(sigma as f32),
                    Distribution::Sign => {
                        write(1.0)?;
                        card::catch_up()?;
                        // A normal number is as often above zero as below.
                        let negative = out.f_lt(0.0)?;
                        let mut out = out.shallow_clone();
                        out.f_fill_(1.0)?
                            .f_masked_fill_(&negative, -1.0)
                            .map(drop)?;
                        Ok(())
                    }
                }
            }
        }
    }
}
