//! Simplified difference target propagation as an Assay plugin.
//!
//! The output's target is the label itself, or the input where the network reconstructs, and every
//! hidden layer, the penultimate included, gets its target by the difference rule, so that no
//! gradient crosses a layer: `ĥ_L = onehot` or x,
//! `ĥ_l = h_l + g_{l+1}(ĥ_{l+1}) − g_{l+1}(h_{l+1})`. Inverses exist for layers 2 to L.

use assay_sdk::{Error, Target, TargetPropagation, TargetRule, TargetSettings, TopTarget};

struct SimplifiedDifferenceTargetPropagation;

impl TargetRule for SimplifiedDifferenceTargetPropagation {
    type Config = TargetSettings;

    const NAME: &'static str = "sdtp";
    const SUMMARY: &'static str =
        "Simplified difference target propagation: the label goes down through inverses alone.";
    const REFERENCE: &'static str = "Bartunov, Santoro, Richards, Marris, Hinton & Lillicrap \
         (2018), Assessing the scalability of biologically-motivated deep learning algorithms \
         and architectures, NeurIPS 31";
    const TRANSPORTS: &'static str =
        "targets, through differences of inverses that learn, down from the label";
    const PORTABLE: bool = true;

    fn top(_config: &TargetSettings) -> TopTarget {
        TopTarget::Output // ĥ_L = onehot, or x for reconstruction
    }

    fn below(target: &Target<'_>) -> Result<(), Error> {
        target.difference() // ĥ_l = h_l + g_{l+1}(ĥ_{l+1}) − g_{l+1}(h_{l+1})
    }
}

assay_sdk::export_plugin!(
    name = "sdtp",
    description = "Simplified difference target propagation.",
    algorithms = [TargetPropagation<SimplifiedDifferenceTargetPropagation>],
);
