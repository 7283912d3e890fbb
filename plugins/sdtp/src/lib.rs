//! Simplified difference target propagation as an Assay plugin.
//!
//! The output's target is the label itself, or the input where the network reconstructs, and every
//! hidden layer, the penultimate included, gets its target by the difference rule, so that no
//! gradient crosses a layer: `ĥ_L = onehot` or x,
//! `ĥ_l = h_l + g_{l+1}(ĥ_{l+1}) − g_{l+1}(h_{l+1})`. Inverses exist for layers 2 to L.

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
}

impl Default for Config {
    fn default() -> Self {
        Self {
            adam: InverseSettings::forward_default(),
            inverse: InverseSettings::new(InverseLoss::Denoising),
        }
    }
}

struct SimplifiedDifferenceTargetPropagation {
    inverses: TargetPropagation,
}

impl Algorithm for SimplifiedDifferenceTargetPropagation {
    type Config = Config;

    const NAME: &'static str = "sdtp";
    const SUMMARY: &'static str =
        "Simplified difference target propagation: the label goes down through inverses alone.";
    const REFERENCE: &'static str = "Bartunov, Santoro, Richards, Marris, Hinton & Lillicrap \
         (2018), Assessing the scalability of biologically-motivated deep learning algorithms \
         and architectures, NeurIPS 31";

    fn new(setup: &mut Setup<'_>, config: &Config) -> Result<Self, Error> {
        let inverted = 2..=setup.model().depth();
        Ok(Self {
            inverses: TargetPropagation::new(setup, inverted, config.inverse.inverse_loss)?,
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
        targets.output()?; // ĥ_L = onehot, or x for reconstruction
        for l in (1..pass.depth()).rev() {
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
    name = "sdtp",
    description = "Simplified difference target propagation.",
    algorithms = [SimplifiedDifferenceTargetPropagation],
);
