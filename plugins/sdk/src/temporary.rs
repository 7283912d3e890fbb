//! Buffers shaped like activations that an algorithm takes for part of a step.

use std::cell::RefCell;
use std::ops::Deref;
use std::rc::Rc;

use tch::{Device, Kind, Tensor};

use crate::card;
use crate::error::Error;
use crate::model::Model;
use crate::operand::refused;

/// The buffers for one batch size, kept from step to step.
pub(crate) struct Pool {
    samples: i64,
    device: Device,
    /// `n_0` to `n_L`.
    units: Rc<[i64]>,
    /// Those that nobody holds, by l; the first in memory are last, so that every step takes the same ones.
    free: Vec<RefCell<Vec<Tensor>>>,
}

impl Pool {
    /// Buffers for batches of `samples`.
    pub(crate) fn new(model: &Model, samples: i64) -> Self {
        let units = model.units();
        Self {
            samples,
            device: model.device(),
            free: units.iter().map(|_| RefCell::default()).collect(),
            units,
        }
    }

    /// A buffer shaped like `h_l`.
    #[track_caller]
    pub(crate) fn take(&self, l: usize) -> Result<Temporary<'_>, Error> {
        let (Some(free), Some(&units)) = (self.free.get(l), self.units.get(l)) else {
            let last = self.units.len() - 1;
            let message = format!("there is no h_{l}: the network has h_0 to h_{last}");
            return Err(refused(message, ""));
        };
        let returned = free.borrow_mut().pop();
        let tensor = if let Some(tensor) = returned {
            tensor
        } else {
            card::catch_up()?;
            // Never of arbitrary bytes, which an algorithm might read by mistake.
            Tensor::f_zeros([units, self.samples], (Kind::Float, self.device))?
        };
        Ok(Temporary { tensor, free })
    }
}

/// A buffer shaped like some `h_l`. It goes back when it is dropped.
pub struct Temporary<'a> {
    tensor: Tensor,
    free: &'a RefCell<Vec<Tensor>>,
}

impl Deref for Temporary<'_> {
    type Target = Tensor;

    fn deref(&self) -> &Tensor {
        &self.tensor
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        let (mut free, place) = (self.free.borrow_mut(), self.tensor.data_ptr());
        let at = free.partition_point(|other| other.data_ptr() > place);
        free.insert(at, self.tensor.shallow_clone());
    }
}
