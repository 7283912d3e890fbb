//! A rule that is no algorithm of layers, for the tests of such rules: a linear classifier that learns by
//! the delta rule from inputs with noise.
//! ```text
//! q = softmax(W (x + ε) + b),  ε ~ N(0, σ²)      dir(W) = ⟨(q − y) (x + ε)ᵀ⟩, dir(b) = ⟨q − y⟩
//! ```
//! Scores are W x + b.

use assay_sdk::network::{NetworkKind, Refusal};
use assay_sdk::schemars::JsonSchema;
use assay_sdk::serde::{Deserialize, Serialize};
use assay_sdk::{
    Adam, Configuration, Declarations, Distribution, Draw, Error, Examples, First, Kind, Moves,
    NewTensor, Optimiser, Rule, Standalone, Tensor, Trained, add, multiply, scale, subtract,
};

/// The hyper-parameters.
#[derive(Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "assay_sdk::serde")]
#[schemars(crate = "assay_sdk::schemars")]
struct Settings {
    /// Adam for W and b.
    #[serde(flatten)]
    adam: Adam,
    /// σ, the noise on the inputs.
    #[schemars(range(min = 0.0))]
    noise: f64,
}

impl Default for Settings {
    fn default() -> Self {
        let adam = Adam {
            learning_rate: 0.01,
            ..Adam::default()
        };
        Self { adam, noise: 0.1 }
    }
}

impl Configuration for Settings {
    fn optimiser(&self) -> Optimiser {
        self.adam.into()
    }
}

struct DeltaRule {
    /// W, (C, `n_0`).
    weight: Trained,
    /// b, (C).
    bias: Trained,
    /// ε
    noise: Draw,
}

impl DeltaRule {
    /// `scores = W x + b`
    fn apply(&self, x: &Tensor, scores: &Tensor) -> Result<(), Error> {
        multiply(self.weight.value(), x, scores)?;
        add(scores, &self.bias.value().f_view([-1, 1])?, scores)
    }
}

impl Rule for DeltaRule {
    type Config = Settings;

    const NAME: &'static str = "delta-rule";
    const SUMMARY: &'static str = "A linear classifier that learns by the delta rule.";
    const REFERENCE: &'static str = "Widrow & Hoff (1960), Adaptive switching circuits";
    /// It is linear, and the kit's own floor is just above what a linear model does.
    const MINIMUM_ACCURACY: Option<f64> = Some(0.3);
    const METRICS: &'static [(&'static str, &'static str)] =
        &[("certainty", "largest share of a class, mean over the batch")];

    fn refusals() -> Vec<Refusal> {
        let reason = "it tells classes apart, and this network reconstructs";
        vec![Refusal::of(NetworkKind::Reconstruction, reason)]
    }

    fn declare(declare: &mut Declarations<'_>, config: &Settings) -> Result<Self, Error> {
        let (inputs, classes) = (declare.inputs(), declare.outputs());
        let mut trained = declare.trained([
            NewTensor::matrix("delta.weight", classes, inputs, First::Glorot(1.0)),
            NewTensor::vector("delta.bias", classes, First::Zero),
        ])?;
        Ok(Self {
            bias: trained.remove(1),
            weight: trained.remove(0),
            noise: declare.draw("input", inputs, Distribution::Normal(config.noise))?,
        })
    }

    fn step(&mut self, batch: &Examples<'_>, out: &mut Moves) -> Result<f64, Error> {
        let (x, scores) = (
            batch.inputs().f_zeros_like()?,
            batch.target().f_zeros_like()?,
        );
        batch.draw(&self.noise, &x)?;
        add(&x, batch.inputs(), &x)?; // x + ε
        self.apply(&x, &scores)?;
        let q = scores.f_softmax(0, None::<Kind>)?;
        let certainty = q.f_amax([0_i64].as_slice(), false)?.f_mean(Kind::Double)?;
        out.record("certainty", certainty.f_double_value(&[])?)?;
        let logarithms = scores.f_log_softmax(0, None::<Kind>)?;
        let log_likelihood = logarithms.f_mul(batch.target())?.f_sum(Kind::Double)?;
        subtract(&q, batch.target(), &q)?;
        scale(&q, 1.0 / batch.samples() as f64)?; // (q − y)/B
        out.direction(&self.weight, &q.f_mm(&x.f_tr()?)?)?;
        let sums = q.f_sum_dim_intlist(1_i64, false, None::<Kind>)?;
        out.direction(&self.bias, &sums)?;
        Ok(-log_likelihood.f_double_value(&[])? / batch.samples() as f64)
    }

    fn scores(&mut self, inputs: &Tensor, scores: &Tensor) -> Result<(), Error> {
        self.apply(inputs, scores)
    }
}

assay_sdk::export_plugin!(
    name = "standalone",
    description = "A rule without layers.",
    algorithms = [Standalone<DeltaRule>],
);

#[cfg(test)]
mod tests;
