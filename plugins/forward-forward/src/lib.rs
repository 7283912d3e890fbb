//! Forward-Forward as an Assay plugin.
//!
//! Each hidden layer learns, on its own, to be active for a sample shown with its label and quiet for one shown
//! with a wrong one. A trained map Λ adds the label to the first layer; above it only the direction of
//! activity passes on:
//! ```text
//! a_1 = W_1 x + b_1 + Λ t      a_l = W_l u_{l-1} + b_l, u_l = h_l/√⟨h_l²⟩ over the units
//! ```
//! with t = y (positive), another class drawn for each sample (negative), or 1/C everywhere (neutral). The
//! logit of layer l is `z = Σ h_l² − θ n_l`, its loss the mean binary cross-entropy of the 2B samples,
//! τ = 1 for positive ones and 0 for negative ones:
//! ```text
//! δ_l = (σ(z) − τ)/2B · 2 h_l ∘ φ'(a_l)      dir(W_l) = δ_l u_{l-1}ᵀ, u_0 = x      dir(Λ) = δ_1 tᵀ
//! ```
//! The output layer reads u_{L-1} of the neutral pass, by its true gradient, and predicts; or the class is
//! predicted with which the hidden layers above the first are most active. The authors overwrite pixels by the
//! label, read out all layers, and keep units equally active; neither is done here.

mod activity;
mod settings;

use assay_sdk::network::{NetworkKind, Refusal};
use assay_sdk::{
    Algorithm, Connection, Directions, Distribution, Draw, Error, Inference, Pass, Setup, Tensor,
    TrainedMap, copy, scale,
};

use activity::{Activity, goodness, neutral};
use settings::{Prediction, Settings};

struct ForwardForward {
    /// Λ
    label: TrainedMap,
    /// Scores of the classes, of which the best wrong one is shown.
    negative: Draw,
    threshold: f64,
    prediction: Prediction,
}

impl Algorithm for ForwardForward {
    type Config = Settings;

    const NAME: &'static str = "forward-forward";
    const SUMMARY: &'static str =
        "Forward-Forward: layers learn to be active for right labels and quiet for wrong ones.";
    const REFERENCE: &'static str =
        "Hinton (2022), The Forward-Forward algorithm: some preliminary investigations";
    const TRANSPORTS: &'static str = "nothing: a label shown with the input";
    const PORTABLE: bool = true;

    fn refusals() -> Vec<Refusal> {
        let shown = "samples are shown with labels, and this network reconstructs";
        let active = "it predicts by the activity of hidden layers above the first, of which this network \
                      has none; `prediction = \"readout\"` needs none";
        let normal =
            "it normalises activity itself, after the length is measured; leave `norm` out";
        vec![
            Refusal::of(NetworkKind::Reconstruction, shown),
            Refusal::of(NetworkKind::Normalised, normal),
            Refusal::of(NetworkKind::FewerLayers(2), "it needs a hidden layer"),
            Refusal::of(NetworkKind::FewerLayers(3), active).when("prediction", ["goodness"]),
        ]
    }

    fn new(setup: &mut Setup<'_>, config: &Settings) -> Result<Self, Error> {
        let depth = setup.model().depth();
        let mut label = setup.trained("label", &config.optimiser, [Connection::direct(1)])?;
        let negative = setup.draw("negative", depth, Distribution::Normal(1.0))?;
        Ok(Self {
            label: label.remove(0),
            negative,
            threshold: config.threshold,
            prediction: config.prediction,
        })
    }

    fn directions(&mut self, pass: &Pass<'_>, out: &mut Directions<'_>) -> Result<(), Error> {
        let (depth, y) = (pass.depth(), pass.target());
        let scores = pass.temporary(depth)?;
        pass.draw(&self.negative, &scores)?;
        let best = scores
            .f_masked_fill(&y.f_gt(0.5)?, f64::NEG_INFINITY)?
            .f_argmax(0, true)?;
        let wrong = y.f_zeros_like()?.f_scatter_value(0, &best, 1.0)?;
        let run = |t: &Tensor| Activity::new(pass.layers(), &self.label, [pass.h(0), t]);
        let (positive, negative) = (run(y)?, run(&wrong)?);
        for l in 1..depth {
            let (seen, unseen) = (
                positive.delta(l, self.threshold, 1.0)?,
                negative.delta(l, self.threshold, 0.0)?,
            );
            let both: [(&Tensor, &Tensor); 2] =
                [(&seen, &positive.u[l - 1]), (&unseen, &negative.u[l - 1])];
            out.gradient_from_all(l, &both)?; // δ_l u_{l-1}ᵀ
            if l == 1 {
                let delta = Tensor::f_cat(&[seen, unseen], 1)?;
                out.map(&self.label, &delta, &Tensor::f_cat(&[y, &wrong], 1)?)?; // δ_1 tᵀ
            }
        }
        let read = run(&neutral(y)?)?;
        let (logits, error) = (pass.temporary(depth)?, pass.temporary(depth)?);
        pass.layer(depth).forward(&read.u[depth - 1], &logits)?;
        pass.error_of(&logits, &error)?;
        scale(&error, 1.0 / pass.samples() as f64)?;
        out.set_loss(pass.mean_loss_of(&logits)?);
        out.gradient_from(depth, &error, &read.u[depth - 1])
    }

    fn predict(&mut self, inference: &Inference<'_>, logits: &Tensor) -> Result<(), Error> {
        let (layers, depth) = (inference.layers(), inference.depth());
        let run = |t: &Tensor| Activity::new(layers, &self.label, [inference.inputs(), t]);
        if self.prediction == Prediction::Readout {
            let read = run(&neutral(logits)?)?;
            return layers.layer(depth).forward(&read.u[depth - 1], logits);
        }
        let mut classes = Vec::new();
        for class in 0..logits.size()[0] {
            let shown = logits.f_zeros_like()?;
            shown.f_narrow(0, class, 1)?.f_fill_(1.0).map(drop)?;
            let mut total = logits.f_narrow(0, 0, 1)?.f_zeros_like()?;
            for h in &run(&shown)?.h[2..] {
                total = total.f_add(&goodness(h)?)?;
            }
            classes.push(total);
        }
        copy(&Tensor::f_cat(&classes, 0)?, logits)
    }
}

assay_sdk::export_plugin!(
    name = "forward-forward",
    description = "Forward-Forward.",
    algorithms = [ForwardForward],
);
