//! A second pass of the network on other inputs, in buffers of its own.

use tch::Tensor;

use crate::arithmetic;
use crate::error::Error;
use crate::model::Model;
use crate::operand;
use crate::temporary::{Pool, Temporary};

/// A pass of the network for B columns beside the batch's own.
pub struct Trace<'a> {
    model: &'a Model,
    /// `h_0` to `h_{L-1}`, and `a_L`.
    values: Vec<Temporary<'a>>,
}

impl<'a> Trace<'a> {
    pub(crate) fn new(model: &'a Model, pool: &'a Pool) -> Result<Self, Error> {
        let values = (0..=model.depth()).map(|l| pool.take(l));
        Ok(Self {
            model,
            values: values.collect::<Result<_, _>>()?,
        })
    }

    /// Computes every layer above l from `h`, shaped like `h_l`, in the place of `h_l`; l from 0.
    ///
    /// # Errors
    /// A layer that there is not, or another shape.
    #[track_caller]
    pub fn run(&self, l: usize, h: &Tensor) -> Result<(), Error> {
        self.run_with(l, h, |_, _| Ok(()))
    }

    /// As [`Trace::run`]; `change` may overwrite every `a_k` (`n_k`, B), k > l, before φ is
    /// applied.
    ///
    /// # Errors
    /// As for [`Trace::run`], or one of `change`.
    #[track_caller]
    pub fn run_with(
        &self,
        l: usize,
        h: &Tensor,
        mut change: impl FnMut(usize, &Tensor) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let depth = self.model.depth();
        let Some(start) = self.values.get(l).filter(|_| l < depth) else {
            let message = format!("no layer comes after h_{l}: the network has {depth} layers");
            return Err(operand::refused(message, ""));
        };
        operand::shape("an activation", h, &start.size(), || {
            format!("h_{l} has that shape")
        })?;
        arithmetic::copy(h, start)?;
        for k in l + 1..=depth {
            let (below, sums) = (&self.values[k - 1], &self.values[k]);
            let layer = self.model.layer(k);
            layer.forward(below, sums)?;
            change(k, sums)?;
            if k < depth {
                layer.activate(sums)?;
            }
        }
        Ok(())
    }

    /// `h_l` of this pass, l from 0 to L − 1, as far as it was computed.
    ///
    /// # Panics
    /// There is no such layer.
    #[track_caller]
    pub fn h(&self, l: usize) -> &Tensor {
        assert!(
            l < self.model.depth(),
            "a second pass has h(0) to h({}) and its logits, not h({l})",
            self.model.depth() - 1
        );
        &self.values[l]
    }

    /// `a_L` of this pass.
    pub fn logits(&self) -> &Tensor {
        &self.values[self.model.depth()]
    }
}
