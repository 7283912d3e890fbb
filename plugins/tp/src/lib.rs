//! Target propagation as an Assay plugin.
//!
//! The penultimate layer's target is a step down the loss; every layer below gets the inverse
//! image of the target above it: `ĥ_{L-1} = h_{L-1} − α ∂loss/∂h_{L-1}`,
//! `ĥ_l = g_{l+1}(ĥ_{l+1})`. Inverses exist for layers 2 to L-1.

use assay_sdk::{Algorithm, DescentSettings, Directions, Error, Pass, Setup, TargetPropagation};

struct VanillaTargetPropagation {
    inverses: TargetPropagation,
    alpha: f64,
}

impl Algorithm for VanillaTargetPropagation {
    type Config = DescentSettings;

    const NAME: &'static str = "tp";
    const SUMMARY: &'static str =
        "Target propagation: learned inverses carry a target down from layer to layer.";
    const REFERENCE: &'static str = "Bengio (2014), How auto-encoders could provide credit \
         assignment in deep networks via target propagation, arXiv 1407.7906";

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
            targets.invert(l)?; // ĥ_l = g_{l+1}(ĥ_{l+1})
        }
        targets.local_losses(out)
    }

    fn target_propagation(&mut self) -> Option<&mut TargetPropagation> {
        Some(&mut self.inverses)
    }
}

assay_sdk::export_plugin!(
    name = "tp",
    description = "Target propagation.",
    algorithms = [VanillaTargetPropagation],
);
