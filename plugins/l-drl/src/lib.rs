//! Target propagation with the local difference reconstruction loss (L-DRL) as an Assay plugin.
//!
//! Targets go down from the logits as in fixed-weight difference target propagation,
//! `â_L = a_L − β e`, `ĥ_{l-1} = h_{l-1} + g_l(ĥ_l) − g_l(h_l)`, but `g_l(u) = φ(V_l u + c_l)` is trained, in
//! K steps before each step of the network, by the loss
//! ```text
//! −2 εᵀ (g_l(f_l(h + ε)) − g_l(f_l(h))) + ‖g_l(f_l(h) + η) − g_l(f_l(h))‖²
//! ```
//! with `h = h_{l-1}`, `f_L` the logits, and fresh noises ε, η ~ N(0, σ²) in every step; sum over the
//! units, mean over the batch. Only V and c move. The loss drives the Jacobian of g to the transposed
//! Jacobian of f, and so the targets to backpropagation, not to an inverse.

mod settings;

use assay_sdk::network::Refusal;
use assay_sdk::{
    Algorithm, Connection, Directions, Distribution, Draw, Error, InverseDirections, LogitTargets,
    Noise, Pass, Setup, Tensor, TrainedMap, add, copy, dot, refusal_of_normalised, scale, subtract,
};

use settings::Settings;

struct LocalDifference {
    /// `g_l` for l = 2..L.
    inverses: Vec<TrainedMap>,
    /// η, for the same layers.
    output_noise: Vec<Draw>,
    beta: f64,
}

impl Algorithm for LocalDifference {
    type Config = Settings;

    const NAME: &'static str = "l-drl";
    const SUMMARY: &'static str =
        "L-DRL: target propagation whose inverses learn the transposed Jacobians, layer by layer.";
    const REFERENCE: &'static str = "Ernoult, Normandin, Moudgil, Spinney, Belilovsky, Rish, Richards & \
         Bengio (2022), Towards scaling difference target propagation by learning backprop targets, ICML 39";
    const TRANSPORTS: &'static str = "targets, through inverses that learn the transposed Jacobian";
    const PORTABLE: bool = true;

    fn refusals() -> Vec<Refusal> {
        vec![refusal_of_normalised()]
    }

    fn new(setup: &mut Setup<'_>, config: &Settings) -> Result<Self, Error> {
        let layers = 2..=setup.model().depth();
        let inverse = |l| Connection::transposed(l).with_bias().with_activation();
        let inverses = setup.separately_trained("inverse", layers.clone().map(inverse))?;
        let normal = Distribution::Normal(config.sigma);
        let output_noise = layers
            .map(|l| setup.draw("output", l, normal))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            inverses,
            output_noise,
            beta: config.beta,
        })
    }

    fn directions(&mut self, pass: &Pass<'_>, out: &mut Directions<'_>) -> Result<(), Error> {
        let mut targets = LogitTargets::new(pass, self.beta)?; // â_L = a_L − β e
        for (l, inverse) in (2..=pass.depth()).rev().zip(self.inverses.iter().rev()) {
            // ĥ_{l-1} = h_{l-1} + g_l(ĥ_l) − g_l(h_l)
            targets.difference(l, |u, image| inverse.apply(u, image))?;
        }
        targets.local_losses(out)
    }

    fn inverse_directions(
        &mut self,
        pass: &Pass<'_>,
        noise: &Noise<'_>,
        out: &mut InverseDirections,
    ) -> Result<(), Error> {
        let b = pass.samples() as f64;
        for (g, draw) in self.inverses.iter().zip(&self.output_noise) {
            let l = g.layer();
            let output = if l < pass.depth() {
                pass.h(l)
            } else {
                pass.logits()
            }; // f(h)
            let (epsilon, input) = (pass.temporary(l - 1)?, pass.temporary(l - 1)?);
            noise.write(l - 1, &epsilon)?;
            add(pass.h(l - 1), &epsilon, &input)?; // h + ε
            let (beside, moved) = (pass.temporary(l)?, pass.temporary(l)?);
            if l < pass.depth() {
                pass.layer(l).forward_activated(&input, &beside)?; // f(h + ε)
            } else {
                pass.layer(l).forward(&input, &beside)?;
            }
            pass.draw(draw, &moved)?;
            add(output, &moved, &moved)?; // f(h) + η
            let u: [&Tensor; 3] = [output, &beside, &moved];
            let mut images = Vec::new(); // g of each
            for u in u {
                let image = pass.temporary(l - 1)?;
                g.apply(u, &image)?;
                images.push(image);
            }
            // The slopes of the loss by the images: minus the others' sum, −2 ε, and 2 (g(f(h) + η) − g(f(h))).
            let slopes = [
                pass.temporary(l - 1)?,
                pass.temporary(l - 1)?,
                pass.temporary(l - 1)?,
            ];
            subtract(&images[1], &images[0], &slopes[1])?;
            subtract(&images[2], &images[0], &slopes[2])?;
            let loss = dot(&slopes[2], &slopes[2])? - 2.0 * dot(&slopes[1], &epsilon)?;
            out.add_loss(g, loss / b);
            copy(&epsilon, &slopes[1])?;
            scale(&slopes[1], -2.0 / b)?;
            scale(&slopes[2], 2.0 / b)?;
            add(&slopes[1], &slopes[2], &slopes[0])?;
            scale(&slopes[0], -1.0)?;
            let deltas: [&Tensor; 3] = [&slopes[0], &slopes[1], &slopes[2]];
            for (delta, image) in deltas.into_iter().zip(&images) {
                g.derivative(delta, image)?; // by V u + c
            }
            out.gradient(g, &Tensor::f_cat(&deltas, 1)?, &Tensor::f_cat(&u, 1)?)?;
        }
        Ok(())
    }
}

assay_sdk::export_plugin!(
    name = "l-drl",
    description = "Target propagation with the local difference reconstruction loss.",
    algorithms = [LocalDifference],
);
