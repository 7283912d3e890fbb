//! Code that the target-propagation algorithms share: targets carried down by learned inverses,
//! local losses, and the inverses' own loss (docs/methods.md, Algorithms).
//!
//! Which target the network's top gets, and by which rule targets go down, is left to each
//! algorithm. Hidden targets are constants: no gradient passes through any of them.

mod auxiliary;
mod buffers;
mod settings;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use tch::Tensor;

pub use auxiliary::{Auxiliary, AuxiliaryActivation};
pub use settings::{DescentSettings, InverseLoss, InverseSettings, TargetSettings};

use crate::arithmetic::scale;
use crate::error::Error;
use crate::function::multiply_derivative;
use crate::inverse::{Inverse, InverseDirections};
use crate::noise::Noise;
use crate::operand::refused;
use crate::pass::{Directions, Pass};
use crate::setup::Setup;
use buffers::{Buffers, InverseBuffers, halves};

/// The inverses of an algorithm and the memory to work with them.
pub struct TargetPropagation {
    /// Of consecutive layers.
    inverses: Vec<Inverse>,
    loss: InverseLoss,
    auxiliary: Option<Auxiliary>,
    buffers: Option<Buffers>,
}

impl TargetPropagation {
    /// Inverses for `layers`, trained by `loss`.
    #[track_caller]
    pub fn new(
        setup: &mut Setup<'_>,
        layers: RangeInclusive<usize>,
        loss: InverseLoss,
    ) -> Result<Self, Error> {
        Ok(Self {
            inverses: setup.inverses(layers, 0)?,
            loss,
            auxiliary: None,
            buffers: None,
        })
    }

    /// The same with an output `[o, z]`: the inverse of layer L takes the auxiliary z besides
    /// `o = h_L`, which comes first.
    #[track_caller]
    pub fn with_auxiliary(
        setup: &mut Setup<'_>,
        layers: RangeInclusive<usize>,
        loss: InverseLoss,
        auxiliary: Auxiliary,
    ) -> Result<Self, Error> {
        Ok(Self {
            inverses: setup.inverses(layers, auxiliary.units())?,
            loss,
            auxiliary: Some(auxiliary),
            buffers: None,
        })
    }

