//! Predictive coding as an Assay plugin.
//!
//! Activities `x_l` settle by descent on the energy
//! ```text
//! F = ½ Σ_{l<L} ‖x_l − μ_l‖² + β loss(a_L),   μ_l = φ(W_l x_{l-1} + b_l), a_L = W_L x_{L-1} + b_L
//! ```
//! from `x_l = h_l`, all layers at once, T times: with `ε_l = x_l − μ_l` and `ε_L = −β e(a_L)`,
//! ```text
//! x_l ← x_l − γ (ε_l − W_{l+1}ᵀ (ε_{l+1} ∘ φ'(a_{l+1})))   without φ' for l + 1 = L
//! dir(W_l) = −⟨(ε_l ∘ φ'(a_l)) x_{l-1}ᵀ⟩                    without φ' for l = L
//! ```
//! where `a_l`, and so `μ_l` and φ', follow from the moving activities. With `mode =
//! "fixed-prediction"` they stay those of the forward pass, and so does `x_{l-1}` in the direction: γ = 1 and
//! T = L − 1 steps then give backpropagation exactly, which is a check and not a result. With `mode =
//! "incremental"` (iPC) the weights learn after each of the T steps, in T updates for every batch, and
//! the activities go on settling. The network predicts by its plain forward pass.

mod settings;
mod state;

use assay_sdk::network::{NetworkKind, Refusal};
use assay_sdk::{Algorithm, Directions, Error, Pass, Setup, Tensor, copy, scale};

use settings::{Mode, Settings};
use state::State;

struct PredictiveCoding {
    settings: Settings,
    /// With `incremental`, `x_0` to `x_{L-1}` after the last update of the batch.
    x: Vec<Tensor>,
}

impl Algorithm for PredictiveCoding {
    type Config = Settings;

    const NAME: &'static str = "predictive-coding";
    const SUMMARY: &'static str =
        "Predictive coding: activities settle between predictions and target, then weights learn.";
    const REFERENCE: &'static str = "Whittington & Bogacz (2017), An approximation of the error \
         backpropagation algorithm in a predictive coding network with local Hebbian synaptic \
         plasticity, Neural Computation 29; Millidge, Tschantz & Buckley (2022), Neural Computation 34; \
         Salvatori et al. (2024), A stable, fast, and fully automatic learning algorithm for predictive \
         coding networks, ICLR";
    const TRANSPORTS: &'static str = "prediction errors between neighbouring layers, through W_lᵀ";
    const PORTABLE: bool = true;
    const METRICS: &'static [(&'static str, &'static str)] = &[(
        "energy",
        "prediction errors of hidden layers after settling: half the sum of squares, mean over the \
         batch",
    )];

    fn refusals() -> Vec<Refusal> {
        let reason = "activities settle unit by unit, and `norm` ties those of a layer to one another; \
                      leave `norm` out";
        vec![Refusal::of(NetworkKind::Normalised, reason)]
    }

    fn new(_setup: &mut Setup<'_>, config: &Settings) -> Result<Self, Error> {
        Ok(Self {
            settings: config.clone(),
            x: Vec::new(),
        })
    }

    fn directions(&mut self, pass: &Pass<'_>, out: &mut Directions<'_>) -> Result<(), Error> {
        let state = State::new(pass, &self.settings)?; // x_l = h_l
        let mut steps = self.settings.settling_steps;
        if self.settings.mode == Mode::Incremental {
            steps = steps.min(1);
            if pass.update() > 1 {
                for (kept, x) in self.x.iter().zip(&state.x) {
                    copy(kept, x)?;
                }
            }
        }
        for _ in 0..steps {
            state.settle()?;
        }
        state.compare()?;
        for l in 1..=pass.depth() {
            let delta = state.local_error(l)?;
            scale(delta, -1.0 / (self.settings.beta * pass.samples() as f64))?;
            match self.settings.mode {
                Mode::FixedPrediction => out.gradient(l, delta)?,
                Mode::Strict | Mode::Incremental => out.gradient_from(l, delta, &state.x[l - 1])?,
            }
        }
        if self.settings.mode == Mode::Incremental {
            let kept = state.x.iter().map(|x| Ok(x.f_detach_copy()?));
            self.x = kept.collect::<Result<_, Error>>()?;
        }
        out.record("energy", state.energy()?)
    }
}

assay_sdk::export_plugin!(
    name = "predictive-coding",
    description = "Predictive coding.",
    algorithms = [PredictiveCoding],
);
