//! Equilibrium propagation as an Assay plugin.
//!
//! Activities settle, with the same weights up and down: T1 times from zero (the free phase), and from
//! there T2 times with the output nudged by β and once more by −β,
//! ```text
//! s_l ← tanh(W_l s_{l-1} + b_l + W_{l+1}ᵀ s_{l+1})     l < L − 1, all at once; s_0 = x
//! s_{L-1} ← tanh(W_{L-1} s_{L-2} + b_{L-1} − β W_Lᵀ e)    e = the error of a_L = W_L s_{L-1} + b_L
//! ```
//! `W_L` reads the settled state out and is no part of the free phase. With s⁺ and s⁻ the states at β and −β,
//! ```text
//! dir(W_l) = ⟨s_l⁻ (s_{l-1}⁻)ᵀ − s_l⁺ (s_{l-1}⁺)ᵀ⟩/2β       l < L, biases ⟨s_l⁻ − s_l⁺⟩/2β
//! dir(W_L) = ½ ⟨e⁺ (s_{L-1}⁺)ᵀ + e⁻ (s_{L-1}⁻)ᵀ⟩
//! ```
//! One-sided nudging takes the free state for s⁻ and β for 2β, and the output layer's error there. As β falls
//! the directions become the gradient of the loss at the settled state. The network predicts by its free
//! phase, so it is another network than the plain forward pass.

mod settings;

use assay_sdk::{
    Algorithm, Directions, Error, Inference, Kind, Layer, Pass, Setup, Temporary, Tensor, add,
    copy, scale, tanh,
};

use settings::{Nudging, Settings};

struct EquilibriumPropagation {
    settings: Settings,
}

/// Activities of one batch; place l holds `s_l`, l from 0 to L − 1.
type State<'a> = Vec<Temporary<'a>>;

/// Sets `next` to one step of the activities of every hidden layer of the network `layer` (l from 1 to
/// `depth`). `drive` is added to the last hidden layer's sums.
fn step<'a>(
    layer: impl Fn(usize) -> &'a Layer,
    depth: usize,
    state: &State<'_>,
    next: &State<'_>,
    drive: Option<&Tensor>,
) -> Result<(), Error> {
    for l in 1..depth {
        layer(l).forward(&state[l - 1], &next[l])?; // W_l s_{l-1} + b_l
        if l + 1 < depth {
            let from_above = next[l].f_zeros_like()?;
            layer(l + 1).transposed(&state[l + 1], &from_above)?; // W_{l+1}ᵀ s_{l+1}
            add(&next[l], &from_above, &next[l])?;
        } else if let Some(drive) = drive {
            add(&next[l], drive, &next[l])?;
        }
        tanh(&next[l])?;
    }
    Ok(())
}

impl EquilibriumPropagation {
    /// The free phase from zero; how far its last step moved an activity.
    fn settle<'a>(
        &self,
        layer: impl Fn(usize) -> &'a Layer + Copy,
        depth: usize,
        [state, next]: [&mut State<'_>; 2],
    ) -> Result<f64, Error> {
        for s in &state[1..] {
            copy(&s.f_zeros_like()?, s)?;
        }
        for _ in 0..self.settings.free_steps {
            step(layer, depth, state, next, None)?;
            std::mem::swap(state, next);
        }
        let mut residual = 0.0_f64;
        for (s, before) in state.iter().zip(next.iter()).skip(1) {
            let change = s.f_sub(before)?.f_abs()?.f_max()?;
            residual = residual.max(change.f_double_value(&[])?);
        }
        Ok(residual)
    }

    /// T2 steps from the `free` state with the output nudged by `beta`; the state and its e.
    fn nudge<'a>(
        &self,
        pass: &Pass<'a>,
        free: &State<'_>,
        beta: f64,
    ) -> Result<(State<'a>, Temporary<'a>), Error> {
        let depth = pass.depth();
        let (mut state, mut next) = (free_copy(pass, free)?, buffers(pass)?);
        let (error, drive) = (pass.temporary(depth)?, pass.temporary(depth - 1)?);
        for _ in 0..self.settings.nudged_steps {
            read_out(pass, &state, &error)?;
            pass.layer(depth).transposed(&error, &drive)?;
            scale(&drive, -beta)?; // −β W_Lᵀ e
            step(|l| pass.layer(l), depth, &state, &next, Some(&drive))?;
            std::mem::swap(&mut state, &mut next);
        }
        read_out(pass, &state, &error)?;
        Ok((state, error))
    }
}

/// Activities of which `s_0` is x.
fn buffers<'a>(pass: &Pass<'a>) -> Result<State<'a>, Error> {
    let state: State<'a> = (0..pass.depth())
        .map(|l| pass.temporary(l))
        .collect::<Result<_, _>>()?;
    copy(pass.h(0), &state[0])?;
    Ok(state)
}

