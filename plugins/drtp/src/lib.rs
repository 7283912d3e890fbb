//! Direct random target projection as an Assay plugin.
//!
//! No error travels: a fixed random matrix tells every hidden layer the target y, and the layer may
//! learn as soon as it has been computed. `δ_l = (B_l y/B) ∘ φ'(a_l)` for l < L, which is
//! subtracted; the sign does not matter, as B is symmetric. The output layer has its true gradient,
//! `δ_L = e/B`.
//!
//! The authors do not divide the hidden signal by B; a constant factor hardly changes Adam's steps.

use assay_sdk::{Algorithm, Directions, Error, Pass, RandomFeedbackSettings, Setup, Tensor, scale};

struct TargetProjection {
    /// `B_l` for l = 1..L-1.
    feedback: Vec<Tensor>,
}

impl Algorithm for TargetProjection {
    type Config = RandomFeedbackSettings;

    const NAME: &'static str = "drtp";
    const SUMMARY: &'static str =
        "Direct random target projection: hidden layers learn from the target alone.";
    const REFERENCE: &'static str = "Frenkel, Lefebvre & Bol (2021), Learning without feedback: \
         fixed random learning signals allow for feedforward training of deep neural networks, \
         Frontiers in Neuroscience 15";
    const TRANSPORTS: &'static str =
        "the label, straight to every layer, through fixed random weights";
    const PORTABLE: bool = true;
    const REPLAYABLE: bool = true;

    fn new(setup: &mut Setup<'_>, config: &RandomFeedbackSettings) -> Result<Self, Error> {
        let feedback = (1..setup.model().depth())
            .map(|l| setup.direct_feedback(l, config.feedback_scale))
            .collect::<Result<_, _>>()?;
        Ok(Self { feedback })
    }

    fn directions(&mut self, pass: &Pass<'_>, out: &mut Directions<'_>) -> Result<(), Error> {
        out.gradient(pass.depth(), pass.output_delta())?; // δ_L = e/B
        for (l, b) in (1..pass.depth()).zip(&self.feedback) {
            let delta = pass.scratch(l);
            pass.layer(l).project(b, pass.target(), delta)?; // B_l y
            scale(delta, 1.0 / pass.samples() as f64)?; // /B
            pass.derivative(l, delta)?; // ∘ φ'(a_l)
            out.gradient(l, delta)?;
        }
        Ok(())
    }
}

assay_sdk::export_plugin!(
    name = "drtp",
    description = "Direct random target projection.",
    algorithms = [TargetProjection],
);
