//! PEPITA as an Assay plugin: the error modulates the input of a second forward pass.
//!
//! With a fixed random F from the outputs to the inputs, `h^err` are the activations of a second pass on
//! `x + F e`, e being the first pass's error. The network learns from how its activations change,
//! ```text
//! dir(W_l) = ⟨(h_l − h_l^err) (h_{l-1}^err)ᵀ⟩   l < L, h_0^err = x + F e
//! dir(W_L) = ⟨e (h_{L-1}^err)ᵀ⟩
//! ```
//! and the biases by `⟨h_l − h_l^err⟩` and ⟨e⟩; ⟨·⟩ is the mean over the batch, and there is no φ'. The
//! presynaptic factor `h^err` may also be h, or each pass may keep its own: `⟨h_l h_{l-1}ᵀ⟩ −
//! ⟨h_l^err (h_{l-1}^err)ᵀ⟩` (time-local).

mod settings;

use assay_sdk::{
    Algorithm, Directions, Error, Pass, Setup, Tensor, add, divide, multiply, scale, subtract,
};

use settings::{Presynaptic, Settings};

struct Pepita {
    /// F, (`n_0`, `n_L`).
    feedback: Tensor,
    presynaptic: Presynaptic,
}

impl Algorithm for Pepita {
    type Config = Settings;

    const NAME: &'static str = "pepita";
    const SUMMARY: &'static str =
        "PEPITA: layers learn from how a second pass, on an input modulated by the error, differs.";
    const REFERENCE: &'static str = "Dellaferrera & Kreiman (2022), Error-driven input modulation: \
         solving the credit assignment problem without a backward pass, ICML 39";
    const TRANSPORTS: &'static str = "nothing: the error changes the input of a second pass";
    const PORTABLE: bool = true;

    fn new(setup: &mut Setup<'_>, config: &Settings) -> Result<Self, Error> {
        let limit = config.feedback_scale * (6.0 / setup.model().inputs() as f64).sqrt();
        Ok(Self {
            feedback: setup.input_feedback(limit)?,
            presynaptic: config.presynaptic,
        })
    }

    fn directions(&mut self, pass: &Pass<'_>, out: &mut Directions<'_>) -> Result<(), Error> {
        let (depth, b) = (pass.depth(), pass.samples() as f64);
        let modulated = pass.temporary(0)?;
        multiply(&self.feedback, pass.output_delta(), &modulated)?; // F e/B
        scale(&modulated, b)?;
        add(&modulated, pass.h(0), &modulated)?; // x + F e
        let second = pass.trace()?;
        second.run(0, &modulated)?; // h_l^err
        for l in 1..depth {
            let (h, below) = ([pass.h(l), second.h(l)], [pass.h(l - 1), second.h(l - 1)]);
            let delta = pass.scratch(l);
            subtract(h[0], h[1], delta)?; // h_l − h_l^err
            scale(delta, 1.0 / b)?;
            match self.presynaptic {
                Presynaptic::Modulated => out.gradient_from(l, delta, below[1])?,
                Presynaptic::Plain => out.gradient_from(l, delta, below[0])?,
                Presynaptic::TimeLocal => {
                    let minus = h[1].f_neg()?;
                    let both = Tensor::f_cat(&[h[0], &minus], 1)?;
                    divide(&both, b)?;
                    out.gradient_from(l, &both, &Tensor::f_cat(&below, 1)?)?;
                }
            }
        }
        out.gradient_from(depth, pass.output_delta(), second.h(depth - 1)) // ⟨e (h_{L-1}^err)ᵀ⟩
    }
}

assay_sdk::export_plugin!(
    name = "pepita",
    description = "PEPITA: error-driven modulation of the input.",
    algorithms = [Pepita],
);
