//! Simplified difference target propagation with an auxiliary output as an Assay plugin.
//!
//! A softmax says little about the activations below it, so the output is `[o, z]`: o is `h_L`, the
//! softmax or a reconstruction, and z fixed random features of `h_{L-1}`, which their targets leave
//! as they are: `ĥ_{L-1} = h_{L-1} − g_L([o, z]) + g_L([ĥ_L, z])` with `ĥ_L = onehot` or x; below
//! that the difference rule. Inverses exist for layers 2 to L.

use assay_sdk::network::{NetworkKind, Refusal};
use assay_sdk::{
    AuxiliaryActivation, Error, Target, TargetConfiguration, TargetPropagation, TargetRule,
    TargetSettings, TopTarget,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, JsonSchema)]
struct Config {
    #[serde(flatten)]
    targets: TargetSettings,
    /// The number of auxiliary units; none is simplified difference target propagation. The paper
    /// used 512 on CIFAR (Figure 4 varies it from 0 to 1000).
    #[schemars(range(max = 65536))]
    auxiliary_units: u32,
    /// The function of the auxiliary units: `tanh` or `linear`.
    #[schemars(with = "String", extend("enum" = ["tanh", "linear"]))]
    auxiliary_activation: AuxiliaryActivation,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            targets: TargetSettings::default(),
            auxiliary_units: 256,
            auxiliary_activation: AuxiliaryActivation::Tanh,
        }
    }
}

impl TargetConfiguration for Config {
    fn targets(&self) -> &TargetSettings {
        &self.targets
    }
}

struct AuxiliaryOutputSdtp;

impl TargetRule for AuxiliaryOutputSdtp {
    type Config = Config;

    const NAME: &'static str = "ao-sdtp";
    const SUMMARY: &'static str =
        "SDTP whose top inverse also sees fixed random features of the penultimate layer.";
    const REFERENCE: &'static str = "Bartunov, Santoro, Richards, Marris, Hinton & Lillicrap \
         (2018), Assessing the scalability of biologically-motivated deep learning algorithms \
         and architectures, NeurIPS 31";
    const TRANSPORTS: &'static str = "targets, through differences of inverses that learn, down from the label and random features";
    const PORTABLE: bool = true;

    fn refusals() -> Vec<Refusal> {
        let reason = "the last layer gives an image, which auxiliary units cannot stand beside; make \
                      it fully connected, or set auxiliary_units to 0";
        vec![Refusal::of(NetworkKind::ImageOutput, reason).unless("auxiliary_units", [0])]
    }

    fn top(config: &Config) -> TopTarget {
        // [ĥ_L, z] against [o, z], ĥ_L = onehot, or x for reconstruction
        TopTarget::AuxiliaryOutput {
            units: config.auxiliary_units,
            activation: config.auxiliary_activation,
        }
    }

    fn below(target: &Target<'_>) -> Result<(), Error> {
        target.difference() // ĥ_l = h_l + g_{l+1}(ĥ_{l+1}) − g_{l+1}(h_{l+1})
    }
}

assay_sdk::export_plugin!(
    name = "ao-sdtp",
    description = "Simplified difference target propagation with an auxiliary output.",
    algorithms = [TargetPropagation<AuxiliaryOutputSdtp>],
);
