//! Metrics that a plugin reports while it trains.

use std::ffi::c_void;
use std::marker::PhantomData;

use abi_stable::StableAbi;
use abi_stable::std_types::RStr;

use crate::error::{Fallible, PluginError};
use crate::guard::guard;

/// What the host implements to receive metrics.
pub trait Metrics {
    /// The `values` of the metric `name` for consecutive steps since the last call.
    ///
    /// # Errors
    /// A name that the algorithm did not declare.
    fn record(&mut self, name: &str, values: &[f64]) -> Result<(), PluginError>;
}

/// The receiver of metrics, as the plugin sees it.
#[repr(C)]
#[derive(StableAbi)]
pub struct MetricSink<'a> {
    object: *mut c_void,
    record: unsafe extern "C" fn(*mut c_void, RStr<'_>, *const f64, usize) -> Fallible<()>,
    owner: PhantomData<&'a mut c_void>,
}

impl<'a> MetricSink<'a> {
    /// Receives metrics for `metrics` across the boundary.
    pub fn new<M: Metrics>(metrics: &'a mut M) -> Self {
        Self {
            object: std::ptr::from_mut(metrics).cast(),
            record: record::<M>,
            owner: PhantomData,
        }
    }

    /// Reports the `values` of the metric `name` for consecutive steps since the last call.
    ///
    /// # Errors
    /// A name that the algorithm did not declare.
    pub fn record(&mut self, name: &str, values: &[f64]) -> Result<(), PluginError> {
        // SAFETY: `object` and `record` were paired by `new`, `'a` borrows the object
        // exclusively, and the slice outlives the call.
        unsafe {
            (self.record)(
                self.object,
                RStr::from_str(name),
                values.as_ptr(),
                values.len(),
            )
        }
        .into_result()
    }
}

/// # Safety
/// `object` is the `M` that `MetricSink::new::<M>` borrowed, nothing else uses it now, and
/// `values` points to `count` floats.
unsafe extern "C" fn record<M: Metrics>(
    object: *mut c_void,
    name: RStr<'_>,
    values: *const f64,
    count: usize,
) -> Fallible<()> {
    // SAFETY: promised by the caller; a slice's pointer is never null, even when it is empty.
    let (metrics, values) = unsafe {
        (
            &mut *object.cast::<M>(),
            std::slice::from_raw_parts(values, count),
        )
    };
    guard("the host's metric sink", || {
        metrics.record(name.as_str(), values)
    })
}
