//! Difference target propagation as an Assay plugin.
//!
//! The penultimate layer's target is a step down the loss; every layer below is shifted by what
//! the shift above it is under the inverse: `ĥ_{L-1} = h_{L-1} − α ∂loss/∂h_{L-1}`,
//! `ĥ_l = h_l + g_{l+1}(ĥ_{l+1}) − g_{l+1}(h_{l+1})`. Inverses exist for layers 2 to L-1.

use assay_sdk::{DescentSettings, Error, Target, TargetPropagation, TargetRule, TopTarget};

struct DifferenceTargetPropagation;

impl TargetRule for DifferenceTargetPropagation {
    type Config = DescentSettings;

    const NAME: &'static str = "dtp";
    const SUMMARY: &'static str =
        "Difference target propagation: learned inverses carry a shift down from layer to layer.";
    const REFERENCE: &'static str = "Lee, Zhang, Fischer & Bengio (2015), Difference target \
         propagation, ECML PKDD";
    const TRANSPORTS: &'static str =
        "targets, through differences of inverses that learn, below a gradient step through W_Lᵀ";
    const PORTABLE: bool = true;

    fn top(config: &DescentSettings) -> TopTarget {
        let alpha = config.alpha;
        TopTarget::Descent { alpha } // ĥ_{L-1} = h_{L-1} − α ∂loss/∂h_{L-1}
    }

    fn below(target: &Target<'_>) -> Result<(), Error> {
        target.difference() // ĥ_l = h_l + g_{l+1}(ĥ_{l+1}) − g_{l+1}(h_{l+1})
    }
}

assay_sdk::export_plugin!(
    name = "dtp",
    description = "Difference target propagation.",
    algorithms = [TargetPropagation<DifferenceTargetPropagation>],
);
