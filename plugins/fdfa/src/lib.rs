//! Forward direct feedback alignment as an Assay plugin.
//!
//! Direct feedback alignment whose matrices track the mean transposed Jacobian of the outputs, which
//! a forward pass of tangents estimates. With `v_l ~ N(0, I)` for every hidden layer and `ḣ_0 = 0`,
//! ```text
//! ȧ_l = W_l ḣ_{l-1}      ḣ_l = φ'(a_l) ∘ ȧ_l + v_l
//! dir(B_l) = B_l − ⟨v_l ȧ_Lᵀ⟩      δ_l = (B_l e/B) ∘ φ'(a_l)
//! ```
//! where ⟨·⟩ is the mean over the batch. `B_l` comes to rest at `E[(∂a_L/∂h_l)ᵀ]`. The tangent enters
//! after the activation, as in the authors' code.

mod settings;

use assay_sdk::{
    Algorithm, Connection, Directions, Distribution, Draw, Error, Pass, Setup, TrainedMap, add,
    clear, scale,
};

use settings::Settings;

struct ForwardDirectFeedback {
    /// `B_l` for l = 1..L-1.
    feedback: Vec<TrainedMap>,
    /// `v_l` for l = 1..L-1.
    tangents: Vec<Draw>,
}

impl Algorithm for ForwardDirectFeedback {
    type Config = Settings;

    const NAME: &'static str = "fdfa";
    const SUMMARY: &'static str = "Forward direct feedback alignment: direct feedback tracks the Jacobian by random tangents.";
    const REFERENCE: &'static str = "Bacho & Chu (2024), Low-variance forward gradients using direct \
         feedback alignment and momentum, Neural Networks 169";
    const TRANSPORTS: &'static str =
        "the error, straight from the output, through weights that learn from tangents";
    const PORTABLE: bool = true;

    fn new(setup: &mut Setup<'_>, config: &Settings) -> Result<Self, Error> {
        let direct = |l| Connection::direct(l).scaled(config.feedback_scale);
        let layers = 1..setup.model().depth();
        let feedback = setup.trained("feedback", &config.feedback(), layers.clone().map(direct))?;
        let normal = Distribution::Normal(1.0);
        let tangents = layers
            .map(|l| setup.draw("tangent", l, normal))
            .collect::<Result<_, _>>()?;
        Ok(Self { feedback, tangents })
    }

    fn directions(&mut self, pass: &Pass<'_>, out: &mut Directions<'_>) -> Result<(), Error> {
        let (e, depth) = (pass.output_delta(), pass.depth()); // e/B
        out.gradient(depth, e)?;
        if depth == 1 {
            return Ok(());
        }
        let mut v = Vec::new();
        let mut tangent = pass.temporary(1)?; // ḣ_l
        for (l, draw) in (1..depth).zip(&self.tangents) {
            let drawn = pass.temporary(l)?;
            pass.draw(draw, &drawn)?;
            let next = pass.temporary(l)?;
            if l == 1 {
                clear(&next)?; // ȧ_1 = W_1 ḣ_0 = 0
            } else {
                pass.layer(l).linear(&tangent, &next)?; // W_l ḣ_{l-1}
            }
            pass.tangent(l, &next)?; // ∘ φ'(a_l)
            add(&next, &drawn, &next)?; // + v_l
            tangent = next;
            v.push(drawn);
        }
        let output = pass.temporary(depth)?; // ȧ_L
        pass.layer(depth).linear(&tangent, &output)?;
        scale(&output, -1.0 / pass.samples() as f64)?;
        for ((l, b), v) in (1..depth).zip(&self.feedback).zip(&v) {
            out.map(b, v, &output)?; // −⟨v_l ȧ_Lᵀ⟩
            out.add_to_map(b, b.weight())?; // + B_l
            let delta = pass.scratch(l);
            b.apply(e, delta)?; // B_l e/B
            pass.derivative(l, delta)?; // ∘ φ'(a_l)
            out.gradient(l, delta)?;
        }
        Ok(())
    }
}

assay_sdk::export_plugin!(
    name = "fdfa",
    description = "Forward direct feedback alignment.",
    algorithms = [ForwardDirectFeedback],
);
