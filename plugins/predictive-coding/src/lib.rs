//! Predictive coding as an Assay plugin.
//!
//! Activities `x_l` settle by descent on the energy
//! ```text
//! F = ½ Σ_{l<L} ‖x_l − μ_l‖² + β loss(a_L),   μ_l = tanh(W_l x_{l-1} + b_l), a_L = W_L x_{L-1} + b_L
//! ```
//! from `x_l = h_l`, all layers at once, T times: with `ε_l = x_l − μ_l` and `ε_L = −β e(a_L)`,
//! ```text
//! x_l ← x_l − γ (ε_l − W_{l+1}ᵀ (ε_{l+1} ∘ tanh'(a_{l+1})))   without tanh' for l + 1 = L
//! dir(W_l) = −⟨(ε_l ∘ tanh'(a_l)) x_{l-1}ᵀ⟩                    without tanh' for l = L
//! ```
//! where `a_l`, and so `μ_l` and tanh', follow from the moving activities. With `mode =
//! "fixed-prediction"` they stay those of the forward pass, and so does `x_{l-1}` in the direction: γ = 1 and
//! T = L − 1 steps then give backpropagation exactly, which is a check and not a result. The network
//! predicts by its plain forward pass.

mod settings;

use assay_sdk::{
    Algorithm, Directions, Error, Kind, Pass, Setup, Temporary, copy, scale, subtract,
    tanh_derivative,
};

use settings::{Mode, Settings};

struct PredictiveCoding {
    settings: Settings,
}

/// Activities of one batch, their predictions and errors; place l holds those of layer l.
struct State<'a> {
    /// `x_0` to `x_{L-1}`.
    x: Vec<Temporary<'a>>,
    /// `μ_1` to `μ_{L-1}`, and `a_L`; the first place is not used.
    mu: Vec<Temporary<'a>>,
    /// `ε_1` to `ε_L`; the first place is not used.
    epsilon: Vec<Temporary<'a>>,
}

impl PredictiveCoding {
    /// Predictions and errors for the activities as they are.
    fn compare(&self, pass: &Pass<'_>, state: &State<'_>) -> Result<(), Error> {
        let depth = pass.depth();
        for l in 1..depth {
            if self.settings.mode == Mode::Strict {
                pass.layer(l).forward_tanh(&state.x[l - 1], &state.mu[l])?;
            }
            subtract(&state.x[l], &state.mu[l], &state.epsilon[l])?; // ε_l = x_l − μ_l
        }
        if self.settings.mode == Mode::Strict {
            pass.layer(depth)
                .forward(&state.x[depth - 1], &state.mu[depth])?;
        }
        pass.error_of(&state.mu[depth], &state.epsilon[depth])?;
        scale(&state.epsilon[depth], -self.settings.beta) // ε_L = −β e
    }

    /// `ε_l ∘ tanh'(a_l)`, or `ε_L`, in the scratch buffer of layer l.
    fn local_error(pass: &Pass<'_>, state: &State<'_>, l: usize) -> Result<(), Error> {
        copy(&state.epsilon[l], pass.scratch(l))?;
        if l < pass.depth() {
            tanh_derivative(pass.scratch(l), &state.mu[l])?;
        }
        Ok(())
    }
}

impl Algorithm for PredictiveCoding {
    type Config = Settings;

    const NAME: &'static str = "predictive-coding";
    const SUMMARY: &'static str =
        "Predictive coding: activities settle between predictions and target, then weights learn.";
    const REFERENCE: &'static str = "Whittington & Bogacz (2017), An approximation of the error \
         backpropagation algorithm in a predictive coding network with local Hebbian synaptic \
         plasticity, Neural Computation 29; Millidge, Tschantz & Buckley (2022), Neural Computation 34";
    const METRICS: &'static [(&'static str, &'static str)] = &[(
        "energy",
        "prediction errors of hidden layers after settling: half the sum of squares, mean over the \
         batch",
    )];

    fn new(_setup: &mut Setup<'_>, config: &Settings) -> Result<Self, Error> {
        Ok(Self { settings: *config })
    }

    fn directions(&mut self, pass: &Pass<'_>, out: &mut Directions<'_>) -> Result<(), Error> {
        let (depth, b) = (pass.depth(), pass.samples() as f64);
        let buffers = |layers: std::ops::RangeInclusive<usize>| {
            layers
                .map(|l| pass.temporary(l))
                .collect::<Result<Vec<_>, _>>()
        };
        let state = State {
            x: buffers(0..=depth - 1)?,
            mu: buffers(0..=depth)?,
            epsilon: buffers(0..=depth)?,
        };
        for l in 0..depth {
            copy(pass.h(l), &state.x[l])?; // x_l = h_l
            copy(pass.h(l), &state.mu[l])?;
        }
        copy(pass.logits(), &state.mu[depth])?;
        for _ in 0..self.settings.settling_steps {
            self.compare(pass, &state)?;
            for l in 1..depth {
                let change = pass.temporary(l)?;
                Self::local_error(pass, &state, l + 1)?;
                pass.layer(l + 1).transposed(pass.scratch(l + 1), &change)?; // W_{l+1}ᵀ (ε_{l+1} ∘ tanh')
                subtract(&state.epsilon[l], &change, &change)?;
                scale(&change, self.settings.settling_rate)?;
                subtract(&state.x[l], &change, &state.x[l])?;
            }
        }
        self.compare(pass, &state)?;
        let mut energy = 0.0;
        for l in 1..=depth {
            if l < depth {
                let square = state.epsilon[l]
                    .f_mul(&state.epsilon[l])?
                    .f_sum(Kind::Double)?;
                energy += square.f_double_value(&[])? / (2.0 * b);
            }
            Self::local_error(pass, &state, l)?;
            let delta = pass.scratch(l);
            scale(delta, -1.0 / (self.settings.beta * b))?;
            match self.settings.mode {
                Mode::Strict => out.gradient_from(l, delta, &state.x[l - 1])?,
                Mode::FixedPrediction => out.gradient(l, delta)?,
            }
        }
        out.record("energy", energy)
    }
}

assay_sdk::export_plugin!(
    name = "predictive-coding",
    description = "Predictive coding.",
    algorithms = [PredictiveCoding],
);
