//! Difference target propagation as an Assay plugin.
//!
//! The penultimate layer's target is a step down the loss; every layer below is shifted by what
//! the shift above it is under the inverse: `ĥ_{L-1} = h_{L-1} − α ∂loss/∂h_{L-1}`,
//! `ĥ_l = h_l + g_{l+1}(ĥ_{l+1}) − g_{l+1}(h_{l+1})`. Inverses exist for layers 2 to L-1.

use assay_sdk::{
    Adam, Algorithm, Directions, Error, InverseDirections, InverseLoss, InverseSettings,
    InverseTraining, Noise, Pass, Setup, TargetPropagation,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, JsonSchema)]
struct Config {
    #[serde(flatten)]
    adam: Adam,
    #[serde(flatten)]
    inverse: InverseSettings,
    /// How far the target of the penultimate layer lies down the gradient of each sample's loss.
    /// The paper searched 0.01 to 0.2 (Table 4).
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    alpha: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            adam: InverseSettings::forward_default(),
            inverse: InverseSettings::new(InverseLoss::NoisePreserving),
            alpha: 0.1,
        }
    }
}

struct DifferenceTargetPropagation {
    inverses: TargetPropagation,
    alpha: f64,
}

impl Algorithm for DifferenceTargetPropagation {
    type Config = Config;

    const NAME: &'static str = "dtp";
    const SUMMARY: &'static str =
        "Difference target propagation: learned inverses carry a shift down from layer to layer.";
    const REFERENCE: &'static str = "Lee, Zhang, Fischer & Bengio (2015), Difference target \
         propagation, ECML PKDD";

    fn new(setup: &mut Setup<'_>, config: &Config) -> Result<Self, Error> {
        let inverted = 2..=setup.model().depth() - 1;
        Ok(Self {
            inverses: TargetPropagation::new(setup, inverted, config.inverse.inverse_loss)?,
            alpha: config.alpha,
        })
    }

    fn optimiser(config: &Config) -> Adam {
        config.adam
    }

    fn inverse_training(config: &Config) -> Option<InverseTraining> {
        Some(config.inverse.training())
    }

    fn directions(&mut self, pass: &Pass<'_>, out: &mut Directions<'_>) -> Result<(), Error> {
        let targets = self.inverses.targets(pass)?;
        targets.descend(self.alpha)?; // ĥ_{L-1} = h_{L-1} − α ∂loss/∂h_{L-1}
        for l in (1..pass.depth() - 1).rev() {
            targets.difference(l)?; // ĥ_l = h_l + g_{l+1}(ĥ_{l+1}) − g_{l+1}(h_{l+1})
        }
        targets.local_losses(out)
    }

    fn inverse_directions(
        &mut self,
        pass: &Pass<'_>,
        noise: &Noise<'_>,
        out: &mut InverseDirections,
    ) -> Result<(), Error> {
        self.inverses.inverse_directions(pass, noise, out)
    }
}

assay_sdk::export_plugin!(
    name = "dtp",
    description = "Difference target propagation.",
    algorithms = [DifferenceTargetPropagation],
);
