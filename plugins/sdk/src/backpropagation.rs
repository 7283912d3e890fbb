//! Backpropagation on the SDK's layers: the yardstick that other directions are compared with. Every
//! plugin has it, through the extension `backpropagation/1`; trained with, it is the plugin `bp`.

use crate::algorithm::Algorithm;
use crate::error::Error;
use crate::optimiser::Adam;
use crate::pass::{Directions, Pass};
use crate::setup::Setup;

/// `δ_L = e/B`, `δ_{l-1} = (W_lᵀ δ_l) ∘ tanh'(a_{l-1})`.
pub(crate) struct Backpropagation;

impl Algorithm for Backpropagation {
    type Config = Adam;

    const NAME: &'static str = "backpropagation";
    const SUMMARY: &'static str = "The exact gradient of the loss.";
    const REFERENCE: &'static str = "Rumelhart, Hinton & Williams (1986), Learning \
         representations by back-propagating errors, Nature 323";
    const REPLAYABLE: bool = true;

    fn new(_setup: &mut Setup<'_>, _config: &Adam) -> Result<Self, Error> {
        Ok(Self)
    }

    fn directions(&mut self, pass: &Pass<'_>, out: &mut Directions<'_>) -> Result<(), Error> {
        let mut delta = pass.output_delta();
        out.gradient(pass.depth(), delta)?;
        for l in (2..=pass.depth()).rev() {
            let below = pass.scratch(l - 1);
            pass.layer(l).transposed(delta, below)?;
            pass.derivative(l - 1, below)?;
            out.gradient(l - 1, below)?;
            delta = below;
        }
        Ok(())
    }
}
