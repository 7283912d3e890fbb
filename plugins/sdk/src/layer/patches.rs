//! Scratch memory for patches, kept from step to step.

use std::cell::RefCell;

use tch::{Device, Kind, Tensor};

use crate::error::Error;

/// A buffer for the size asked for last. It is zero when made; its user decides what to keep.
#[derive(Debug, Default)]
pub(super) struct Patches(RefCell<Option<Tensor>>);

impl Patches {
    /// Calls `body` with a buffer of `size`.
    pub(super) fn with<T>(
        &self,
        size: [i64; 3],
        device: Device,
        body: impl FnOnce(&Tensor) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut buffer = self.0.borrow_mut();
        let tensor = match buffer.take() {
            Some(tensor) if tensor.size() == size => tensor,
            _ => Tensor::f_zeros(size, (Kind::Float, device))?,
        };
        body(buffer.insert(tensor))
    }
}
