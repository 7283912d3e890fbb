//! The targets of one batch, from the topmost to the first layer's.

use std::cell::Cell;

use tch::Tensor;

use super::auxiliary::Auxiliary;
use super::buffers::{Buffers, InverseBuffers, halves};
use super::{InverseLoss, TopTarget, hidden_losses};
use crate::arithmetic::{add, copy, scale, subtract};
use crate::error::Error;
use crate::maps::{InverseDirections, TrainedMap};
use crate::noise::Noise;
use crate::pass::{Directions, Pass};

/// A batch, the inverses that carry its targets down, and the memory for them.
pub(super) struct Targets<'a> {
    pub(super) pass: &'a Pass<'a>,
    pub(super) inverses: &'a [TrainedMap],
    pub(super) auxiliary: Option<&'a Auxiliary>,
    pub(super) buffers: &'a Buffers,
}

/// The target of a layer l, which follows from `ĥ_{l+1}`. Each method is one rule of
/// docs/methods.md.
pub struct Target<'a> {
    targets: &'a Targets<'a>,
    layer: usize,
    set: Cell<bool>,
}

impl Target<'_> {
    /// `ĥ_l = g_{l+1}(ĥ_{l+1})`
    pub fn invert(&self) -> Result<(), Error> {
        let (l, targets) = (self.layer, self.targets);
        let [_, above] = halves(targets.pair(l + 1))?;
        let [_, target] = halves(targets.pair(l))?;
        let (inverse, buffers) = targets.inverse(l + 1);
        // A half is not contiguous.
        let (u, image) = (&buffers.output, &buffers.reconstruction);
        copy(&above, u)?;
        inverse.apply(u, image)?;
        copy(image, &target)?;
        let (h, shift) = (targets.pass.h(l), targets.pass.scratch(l));
        subtract(image, h, shift)?;
        self.set.set(true);
        Ok(())
    }

    /// `ĥ_l = h_l + g_{l+1}(ĥ_{l+1}) − g_{l+1}(h_{l+1})`
    pub fn difference(&self) -> Result<(), Error> {
        let (l, targets) = (self.layer, self.targets);
        let (inverse, buffers) = targets.inverse(l + 1);
        inverse.apply(targets.pair(l + 1), &buffers.images)?;
        let [of_h, of_target] = halves(&buffers.images)?;
        let shift = targets.pass.scratch(l);
        subtract(&of_target, &of_h, shift)?;
        targets.shift(l)?;
        self.set.set(true);
        Ok(())
    }

    pub(super) fn is_set(&self) -> bool {
        self.set.get()
    }
}

