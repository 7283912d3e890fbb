//! Backpropagation as an Assay plugin.
//!
//! `δ_L = e/B`, `δ_{l-1} = (W_lᵀ δ_l) ∘ φ'(a_{l-1})`, e being the gradient of a sample's task loss
//! by `a_L`: the true gradient, the baseline that every other algorithm is compared with.

use assay_sdk::{Adam, Algorithm, Directions, Error, Pass, Setup};

struct Backpropagation;

impl Algorithm for Backpropagation {
    type Config = Adam;

    const NAME: &'static str = "bp";
    const SUMMARY: &'static str = "Backpropagation: the exact gradient of the loss.";
    const REFERENCE: &'static str = "Rumelhart, Hinton & Williams (1986), Learning \
         representations by back-propagating errors, Nature 323";
    const TRANSPORTS: &'static str = "the error, through the transposed weights W_lᵀ";
    const PORTABLE: bool = true;
    const REPLAYABLE: bool = true;

    fn new(_setup: &mut Setup<'_>, _config: &Adam) -> Result<Self, Error> {
        Ok(Self)
    }

    fn directions(&mut self, pass: &Pass<'_>, out: &mut Directions<'_>) -> Result<(), Error> {
        let mut delta = pass.output_delta(); // δ_L = e/B
        out.gradient(pass.depth(), delta)?;
        for l in (2..=pass.depth()).rev() {
            let below = pass.scratch(l - 1);
            pass.layer(l).transposed(delta, below)?; // W_lᵀ δ_l
            pass.derivative(l - 1, below)?; // ∘ φ'(a_{l-1})
            out.gradient(l - 1, below)?;
            delta = below;
        }
        Ok(())
    }
}

assay_sdk::export_plugin!(
    name = "bp",
    description = "Backpropagation.",
    algorithms = [Backpropagation],
);
