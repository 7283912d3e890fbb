//! Simplified difference target propagation as an Assay plugin.
//!
//! The output's target is the label itself, or the input where the network reconstructs, and every
//! hidden layer, the penultimate included, gets its target by the difference rule, so that no
//! gradient crosses a layer: `ĥ_L = onehot` or x,
//! `ĥ_l = h_l + g_{l+1}(ĥ_{l+1}) − g_{l+1}(h_{l+1})`. Inverses exist for layers 2 to L.

use assay_sdk::{Algorithm, Directions, Error, Pass, Setup, TargetPropagation, TargetSettings};

struct SimplifiedDifferenceTargetPropagation {
    inverses: TargetPropagation,
}

impl Algorithm for SimplifiedDifferenceTargetPropagation {
    type Config = TargetSettings;

    const NAME: &'static str = "sdtp";
    const SUMMARY: &'static str =
        "Simplified difference target propagation: the label goes down through inverses alone.";
    const REFERENCE: &'static str = "Bartunov, Santoro, Richards, Marris, Hinton & Lillicrap \
         (2018), Assessing the scalability of biologically-motivated deep learning algorithms \
         and architectures, NeurIPS 31";

    fn new(setup: &mut Setup<'_>, config: &TargetSettings) -> Result<Self, Error> {
        let inverted = 2..=setup.model().depth();
        Ok(Self {
            inverses: TargetPropagation::new(setup, inverted, config.inverse.inverse_loss)?,
        })
    }

    fn directions(&mut self, pass: &Pass<'_>, out: &mut Directions<'_>) -> Result<(), Error> {
        let targets = self.inverses.targets(pass)?;
        targets.output()?; // ĥ_L = onehot, or x for reconstruction
        for l in (1..pass.depth()).rev() {
            targets.difference(l)?; // ĥ_l = h_l + g_{l+1}(ĥ_{l+1}) − g_{l+1}(h_{l+1})
        }
        targets.local_losses(out)
    }

    fn target_propagation(&mut self) -> Option<&mut TargetPropagation> {
        Some(&mut self.inverses)
    }
}

assay_sdk::export_plugin!(
    name = "sdtp",
    description = "Simplified difference target propagation.",
    algorithms = [SimplifiedDifferenceTargetPropagation],
);