impl Targets<'_> {
    /// The target of layer l, not set yet.
    pub(super) fn target(&self, l: usize) -> Target<'_> {
        Target {
            targets: self,
            layer: l,
            set: Cell::new(false),
        }
    }

    /// Sets the topmost target. A network without hidden layers has no use for one.
    pub(super) fn set_top(&self, top: TopTarget) -> Result<(), Error> {
        if self.pass.depth() == 1 {
            return Ok(());
        }
        match top {
            TopTarget::Descent { alpha } => self.descend(alpha),
            TopTarget::Output | TopTarget::AuxiliaryOutput { .. } => self.set_output(),
        }
    }

    fn descend(&self, alpha: f64) -> Result<(), Error> {
        let (pass, depth) = (self.pass, self.pass.depth());
        let shift = pass.scratch(depth - 1);
        pass.layer(depth).transposed(pass.output_delta(), shift)?;
        let factor = -alpha * pass.samples() as f64; // The delta is of the batch's mean loss.
        scale(shift, factor)?;
        self.shift(depth - 1)
    }

    fn set_output(&self) -> Result<(), Error> {
        let (pass, depth) = (self.pass, self.pass.depth());
        let pair = self.pair(depth);
        let rows = pair.f_narrow(0, 0, pass.layer(depth).units())?;
        let [output, target] = halves(&rows)?;
        copy(pass.h(depth), &output)?;
        copy(pass.target(), &target)?;
        if let Some(auxiliary) = self.auxiliary {
            let (_, buffers) = self.inverse(depth);
            // A half is not contiguous.
            let z = self.auxiliary_rows(auxiliary, &buffers.output)?;
            auxiliary.apply(pass.h(depth - 1), &z)?;
            for half in halves(&self.auxiliary_rows(auxiliary, pair)?)? {
                copy(&z, &half)?;
            }
        }
        Ok(())
    }

    /// Sets `ĥ_l` from `ĥ_l − h_l` in the scratch buffer, which keeps it: the difference of the
    /// rounded sums would be less exact.
    fn shift(&self, l: usize) -> Result<(), Error> {
        let (h, shift) = (self.pass.h(l), self.pass.scratch(l));
        let [left, target] = halves(self.pair(l))?;
        copy(h, &left)?;
        add(h, shift, &target)
    }

    /// Writes the directions of the local losses: those of [`hidden_losses`], and of layer L the task
    /// loss.
    pub(super) fn local_losses(&self, out: &mut Directions<'_>) -> Result<(), Error> {
        hidden_losses(self.pass, out)?;
        out.gradient(self.pass.depth(), self.pass.output_delta())
    }

    /// Writes the direction of every inverse: the loss of `g_l(f_l(h_{l-1}+ε))` against `h_{l-1}`,
    /// with its noise or without ([`InverseLoss`]). Only `V_l` and `c_l` move.
    pub(super) fn inverse_losses(
        &self,
        loss: InverseLoss,
        noise: &Noise<'_>,
        out: &mut InverseDirections,
    ) -> Result<(), Error> {
        for (inverse, buffers) in self.inverses.iter().zip(&self.buffers.inverses) {
            let l = inverse.layer();
            let (h, input) = (self.pass.h(l - 1), &buffers.noisy);
            noise.write(l - 1, input)?;
            add(input, h, input)?; // h_{l-1} + ε
            self.forward(l, input, &buffers.output)?; // f_l(h_{l-1} + ε)
            inverse.apply(&buffers.output, &buffers.reconstruction)?;
            let target = match loss {
                InverseLoss::NoisePreserving => input,
                InverseLoss::Denoising => h,
            };
            out.squared_error(
                inverse,
                &buffers.output,
                &buffers.reconstruction,
                target,
                &buffers.delta,
            )?;
        }
        Ok(())
    }

    /// `f_l(h)`: φ below the top, the task's function at the top and z under it.
    fn forward(&self, l: usize, h: &Tensor, out: &Tensor) -> Result<(), Error> {
        let layer = self.pass.layer(l);
        if l < self.pass.depth() {
            return layer.forward_activated(h, out);
        }
        let activation = self.pass.scratch(l);
        layer.forward(h, activation)?;
        self.pass
            .output_function(activation, &out.f_narrow(0, 0, layer.units())?)?;
        match self.auxiliary {
            Some(auxiliary) => auxiliary.apply(h, &self.auxiliary_rows(auxiliary, out)?),
            None => Ok(()),
        }
    }

    /// The rows of z in a buffer for `[h_L, z]`.
    fn auxiliary_rows(&self, auxiliary: &Auxiliary, buffer: &Tensor) -> Result<Tensor, Error> {
        let outputs = self.pass.layer(self.pass.depth()).units();
        Ok(buffer.f_narrow(0, outputs, auxiliary.units())?)
    }

    /// The inverse of layer l, from 2 to that of the topmost target, and the memory for it.
    fn inverse(&self, l: usize) -> (&TrainedMap, &InverseBuffers) {
        (&self.inverses[l - 2], &self.buffers.inverses[l - 2])
    }

    /// `[h_l | ĥ_l]`, l from 1 to L.
    fn pair(&self, l: usize) -> &Tensor {
        &self.buffers.pairs[l - 1]
    }
}
