//! Difference target propagation as an Assay plugin.
//!
//! The penultimate layer's target is a step down the loss; every layer below is shifted by what
//! the shift above it is under the inverse: `ĥ_{L-1} = h_{L-1} − α ∂loss/∂h_{L-1}`,
//! `ĥ_l = h_l + g_{l+1}(ĥ_{l+1}) − g_{l+1}(h_{l+1})`. Inverses exist for layers 2 to L-1.

use assay_sdk::{Algorithm, DescentSettings, Directions, Error, Pass, Setup, TargetPropagation};

struct DifferenceTargetPropagation {
    inverses: TargetPropagation,
    alpha: f64,
}

impl Algorithm for DifferenceTargetPropagation {
    type Config = DescentSettings;

    const NAME: &'static str = "dtp";
    const SUMMARY: &'static str =
        "Difference target propagation: learned inverses carry a shift down from layer to layer.";
    const REFERENCE: &'static str = "Lee, Zhang, Fischer & Bengio (2015), Difference target \
         propagation, ECML PKDD";

    fn new(setup: &mut Setup<'_>, config: &DescentSettings) -> Result<Self, Error> {
        let inverted = 2..=setup.model().depth() - 1;
        let loss = config.targets.inverse.inverse_loss;
        Ok(Self {
            inverses: TargetPropagation::new(setup, inverted, loss)?,
            alpha: config.alpha,
        })
    }

    fn directions(&mut self, pass: &Pass<'_>, out: &mut Directions<'_>) -> Result<(), Error> {
        let targets = self.inverses.targets(pass)?;
        targets.descend(self.alpha)?; // ĥ_{L-1} = h_{L-1} − α ∂loss/∂h_{L-1}
        for l in (1..pass.depth() - 1).rev() {
            targets.difference(l)?; // ĥ_l = h_l + g_{l+1}(ĥ_{l+1}) − g_{l+1}(h_{l+1})
        }
        targets.local_losses(out)
    }

    fn target_propagation(&mut self) -> Option<&mut TargetPropagation> {
        Some(&mut self.inverses)
    }
}

assay_sdk::export_plugin!(
    name = "dtp",
    description = "Difference target propagation.",
    algorithms = [DifferenceTargetPropagation],
);
