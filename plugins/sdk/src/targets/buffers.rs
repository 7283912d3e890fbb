//! The memory of target propagation for one batch size, kept from step to step.

use tch::{Kind, Tensor};

use crate::error::Error;
use crate::maps::TrainedMap;
use crate::pass::Pass;

/// Buffers for batches of B samples.
pub(super) struct Buffers {
    samples: i64,
    /// `[h_l | ĥ_l]`, (rows, 2B), l from 1: side by side, so that one product maps both. Rows
    /// are `n_l`, and for layer L whatever its inverse takes.
    pub(super) pairs: Vec<Tensor>,
    /// One per inverse.
    pub(super) inverses: Vec<InverseBuffers>,
}

/// Buffers for one inverse. Those of all inverses share their memory, which then stays in the
/// cache: one inverse is finished before the next begins.
pub(super) struct InverseBuffers {
    /// `[g_l(h_l) | g_l(ĥ_l)]`, (`n_{l-1}`, 2B).
    pub(super) images: Tensor,
    /// `h_{l-1} + ε`, (`n_{l-1}`, B).
    pub(super) noisy: Tensor,
    /// `f_l(h_{l-1} + ε)`, (rows of u, B).
    pub(super) output: Tensor,
    /// `g_l(f_l(h_{l-1} + ε))`, (`n_{l-1}`, B).
    pub(super) reconstruction: Tensor,
    /// (`n_{l-1}`, B)
    pub(super) delta: Tensor,
}

impl Buffers {
    pub(super) fn new(pass: &Pass<'_>, inverses: &[TrainedMap]) -> Result<Self, Error> {
        let samples = pass.samples();
        let device = pass.output_delta().device();
        let buffer = |rows, columns| Tensor::f_empty([rows, columns], (Kind::Float, device));
        let rows = |l| {
            let inverse = inverses.iter().find(|inverse| inverse.layer() == l);
            inverse.map_or(pass.layer(l).units(), TrainedMap::inputs)
        };
        let pairs = (1..=pass.depth())
            .map(|l| Ok(buffer(rows(l), 2 * samples)?))
            .collect::<Result<_, Error>>()?;
        let most = |rows: fn(&TrainedMap) -> i64| inverses.iter().map(rows).max().unwrap_or(0);
        let (below, above) = (most(TrainedMap::outputs), most(TrainedMap::inputs));
        let images = buffer(below, 2 * samples)?;
        let [noisy, reconstruction, delta] = [
            buffer(below, samples)?,
            buffer(below, samples)?,
            buffer(below, samples)?,
        ];
        let output = buffer(above, samples)?;
        let inverses = inverses
            .iter()
            .map(|inverse| {
                let (below, above) = (inverse.outputs(), inverse.inputs());
                Ok(InverseBuffers {
                    images: images.f_narrow(0, 0, below)?,
                    noisy: noisy.f_narrow(0, 0, below)?,
                    output: output.f_narrow(0, 0, above)?,
                    reconstruction: reconstruction.f_narrow(0, 0, below)?,
                    delta: delta.f_narrow(0, 0, below)?,
                })
            })
            .collect::<Result<_, Error>>()?;
        Ok(Self {
            samples,
            pairs,
            inverses,
        })
    }

    /// B.
    pub(super) fn samples(&self) -> i64 {
        self.samples
    }
}

/// The left and the right half of (rows, 2B).
pub(super) fn halves(pair: &Tensor) -> Result<[Tensor; 2], Error> {
    let samples = pair.size()[1] / 2;
    Ok([
        pair.f_narrow(1, 0, samples)?,
        pair.f_narrow(1, samples, samples)?,
    ])
}
