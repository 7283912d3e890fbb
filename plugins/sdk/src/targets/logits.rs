//! Targets that start at the logits and go down by differences (docs/methods.md, Rules after 2018).

use tch::Tensor;

use super::hidden_losses;
use crate::arithmetic::{add, copy, scale, subtract};
use crate::error::Error;
use crate::operand::refused;
use crate::pass::{Directions, Pass};
use crate::temporary::Temporary;

/// The targets of one batch, set from the logits down, each sample's by its own error.
///
/// [`LogitTargets::new`] sets `â_L = a_L − β e`, [`LogitTargets::difference`] those below, and
/// [`LogitTargets::local_losses`] writes the directions that follow from them.
pub struct LogitTargets<'p, 'a> {
    pass: &'p Pass<'a>,
    beta: f64,
    /// The target set last, and its layer.
    above: Temporary<'a>,
    layer: usize,
}

impl<'p, 'a> LogitTargets<'p, 'a> {
    /// `â_L = a_L − β e`.
    ///
    /// # Errors
    /// Memory that cannot be allocated.
    pub fn new(pass: &'p Pass<'a>, beta: f64) -> Result<Self, Error> {
        let layer = pass.depth();
        let above = pass.temporary(layer)?;
        copy(pass.output_delta(), &above)?; // e/B
        let factor = -beta * pass.samples() as f64;
        scale(&above, factor)?;
        add(pass.logits(), &above, &above)?;
        Ok(Self {
            pass,
            beta,
            above,
            layer,
        })
    }

    /// `ĥ_{l-1} = h_{l-1} + g_l(ĥ_l) − g_l(h_l)`, with `â_L` and `a_L` in the places of `ĥ_L` and `h_L`;
    /// `inverse` writes `g_l(u)` (`n_{l-1}`, B), from u (`n_l`, B). To be called for l from L down to
    /// 2. Uses `scratch(l − 1)` of the pass.
    ///
    /// # Errors
    /// Those of `inverse`.
    pub fn difference(
        &mut self,
        l: usize,
        inverse: impl Fn(&Tensor, &Tensor) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let pass = self.pass;
        let reached = if l == pass.depth() {
            pass.logits()
        } else {
            pass.h(l)
        };
        let (shift, of_h, of_target) = (
            pass.scratch(l - 1),
            pass.temporary(l - 1)?,
            pass.temporary(l - 1)?,
        );
        inverse(reached, &of_h)?;
        inverse(&self.above, &of_target)?;
        // Kept beside the target: the difference of the rounded sums would be less exact.
        subtract(&of_target, &of_h, shift)?;
        add(pass.h(l - 1), shift, &of_target)?;
        self.above = of_target;
        self.layer = l - 1;
        Ok(())
    }

    /// `δ_L = 2β e/B`, and `δ_l = 2/B (h_l − ĥ_l) ∘ tanh'(a_l)` for every layer below.
    ///
    /// # Errors
    /// A layer whose target was not set.
    pub fn local_losses(self, out: &mut Directions<'_>) -> Result<(), Error> {
        let (pass, depth) = (self.pass, self.pass.depth());
        if self.layer > 1 {
            let message = format!("layer {} got no target", self.layer - 1);
            return Err(refused(
                message,
                "call `difference` for every layer from L down to 2",
            ));
        }
        let delta = pass.scratch(depth);
        copy(pass.output_delta(), delta)?;
        scale(delta, 2.0 * self.beta)?;
        out.gradient(depth, delta)?;
        hidden_losses(pass, out)
    }
}
