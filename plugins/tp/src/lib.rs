//! Target propagation as an Assay plugin.
//!
//! The penultimate layer's target is a step down the loss; every layer below gets the inverse
//! image of the target above it: `ĥ_{L-1} = h_{L-1} − α ∂loss/∂h_{L-1}`,
//! `ĥ_l = g_{l+1}(ĥ_{l+1})`. Inverses exist for layers 2 to L-1.

use assay_sdk::{DescentSettings, Error, Target, TargetPropagation, TargetRule, TopTarget};

struct VanillaTargetPropagation;

impl TargetRule for VanillaTargetPropagation {
    type Config = DescentSettings;

    const NAME: &'static str = "tp";
    const SUMMARY: &'static str =
        "Target propagation: learned inverses carry a target down from layer to layer.";
    const REFERENCE: &'static str = "Bengio (2014), How auto-encoders could provide credit \
         assignment in deep networks via target propagation, arXiv 1407.7906";
    const TRANSPORTS: &'static str =
        "targets, through inverses that learn, below a gradient step through W_Lᵀ";
    const PORTABLE: bool = true;

    fn top(config: &DescentSettings) -> TopTarget {
        let alpha = config.alpha;
        TopTarget::Descent { alpha } // ĥ_{L-1} = h_{L-1} − α ∂loss/∂h_{L-1}
    }

    fn below(target: &Target<'_>) -> Result<(), Error> {
        target.invert() // ĥ_l = g_{l+1}(ĥ_{l+1})
    }
}

assay_sdk::export_plugin!(
    name = "tp",
    description = "Target propagation.",
    algorithms = [TargetPropagation<VanillaTargetPropagation>],
);
