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
//! δ_l = (σ(z) − τ)/2B · 2 h_l ∘ tanh'(a_l)      dir(W_l) = δ_l u_{l-1}ᵀ, u_0 = x      dir(Λ) = δ_1 tᵀ
//! ```
//! The output layer reads u_{L-1} of the neutral pass, by its true gradient, and predicts; or the class is
//! predicted with which the hidden layers above the first are most active. The authors overwrite pixels by the
//! label, read out all layers, and keep units equally active; neither is done here.

mod settings;

use assay_sdk::network::{NetworkKind, Refusal};
use assay_sdk::{
    Algorithm, Connection, Directions, Distribution, Draw, Error, Inference, Kind, Layer, Pass,
    Setup, Temporary, Tensor, TrainedMap, add, copy, scale, tanh, tanh_derivative,
};

use settings::{Prediction, Settings};

/// Below this the root mean square of activity is taken for this.
const QUIET: f64 = 1e-8;

/// Activities of one pass; place l holds those of layer l, the first place those of x.
struct Activity<'a> {
    h: Vec<Temporary<'a>>,
    /// `u_0` to `u_{L-1}`
    u: Vec<Temporary<'a>>,
}

struct ForwardForward {
    /// Λ
    label: TrainedMap,
    /// Scores of the classes, of which the best wrong one is shown.
    negative: Draw,
    threshold: f64,
    prediction: Prediction,
}

impl ForwardForward {
    /// Hidden activities for inputs `x` and labels `t` (C, B).
    fn activity<'a, 'l>(
        &self,
        layer: impl Fn(usize) -> &'l Layer,
        temporary: impl Fn(usize) -> Result<Temporary<'a>, Error>,
        depth: usize,
        [x, t]: [&Tensor; 2],
    ) -> Result<Activity<'a>, Error> {
        let buffers = || (0..depth).map(&temporary).collect::<Result<Vec<_>, _>>();
        let (h, u) = (buffers()?, buffers()?);
        copy(x, &u[0])?;
        for l in 1..depth {
            layer(l).forward(&u[l - 1], &h[l])?;
            if l == 1 {
                let shown = temporary(1)?;
                self.label.apply(t, &shown)?; // Λ t
                add(&h[1], &shown, &h[1])?;
            }
            tanh(&h[l])?;
            let square = h[l].f_mul(&h[l])?.f_mean_dim(0_i64, true, None::<Kind>)?;
            copy(&h[l].f_div(&square.f_sqrt()?.f_clamp_min(QUIET)?)?, &u[l])?;
        }
        Ok(Activity { h, u })
    }

    /// `δ_l`, in the place of `h_l`, of samples that are positive or not.
    fn delta(&self, h: &Tensor, is_positive: bool, samples: f64) -> Result<Tensor, Error> {
        let goodness = h.f_mul(h)?.f_sum_dim_intlist(0_i64, true, None::<Kind>)?;
        let z = goodness.f_sub_scalar(self.threshold * h.size()[0] as f64)?;
        let slope = z
            .f_sigmoid()?
            .f_sub_scalar(f64::from(u8::from(is_positive)))?; // σ(z) − τ
        let delta = h.f_mul(&slope)?.f_div_scalar(samples)?; // /2B · 2 h
        tanh_derivative(&delta, h)?;
        Ok(delta)
    }
}

/// Equal shares of all classes.
fn neutral(like: &Tensor) -> Result<Tensor, Error> {
    Ok(like.f_full_like(1.0 / like.size()[0] as f64)?)
}

impl Algorithm for ForwardForward {
    type Config = Settings;

    const NAME: &'static str = "forward-forward";
    const SUMMARY: &'static str =
        "Forward-Forward: layers learn to be active for right labels and quiet for wrong ones.";
    const REFERENCE: &'static str =
        "Hinton (2022), The Forward-Forward algorithm: some preliminary investigations";

