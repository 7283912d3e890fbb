//! Fixed-weight difference target propagation as an Assay plugin.
//!
//! Difference target propagation from the logits down, through feedback that is never trained:
//! `g_l(u) = φ(V_l u)` with V fixed and random,
//! ```text
//! â_L = a_L − β e
//! ĥ_{L-1} = h_{L-1} + g_L(â_L) − g_L(a_L)
//! ĥ_{l-1} = h_{l-1} + g_l(ĥ_l) − g_l(h_l)
//! ```
//! for each sample, and every layer moves towards its target: `δ_L = 2β e/B`, and
//! `δ_l = 2/B (h_l − ĥ_l) ∘ φ'(a_l)`.

mod settings;

use assay_sdk::{Algorithm, Directions, Error, LogitTargets, Pass, Setup, Tensor};

use settings::Settings;

struct FixedWeights {
    /// `V_l` for l = 2..L.
    feedback: Vec<Tensor>,
    beta: f64,
}

impl Algorithm for FixedWeights {
    type Config = Settings;

    const NAME: &'static str = "fw-dtp";
    const SUMMARY: &'static str = "Fixed-weight difference target propagation: targets go down through fixed random feedback.";
    const REFERENCE: &'static str = "Shibuya, Inoue, Kawakami & Sato (2023), Fixed-weight difference \
         target propagation, AAAI 37";
    const TRANSPORTS: &'static str = "targets, through fixed weights";
    const PORTABLE: bool = true;
    const REPLAYABLE: bool = true;

    fn new(setup: &mut Setup<'_>, config: &Settings) -> Result<Self, Error> {
        let feedback = (2..=setup.model().depth())
            .map(|l| setup.transposed_feedback(l, config.feedback_scale))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            feedback,
            beta: config.beta,
        })
    }

    fn directions(&mut self, pass: &Pass<'_>, out: &mut Directions<'_>) -> Result<(), Error> {
        let mut targets = LogitTargets::new(pass, self.beta)?; // â_L = a_L − β e
        for (l, v) in (2..=pass.depth()).rev().zip(self.feedback.iter().rev()) {
            // ĥ_{l-1} = h_{l-1} + g_l(ĥ_l) − g_l(h_l)
            targets.difference(l, |u, image| {
                pass.layer(l).feedback(v, u, image)?;
                pass.layer(l - 1).activate(image)
            })?;
        }
        targets.local_losses(out)
    }
}

assay_sdk::export_plugin!(
    name = "fw-dtp",
    description = "Fixed-weight difference target propagation.",
    algorithms = [FixedWeights],
);
