//! The network's layers with buffers for one batch, as training and prediction both have them.

use crate::error::Error;
use crate::layer::Layer;
use crate::model::Model;
use crate::temporary::{Pool, Temporary};

/// The layers of the network and buffers for B samples, without the activations of a pass: for what a
/// rule computes in its directions ([`Pass::layers`](crate::Pass::layers)) and in its predictions
/// ([`Inference::layers`](crate::Inference::layers)) alike.
#[derive(Clone, Copy)]
pub struct Layers<'a> {
    model: &'a Model,
    pool: &'a Pool,
}

impl<'a> Layers<'a> {
    pub(crate) fn new(model: &'a Model, pool: &'a Pool) -> Self {
        Self { model, pool }
    }

    /// L, the number of layers.
    pub fn depth(self) -> usize {
        self.model.depth()
    }

    /// Layer l, from 1 to L.
    ///
    /// # Panics
    /// There is no such layer.
    #[track_caller]
    pub fn layer(self, l: usize) -> &'a Layer {
        self.model.layer(l)
    }

    /// A buffer shaped like `h_l`, l from 0; as many as are wanted. Its content is undefined.
    ///
    /// # Errors
    /// Memory that cannot be allocated, or a layer that there is not.
    #[track_caller]
    pub fn temporary(self, l: usize) -> Result<Temporary<'a>, Error> {
        self.pool.take(l)
    }

    /// A buffer shaped like each of `h_0` to `h_{L-1}`, in this order; otherwise as
    /// [`Layers::temporary`].
    ///
    /// # Errors
    /// Memory that cannot be allocated.
    pub fn activities(self) -> Result<Vec<Temporary<'a>>, Error> {
        (0..self.depth()).map(|l| self.temporary(l)).collect()
    }
}
