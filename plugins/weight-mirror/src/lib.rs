//! Weight mirroring as an Assay plugin.
//!
//! Feedback alignment, `δ_{l-1} = (B_l δ_l) ∘ φ'(a_{l-1})`, whose feedback weights learn W's transpose from
//! noise. In a mirror step each layer, on its own, is given ε ~ N(0, σ²) in the place of `h_{l-1}`, and
//! ```text
//! u = φ(W_l ε + b_l)      B_l ← (1 − λ) B_l + η ⟨ε uᵀ⟩
//! ```
//! with ⟨·⟩ the mean over the batch (the authors sum). `E[ε uᵀ]` is σ² times `W_lᵀ` with its columns
//! scaled. Every step mirrors; in the first epochs nothing else moves. B moves by plain descent, since an
//! optimiser that scales every entry by itself would undo the proportion to W.

mod settings;

use assay_sdk::network::{NetworkKind, Refusal};
use assay_sdk::{
    Algorithm, Connection, Directions, Error, InverseDirections, Noise, Pass, Setup, TrainedMap,
    scale,
};

use settings::Settings;

struct WeightMirror {
    /// `B_l` for l = 2..L.
    feedback: Vec<TrainedMap>,
    rate: f64,
    forgetting: f64,
}

impl Algorithm for WeightMirror {
    type Config = Settings;

    const NAME: &'static str = "weight-mirror";
    const SUMMARY: &'static str =
        "Weight mirroring: feedback weights learn the transposed weights from noise.";
    const REFERENCE: &'static str = "Akrout, Wilson, Humphreys, Lillicrap & Tweed (2019), Deep \
         learning without weight transport, NeurIPS 32";
    const TRANSPORTS: &'static str = "the error, through weights that learn W_lᵀ from noise";
    const PORTABLE: bool = true;
    const HAS_INVERSE_LOSS: bool = false;

    fn refusals() -> Vec<Refusal> {
        let reason = "mirroring takes units that answer each for itself, and `norm` ties those of a layer \
                      to one another; leave `norm` out";
        vec![Refusal::of(NetworkKind::Normalised, reason)]
    }

    fn new(setup: &mut Setup<'_>, config: &Settings) -> Result<Self, Error> {
        let backwards = |l| Connection::transposed(l).scaled(config.feedback_scale);
        let layers = 2..=setup.model().depth();
        Ok(Self {
            feedback: setup.separately_trained("feedback", layers.map(backwards))?,
            rate: config.mirror_rate,
            forgetting: config.mirror_forgetting,
        })
    }

    fn directions(&mut self, pass: &Pass<'_>, out: &mut Directions<'_>) -> Result<(), Error> {
        let mut delta = pass.output_delta(); // δ_L = e/B
        out.gradient(pass.depth(), delta)?;
        for (l, b) in (2..=pass.depth()).rev().zip(self.feedback.iter().rev()) {
            let below = pass.scratch(l - 1);
            b.apply(delta, below)?; // B_l δ_l
            pass.derivative(l - 1, below)?; // ∘ φ'(a_{l-1})
            out.gradient(l - 1, below)?;
            delta = below;
        }
        Ok(())
    }

    fn inverse_directions(
        &mut self,
        pass: &Pass<'_>,
        noise: &Noise<'_>,
        out: &mut InverseDirections,
    ) -> Result<(), Error> {
        for b in &self.feedback {
            let l = b.layer();
            let (epsilon, u) = (pass.temporary(l - 1)?, pass.temporary(l)?);
            noise.write(l - 1, &epsilon)?;
            pass.layer(l).forward_activated(&epsilon, &u)?; // φ(W_l ε + b_l)
            scale(&epsilon, -self.rate / pass.samples() as f64)?;
            out.gradient(b, &epsilon, &u)?; // −η ⟨ε uᵀ⟩
            out.add(b, &b.weight().f_mul_scalar(self.forgetting)?)?; // + λ B_l
        }
        Ok(())
    }
}

assay_sdk::export_plugin!(
    name = "weight-mirror",
    description = "Weight mirroring.",
    algorithms = [WeightMirror],
);
