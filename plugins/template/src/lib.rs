//! Direct random target projection as an Assay plugin.
//!
//! Backpropagation sends the output's error back through every layer. This rule sends nothing back:
//! each hidden layer is told the right answer through a fixed random matrix of its own, and may
//! learn from that before the layers above have even been computed. With `y*` the target (a
//! column of zeros with a one at the right class) and B the number of samples in a batch:
//!
//! ```text
//! δ_L = e/B                          the output layer: the true gradient
//! δ_l = (B_l y*/B) ∘ φ'(a_l)      every hidden layer, l < L
//! ```
//!
//! The host owns everything around the rule: the data and its order, the evaluation, checkpoints.
//! The SDK owns the network, the loss and the optimiser. What is left is this file.

use assay_sdk::schemars::JsonSchema;
use assay_sdk::serde::{Deserialize, Serialize};
use assay_sdk::{
    Adam, Algorithm, Configuration, Directions, Error, Optimiser, Pass, Setup, Tensor, scale,
};

/// The hyper-parameters: what a pipeline file may set under `hyperparameters`. Names, doc comments,
/// ranges and defaults become the schema that pipeline files are checked against.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "assay_sdk::serde")]
#[schemars(crate = "assay_sdk::schemars")]
struct Settings {
    /// Those of the optimiser: `learning_rate`, `beta1`, `beta2` and `epsilon`.
    #[serde(flatten)]
    adam: Adam,
    /// Multiplies the random matrices.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    projection_scale: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            adam: Adam::default(),
            projection_scale: 1.0,
        }
    }
}

impl Configuration for Settings {
    fn optimiser(&self) -> Optimiser {
        self.adam.into()
    }
}

/// State that the rule keeps from batch to batch. Tensors that [`Setup`] made are saved and restored with
/// the network.
struct Rule {
    /// `B_l` for l = 1..L-1, of shape (`n_l`, `n_L`).
    projections: Vec<Tensor>,
}

impl Algorithm for Rule {
    type Config = Settings;

    const NAME: &'static str = "drtp";
    const SUMMARY: &'static str =
        "Direct random target projection: hidden layers learn from the target alone.";
    const REFERENCE: &'static str = "Frenkel, Lefebvre & Bol (2021), Learning without feedback: \
         fixed random learning signals allow for feedforward training of deep neural networks, \
         Frontiers in Neuroscience 15";
    const TRANSPORTS: &'static str =
        "the label, straight to every layer, through fixed random weights";
    /// Everything below is computed by the SDK, or element by element: threads and vector instructions decide
    /// no bit. A rule with sums or products of libtorch's own says false.
    const PORTABLE: bool = true;

    /// Called once for each training. The seed and the name of a tensor decide its values, so all
    /// algorithms start from the same weights.
    fn new(setup: &mut Setup<'_>, settings: &Settings) -> Result<Self, Error> {
        let projections = (1..setup.model().depth())
            .map(|l| setup.direct_feedback(l, settings.projection_scale))
            .collect::<Result<_, _>>()?;
        Ok(Self { projections })
    }

    /// Called for each batch, after the forward pass. Tensors have one column for each sample:
    /// `pass.h(l)` is (`n_l`, B). Write a direction for every layer; parameters move against it.
    fn directions(&mut self, pass: &Pass<'_>, out: &mut Directions<'_>) -> Result<(), Error> {
        out.gradient(pass.depth(), pass.output_delta())?; // δ_L = e/B
        for (l, projection) in (1..pass.depth()).zip(&self.projections) {
            let delta = pass.scratch(l); // a buffer of the shape of h_l
            pass.layer(l).project(projection, pass.target(), delta)?; // B_l y*
            scale(delta, 1.0 / pass.samples() as f64)?; // / B
            pass.derivative(l, delta)?; // ∘ φ'(a_l)
            out.gradient(l, delta)?; // W_l by δ_l h_{l-1}ᵀ, b_l by the sum of δ_l over the batch
        }
        Ok(())
    }
}

assay_sdk::export_plugin!(
    name = "drtp",
    description = "Direct random target projection.",
    algorithms = [Rule],
);

#[cfg(test)]
mod tests;
