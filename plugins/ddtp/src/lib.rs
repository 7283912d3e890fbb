//! Direct difference target propagation as an Assay plugin.
//!
//! The target of the logits, `â_L = a_L − t e` for each sample, reaches every hidden layer at once through a
//! trained map: `ĥ_l = h_l + g_l(â_L) − g_l(a_L)`, with `g_l(a) = Q_l a` (linear) or
//! `g_l(a) = Q_l φ(R a + r)` with R, r fixed and random (RHL; the layer below the logits stays linear).
//! Layers move towards their targets, `δ_l = 2/B (h_l − ĥ_l) ∘ φ'(a_l)` and `δ_L = 2t e/B`. Q is trained by
//! the difference reconstruction loss: with ε ~ N(0, σ²) on `h_l` alone and Δ the change of the logits (RHL:
//! of the random features), `1/σ² ‖Q_l Δ − ε‖²`, so that
//! ```text
//! dir(Q_l) = 2/(σ² B) (Q_l Δ − ε) Δᵀ + wd Q_l
//! ```
//! Both follow from the same activations. The authors add a bias to g, which cancels in every difference.

mod settings;

use assay_sdk::{
    Algorithm, Connection, Directions, Error, InverseDirections, Noise, Pass, Setup, Tensor,
    TrainedMap, add, copy, dot, multiply, scale, subtract, tanh,
};

use settings::Settings;

struct DirectTargets {
    /// `Q_l` for l = 1..L-1.
    inverses: Vec<TrainedMap>,
    /// R and r.
    features: Option<[Tensor; 2]>,
    target_step: f64,
    sigma: f64,
    decay: f64,
}

impl DirectTargets {
    /// The input of `Q_l` for logits `a`.
    fn input(&self, pass: &Pass<'_>, l: usize, a: &Tensor) -> Result<Tensor, Error> {
        match &self.features {
            Some([weight, bias]) if l + 1 < pass.depth() => {
                let features =
                    a.f_new_zeros([bias.size()[0], pass.samples()], (a.kind(), a.device()))?;
                multiply(weight, a, &features)?; // R a
                let features = features.f_add(&bias.f_view([-1, 1])?)?;
                tanh(&features)?; // φ(R a + r)
                Ok(features)
            }
            _ => Ok(a.shallow_clone()),
        }
    }
}

impl Algorithm for DirectTargets {
    type Config = Settings;

    const NAME: &'static str = "ddtp";
    const SUMMARY: &'static str =
        "Direct difference target propagation: targets reach every layer straight from the logits.";
    const REFERENCE: &'static str = "Meulemans, Carzaniga, Suykens, Sacramento & Grewe (2020), A \
         theoretical framework for target propagation, NeurIPS 33";
    const TRANSPORTS: &'static str = "targets, straight from the logits, through maps that learn";
    const PORTABLE: bool = true;

    fn new(setup: &mut Setup<'_>, config: &Settings) -> Result<Self, Error> {
        let (depth, outputs) = (setup.model().depth(), setup.model().outputs());
        let units = i64::from(config.random_units);
        let features = match units {
            0 => None,
            units => Some(setup.random_features("auxiliary", units, outputs)?),
        };
        let connection = |l| {
            if units > 0 && l + 1 < depth {
                Connection::into_layer(l, units)
            } else {
                Connection::direct(l)
            }
        };
        Ok(Self {
            inverses: setup.separately_trained("inverse", (1..depth).map(connection))?,
            features,
            target_step: config.target_step,
            sigma: config.sigma,
            decay: config.inverse_decay,
        })
    }

    fn directions(&mut self, pass: &Pass<'_>, out: &mut Directions<'_>) -> Result<(), Error> {
        let (depth, b, t) = (pass.depth(), pass.samples() as f64, self.target_step);
        let (target, delta) = (pass.temporary(depth)?, pass.scratch(depth));
        copy(pass.output_delta(), &target)?; // e/B
        scale(&target, -t * b)?;
        add(pass.logits(), &target, &target)?; // â_L = a_L − t e
        copy(pass.output_delta(), delta)?;
        scale(delta, 2.0 * t)?;
        out.gradient(depth, delta)?; // 2t e/B
        for q in &self.inverses {
            let (l, delta) = (q.layer(), pass.scratch(q.layer()));
            let shift = self.input(pass, l, &target)? - self.input(pass, l, pass.logits())?;
            q.apply(&shift, delta)?; // ĥ_l − h_l
            scale(delta, -2.0 / b)?;
            pass.derivative(l, delta)?;
            out.gradient(l, delta)?;
        }
        Ok(())
    }

    fn inverse_directions(
        &mut self,
        pass: &Pass<'_>,
        noise: &Noise<'_>,
        out: &mut InverseDirections,
    ) -> Result<(), Error> {
        let (b, second) = (pass.samples() as f64, pass.trace()?);
        for q in &self.inverses {
            let (l, residual) = (q.layer(), pass.scratch(q.layer()));
            let (epsilon, h) = (pass.temporary(l)?, pass.temporary(l)?);
            noise.write(l, &epsilon)?;
            add(pass.h(l), &epsilon, &h)?; // h_l + ε
            second.run(l, &h)?;
            let change =
                self.input(pass, l, second.logits())? - self.input(pass, l, pass.logits())?; // Δ
            q.apply(&change, residual)?;
            subtract(residual, &epsilon, residual)?; // Q_l Δ − ε
            let weight = 1.0 / (self.sigma * self.sigma * b);
            out.add_loss(q, weight * dot(residual, residual)?);
            scale(residual, 2.0 * weight)?;
            out.gradient(q, residual, &change)?;
            out.add(q, &q.weight().f_mul_scalar(self.decay)?)?; // + wd Q_l
        }
        Ok(())
    }
}

assay_sdk::export_plugin!(
    name = "ddtp",
    description = "Direct difference target propagation: DDTP-linear and DDTP-RHL.",
    algorithms = [DirectTargets],
);
