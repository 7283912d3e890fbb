//! Activities of one batch, their predictions and errors.

use assay_sdk::{Error, Pass, Temporary, Tensor, copy, dot, scale, subtract};

use crate::settings::{Mode, Settings};

/// Place l holds what is of layer l.
pub(super) struct State<'a> {
    pass: &'a Pass<'a>,
    settings: &'a Settings,
    /// `x_0` to `x_{L-1}`.
    pub(super) x: Vec<Temporary<'a>>,
    /// `μ_1` to `μ_{L-1}`, and `a_L`; the first place is not used.
    mu: Vec<Temporary<'a>>,
    /// `ε_1` to `ε_L`; the first place is not used.
    epsilon: Vec<Temporary<'a>>,
}

impl<'a> State<'a> {
    /// Activities and predictions of the forward pass.
    pub(super) fn new(pass: &'a Pass<'a>, settings: &'a Settings) -> Result<Self, Error> {
        let depth = pass.depth();
        let all = || {
            (0..=depth)
                .map(|l| pass.temporary(l))
                .collect::<Result<_, Error>>()
        };
        let (x, mu, epsilon) = (pass.layers().activities()?, all()?, all()?);
        let state = Self {
            pass,
            settings,
            x,
            mu,
            epsilon,
        };
        for l in 0..depth {
            copy(pass.h(l), &state.x[l])?; // x_l = h_l
            copy(pass.h(l), &state.mu[l])?;
        }
        copy(pass.logits(), &state.mu[depth])?;
        Ok(state)
    }

    /// Sets predictions and errors for the activities as they are.
    pub(super) fn compare(&self) -> Result<(), Error> {
        let (pass, depth) = (self.pass, self.pass.depth());
        let moves = self.settings.mode != Mode::FixedPrediction;
        for l in 1..depth {
            if moves {
                pass.layer(l)
                    .forward_activated(&self.x[l - 1], &self.mu[l])?;
            }
            subtract(&self.x[l], &self.mu[l], &self.epsilon[l])?; // ε_l = x_l − μ_l
        }
        if moves {
            pass.layer(depth)
                .forward(&self.x[depth - 1], &self.mu[depth])?;
        }
        pass.error_of(&self.mu[depth], &self.epsilon[depth])?;
        scale(&self.epsilon[depth], -self.settings.beta) // ε_L = −β e
    }

    /// Moves every activity by one step down the energy.
    pub(super) fn settle(&self) -> Result<(), Error> {
        self.compare()?;
        for l in 1..self.pass.depth() {
            let change = self.pass.temporary(l)?;
            let above = self.local_error(l + 1)?;
            self.pass.layer(l + 1).transposed(above, &change)?; // W_{l+1}ᵀ (ε_{l+1} ∘ φ')
            subtract(&self.epsilon[l], &change, &change)?;
            scale(&change, self.settings.settling_rate)?;
            subtract(&self.x[l], &change, &self.x[l])?;
        }
        Ok(())
    }

    /// `ε_l ∘ φ'(a_l)`, or `ε_L`, in the scratch buffer of layer l.
    pub(super) fn local_error(&self, l: usize) -> Result<&'a Tensor, Error> {
        let error = self.pass.scratch(l);
        copy(&self.epsilon[l], error)?;
        if l < self.pass.depth() {
            self.pass.layer(l).derivative(error, &self.mu[l])?;
        }
        Ok(error)
    }

    /// `½ Σ_{l<L} ‖ε_l‖²`, mean over the batch.
    pub(super) fn energy(&self) -> Result<f64, Error> {
        let mut energy = 0.0;
        for epsilon in &self.epsilon[1..self.pass.depth()] {
            energy += dot(epsilon, epsilon)? / (2.0 * self.pass.samples() as f64);
        }
        Ok(energy)
    }
}
