//! An algorithm's view of one batch, and the directions that it writes.

use tch::{Kind, Tensor};

use crate::activations::Activations;
use crate::error::Error;
use crate::layer::Layer;
use crate::loss::{Loss, output_function};
use crate::model::Model;
use crate::operand;

/// The buffers of a training step for one batch size, kept from step to step.
pub(crate) struct Workspace {
    activations: Activations,
    loss: Loss,
    /// One per layer, shaped like `h_l`; l from 1.
    scratch: Vec<Tensor>,
}

impl Workspace {
    /// Buffers for batches of `samples`.
    pub(crate) fn new(model: &Model, samples: i64) -> Result<Self, Error> {
        let scratch = (1..=model.depth())
            .map(|l| {
                let size = [model.layer(l).units(), samples];
                // Never of arbitrary bytes, which an algorithm might read by mistake.
                Ok(Tensor::f_zeros(size, (Kind::Float, model.device()))?)
            })
            .collect::<Result<_, Error>>()?;
        Ok(Self {
            activations: Activations::new(model, samples)?,
            loss: Loss::new(model, samples)?,
            scratch,
        })
    }

    /// B.
    pub(crate) fn samples(&self) -> i64 {
        self.activations.samples()
    }

    /// The forward pass and the mean loss of a batch.
    pub(crate) fn run(
        &mut self,
        model: &Model,
        inputs: &[f32],
        labels: &[i64],
    ) -> Result<f64, Error> {
        self.activations.run(model, inputs)?;
        self.loss
            .evaluate(self.activations.output(), inputs, labels)
    }

    /// The first layer that gave a value that is not finite, for the batch seen last.
    pub(crate) fn non_finite(&self) -> Result<Option<usize>, Error> {
        self.activations.non_finite()
    }

    /// The algorithm's view of the batch of the last [`Workspace::run`].
    pub(crate) fn pass<'a>(&'a self, model: &'a Model) -> (Pass<'a>, Directions<'a>) {
        let workspace = self;
        let directions = Directions {
            model,
            workspace,
            written: vec![false; model.depth()],
        };
        (Pass { model, workspace }, directions)
    }
}

/// The forward pass of one batch of B samples.
pub struct Pass<'a> {
    model: &'a Model,
    workspace: &'a Workspace,
}

impl<'a> Pass<'a> {
    /// L, the number of layers.
    pub fn depth(&self) -> usize {
        self.model.depth()
    }

    /// Layer l, from 1 to L.
    ///
    /// # Panics
    /// There is no such layer.
    #[track_caller]
    pub fn layer(&self, l: usize) -> &'a Layer {
        self.model.layer(l)
    }

    /// `h_l`, (`n_l`, B), l from 0 (the inputs) to L (the softmax, or tanh for reconstruction).
    ///
    /// # Panics
    /// There is no such layer.
    #[track_caller]
    pub fn h(&self, l: usize) -> &'a Tensor {
        assert!(
            l <= self.depth(),
            "there is no h({l}): the network has h(0) to h({})",
            self.depth()
        );
        if l == self.depth() {
            self.workspace.loss.output()
        } else {
            self.workspace.activations.h(l)
        }
    }

    /// B.
    pub fn samples(&self) -> i64 {
        self.workspace.samples()
    }

    /// The target of `h_L`, (`n_L`, B): the one-hot labels as columns, or, for reconstruction, the
    /// inputs.
    pub fn target(&self) -> &'a Tensor {
        self.workspace.loss.target()
    }

    /// Writes `h_L` for any `activation` `a_L`; both are (`n_L`, B).
    pub(crate) fn output_function(&self, activation: &Tensor, out: &Tensor) -> Result<(), Error> {
        output_function(self.model.task(), activation, out)
    }

    /// `δ_L = e/B`, (`n_L`, B): the gradient of the mean loss by `a_L`. For classification
    /// `e = h_L − onehot`, for reconstruction `e = 2 (h_L − x) ∘ tanh'(a_L)`.
    pub fn output_delta(&self) -> &'a Tensor {
        self.workspace.loss.output_delta()
    }

    /// A buffer shaped like `h_l`, l from 1 to L, for the algorithm to write; its content is
    /// undefined when a step begins.
    ///
    /// # Panics
    /// There is no such layer.
    #[track_caller]
    pub fn scratch(&self, l: usize) -> &'a Tensor {
        assert!(
            (1..=self.depth()).contains(&l),
            "there is no scratch({l}): the network has scratch(1) to scratch({})",
            self.depth()
        );
        &self.workspace.scratch[l - 1]
    }
}

/// Takes the update directions of one batch: the parameters move *against* them.
///
/// An algorithm writes every layer in every step; a step that leaves one out is an error.
pub struct Directions<'a> {
    model: &'a Model,
    workspace: &'a Workspace,
    /// True for each layer that was written; l from 1.
    written: Vec<bool>,
}

impl Directions<'_> {
    /// Writes what `δ_l` (`n_l`, B) says of layer l: `δ_l h_{l-1}ᵀ` for the weights and the sum
    /// of `δ_l` over the batch for the biases.
    #[track_caller]
    pub fn gradient(&mut self, l: usize, delta: &Tensor) -> Result<(), Error> {
        let layer = self.model.find(l)?;
        let (units, samples) = (layer.units(), self.workspace.samples());
        operand::shape("a delta", delta, &[units, samples], || {
            format!("layer {l} has {units} outputs and the batch {samples} samples")
        })?;
        let h = self.workspace.activations.h(l - 1);
        layer.write_gradient(delta, h)?;
        self.written[l - 1] = true;
        Ok(())
    }

    /// Writes zero: layer l stays as it is.
    #[track_caller]
    pub fn none(&mut self, l: usize) -> Result<(), Error> {
        self.model.find(l)?.clear_gradient()?;
        self.written[l - 1] = true;
        Ok(())
    }

    /// The first layer that was not written.
    pub(crate) fn left_out(&self) -> Option<usize> {
        let at = self.written.iter().position(|written| !written)?;
        Some(at + 1)
    }
}