    /// The targets of the batch of `pass`, none of them set yet.
    pub fn targets<'a>(&'a mut self, pass: &'a Pass<'a>) -> Result<Targets<'a>, Error> {
        self.fit(pass)?;
        Ok(Targets {
            this: &*self,
            pass,
            set: RefCell::default(),
        })
    }

    /// Writes the direction of every inverse: the loss of `g_l(f_l(h_{l-1}+ε))` against
    /// `h_{l-1}`, with its noise or without ([`InverseLoss`]). Only `V_l` and `c_l` move.
    pub fn inverse_directions(
        &mut self,
        pass: &Pass<'_>,
        noise: &Noise<'_>,
        out: &mut InverseDirections,
    ) -> Result<(), Error> {
        self.fit(pass)?;
        for inverse in &self.inverses {
            let l = inverse.layer();
            let buffers = self.buffers_of(l)?;
            let (h, input) = (pass.h(l - 1), &buffers.noisy);
            noise.write(l - 1, input)?;
            input.shallow_clone().f_add_(h).map(drop)?; // h_{l-1} + ε
            self.output(pass, l, input, &buffers.output)?; // f_l(h_{l-1} + ε)
            inverse.apply(&buffers.output, &buffers.reconstruction)?;
            let target = match self.loss {
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

    /// `f_l(h)`: tanh below the top, the task's function at the top and z under it.
    fn output(&self, pass: &Pass<'_>, l: usize, h: &Tensor, out: &Tensor) -> Result<(), Error> {
        let layer = pass.layer(l);
        if l < pass.depth() {
            return layer.forward_tanh(h, out);
        }
        let activation = pass.scratch(l);
        layer.forward(h, activation)?;
        pass.output_function(activation, &out.f_narrow(0, 0, layer.units())?)?;
        match &self.auxiliary {
            Some(auxiliary) => auxiliary.apply(h, &auxiliary_rows(pass, auxiliary, out)?),
            None => Ok(()),
        }
    }

    /// Makes the buffers fit the batch.
    fn fit(&mut self, pass: &Pass<'_>) -> Result<(), Error> {
        let fits = |buffers: &Buffers| buffers.samples() == pass.samples();
        if !self.buffers.as_ref().is_some_and(fits) {
            self.buffers = Some(Buffers::new(pass, &self.inverses)?);
        }
        Ok(())
    }

    /// The inverse of layer l.
    fn inverse(&self, l: usize) -> Result<&Inverse, Error> {
        let found = self.inverses.iter().find(|inverse| inverse.layer() == l);
        found.ok_or_else(|| missing(l))
    }

    fn buffers_of(&self, l: usize) -> Result<&InverseBuffers, Error> {
        let at = self.inverses.iter().position(|it| it.layer() == l);
        let buffers = self.buffers.as_ref().zip(at);
        let found = buffers.and_then(|(buffers, at)| buffers.inverses.get(at));
        found.ok_or_else(|| missing(l))
    }

    /// `[h_l | ĥ_l]`.
    fn pair(&self, l: usize) -> Result<&Tensor, Error> {
        let buffers = self.buffers.as_ref();
        let found = buffers.and_then(|buffers| buffers.pairs.get(l.checked_sub(1)?));
        found.ok_or_else(|| missing(l))
    }
}

/// The targets of one batch. Each method is one rule of docs/methods.md; a rule for layer l wants the
/// target of layer l + 1 to be set.
pub struct Targets<'a> {
    this: &'a TargetPropagation,
    pass: &'a Pass<'a>,
    /// The layers whose targets are set.
    set: RefCell<BTreeSet<usize>>,
}

impl Targets<'_> {
    /// `ĥ_{L-1} = h_{L-1} − α ∂loss/∂h_{L-1}`, with the gradient of each sample's own task loss.
    /// Does nothing in a network without hidden layers.
    pub fn descend(&self, alpha: f64) -> Result<(), Error> {
        let (pass, depth) = (self.pass, self.pass.depth());
        if depth == 1 {
            return Ok(());
        }
        let shift = pass.scratch(depth - 1);
        pass.layer(depth).transposed(pass.output_delta(), shift)?;
        let factor = -alpha * pass.samples() as f64; // The delta is of the batch's mean loss.
        scale(shift, factor)?;
        self.shift(depth - 1)
    }

    /// `ĥ_L` = what the task asks for: onehot, or x for reconstruction; with an auxiliary output,
    /// `[ĥ_L, z]` against `[o, z]`. Does nothing in a network without hidden layers, where nothing
    /// reads it.
    pub fn output(&self) -> Result<(), Error> {
        let (pass, top) = (self.pass, self.pass.depth());
        if top == 1 {
            return Ok(());
        }
        let pair = self.this.pair(top)?;
        let rows = pair.f_narrow(0, 0, pass.layer(top).units())?;
        let [mut o, mut target] = halves(&rows)?;
        o.f_copy_(pass.h(top)).map(drop)?;
        target.f_copy_(pass.target()).map(drop)?;
        if let Some(auxiliary) = &self.this.auxiliary {
            let [z, mut same] = halves(&auxiliary_rows(pass, auxiliary, pair)?)?;
            auxiliary.apply(pass.h(top - 1), &z)?;
            same.f_copy_(&z).map(drop)?;
        }
        self.set.borrow_mut().insert(top);
        Ok(())
    }

    /// `ĥ_l = g_{l+1}(ĥ_{l+1})`
    #[track_caller]
    pub fn invert(&self, l: usize) -> Result<(), Error> {
        self.check_above(l)?;
        let [_, above] = halves(self.this.pair(l + 1)?)?;
        let [_, mut target] = halves(self.this.pair(l)?)?;
        // A half is not contiguous.
        let buffers = self.this.buffers_of(l + 1)?;
        let (u, image) = (&buffers.output, &buffers.reconstruction);
        u.shallow_clone().f_copy_(&above).map(drop)?;
        self.this.inverse(l + 1)?.apply(u, image)?;
        target.f_copy_(image).map(drop)?;
        image
            .f_sub_out(self.pass.scratch(l), self.pass.h(l))
            .map(drop)?;
        self.set.borrow_mut().insert(l);
        Ok(())
    }

    /// `ĥ_l = h_l + g_{l+1}(ĥ_{l+1}) − g_{l+1}(h_{l+1})`
    #[track_caller]
    pub fn difference(&self, l: usize) -> Result<(), Error> {
        self.check_above(l)?;
        let images = &self.this.buffers_of(l + 1)?.images;
        self.this
            .inverse(l + 1)?
            .apply(self.this.pair(l + 1)?, images)?;
        let [of_h, of_target] = halves(images)?;
        of_target.f_sub_out(self.pass.scratch(l), &of_h).map(drop)?;
        self.shift(l)
    }

    /// Writes the directions of the local losses: layer l < L minimises `‖f_l(h_{l-1}) − ĥ_l‖²`,
    /// whose gradient by `h_l` is 2/B (`h_l` − `ĥ_l`), and layer L the task loss. Every target
    /// below L has to be set, and is not any more.
    #[track_caller]
    pub fn local_losses(&self, out: &mut Directions<'_>) -> Result<(), Error> {
        let pass = self.pass;
        for l in 1..pass.depth() {
            self.check_set(l)?;
            self.set.borrow_mut().remove(&l);
            let delta = pass.scratch(l); // ĥ_l − h_l
            let factor = -2.0 / pass.samples() as f64;
            scale(delta, factor)?;
            multiply_derivative(delta, pass.h(l))?;
            out.gradient(l, delta)?;
        }
        out.gradient(pass.depth(), pass.output_delta())
    }

    /// Sets `ĥ_l` from `ĥ_l − h_l` in the scratch buffer, which keeps it: the difference of the
    /// rounded sums would be less exact.
    fn shift(&self, l: usize) -> Result<(), Error> {
        let (h, shift) = (self.pass.h(l), self.pass.scratch(l));
        let [mut copy, target] = halves(self.this.pair(l)?)?;
        copy.f_copy_(h).map(drop)?;
        h.f_add_out(&target, shift).map(drop)?;
        self.set.borrow_mut().insert(l);
        Ok(())
    }

    /// Refuses a rule for layer l that has nothing to go by: the target above it.
    #[track_caller]
    fn check_above(&self, l: usize) -> Result<(), Error> {
        let depth = self.pass.depth();
        if !(1..depth).contains(&l) {
            let message = format!(
                "layer {l} has no target that follows from the one above it: the network has {depth} layers"
            );
            return Err(refused(message, "the rule is for layers 1 to L-1"));
        }
        self.check_set(l + 1)
    }

    /// Refuses to go by the target of layer l where none is set.
    #[track_caller]
    fn check_set(&self, l: usize) -> Result<(), Error> {
        if self.set.borrow().contains(&l) {
            return Ok(());
        }
        Err(refused(
            format!("the target of layer {l} is read before it is set"),
            "set the topmost target by `descend` or `output`, then each one below it in turn",
        ))
    }
}

/// The rows of z in a buffer for `[o, z]`.
fn auxiliary_rows(
    pass: &Pass<'_>,
    auxiliary: &Auxiliary,
    buffer: &Tensor,
) -> Result<Tensor, Error> {
    let outputs = pass.layer(pass.depth()).units();
    Ok(buffer.f_narrow(0, outputs, auxiliary.units())?)
}

fn missing(l: usize) -> Error {
    Error::new(
        assay_abi::ErrorCode::OTHER,
        format!("the algorithm uses an inverse of layer {l}, but made none"),
    )
}
