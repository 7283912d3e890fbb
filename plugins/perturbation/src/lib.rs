//! Node perturbation and forward gradients as an Assay plugin.
//!
//! The derivative of the loss along a random direction, times that direction, estimates the gradient.
//! ```text
//! activities  v_l on every hidden a_l:  δ_l = d v_l/B, d = eᵀ ȧ_L for each sample
//!             ȧ_l = W_l ḣ_{l-1} + v_l, ḣ_l = φ'(a_l) ∘ ȧ_l, ȧ_L = W_L ḣ_{L-1}
//! weights     V_l on every parameter:   dir(W_l) = g V_l, g = ⟨eᵀ ȧ_L⟩
//!             ȧ_l = W_l ḣ_{l-1} + V_l h_{l-1} + v_l
//! ```
//! d is exact (a Jacobian-vector product), or for activities the difference of two losses,
//! `(CE(a + s v) − CE(a − s v))/2s`. The output layer has its true gradient where activities are
//! perturbed. The estimates of K draws are averaged.

mod derivative;
mod direction;
mod settings;

use assay_sdk::network::{NetworkKind, Refusal};
use assay_sdk::{Algorithm, Directions, Error, Pass, Setup, Tensor, add, scale};

use direction::Direction;
use settings::{Place, Settings};

struct Perturbation {
    directions: Vec<Direction>,
    settings: Settings,
}

impl Algorithm for Perturbation {
    type Config = Settings;

    const NAME: &'static str = "perturbation";
    const SUMMARY: &'static str = "Node perturbation and forward gradients: derivatives along random directions, times those.";
    const REFERENCE: &'static str = "Baydin, Pearlmutter, Syme, Wood & Torr (2022), Gradients without \
         backpropagation; Ren, Kornblith, Liao & Hinton (2023), Scaling forward gradient with local \
         losses, ICLR";
    const TRANSPORTS: &'static str = "a number for each sample, or for the batch";
    const PORTABLE: bool = true;
    /// Of a noisy estimate: the kit's own floor is for gradients.
    const MINIMUM_ACCURACY: Option<f64> = Some(0.5);

    fn refusals() -> Vec<Refusal> {
        let reason = "differences of losses are for activities; set `estimator = \"jvp\"`";
        let refusal = Refusal::of(NetworkKind::Any, reason);
        vec![
            refusal
                .when("place", ["weights"])
                .when("estimator", ["difference"]),
        ]
    }

    fn new(setup: &mut Setup<'_>, config: &Settings) -> Result<Self, Error> {
        let directions = (1..=config.draws).map(|k| Direction::declare(setup, config, k));
        Ok(Self {
            directions: directions.collect::<Result<_, Error>>()?,
            settings: config.clone(),
        })
    }

    fn directions(&mut self, pass: &Pass<'_>, out: &mut Directions<'_>) -> Result<(), Error> {
        let count = self.directions.len() as f64;
        let mut sums: Vec<Vec<Tensor>> = Vec::new();
        for direction in &self.directions {
            let estimate = direction.estimate(pass, &self.settings)?;
            if sums.is_empty() {
                sums = estimate;
            } else {
                for (sum, term) in sums.iter().flatten().zip(estimate.iter().flatten()) {
                    add(sum, term, sum)?;
                }
            }
        }
        for (l, sum) in (1..).zip(&sums) {
            for tensor in sum {
                scale(tensor, 1.0 / count)?;
            }
            match &sum[..] {
                [weight, bias] => out.direction(l, weight, bias)?,
                [delta] => out.gradient(l, delta)?,
                _ => {}
            }
        }
        match self.settings.place {
            Place::Weights => Ok(()),
            Place::Activities => out.gradient(pass.depth(), pass.output_delta()),
        }
    }
}

assay_sdk::export_plugin!(
    name = "perturbation",
    description = "Node perturbation and forward gradients.",
    algorithms = [Perturbation],
);
