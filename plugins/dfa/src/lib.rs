//! Direct feedback alignment as an Assay plugin.
//!
//! The output error e, the gradient of a sample's task loss by `a_L`, reaches every hidden layer at
//! once through a fixed random matrix: `δ_l = (B_l e/B) ∘ φ'(a_l)` for l < L; the output layer has
//! its true gradient. No product runs backwards between hidden layers.

use assay_sdk::{Algorithm, Directions, Error, FeedbackSettings, Pass, Setup, Tensor};

struct DirectFeedbackAlignment {
    /// `B_l` for l = 1..L-1.
    feedback: Vec<Tensor>,
}

impl Algorithm for DirectFeedbackAlignment {
    type Config = FeedbackSettings;

    const NAME: &'static str = "dfa";
    const SUMMARY: &'static str =
        "Direct feedback alignment: the output error goes straight to every hidden layer.";
    const REFERENCE: &'static str = "Nøkland (2016), Direct feedback alignment provides \
         learning in deep neural networks, NeurIPS 29";
    const TRANSPORTS: &'static str =
        "the error, straight from the output, through fixed random weights";
    const PORTABLE: bool = true;
    const REPLAYABLE: bool = true;

    fn new(setup: &mut Setup<'_>, config: &FeedbackSettings) -> Result<Self, Error> {
        let feedback = (1..setup.model().depth())
            .map(|l| setup.direct_feedback(l, config.feedback_scale))
            .collect::<Result<_, _>>()?;
        Ok(Self { feedback })
    }

    fn directions(&mut self, pass: &Pass<'_>, out: &mut Directions<'_>) -> Result<(), Error> {
        let e = pass.output_delta(); // e/B
        out.gradient(pass.depth(), e)?;
        for (l, b) in (1..pass.depth()).zip(&self.feedback) {
            let delta = pass.scratch(l);
            pass.layer(l).project(b, e, delta)?; // B_l e/B
            pass.derivative(l, delta)?; // ∘ φ'(a_l)
            out.gradient(l, delta)?;
        }
        Ok(())
    }
}

assay_sdk::export_plugin!(
    name = "dfa",
    description = "Direct feedback alignment.",
    algorithms = [DirectFeedbackAlignment],
);
