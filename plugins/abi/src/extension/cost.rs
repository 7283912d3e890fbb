//! `cost/1`, since 1.3: the multiply-adds that training has taken, so that a host can compare what
//! algorithms cost apart from any machine.

use std::ffi::c_void;

use abi_stable::std_types::{ROption, RStr};

use super::Extension;
use crate::error::{Fallible, PluginError};

/// The work of training since a learner was created.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// The multiply-adds of the training steps: the products of weights and maps with a batch, not
    /// those of predictions.
    pub multiply_adds: u64,
    /// The samples trained on, each counted once in an epoch, however often it was used there.
    pub samples: u64,
}

/// The cost of the learner behind an object; none where the learner does not count it.
pub(crate) type Count = unsafe extern "C" fn(*mut c_void, RStr<'_>) -> Fallible<ROption<Cost>>;

/// The struct of `cost/1`.
#[repr(C)]
pub(crate) struct CostExtension {
    size: usize,
    count: Count,
}

// SAFETY: `#[repr(C)]`, starts with its size, frozen.
unsafe impl Extension for CostExtension {
    const NAME: &'static str = "cost/1";
}

impl CostExtension {
    pub(crate) const fn new(count: Count) -> Self {
        Self {
            size: size_of::<Self>(),
            count,
        }
    }

    /// The cost of a learner that `algorithm` trains.
    ///
    /// # Safety
    /// `object` is that of a living learner of the plugin that offers this extension, and nothing
    /// else uses it now.
    pub(crate) unsafe fn count(
        &self,
        object: *mut c_void,
        algorithm: &str,
    ) -> Result<Option<Cost>, PluginError> {
        // SAFETY: promised by the caller.
        let cost = unsafe { (self.count)(object, algorithm.into()) };
        cost.into_result().map(ROption::into_option)
    }
}
