//! Adam (Kingma & Ba 2015) in `PyTorch`'s bias-corrected form, over flat buffers.
//!
//! For step t = 1, 2, … and gradient g:
//! ```text
//! m ← m + (1 − β₁)(g − m)
//! v ← β₂ v + (1 − β₂) g²
//! p ← p − lr / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε)
//! ```
//! The coefficients are computed in f64 and rounded once; the update itself is in f32. On a CPU, and with the kernels
//! of a card, a moment that would become subnormal becomes zero.

mod kernel;

use std::rc::Rc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::{Finite, Span};
use crate::card::{self, Argument, Counter, Kernel};
use crate::error::Error;
use crate::layout::Canonical;
use crate::parameters::Parameters;
use crate::tensor_slices::elements_mut;

/// The settings of Adam, ready to be an algorithm's configuration or, flattened, a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Adam {
    /// Step size. The paper searched 1e-5 to 3e-4 (Table 4).
    #[schemars(extend("exclusiveMinimum" = 0.0, "search" = {"log_uniform": [1e-5, 3e-4]}))]
    pub learning_rate: f64,
    /// Decay of the first moment. The paper used 0.9, and 0.99 for some methods (Tables 4, 5).
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub beta1: f64,
    /// Decay of the second moment. The paper chose 0.99 or 0.999 (Table 4).
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0, "search" = [0.99, 0.999]))]
    pub beta2: f64,
    /// Added to the root of the second moment. The paper chose 1e-4, 1e-6 or 1e-8 (Table 4).
    #[schemars(extend("exclusiveMinimum" = 0.0, "search" = [1e-4, 1e-6, 1e-8]))]
    pub epsilon: f64,
}

impl Default for Adam {
    fn default() -> Self {
        Self {
            learning_rate: 1e-3,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
        }
    }
}

/// The coefficients of one step.
#[derive(Clone, Copy, Debug)]
struct Coefficients {
    /// 1 − β₁
    first: f32,
    /// β₂
    keep_second: f32,
    /// 1 − β₂
    second: f32,
    /// lr / (1 − β₁ᵗ)
    step_size: f32,
    /// √(1 − β₂ᵗ)
    root_correction: f32,
    epsilon: f32,
}

impl Adam {
    /// Those of one step, for the parameters of `span`.
    fn coefficients(&self, step: i64, span: &Span) -> Coefficients {
        // `powi` multiplies, so it gives the same bits everywhere; beyond its range both powers
        // have long vanished.
        let step = i32::try_from(step).unwrap_or(i32::MAX);
        Coefficients {
            first: (1.0 - self.beta1) as f32,
            keep_second: self.beta2 as f32,
            second: (1.0 - self.beta2) as f32,
            step_size: (self.learning_rate * span.rate / (1.0 - self.beta1.powi(step))) as f32,
            root_correction: (1.0 - self.beta2.powi(step)).sqrt() as f32,
            epsilon: (self.epsilon * span.epsilon) as f32,
        }
    }

    /// The kernel's `struct Settings`, from which it computes the coefficients.
    fn of_kernel(&self, span: &Span) -> Argument {
        Argument::Doubles4([
            self.learning_rate * span.rate,
            self.beta1,
            self.beta2,
            self.epsilon * span.epsilon,
        ])
    }
}

/// Adam's state for one group of parameters.
pub(super) struct AdamState {
    adam: Adam,
    first_moment: Tensor,
    second_moment: Tensor,
    /// t of the last step.
    step: Rc<Counter>,
}

impl AdamState {
    /// The state before the first step.
    pub(super) fn new(adam: Adam, parameters: &Parameters) -> Result<Self, Error> {
        Ok(Self {
            adam,
            first_moment: parameters.zeros_like()?,
            second_moment: parameters.zeros_like()?,
            step: Counter::new(0),
        })
    }

