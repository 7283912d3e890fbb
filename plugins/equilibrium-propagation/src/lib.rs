//! Equilibrium propagation as an Assay plugin.
//!
//! Activities settle, with the same weights up and down: T1 times from zero (the free phase), and from
//! there T2 times with the output nudged by β and once more by −β,
//! ```text
//! s_l ← φ(W_l s_{l-1} + b_l + W_{l+1}ᵀ s_{l+1})     l < L − 1, all at once; s_0 = x
//! s_{L-1} ← φ(W_{L-1} s_{L-2} + b_{L-1} − β W_Lᵀ e)    e = the error of a_L = W_L s_{L-1} + b_L
//! ```
//! `W_L` reads the settled state out and is no part of the free phase. With s⁺ and s⁻ the states at β and −β,
//! ```text
//! dir(W_l) = ⟨s_l⁻ (s_{l-1}⁻)ᵀ − s_l⁺ (s_{l-1}⁺)ᵀ⟩/2β       l < L, biases ⟨s_l⁻ − s_l⁺⟩/2β
//! dir(W_L) = ½ ⟨e⁺ (s_{L-1}⁺)ᵀ + e⁻ (s_{L-1}⁻)ᵀ⟩
//! ```
//! One-sided nudging takes the free state for s⁻ and β for 2β, and the output layer's error there. As β falls
//! the directions become the gradient of the loss at the settled state. The network predicts by its free
//! phase, so it is another network than the plain forward pass.

mod phases;
mod settings;

use assay_sdk::network::{NetworkKind, Refusal};
use assay_sdk::{Algorithm, Directions, Error, Inference, Pass, Setup, Tensor, scale};

use phases::{copy_of, nudged, read_out, settled};
use settings::{Nudging, Settings};

struct EquilibriumPropagation {
    settings: Settings,
}

impl Algorithm for EquilibriumPropagation {
    type Config = Settings;

    const NAME: &'static str = "equilibrium-propagation";
    const SUMMARY: &'static str = "Equilibrium propagation: weights learn from how a nudge of the output moves a settled state.";
    const REFERENCE: &'static str = "Scellier & Bengio (2017), Equilibrium propagation, Frontiers in \
         Computational Neuroscience 11; Laborieux, Ernoult, Scellier, Bengio, Grollier & Querlioz \
         (2021), Frontiers in Neuroscience 15";
    const TRANSPORTS: &'static str = "activities of neighbouring layers, through W_lᵀ";
    const PORTABLE: bool = true;
    const METRICS: &'static [(&'static str, &'static str)] = &[(
        "residual",
        "largest change of an activity in the last step of the free phase; the state has settled \
         where it is small",
    )];

    fn refusals() -> Vec<Refusal> {
        let reason = "activities settle unit by unit, and `norm` ties those of a layer to one another; \
                      leave `norm` out";
        vec![Refusal::of(NetworkKind::Normalised, reason)]
    }

    fn new(_setup: &mut Setup<'_>, config: &Settings) -> Result<Self, Error> {
        Ok(Self {
            settings: config.clone(),
        })
    }

    fn directions(&mut self, pass: &Pass<'_>, out: &mut Directions<'_>) -> Result<(), Error> {
        let (depth, b, beta) = (pass.depth(), pass.samples() as f64, self.settings.beta);
        let steps = self.settings.nudged_steps;
        let (free, residual) = settled(pass.layers(), pass.h(0), self.settings.free_steps)?;
        out.record("residual", residual)?;
        let (plus, of_plus) = nudged(pass, &free, beta, steps)?;
        let (minus, of_minus, span) = match self.settings.nudging {
            Nudging::Symmetric => {
                let (minus, error) = nudged(pass, &free, -beta, steps)?;
                (minus, error, 2.0 * beta)
            }
            Nudging::OneSided => {
                let error = pass.temporary(depth)?;
                read_out(pass, &free, &error)?;
                (copy_of(pass.layers(), &free)?, error, beta)
            }
        };
        match self.settings.nudging {
            Nudging::Symmetric => {
                scale(&of_plus, 0.5 / b)?;
                scale(&of_minus, 0.5 / b)?;
                let both: [(&Tensor, &Tensor); 2] =
                    [(&of_plus, &plus[depth - 1]), (&of_minus, &minus[depth - 1])];
                out.gradient_from_all(depth, &both)?; // ½ ⟨e⁺ s⁺ᵀ + e⁻ s⁻ᵀ⟩
            }
            Nudging::OneSided => {
                scale(&of_minus, 1.0 / b)?;
                out.gradient_from(depth, &of_minus, &minus[depth - 1])?;
            }
        }
        // From above: a state is the input of the layer above it before it is scaled.
        for l in (1..depth).rev() {
            scale(&minus[l], 1.0 / (span * b))?;
            scale(&plus[l], -1.0 / (span * b))?;
            let both: [(&Tensor, &Tensor); 2] =
                [(&minus[l], &minus[l - 1]), (&plus[l], &plus[l - 1])];
            out.gradient_from_all(l, &both)?; // ⟨s⁻ s⁻ᵀ − s⁺ s⁺ᵀ⟩/2β
        }
        let logits = pass.temporary(depth)?;
        pass.layer(depth).forward(&free[depth - 1], &logits)?;
        out.set_loss(pass.mean_loss_of(&logits)?);
        Ok(())
    }

    fn predict(&mut self, inference: &Inference<'_>, logits: &Tensor) -> Result<(), Error> {
        let (layers, steps) = (inference.layers(), self.settings.free_steps);
        let (free, _) = settled(layers, inference.inputs(), steps)?;
        layers
            .layer(layers.depth())
            .forward(&free[layers.depth() - 1], logits)
    }
}

assay_sdk::export_plugin!(
    name = "equilibrium-propagation",
    description = "Equilibrium propagation.",
    algorithms = [EquilibriumPropagation],
);
