//! Metrics that a plugin reports while it trains.

use std::ffi::c_void;
use std::marker::PhantomData;

use abi_stable::StableAbi;
use abi_stable::std_types::{RSlice, RStr};

use crate::error::{Fallible, PluginError};
use crate::guard::guard;

/// Receiver of metrics, implemented by the host.
pub trait Metrics {
    /// The `values` of the metric `name` for consecutive steps since the last call.
    ///
    /// # Errors
    /// A name that the algorithm did not declare, or
    /// [`ErrorCode::CANCELLED`](crate::ErrorCode::CANCELLED): the plugin hands either back.
    fn record(&mut self, name: &str, values: &[f64]) -> Result<(), PluginError>;
}

/// The receiver of metrics, as the plugin sees it.
#[repr(C)]
#[derive(StableAbi)]
pub struct MetricSink<'a> {
    object: *mut c_void,
    record: unsafe extern "C" fn(*mut c_void, RStr<'_>, RSlice<'_, f64>) -> Fallible<()>,
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
    /// Whatever the host reports; hand it back unchanged.
    pub fn record(&mut self, name: &str, values: &[f64]) -> Result<(), PluginError> {
        let (name, values) = (RStr::from_str(name), RSlice::from_slice(values));
        // SAFETY: `object` and `record` were paired by `new`, and `'a` borrows the object
        // exclusively.
        unsafe { (self.record)(self.object, name, values) }.into_result()
    }
}

/// # Safety
/// `object` is the `M` that `MetricSink::new::<M>` borrowed, and nothing else uses it now.
unsafe extern "C" fn record<M: Metrics>(
    object: *mut c_void,
    name: RStr<'_>,
    values: RSlice<'_, f64>,
) -> Fallible<()> {
    // SAFETY: promised by the caller.
    let metrics = unsafe { &mut *object.cast::<M>() };
    guard("the host's metric sink", || {
        metrics.record(name.as_str(), values.as_slice())
    })
}
