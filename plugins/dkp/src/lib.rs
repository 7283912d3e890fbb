//! Direct Kolen-Pollack feedback learning as an Assay plugin.
//!
//! Direct feedback alignment whose matrices learn: `δ_L = e/B`, `δ_l = (B_l e/B) ∘ φ'(a_l)` for l < L,
//! and `dir(B_l) = h_l eᵀ/B`, which is Kolen & Pollack's update with the network's error in the place
//! of the next layer's. In a network of two layers it is Kolen-Pollack.

mod settings;

use assay_sdk::{Algorithm, Connection, Directions, Error, Pass, Setup, TrainedMap};

use settings::Settings;

struct DirectKolenPollack {
    /// `B_l` for l = 1..L-1.
    feedback: Vec<TrainedMap>,
}

impl Algorithm for DirectKolenPollack {
    type Config = Settings;

    const NAME: &'static str = "dkp";
    const SUMMARY: &'static str =
        "Direct Kolen-Pollack: direct feedback weights learn from activations and the error.";
    const REFERENCE: &'static str = "Webster, Choi & Ahn (2020), Learning the connections in direct \
         feedback alignment";
    const TRANSPORTS: &'static str =
        "the error, straight from the output, through weights that learn";
    const PORTABLE: bool = true;
    const REPLAYABLE: bool = true;

    fn new(setup: &mut Setup<'_>, config: &Settings) -> Result<Self, Error> {
        let direct = |l| Connection::direct(l).scaled(config.feedback_scale);
        let layers = 1..setup.model().depth();
        let feedback = setup.trained("feedback", &config.feedback(), layers.map(direct))?;
        Ok(Self { feedback })
    }

    fn directions(&mut self, pass: &Pass<'_>, out: &mut Directions<'_>) -> Result<(), Error> {
        let e = pass.output_delta(); // e/B
        out.gradient(pass.depth(), e)?;
        for (l, b) in (1..pass.depth()).zip(&self.feedback) {
            let (h, delta) = (pass.h(l), pass.scratch(l));
            out.map(b, h, e)?; // h_l eᵀ/B
            b.apply(e, delta)?; // B_l e/B
            pass.derivative(l, delta)?; // ∘ φ'(a_l)
            out.gradient(l, delta)?;
        }
        Ok(())
    }
}

assay_sdk::export_plugin!(
    name = "dkp",
    description = "Direct Kolen-Pollack feedback learning.",
    algorithms = [DirectKolenPollack],
);
