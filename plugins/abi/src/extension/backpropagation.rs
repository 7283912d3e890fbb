//! `backpropagation/1`, since 1.2: a learner whose directions are the exact gradient, on the plugin's own
//! layers, so that a host can compare an algorithm's directions with it.

use super::Extension;
use crate::error::{Fallible, PluginError};
use crate::learner::{CreateRequest, LearnerHandle};

/// The struct of `backpropagation/1`.
#[repr(C)]
pub(crate) struct Backpropagation {
    size: usize,
    create: extern "C" fn(&CreateRequest<'_>) -> Fallible<LearnerHandle>,
}

// SAFETY: `#[repr(C)]`, starts with its size, frozen.
unsafe impl Extension for Backpropagation {
    const NAME: &'static str = "backpropagation/1";
}

impl Backpropagation {
    pub(crate) const fn new(
        create: extern "C" fn(&CreateRequest<'_>) -> Fallible<LearnerHandle>,
    ) -> Self {
        Self {
            size: size_of::<Self>(),
            create,
        }
    }

    pub(crate) fn create(&self, request: &CreateRequest<'_>) -> Result<LearnerHandle, PluginError> {
        (self.create)(request).into_result()
    }
}