    /// Moves the values of `parameters` against their gradients, span by span.
    pub(super) fn step(
        &mut self,
        spans: &[Span],
        parameters: &mut Parameters,
    ) -> Result<Finite, Error> {
        self.step.advance(1)?;
        let t = self.step.now()?;
        let step = t.value();
        let (values, gradients) = parameters.flat();
        let moments = [&self.first_moment, &self.second_moment];
        if let Some((card, values, others)) =
            card::operands(values, [gradients, moments[0], moments[1]])?
        {
            for span in spans {
                let [gradients, first, second] = others.map(|it| it.part(&span.elements));
                let count = span.elements.len();
                let [flags, slot] = card.flag();
                let arguments = [
                    values.part(&span.elements).into(),
                    gradients.into(),
                    first.into(),
                    second.into(),
                    Argument::count(count),
                    self.adam.of_kernel(span),
                    t.argument(),
                    flags,
                    slot,
                ];
                // SAFETY: all four have so many elements, and share none.
                unsafe { card.each(Kernel::Adam, count, arguments) }?;
            }
            return Ok(Finite::Unknown);
        }
        // SAFETY: these four buffers do not share storage, and no view of them is used before
        // the updates below have returned.
        let slices = unsafe {
            (
                elements_mut(values),
                elements_mut(gradients),
                elements_mut(&mut self.first_moment),
                elements_mut(&mut self.second_moment),
            )
        };
        if let (Some(values), Some(gradients), Some(first), Some(second)) = slices {
            let finite = spans.iter().map(|span| {
                let elements = || span.elements.clone();
                kernel::update(
                    self.adam.coefficients(step, span),
                    &mut values[elements()],
                    &gradients[elements()],
                    &mut first[elements()],
                    &mut second[elements()],
                )
            });
            return Ok(finite.fold(Finite::Yes, Finite::and));
        }
        for span in spans {
            update_tensors(
                self.adam.coefficients(step, span),
                &mut span.of(values)?,
                &span.of(gradients)?,
                &mut span.of(&self.first_moment)?,
                &mut span.of(&self.second_moment)?,
            )?;
        }
        Ok(Finite::Unknown)
    }

    /// t of the last step.
    pub(super) fn counter(&self) -> &Rc<Counter> {
        &self.step
    }

    /// Tensors of the saved state, by name; `group` is the prefix of the parameters' names.
    pub(super) fn state(
        &self,
        group: &str,
        parameters: &Parameters,
    ) -> Result<Vec<(String, Canonical)>, Error> {
        let step = Canonical::from(self.step.tensor());
        let mut state = vec![(format!("optimiser.{group}.step"), step)];
        for (moment, buffer) in [
            ("first_moment", &self.first_moment),
            ("second_moment", &self.second_moment),
        ] {
            for (name, view) in parameters.named_views(buffer)? {
                state.push((format!("optimiser.{name}.{moment}"), view));
            }
        }
        Ok(state)
    }
}

/// The update in tensor operations, for devices whose memory is not ours to touch.
fn update_tensors(
    coefficients: Coefficients,
    values: &mut Tensor,
    gradients: &Tensor,
    first: &mut Tensor,
    second: &mut Tensor,
) -> Result<(), Error> {
    first
        .f_lerp_(gradients, f64::from(coefficients.first))
        .map(drop)?;
    second
        .f_mul_scalar_(f64::from(coefficients.keep_second))
        .map(drop)?;
    second
        .f_add_(
            &gradients
                .f_square()?
                .f_mul_scalar_(f64::from(coefficients.second))?,
        )
        .map(drop)?;
    let denominator = second
        .f_sqrt()?
        .f_div_scalar_(f64::from(coefficients.root_correction))?
        .f_add_scalar_(f64::from(coefficients.epsilon))?;
    let change = first
        .f_div(&denominator)?
        .f_mul_scalar_(f64::from(coefficients.step_size))?;
    values.f_sub_(&change).map(drop)?;
    Ok(())
}

#[cfg(test)]
mod tests;
