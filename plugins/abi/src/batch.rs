//! Batches: the host gathers them, the plugin pulls them.

use std::ffi::c_void;
use std::marker::PhantomData;

use abi_stable::StableAbi;
use abi_stable::std_types::{ROption, RResult};

use crate::error::{Fallible, PluginError};
use crate::guard::guard;
use crate::tensor::TensorView;

/// One batch of samples.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// The inputs, `f32` (B, C, H, W), already scaled and augmented by the host.
    pub inputs: TensorView<'a>,
    /// The classes, `i64` (B); a network that reconstructs makes no use of them.
    pub labels: TensorView<'a>,
}

/// The most passes of a learner over the batches of one epoch.
pub const MOST_PASSES: u32 = 2;

/// Source of batches, implemented by the host.
pub trait Batches {
    /// The next batch, borrowed until the next call; `None` at the end of a pass over the epoch.
    ///
    /// A call after `None` begins another pass: the same batches in the same order, augmented
    /// the same way. An algorithm that alternates between two losses sees each sample once for
    /// each, and the whole is still one epoch.
    ///
    /// A metric may be recorded while the batch is borrowed.
    ///
    /// # Errors
    /// [`ErrorCode::CANCELLED`](crate::ErrorCode::CANCELLED) when the host wants to stop: the
    /// plugin hands it back at once. [`ErrorCode::HOST`](crate::ErrorCode::HOST) for a pass
    /// beyond [`MOST_PASSES`], so that no plugin goes on for ever.
    fn next_batch(&mut self) -> Result<Option<Batch<'_>>, PluginError>;
}

/// The batches of one epoch, as the plugin sees them.
#[repr(C)]
#[derive(StableAbi)]
pub struct BatchSource<'a> {
    object: *mut c_void,
    next: unsafe extern "C" fn(*mut c_void) -> Fallible<ROption<Batch<'static>>>,
    owner: PhantomData<&'a mut c_void>,
}

impl<'a> BatchSource<'a> {
    /// Serves `batches` across the boundary.
    pub fn new<B: Batches>(batches: &'a mut B) -> Self {
        Self {
            object: std::ptr::from_mut(batches).cast(),
            next: next::<B>,
            owner: PhantomData,
        }
    }

    /// The next batch, borrowed until the next call; `None` at the end of a pass over the epoch.
    /// A call after `None` begins another pass over the same batches, see [`Batches`].
    ///
    /// # Errors
    /// Whatever the host reports; hand it back unchanged, cancellation above all.
    pub fn next_batch(&mut self) -> Result<Option<Batch<'_>>, PluginError> {
        // SAFETY: `object` and `next` were paired by `new`, and `'a` borrows the object
        // exclusively. The batch is shortened here to a borrow of `self`, so it ends
        // before the next call.
        let batch = unsafe { (self.next)(self.object) };
        batch.map(ROption::into_option).into_result()
    }
}

/// # Safety
/// `object` is the `B` that `BatchSource::new::<B>` borrowed, and nothing else uses it now.
unsafe extern "C" fn next<B: Batches>(object: *mut c_void) -> Fallible<ROption<Batch<'static>>> {
    // SAFETY: promised by the caller.
    let batches = unsafe { &mut *object.cast::<B>() };
    match guard("the host's batch source", || {
        Ok(batches.next_batch()?.map(forget_borrow))
    }) {
        RResult::ROk(batch) => RResult::ROk(batch.into()),
        RResult::RErr(error) => RResult::RErr(error),
    }
}

/// Drops the lifetime for the crossing; `BatchSource::next_batch` puts a shorter one back.
fn forget_borrow(batch: Batch<'_>) -> Batch<'static> {
    // SAFETY: only the lifetime changes, and the one reader, `BatchSource::next_batch`,
    // bounds the batch by the borrow of the source again.
    unsafe { std::mem::transmute::<Batch<'_>, Batch<'static>>(batch) }
}
