//! Kolen-Pollack feedback learning as an Assay plugin.
//!
//! Feedback alignment whose feedback weights learn: `δ_L = e/B`, `δ_{l-1} = (B_l δ_l) ∘ φ'(a_{l-1})`,
//! and B moves by the transpose of what moves W,
//! ```text
//! dir(W_l) = δ_l h_{l-1}ᵀ      W_l ← (1 − λ) W_l − η dir(W_l)
//! dir(B_l) = h_{l-1} δ_lᵀ      B_l ← (1 − λ) B_l − η dir(B_l)
//! ```
//! with the same optimiser for both. The two moves are transposes of each other, so the difference
//! `W_l − B_lᵀ` fades by 1 − λ in every step, whatever δ is. B has no biases; the biases of the
//! network decay as its weights do.

mod settings;

use assay_sdk::{Algorithm, Connection, Directions, Error, Pass, Setup, TrainedMap};

use settings::Settings;

struct KolenPollack {
    /// `B_l` for l = 2..L.
    feedback: Vec<TrainedMap>,
}

impl Algorithm for KolenPollack {
    type Config = Settings;

    const NAME: &'static str = "kp";
    const SUMMARY: &'static str =
        "Kolen-Pollack: feedback weights learn the transposed weights from the same updates.";
    const REFERENCE: &'static str = "Akrout, Wilson, Humphreys, Lillicrap & Tweed (2019), Deep \
         learning without weight transport, NeurIPS 32; after Kolen & Pollack (1994)";
    const TRANSPORTS: &'static str = "the error, through weights that learn W_lᵀ";
    const PORTABLE: bool = true;
    const REPLAYABLE: bool = true;

    fn new(setup: &mut Setup<'_>, config: &Settings) -> Result<Self, Error> {
        let backwards = |l| Connection::transposed(l).scaled(config.feedback_scale);
        let layers = 2..=setup.model().depth();
        let feedback = setup.trained("feedback", &config.optimiser, layers.map(backwards))?;
        Ok(Self { feedback })
    }

    fn directions(&mut self, pass: &Pass<'_>, out: &mut Directions<'_>) -> Result<(), Error> {
        let mut delta = pass.output_delta(); // δ_L = e/B
        out.gradient(pass.depth(), delta)?;
        for (l, b) in (2..=pass.depth()).rev().zip(self.feedback.iter().rev()) {
            let below = pass.scratch(l - 1);
            out.map(b, pass.h(l - 1), delta)?; // h_{l-1} δ_lᵀ
            b.apply(delta, below)?; // B_l δ_l
            pass.derivative(l - 1, below)?; // ∘ φ'(a_{l-1})
            out.gradient(l - 1, below)?;
            delta = below;
        }
        Ok(())
    }
}

assay_sdk::export_plugin!(
    name = "kp",
    description = "Kolen-Pollack feedback learning.",
    algorithms = [KolenPollack],
);
