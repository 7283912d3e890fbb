//! Stochastic gradient descent with momentum, over flat buffers.
//!
//! For gradient g:
//! ```text
//! m ← μ m + g
//! p ← p − lr m
//! ```
//! All in f32, every operation rounded on its own, so that no bit depends on the processor.

use tch::Tensor;

use super::{Finite, Span};
use crate::arithmetic::is_finite;
use crate::card::{self, Argument, Kernel};
use crate::error::Error;
use crate::layout::Canonical;
use crate::parameters::Parameters;
use crate::tensor_slices::elements_mut;

/// Step size and momentum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Descent {
    /// lr
    pub(super) learning_rate: f64,
    /// μ
    pub(super) momentum: f64,
}

/// The momentum of one group of parameters.
pub(super) struct DescentState {
    descent: Descent,
    /// m
    momentum: Tensor,
}

impl DescentState {
    pub(super) fn new(descent: Descent, parameters: &Parameters) -> Result<Self, Error> {
        Ok(Self {
            descent,
            momentum: parameters.zeros_like()?,
        })
    }

    pub(super) fn step(
        &mut self,
        spans: &[Span],
        parameters: &mut Parameters,
    ) -> Result<Finite, Error> {
        let keep = self.descent.momentum as f32;
        let rate = |span: &Span| (self.descent.learning_rate * span.rate) as f32;
        let (values, gradients) = parameters.flat();
        if let Some((card, values, others)) = card::operands(values, [gradients, &self.momentum])? {
            for span in spans {
                let [gradients, momentum] = others.map(|it| it.part(&span.elements));
                let count = span.elements.len();
                let [flags, slot] = card.flag();
                let arguments = [
                    values.part(&span.elements).into(),
                    gradients.into(),
                    momentum.into(),
                    Argument::count(count),
                    Argument::F32(keep),
                    Argument::F32(rate(span)),
                    flags,
                    slot,
                ];
                // SAFETY: all three have so many elements, and share none.
                unsafe { card.each(Kernel::Descent, count, arguments) }?;
            }
            return Ok(Finite::Unknown);
        }
        // SAFETY: these three buffers do not share storage, and no view of them is used before the
        // loop below is done.
        let slices = unsafe {
            (
                elements_mut(values),
                elements_mut(gradients),
                elements_mut(&mut self.momentum),
            )
        };
        if let (Some(values), Some(gradients), Some(momentum)) = slices {
            for span in spans {
                let (rate, elements) = (rate(span), || span.elements.clone());
                let gradients = &gradients[elements()];
                let moved = values[elements()].iter_mut().zip(gradients);
                for ((value, &gradient), m) in moved.zip(&mut momentum[elements()]) {
                    *m = keep * *m + gradient;
                    *value -= rate * *m;
                }
            }
        } else {
            self.momentum.f_mul_scalar_(f64::from(keep)).map(drop)?;
            self.momentum.f_add_(gradients).map(drop)?;
            for span in spans {
                let change = span
                    .of(&self.momentum)?
                    .f_mul_scalar(f64::from(rate(span)))?;
                span.of(values)?.f_sub_(&change).map(drop)?;
            }
            return Ok(Finite::Unknown);
        }
        Ok(if is_finite(gradients)? {
            Finite::Yes
        } else {
            Finite::No
        })
    }

    /// Tensors of the saved state, by name.
    pub(super) fn state(&self, parameters: &Parameters) -> Result<Vec<(String, Canonical)>, Error> {
        let views = parameters.named_views(&self.momentum)?.into_iter();
        Ok(views
            .map(|(name, view)| (format!("optimiser.{name}.momentum"), view))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Tensor};

    use super::{Descent, DescentState, Span};
    use crate::layout::Layout;
    use crate::parameters::{Declaration, Parameters};
    use crate::rng::Initial;

    fn whole() -> Span {
        Span {
            elements: 0..16,
            rate: 1.0,
            epsilon: 1.0,
        }
    }

    #[test]
    fn momentum_sums_the_gradients_that_fade() {
        let declaration = Declaration {
            name: "w".to_owned(),
            layer: 1,
            layout: Layout::plain(&[2]),
            initial: Initial::Zero,
        };
        let mut parameters = Parameters::new(vec![declaration], 1, Device::Cpu).unwrap();
        let descent = Descent {
            learning_rate: 0.5,
            momentum: 0.25,
        };
        let mut state = DescentState::new(descent, &parameters).unwrap();
        for gradient in [[1.0_f32, -2.0], [3.0, 0.0]] {
            let (_, gradients) = parameters.flat();
            let padded = Tensor::zeros_like(gradients);
            padded.narrow(0, 0, 2).copy_(&Tensor::from_slice(&gradient));
            gradients.copy_(&padded);
            let _ = state.step(&[whole()], &mut parameters).unwrap();
        }
        let found = Vec::<f32>::try_from(parameters.flat().0.narrow(0, 0, 2)).unwrap();
        // −0.5 · (1 + (0.25 · 1 + 3)) and −0.5 · (−2 + 0.25 · −2)
        assert_eq!(found, [-2.125, 1.25]);
    }
}
