//! Learned inverses `g_l(u) = tanh(V_l u + c_l)` and how their parameters are trained.
//!
//! An inverse connects what its layer connects, the other way round, with weights of its own; how
//! it does so is the business of the layer's map, which both share.

use std::collections::BTreeSet;
use std::rc::Rc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use crate::adam::Adam;
use crate::arithmetic::scale;
use crate::error::Error;
use crate::function::{Function, multiply_derivative};
use crate::layer::{Map, sum_over_batch};
use crate::operand;
use crate::parameters::{Parameter, Parameters};
use crate::tensor_slices::refuse_overlap;

/// One inverse with its parameters.
pub struct Inverse {
    map: Rc<Map>,
    weight: Rc<Parameter>,
    bias: Rc<Parameter>,
}

impl Inverse {
    /// l, the layer that it inverts.
    pub fn layer(&self) -> usize {
        self.weight.layer
    }

    /// The rows of u: `n_l`, and for the top of AO-SDTP the auxiliary units besides.
    pub(crate) fn inputs(&self) -> i64 {
        self.map.outputs().count()
    }

    /// `n_{l-1}`
    pub(crate) fn outputs(&self) -> i64 {
        self.map.inputs().count()
    }

    /// `out = tanh(V_l u + c_l)`, from `u` (inputs, N) into `out` (`n_{l-1}`, N);
    /// both are contiguous.
    #[track_caller]
    pub fn apply(&self, u: &Tensor, out: &Tensor) -> Result<(), Error> {
        let map = format_args!("the inverse of layer {}", self.layer());
        operand::mapped(map, [self.inputs(), self.outputs()], ("an input", u), out)?;
        let (weight, bias) = (&self.weight.value, &self.bias.value);
        self.map
            .feedback(weight, Some(bias), Function::Tanh, u, out)
    }

    /// Writes `δ uᵀ` and the sum of δ over the batch into the gradients of `V_l` and `c_l`.
    fn write_gradient(&self, delta: &Tensor, u: &Tensor) -> Result<(), Error> {
        self.map
            .feedback_gradient(delta, u, &self.weight.gradient)?;
        // Every unit of h_{l-1} has its own c.
        sum_over_batch(delta, &self.bias.gradient)
    }
}

/// Takes the update directions of the inverses, and sums their losses.
///
/// It reaches nothing but `V_l` and `c_l`: whatever the loss of an inverse was computed from is a
/// constant in it.
#[derive(Default)]
pub struct InverseDirections {
    loss: f64,
    /// The layers whose inverses were written.
    written: BTreeSet<usize>,
}

impl InverseDirections {
    /// Writes the direction of the loss `‖g_l(u) − target‖²`, mean over the batch and sum over
    /// the units: δ = 2/B (g − target) ∘ tanh'.
    ///
    /// `image` is `g_l(u)`, as [`Inverse::apply`] computed it, and `delta` a buffer for δ; both
    /// and `target` are (`n_{l-1}`, B) and contiguous, and `delta` lies apart from all others.
    #[track_caller]
    pub fn squared_error(
        &mut self,
        inverse: &Inverse,
        u: &Tensor,
        image: &Tensor,
        target: &Tensor,
        delta: &Tensor,
    ) -> Result<(), Error> {
        let (l, outputs) = (inverse.layer(), inverse.outputs());
        let samples = operand::columns("an input", u, inverse.inputs(), || {
            format!(
                "the inverse of layer {l} takes {} values of each sample",
                inverse.inputs()
            )
        })?;
        let shape = [outputs, samples];
        for (role, tensor) in [
            ("an image", image),
            ("a target", target),
            ("a delta", delta),
        ] {
            operand::shape(role, tensor, &shape, || {
                format!(
                    "the inverse of layer {l} gives {outputs} values for each of {samples} samples"
                )
            })?;
        }
        refuse_overlap(delta, [u, image, target])?;
        image.f_sub_out(delta, target).map(drop)?;
        let samples = samples as f64;
        let flat = delta.f_view([-1])?;
        self.loss += flat.f_dot(&flat)?.f_double_value(&[])? / samples;
        let factor = 2.0 / samples;
        scale(delta, factor)?;
        multiply_derivative(delta, image)?;
        inverse.write_gradient(delta, u)?;
        self.written.insert(l);
        Ok(())
    }

    /// The first of `layers` whose inverse was not written.
    pub(crate) fn left_out(&self, mut layers: impl Iterator<Item = usize>) -> Option<usize> {
        layers.find(|l| !self.written.contains(l))
    }

    /// The sum of the losses so far.
    pub(crate) fn loss(&self) -> f64 {
        self.loss
    }
}

/// The training of the inverses.
#[derive(Clone, Copy, Debug)]
pub struct InverseTraining {
    /// Their optimiser.
    pub optimiser: Adam,
    /// Their turns with the network.
    pub schedule: Schedule,
    /// σ of the noise that they are trained with.
    pub sigma: f64,
}

/// The order of updates of the network and of the inverses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// Every step updates both, from the same activations.
    Parallel,
    /// One pass over the epoch's batches updates the inverses, a second pass over the same
    /// batches in the same order updates the network; the pair is one epoch.
    Alternating,
}

/// The inverses of layers with their maps, and the group of parameters behind them.
pub(crate) fn inverses(
    maps: Vec<(usize, Rc<Map>)>,
    seed: u64,
    device: Device,
) -> Result<(Vec<Inverse>, Parameters), Error> {
    let declarations = maps
        .iter()
        .flat_map(|(l, map)| map.inverse_declarations(*l))
        .collect();
    let parameters = Parameters::new(declarations, seed, device)?;
    let inverses = maps
        .into_iter()
        .zip(parameters.pairs())
        .map(|((_, map), [weight, bias])| Inverse {
            map,
            weight: Rc::clone(weight),
            bias: Rc::clone(bias),
        })
        .collect();
    Ok((inverses, parameters))
}
