//! Node perturbation and forward gradients as an Assay plugin.
//!
//! The derivative of the loss along a random direction, times that direction, estimates the gradient.
//! ```text
//! activities  v_l on every hidden a_l:  δ_l = d v_l/B, d = eᵀ ȧ_L for each sample
//!             ȧ_l = W_l ḣ_{l-1} + v_l, ḣ_l = tanh'(a_l) ∘ ȧ_l, ȧ_L = W_L ḣ_{L-1}
//! weights     V_l on every parameter:   dir(W_l) = g V_l, g = ⟨eᵀ ȧ_L⟩
//!             ȧ_l = W_l ḣ_{l-1} + V_l h_{l-1} + v_l
//! ```
//! d is exact (a Jacobian-vector product), or for activities the difference of two losses,
//! `(CE(a + s v) − CE(a − s v))/2s`. The output layer has its true gradient where activities are
//! perturbed. The estimates of K draws are averaged.

mod settings;

use assay_sdk::network::{NetworkKind, Refusal};
use assay_sdk::{
    Algorithm, Directions, Distribution, Draw, Error, Kind, Pass, Setup, Temporary, Tensor, add,
    scale, tanh_derivative,
};

use settings::{Estimator, Place, Settings, Values};

/// One direction: `v_l` for l = 1..L-1, or `V_l` and `v_l` for l = 1..L.
enum Direction {
    Activities(Vec<Draw>),
    Weights(Vec<[Draw; 2]>),
}

struct Perturbation {
    directions: Vec<Direction>,
    estimator: Estimator,
    step: f64,
}

impl Perturbation {
    /// `d v_l/B` for l = 1..L-1.
    fn activities(&self, pass: &Pass<'_>, draws: &[Draw]) -> Result<Vec<Vec<Tensor>>, Error> {
        let mut v = Vec::new();
        for (l, draw) in (1..).zip(draws) {
            let values = pass.temporary(l)?;
            pass.draw(draw, &values)?;
            v.push(values);
        }
        let mut d = self.derivative(pass, &v)?;
        let d = d.f_div_scalar_(pass.samples() as f64)?;
        v.iter().map(|v| Ok(vec![v.f_mul(&d)?])).collect()
    }

    /// d of every sample, (1, B), along `v_l` on the activities.
    fn derivative(&self, pass: &Pass<'_>, v: &[Temporary<'_>]) -> Result<Tensor, Error> {
        match self.estimator {
            Estimator::Jvp => jvp(pass, |l, tangent| match v.get(l - 1) {
                Some(v) => add(tangent, v, tangent),
                None => Ok(()),
            }),
            Estimator::Difference => {
                let [above, below] = [1.0, -1.0].map(|sign| -> Result<Tensor, Error> {
                    let moved = pass.trace()?;
                    moved.run_with(0, pass.h(0), |l, a| match v.get(l - 1) {
                        Some(v) => add(a, &v.f_mul_scalar(sign * self.step)?, a),
                        None => Ok(()),
                    })?;
                    pass.losses_of(moved.logits())
                });
                let difference = above?.f_sub(&below?)?;
                Ok(difference.f_div_scalar(2.0 * self.step)?.f_view([1, -1])?)
            }
        }
    }
}

/// `g V_l` and `g v_l` for l = 1..L.
fn weights(pass: &Pass<'_>, draws: &[[Draw; 2]]) -> Result<Vec<Vec<Tensor>>, Error> {
    let mut v = Vec::new();
    for (l, [weight, bias]) in (1..).zip(draws) {
        let layer = pass.layer(l);
        let values = [layer.weight().f_zeros_like()?, layer.bias().f_zeros_like()?];
        pass.draw(weight, &values[0])?;
        pass.draw(bias, &values[1])?;
        v.push(values);
    }
    let d = jvp(pass, |l, tangent| {
        let term = pass.temporary(l)?;
        pass.layer(l).affine_by(&v[l - 1], pass.h(l - 1), &term)?; // V_l h_{l-1} + v_l
        add(tangent, &term, tangent)
    })?;
    let g = d.f_mean(Kind::Float)?; // ⟨eᵀ ȧ_L⟩
    let scaled = v
        .iter()
        .map(|[weight, bias]| Ok(vec![weight.f_mul(&g)?, bias.f_mul(&g)?]));
    scaled.collect()
}

/// `eᵀ ȧ_L` of every sample, (1, B), where `perturb(l, ȧ_l)` adds the direction to `W_l ḣ_{l-1}`.
fn jvp(
    pass: &Pass<'_>,
    perturb: impl Fn(usize, &Tensor) -> Result<(), Error>,
) -> Result<Tensor, Error> {
    let mut tangent = pass.temporary(0)?; // ḣ_0 = 0
    tangent.shallow_clone().f_zero_().map(drop)?;
    for l in 1..=pass.depth() {
        let next = pass.temporary(l)?;
        pass.layer(l).linear(&tangent, &next)?; // W_l ḣ_{l-1}
        perturb(l, &next)?;
        if l < pass.depth() {
            tanh_derivative(&next, pass.h(l))?; // ∘ tanh'(a_l)
        }
        tangent = next;
    }
    let along =
        pass.output_delta()
            .f_mul(&tangent)?
            .f_sum_dim_intlist(0_i64, true, None::<Kind>)?;
    Ok(along.f_mul_scalar(pass.samples() as f64)?)
}

impl Algorithm for Perturbation {
    type Config = Settings;

    const NAME: &'static str = "perturbation";
    const SUMMARY: &'static str = "Node perturbation and forward gradients: derivatives along random directions, times those.";
    const REFERENCE: &'static str = "Baydin, Pearlmutter, Syme, Wood & Torr (2022), Gradients without \
         backpropagation; Ren, Kornblith, Liao & Hinton (2023), Scaling forward gradient with local \
         losses, ICLR";
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
        let values = match config.values {
            Values::Normal => Distribution::Normal(1.0),
            Values::Sign => Distribution::Sign,
        };
        let depth = setup.model().depth();
        let directions = (1..=config.draws).map(|k| {
            let tag = format!("direction.{k}");
            Ok(match config.place {
                Place::Activities => Direction::Activities(
                    (1..depth)
                        .map(|l| setup.draw(&tag, l, values))
                        .collect::<Result<_, Error>>()?,
                ),
                Place::Weights => Direction::Weights(
                    (1..=depth)
                        .map(|l| {
                            let weight = setup.draw_weight(&tag, l, values)?;
                            Ok([weight, setup.draw_bias(&tag, l, values)?])
                        })
                        .collect::<Result<_, Error>>()?,
                ),
            })
        });
        Ok(Self {
            directions: directions.collect::<Result<_, Error>>()?,
            estimator: config.estimator,
            step: config.step,
        })
    }

    fn directions(&mut self, pass: &Pass<'_>, out: &mut Directions<'_>) -> Result<(), Error> {
        let count = self.directions.len() as f64;
        let mut sums: Vec<Vec<Tensor>> = Vec::new();
        for direction in &self.directions {
            let estimate = match direction {
                Direction::Activities(draws) => self.activities(pass, draws)?,
                Direction::Weights(draws) => weights(pass, draws)?,
            };
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
        match self.directions.first() {
            Some(Direction::Weights(_)) => Ok(()),
            _ => out.gradient(pass.depth(), pass.output_delta()),
        }
    }
}

assay_sdk::export_plugin!(
    name = "perturbation",
    description = "Node perturbation and forward gradients.",
    algorithms = [Perturbation],
);
