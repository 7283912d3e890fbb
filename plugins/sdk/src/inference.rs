//! An algorithm's view of a batch that it predicts for.

use tch::Tensor;

use crate::activations::Activations;
use crate::error::Error;
use crate::layer::Layer;
use crate::layers::Layers;
use crate::model::Model;
use crate::temporary::{Pool, Temporary};

/// The buffers of predictions for one batch size.
pub(crate) struct Predictor {
    pub(crate) activations: Activations,
    pool: Pool,
}

impl Predictor {
    /// Buffers for batches of `samples`.
    pub(crate) fn new(model: &Model, samples: i64) -> Result<Self, Error> {
        Ok(Self {
            activations: Activations::new(model, samples)?,
            pool: Pool::new(model, samples),
        })
    }

    /// The algorithm's view of the batch of the last pass.
    pub(crate) fn inference<'a>(&'a self, model: &'a Model) -> Inference<'a> {
        Inference {
            model,
            predictor: self,
        }
    }
}

/// The plain forward pass of B samples that are to be predicted.
pub struct Inference<'a> {
    model: &'a Model,
    predictor: &'a Predictor,
}

impl<'a> Inference<'a> {
    /// The layers with buffers for this batch.
    pub fn layers(&self) -> Layers<'a> {
        Layers::new(self.model, &self.predictor.pool)
    }

    /// L, the number of layers.
    pub fn depth(&self) -> usize {
        self.model.depth()
    }

    /// B.
    pub fn samples(&self) -> i64 {
        self.predictor.activations.samples()
    }

    /// Layer l, from 1 to L.
    ///
    /// # Panics
    /// There is no such layer.
    #[track_caller]
    pub fn layer(&self, l: usize) -> &'a Layer {
        self.model.layer(l)
    }

    /// The inputs, `h_0`, (`n_0`, B).
    pub fn inputs(&self) -> &'a Tensor {
        self.predictor.activations.h(0)
    }

    /// A buffer shaped like `h_l`, l from 0; its content is undefined.
    ///
    /// # Errors
    /// Memory that cannot be allocated, or a layer that there is not.
    #[track_caller]
    pub fn temporary(&self, l: usize) -> Result<Temporary<'a>, Error> {
        self.predictor.pool.take(l)
    }
}