    fn refusals() -> Vec<Refusal> {
        let shown = "samples are shown with labels, and this network reconstructs";
        let active = "it predicts by the activity of hidden layers above the first, of which this network \
                      has none; `prediction = \"readout\"` needs none";
        vec![
            Refusal::of(NetworkKind::Reconstruction, shown),
            Refusal::of(NetworkKind::FewerLayers(2), "it needs a hidden layer"),
            Refusal::of(NetworkKind::FewerLayers(3), active).when("prediction", ["goodness"]),
        ]
    }

    fn new(setup: &mut Setup<'_>, config: &Settings) -> Result<Self, Error> {
        let depth = setup.model().depth();
        let mut label = setup.trained("label", config.optimiser, [Connection::direct(1)])?;
        let negative = setup.draw("negative", depth, Distribution::Normal(1.0))?;
        Ok(Self {
            label: label.remove(0),
            negative,
            threshold: config.threshold,
            prediction: config.prediction,
        })
    }

    fn directions(&mut self, pass: &Pass<'_>, out: &mut Directions<'_>) -> Result<(), Error> {
        let (depth, b, y) = (pass.depth(), pass.samples() as f64, pass.target());
        let scores = pass.temporary(depth)?;
        pass.draw(&self.negative, &scores)?;
        let best = scores
            .f_masked_fill(&y.f_gt(0.5)?, f64::NEG_INFINITY)?
            .f_argmax(0, true)?;
        let wrong = y.f_zeros_like()?.f_scatter_value(0, &best, 1.0)?;
        let run = |t: &Tensor| {
            self.activity(
                |l| pass.layer(l),
                |l| pass.temporary(l),
                depth,
                [pass.h(0), t],
            )
        };
        let (positive, negative) = (run(y)?, run(&wrong)?);
        for l in 1..depth {
            let deltas = [
                self.delta(&positive.h[l], true, b)?,
                self.delta(&negative.h[l], false, b)?,
            ];
            let delta = Tensor::f_cat(&deltas, 1)?;
            let below: [&Tensor; 2] = [&positive.u[l - 1], &negative.u[l - 1]];
            out.gradient_from(l, &delta, &Tensor::f_cat(&below, 1)?)?; // δ_l u_{l-1}ᵀ
            if l == 1 {
                out.map(&self.label, &delta, &Tensor::f_cat(&[y, &wrong], 1)?)?; // δ_1 tᵀ
            }
        }
        let read = run(&neutral(y)?)?;
        let (logits, error) = (pass.temporary(depth)?, pass.temporary(depth)?);
        pass.layer(depth).forward(&read.u[depth - 1], &logits)?;
        pass.error_of(&logits, &error)?;
        scale(&error, 1.0 / b)?;
        out.set_loss(
            pass.losses_of(&logits)?
                .f_mean(Kind::Double)?
                .f_double_value(&[])?,
        );
        out.gradient_from(depth, &error, &read.u[depth - 1])
    }

    fn predict(&mut self, inference: &Inference<'_>, logits: &Tensor) -> Result<(), Error> {
        let depth = inference.depth();
        let run = |t: &Tensor| {
            let layer = |l| inference.layer(l);
            self.activity(
                layer,
                |l| inference.temporary(l),
                depth,
                [inference.inputs(), t],
            )
        };
        if self.prediction == Prediction::Readout {
            let read = run(&neutral(logits)?)?;
            return inference.layer(depth).forward(&read.u[depth - 1], logits);
        }
        let mut classes = Vec::new();
        for class in 0..logits.size()[0] {
            let shown = logits.f_zeros_like()?;
            shown.f_narrow(0, class, 1)?.f_fill_(1.0).map(drop)?;
            let activity = run(&shown)?;
            let mut goodness = logits.f_narrow(0, 0, 1)?.f_zeros_like()?;
            for h in &activity.h[2..] {
                goodness =
                    goodness.f_add(&h.f_mul(h)?.f_sum_dim_intlist(0_i64, true, None::<Kind>)?)?;
            }
            classes.push(goodness);
        }
        copy(&Tensor::f_cat(&classes, 0)?, logits)
    }
}

assay_sdk::export_plugin!(
    name = "forward-forward",
    description = "Forward-Forward.",
    algorithms = [ForwardForward],
);