/// A copy of the `free` state.
fn free_copy<'a>(pass: &Pass<'a>, free: &State<'_>) -> Result<State<'a>, Error> {
    let state = buffers(pass)?;
    for (s, free) in state.iter().zip(free) {
        copy(free, s)?;
    }
    Ok(state)
}

/// Writes e of the output that `state` is read out to.
fn read_out(pass: &Pass<'_>, state: &State<'_>, error: &Tensor) -> Result<(), Error> {
    let logits = pass.temporary(pass.depth())?;
    pass.layer(pass.depth())
        .forward(&state[pass.depth() - 1], &logits)?;
    pass.error_of(&logits, error)
}

impl Algorithm for EquilibriumPropagation {
    type Config = Settings;

    const NAME: &'static str = "equilibrium-propagation";
    const SUMMARY: &'static str = "Equilibrium propagation: weights learn from how a nudge of the output moves a settled state.";
    const REFERENCE: &'static str = "Scellier & Bengio (2017), Equilibrium propagation, Frontiers in \
         Computational Neuroscience 11; Laborieux, Ernoult, Scellier, Bengio, Grollier & Querlioz \
         (2021), Frontiers in Neuroscience 15";
    const METRICS: &'static [(&'static str, &'static str)] = &[(
        "residual",
        "largest change of an activity in the last step of the free phase; the state has settled \
         where it is small",
    )];

    fn new(_setup: &mut Setup<'_>, config: &Settings) -> Result<Self, Error> {
        Ok(Self { settings: *config })
    }

    fn directions(&mut self, pass: &Pass<'_>, out: &mut Directions<'_>) -> Result<(), Error> {
        let (depth, b, beta) = (pass.depth(), pass.samples() as f64, self.settings.beta);
        let (mut free, mut other) = (buffers(pass)?, buffers(pass)?);
        let residual = self.settle(|l| pass.layer(l), depth, [&mut free, &mut other])?;
        out.record("residual", residual)?;
        let (plus, of_plus) = self.nudge(pass, &free, beta)?;
        let (minus, of_minus, span) = match self.settings.nudging {
            Nudging::Symmetric => {
                let (minus, error) = self.nudge(pass, &free, -beta)?;
                (minus, error, 2.0 * beta)
            }
            Nudging::OneSided => {
                let error = pass.temporary(depth)?;
                read_out(pass, &free, &error)?;
                (free_copy(pass, &free)?, error, beta)
            }
        };
        for l in 1..depth {
            let both = Tensor::f_cat(&[&*minus[l], &plus[l].f_neg()?], 1)?;
            scale(&both, 1.0 / (span * b))?; // [s⁻ | −s⁺]/2βB
            let below: [&Tensor; 2] = [&minus[l - 1], &plus[l - 1]];
            out.gradient_from(l, &both, &Tensor::f_cat(&below, 1)?)?;
        }
        match self.settings.nudging {
            Nudging::Symmetric => {
                let (errors, below): ([&Tensor; 2], [&Tensor; 2]) =
                    ([&of_plus, &of_minus], [&plus[depth - 1], &minus[depth - 1]]);
                let errors = Tensor::f_cat(&errors, 1)?;
                scale(&errors, 0.5 / b)?;
                out.gradient_from(depth, &errors, &Tensor::f_cat(&below, 1)?)?;
            }
            Nudging::OneSided => {
                scale(&of_minus, 1.0 / b)?;
                out.gradient_from(depth, &of_minus, &minus[depth - 1])?;
            }
        }
        let logits = pass.temporary(depth)?;
        pass.layer(depth).forward(&free[depth - 1], &logits)?;
        out.set_loss(
            pass.losses_of(&logits)?
                .f_mean(Kind::Double)?
                .f_double_value(&[])?,
        );
        Ok(())
    }

    fn predict(&mut self, inference: &Inference<'_>, logits: &Tensor) -> Result<(), Error> {
        let depth = inference.depth();
        let buffers = || -> Result<State<'_>, Error> {
            let state: State<'_> = (0..depth)
                .map(|l| inference.temporary(l))
                .collect::<Result<_, _>>()?;
            copy(inference.inputs(), &state[0])?;
            Ok(state)
        };
        let (mut state, mut next) = (buffers()?, buffers()?);
        self.settle(|l| inference.layer(l), depth, [&mut state, &mut next])?;
        inference.layer(depth).forward(&state[depth - 1], logits)
    }
}

assay_sdk::export_plugin!(
    name = "equilibrium-propagation",
    description = "Equilibrium propagation.",
    algorithms = [EquilibriumPropagation],
);
