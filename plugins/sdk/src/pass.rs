//! What an algorithm sees of one batch, and where it writes the directions.

use tch::{Kind, Tensor};

use crate::activations::Activations;
use crate::error::Error;
use crate::layer::Layer;
use crate::loss::{Loss, output_function};
use crate::model::Model;

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
                Ok(Tensor::f_empty(size, (Kind::Float, model.device()))?)
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

    /// What the algorithm sees of the batch that [`Workspace::run`] saw last.
    pub(crate) fn pass<'a>(&'a self, model: &'a Model) -> (Pass<'a>, Directions<'a>) {
        let workspace = self;
        (Pass { model, workspace }, Directions { model, workspace })
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
    pub fn layer(&self, l: usize) -> &'a Layer {
        self.model.layer(l)
    }

    /// `h_l`, (`n_l`, B), l from 0 (the inputs) to L (the softmax, or tanh for reconstruction).
    pub fn h(&self, l: usize) -> &'a Tensor {
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

    /// What `h_L` ought to be, (`n_L`, B): the labels as columns of zeros with a one, or, for
    /// reconstruction, the inputs.
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
    pub fn scratch(&self, l: usize) -> &'a Tensor {
        &self.workspace.scratch[l - 1]
    }
}

/// Where the update directions of one batch go: the parameters move *against* them.
///
/// An algorithm writes every layer in every step; a layer left out would keep the direction of
/// the step before.
pub struct Directions<'a> {
    model: &'a Model,
    workspace: &'a Workspace,
}

impl Directions<'_> {
    /// Writes what `δ_l` (`n_l`, B) says of layer l: `δ_l h_{l-1}ᵀ` for the weights and the sum
    /// of `δ_l` over the batch for the biases.
    pub fn gradient(&mut self, l: usize, delta: &Tensor) -> Result<(), Error> {
        let h = self.workspace.activations.h(l - 1);
        self.model.layer(l).write_gradient(delta, h)
    }

    /// Writes zero: layer l stays as it is.
    pub fn none(&mut self, l: usize) -> Result<(), Error> {
        self.model.layer(l).clear_gradient()
    }
}
