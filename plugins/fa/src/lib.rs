//! Feedback alignment as an Assay plugin.
//!
//! Backpropagation with every `W_lᵀ`, the output layer's included, replaced by a fixed random
//! `B_l`: `δ_L = e/B`, `δ_{l-1} = (B_l δ_l) ∘ φ'(a_{l-1})`.

use assay_sdk::{Algorithm, Directions, Error, FeedbackSettings, Pass, Setup, Tensor};

struct FeedbackAlignment {
    /// `B_l` for l = 2..L.
    feedback: Vec<Tensor>,
}

impl Algorithm for FeedbackAlignment {
    type Config = FeedbackSettings;

    const NAME: &'static str = "fa";
    const SUMMARY: &'static str =
        "Feedback alignment: errors go back through fixed random weights, layer by layer.";
    const REFERENCE: &'static str = "Lillicrap, Cownden, Tweed & Akerman (2016), Random \
         synaptic feedback weights support error backpropagation for deep learning, Nature \
         Communications 7";
    const TRANSPORTS: &'static str = "the error, through fixed random weights";
    const PORTABLE: bool = true;
    const REPLAYABLE: bool = true;

    fn new(setup: &mut Setup<'_>, config: &FeedbackSettings) -> Result<Self, Error> {
        let feedback = (2..=setup.model().depth())
            .map(|l| setup.transposed_feedback(l, config.feedback_scale))
            .collect::<Result<_, _>>()?;
        Ok(Self { feedback })
    }

    fn directions(&mut self, pass: &Pass<'_>, out: &mut Directions<'_>) -> Result<(), Error> {
        let mut delta = pass.output_delta(); // δ_L = e/B
        out.gradient(pass.depth(), delta)?;
        for (l, b) in (2..=pass.depth()).rev().zip(self.feedback.iter().rev()) {
            let below = pass.scratch(l - 1);
            pass.layer(l).feedback(b, delta, below)?; // B_l δ_l
            pass.derivative(l - 1, below)?; // ∘ φ'(a_{l-1})
            out.gradient(l - 1, below)?;
            delta = below;
        }
        Ok(())
    }
}

assay_sdk::export_plugin!(
    name = "fa",
    description = "Feedback alignment.",
    algorithms = [FeedbackAlignment],
);
