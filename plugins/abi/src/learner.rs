//! A learner: one network being trained by one algorithm.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::c_void;
use std::rc::Rc;

use abi_stable::StableAbi;
use abi_stable::std_types::{ROption, RSlice, RSliceMut, RStr, RVec};

use crate::batch::{Batch, BatchSource};
use crate::error::{ErrorCode, Fallible, PluginError};
use crate::extension::{
    Cost, CostExtension, EpochOrder, PlaceSource, Places, ResidentExtension, StoredSplit,
};
use crate::guard::guard;
use crate::metric::MetricSink;
use crate::tensor::TensorView;

/// Arguments for the creation of a learner.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct CreateRequest<'a> {
    /// One of the plugin's algorithms.
    pub algorithm: RStr<'a>,
    /// The network, whose last layer says the task: the JSON form of `assay_network::Network`.
    pub network: RStr<'a>,
    /// The hyper-parameters: a JSON object that the algorithm's schema accepts.
    pub hyperparameters: RStr<'a>,
    /// Decides every random number of the learner.
    pub seed: u64,
    /// `cpu`, `cuda`, or `cuda-portable`: a card on which a portable algorithm gives the bits of `cpu`.
    pub device: RStr<'a>,
    /// Threads that one operation may use; decides bits, so it is fixed.
    pub threads: u32,
}

/// Interface of a learner, implemented by an algorithm. Every method may be called any number of
/// times, in any order, but always on the thread that created the learner.
pub trait Learner {
    /// Trains on every batch of `batches`, in order, in one pass or, if the algorithm alternates
    /// between two losses, in two; see [`Batches::next_batch`](crate::Batches::next_batch). Every
    /// pass that was begun is finished. Epochs count from 1.
    fn train_epoch(
        &mut self,
        epoch: u32,
        batches: &mut BatchSource<'_>,
        metrics: &mut MetricSink<'_>,
    ) -> Result<(), PluginError>;

    /// Writes the network's outputs for `inputs` (B, C, H, W) into `outputs`, row-major
    /// (B, outputs): logits when the last layer is a softmax, else `h_L` in the order of the inputs
    /// (C, H, W). Changes nothing.
    fn predict(&mut self, inputs: TensorView<'_>, outputs: &mut [f32]) -> Result<(), PluginError>;

    /// The complete state (weights, optimiser, random streams) as safetensors.
    fn save(&mut self) -> Result<Vec<u8>, PluginError>;

    /// Puts a saved state back; training goes on as if it had never stopped.
    fn restore(&mut self, state: &[u8]) -> Result<(), PluginError>;

    /// The raw updates of one batch before the optimiser, as safetensors of named tensors:
    /// the parameter moves *against* each of them. Changes nothing. `noise` is empty or
    /// safetensors with the noise to use instead of the learner's own.
    fn directions(&mut self, batch: Batch<'_>, noise: &[u8]) -> Result<Vec<u8>, PluginError>;

    /// The work of training since the learner was created, `None` where that is not counted: the
    /// extension `cost/1`.
    fn cost(&mut self) -> Option<Cost> {
        None
    }

    /// Keeps a copy of `split` under `number`, in the place of what was lent under it before; false if it keeps
    /// none, since it has no use or no room for it: then the host serves batches. The extension `resident/1`.
    fn lend(&mut self, _number: u32, _split: &StoredSplit<'_>) -> Result<bool, PluginError> {
        Ok(false)
    }

    /// Trains as [`Learner::train_epoch`] does, on samples of a split that it keeps: the same numbers come out.
    fn train_resident(
        &mut self,
        _epoch: u32,
        _order: &EpochOrder<'_>,
        _places: &mut PlaceSource<'_>,
        _metrics: &mut MetricSink<'_>,
    ) -> Result<(), PluginError> {
        Err(keeps_none())
    }

    /// Predicts as [`Learner::predict`] does, for samples of a split that it keeps.
    fn predict_resident(
        &mut self,
        _split: u32,
        _samples: Places,
        _outputs: &mut [f32],
    ) -> Result<(), PluginError> {
        Err(keeps_none())
    }
}

fn keeps_none() -> PluginError {
    PluginError::new(ErrorCode::UNSUPPORTED, "the learner keeps no split")
}

/// The functions of a learner, as they cross. `object` is always the learner's own pointer.
#[repr(C)]
#[derive(StableAbi)]
pub struct LearnerTable {
    train_epoch: unsafe extern "C" fn(
        *mut c_void,
        u32,
        &mut BatchSource<'_>,
        &mut MetricSink<'_>,
    ) -> Fallible<()>,
    predict: unsafe extern "C" fn(*mut c_void, TensorView<'_>, RSliceMut<'_, f32>) -> Fallible<()>,
    save: unsafe extern "C" fn(*mut c_void) -> Fallible<RVec<u8>>,
    restore: unsafe extern "C" fn(*mut c_void, RSlice<'_, u8>) -> Fallible<()>,
    directions: unsafe extern "C" fn(*mut c_void, Batch<'_>, RSlice<'_, u8>) -> Fallible<RVec<u8>>,
    drop: unsafe extern "C" fn(*mut c_void) -> Fallible<()>,
}

/// An owned learner on either side of the boundary.
#[repr(C)]
#[derive(StableAbi)]
pub struct LearnerHandle {
    object: *mut c_void,
    table: LearnerTable,
}

/// A learner that panicked is never called again.
#[repr(C)]
struct Slot<L> {
    /// First, so that they are found behind any object, whatever its learner is.
    of_extensions: OfExtensions,
    panicked: bool,
    learner: L,
}

/// The functions of extensions for one kind of learner.
#[derive(Clone, Copy)]
struct OfExtensions {
    cost: unsafe extern "C" fn(*mut c_void) -> Fallible<ROption<Cost>>,
    lend: unsafe extern "C" fn(*mut c_void, u32, &StoredSplit<'_>) -> Fallible<u32>,
    train: unsafe extern "C" fn(
        *mut c_void,
        u32,
        &EpochOrder<'_>,
        &mut PlaceSource<'_>,
        &mut MetricSink<'_>,
    ) -> Fallible<()>,
    predict: unsafe extern "C" fn(*mut c_void, u32, Places, RSliceMut<'_, f32>) -> Fallible<()>,
}

/// The extensions for learners that a plugin has, and the algorithm of one of its learners.
#[derive(Clone)]
pub(crate) struct LearnerExtensions {
    pub(crate) cost: Option<&'static CostExtension>,
    pub(crate) resident: Option<&'static ResidentExtension>,
    pub(crate) algorithm: Rc<str>,
}

thread_local! {
    /// By the object of each living learner of this thread whose plugin has any. Nothing in a handle
    /// says which plugin it is of, and no other plugin may be asked about its object.
    static EXTENSIONS: RefCell<HashMap<*mut c_void, LearnerExtensions>> = RefCell::default();
}

impl LearnerHandle {
    /// Exports `learner`, which has to own all that it works with: nothing in the type of a handle
    /// says how long something borrowed would live.
    ///
    /// ```
    /// # use assay_abi::{Batch, BatchSource, Learner, LearnerHandle, MetricSink, PluginError, TensorView};
    /// # type Answer<T> = Result<T, PluginError>;
    /// struct Counting<T>(T);
    /// # impl<T> Learner for Counting<T> {
    /// #     fn train_epoch(&mut self, _: u32, _: &mut BatchSource<'_>, _: &mut MetricSink<'_>) -> Answer<()> { Ok(()) }
    /// #     fn predict(&mut self, _: TensorView<'_>, _: &mut [f32]) -> Answer<()> { Ok(()) }
    /// #     fn save(&mut self) -> Answer<Vec<u8>> { Ok(Vec::new()) }
    /// #     fn restore(&mut self, _: &[u8]) -> Answer<()> { Ok(()) }
    /// #     fn directions(&mut self, _: Batch<'_>, _: &[u8]) -> Answer<Vec<u8>> { Ok(Vec::new()) }
    /// # }
    /// let count = 0;
    /// let handle = LearnerHandle::new(Counting(count));
    /// ```
    ///
    /// One that borrows is refused, even where it would live long enough:
    /// ```compile_fail,E0597
    /// # use assay_abi::{Batch, BatchSource, Learner, LearnerHandle, MetricSink, PluginError, TensorView};
    /// # type Answer<T> = Result<T, PluginError>;
    /// struct Counting<T>(T);
    /// # impl<T> Learner for Counting<T> {
    /// #     fn train_epoch(&mut self, _: u32, _: &mut BatchSource<'_>, _: &mut MetricSink<'_>) -> Answer<()> { Ok(()) }
    /// #     fn predict(&mut self, _: TensorView<'_>, _: &mut [f32]) -> Answer<()> { Ok(()) }
    /// #     fn save(&mut self) -> Answer<Vec<u8>> { Ok(Vec::new()) }
    /// #     fn restore(&mut self, _: &[u8]) -> Answer<()> { Ok(()) }
    /// #     fn directions(&mut self, _: Batch<'_>, _: &[u8]) -> Answer<Vec<u8>> { Ok(Vec::new()) }
    /// # }
    /// let count = 0;
    /// let handle = LearnerHandle::new(Counting(&count));
    /// ```
    pub fn new<L: Learner + 'static>(learner: L) -> Self {
        let slot = Slot {
            of_extensions: OfExtensions {
                cost: cost::<L>,
                lend: lend::<L>,
                train: train_resident::<L>,
                predict: predict_resident::<L>,
            },
            panicked: false,
            learner,
        };
        Self {
            object: Box::into_raw(Box::new(slot)).cast(),
            table: LearnerTable {
                train_epoch: train_epoch::<L>,
                predict: predict::<L>,
                save: save::<L>,
                restore: restore::<L>,
                directions: directions::<L>,
                drop: drop_learner::<L>,
            },
        }
    }

    /// See [`Learner::train_epoch`].
    pub fn train_epoch(
        &mut self,
        epoch: u32,
        batches: &mut BatchSource<'_>,
        metrics: &mut MetricSink<'_>,
    ) -> Result<(), PluginError> {
        // SAFETY: `new` paired object and table; `&mut self` makes the call exclusive. The
        // same holds for every call below.
        unsafe { (self.table.train_epoch)(self.object, epoch, batches, metrics) }.into_result()
    }

    /// See [`Learner::predict`].
    pub fn predict(
        &mut self,
        inputs: TensorView<'_>,
        outputs: &mut [f32],
    ) -> Result<(), PluginError> {
        // SAFETY: see `train_epoch`.
        unsafe { (self.table.predict)(self.object, inputs, RSliceMut::from_mut_slice(outputs)) }
            .into_result()
    }

    /// See [`Learner::save`].
    pub fn save(&mut self) -> Result<Vec<u8>, PluginError> {
        // SAFETY: see `train_epoch`.
        let state = unsafe { (self.table.save)(self.object) }.into_result()?;
        Ok(state.into_vec())
    }

    /// See [`Learner::restore`].
    pub fn restore(&mut self, state: &[u8]) -> Result<(), PluginError> {
        // SAFETY: see `train_epoch`.
        unsafe { (self.table.restore)(self.object, RSlice::from_slice(state)) }.into_result()
    }

    /// See [`Learner::directions`].
    pub fn directions(&mut self, batch: Batch<'_>, noise: &[u8]) -> Result<Vec<u8>, PluginError> {
        // SAFETY: see `train_epoch`.
        let directions =
            unsafe { (self.table.directions)(self.object, batch, RSlice::from_slice(noise)) }
                .into_result()?;
        Ok(directions.into_vec())
    }

    /// See [`Learner::cost`]; `None` too where the plugin does not have the extension `cost/1`, or
    /// the learner was not made by [`LoadedPlugin::create`](crate::LoadedPlugin::create).
    pub fn cost(&mut self) -> Result<Option<Cost>, PluginError> {
        let Some((algorithm, extension)) = self.extension(|it| it.cost) else {
            return Ok(None);
        };
        // SAFETY: the plugin of the extension made the object, which lives as long as the handle;
        // `&mut self` makes the call exclusive. The same holds for the extension below.
        unsafe { extension.count(self.object, &algorithm) }
    }

    /// See [`Learner::lend`]; false too where the plugin does not have the extension `resident/1`, or the learner
    /// was not made by [`LoadedPlugin::create`](crate::LoadedPlugin::create).
    pub fn lend(&mut self, number: u32, split: &StoredSplit<'_>) -> Result<bool, PluginError> {
        let Some((algorithm, extension)) = self.extension(|it| it.resident) else {
            return Ok(false);
        };
        // SAFETY: see `cost`.
        let kept = unsafe { (extension.lend)(self.object, (*algorithm).into(), number, split) };
        kept.into_result().map(|kept| kept != 0)
    }

    /// See [`Learner::train_resident`].
    pub fn train_resident(
        &mut self,
        epoch: u32,
        order: &EpochOrder<'_>,
        places: &mut PlaceSource<'_>,
        metrics: &mut MetricSink<'_>,
    ) -> Result<(), PluginError> {
        let (algorithm, extension) = self.extension(|it| it.resident).ok_or_else(keeps_none)?;
        let algorithm = (*algorithm).into();
        // SAFETY: see `cost`.
        unsafe { (extension.train)(self.object, algorithm, epoch, order, places, metrics) }
            .into_result()
    }

    /// See [`Learner::predict_resident`].
    pub fn predict_resident(
        &mut self,
        split: u32,
        samples: Places,
        outputs: &mut [f32],
    ) -> Result<(), PluginError> {
        let (algorithm, extension) = self.extension(|it| it.resident).ok_or_else(keeps_none)?;
        let (algorithm, outputs) = ((*algorithm).into(), RSliceMut::from_mut_slice(outputs));
        // SAFETY: see `cost`.
        unsafe { (extension.predict)(self.object, algorithm, split, samples, outputs) }
            .into_result()
    }

    /// One of the extensions that the learner's plugin has, with the name of its algorithm.
    fn extension<E>(
        &self,
        which: impl FnOnce(&LearnerExtensions) -> Option<E>,
    ) -> Option<(Rc<str>, E)> {
        EXTENSIONS.with_borrow(|extensions| {
            let of_plugin = extensions.get(&self.object)?;
            Some((of_plugin.algorithm.clone(), which(of_plugin)?))
        })
    }

    /// Has this handle call the `extensions` of the plugin that made its learner.
    pub(crate) fn extend(&self, extensions: LearnerExtensions) {
        EXTENSIONS.with_borrow_mut(|all| all.insert(self.object, extensions));
    }
}

impl Drop for LearnerHandle {
    fn drop(&mut self) {
        // Another learner may come to lie there. A thread that ends may have no extensions any more.
        let _ = EXTENSIONS.try_with(|extensions| extensions.borrow_mut().remove(&self.object));
        // SAFETY: `new` made `object` with a box of the type that this `drop` expects, and a
        // handle is dropped once. A panic in the learner's drop was already contained.
        let _ = unsafe { (self.table.drop)(self.object) };
    }
}

/// Calls `body` on the learner behind `object` with panics contained.
///
/// # Safety
/// `object` came from `LearnerHandle::new::<L>`, is alive, and nothing else uses it now.
unsafe fn with<L, T>(
    object: *mut c_void,
    what: &str,
    body: impl FnOnce(&mut L) -> Result<T, PluginError>,
) -> Fallible<T> {
    // SAFETY: promised by the caller.
    let slot = unsafe { &mut *object.cast::<Slot<L>>() };
    if slot.panicked {
        return Fallible::RErr(PluginError::new(
            ErrorCode::PANIC,
            format!("{what} was called on a learner that had panicked"),
        ));
    }
    slot.panicked = true;
    let answer = guard(what, || body(&mut slot.learner));
    slot.panicked = matches!(&answer, Fallible::RErr(error) if error.code == ErrorCode::PANIC);
    answer
}

/// # Safety
/// See [`with`].
unsafe extern "C" fn train_epoch<L: Learner>(
    object: *mut c_void,
    epoch: u32,
    batches: &mut BatchSource<'_>,
    metrics: &mut MetricSink<'_>,
) -> Fallible<()> {
    // SAFETY: promised by the caller.
    unsafe {
        with::<L, _>(object, "train_epoch", |learner| {
            learner.train_epoch(epoch, batches, metrics)
        })
    }
}

/// # Safety
/// See [`with`].
unsafe extern "C" fn predict<L: Learner>(
    object: *mut c_void,
    inputs: TensorView<'_>,
    outputs: RSliceMut<'_, f32>,
) -> Fallible<()> {
    // SAFETY: promised by the caller.
    unsafe {
        with::<L, _>(object, "predict", |learner| {
            learner.predict(inputs, outputs.into_mut_slice())
        })
    }
}

/// # Safety
/// See [`with`].
unsafe extern "C" fn save<L: Learner>(object: *mut c_void) -> Fallible<RVec<u8>> {
    // SAFETY: promised by the caller.
    unsafe { with::<L, _>(object, "save", |learner| learner.save().map(RVec::from)) }
}

/// # Safety
/// See [`with`].
unsafe extern "C" fn restore<L: Learner>(
    object: *mut c_void,
    state: RSlice<'_, u8>,
) -> Fallible<()> {
    // SAFETY: promised by the caller.
    unsafe {
        with::<L, _>(object, "restore", |learner| {
            learner.restore(state.as_slice())
        })
    }
}

/// # Safety
/// See [`with`].
unsafe extern "C" fn directions<L: Learner>(
    object: *mut c_void,
    batch: Batch<'_>,
    noise: RSlice<'_, u8>,
) -> Fallible<RVec<u8>> {
    // SAFETY: promised by the caller.
    unsafe {
        with::<L, _>(object, "directions", |learner| {
            learner.directions(batch, noise.as_slice()).map(RVec::from)
        })
    }
}

/// # Safety
/// See [`with`].
unsafe extern "C" fn cost<L: Learner>(object: *mut c_void) -> Fallible<ROption<Cost>> {
    // SAFETY: promised by the caller.
    unsafe { with::<L, _>(object, "cost", |learner| Ok(learner.cost().into())) }
}

/// # Safety
/// See [`with`].
unsafe extern "C" fn lend<L: Learner>(
    object: *mut c_void,
    number: u32,
    split: &StoredSplit<'_>,
) -> Fallible<u32> {
    // SAFETY: promised by the caller.
    unsafe {
        with::<L, _>(object, "lend", |learner| {
            learner.lend(number, split).map(u32::from)
        })
    }
}

/// # Safety
/// See [`with`].
unsafe extern "C" fn train_resident<L: Learner>(
    object: *mut c_void,
    epoch: u32,
    order: &EpochOrder<'_>,
    places: &mut PlaceSource<'_>,
    metrics: &mut MetricSink<'_>,
) -> Fallible<()> {
    // SAFETY: promised by the caller.
    unsafe {
        with::<L, _>(object, "train_resident", |learner| {
            learner.train_resident(epoch, order, places, metrics)
        })
    }
}

/// # Safety
/// See [`with`].
unsafe extern "C" fn predict_resident<L: Learner>(
    object: *mut c_void,
    split: u32,
    samples: Places,
    outputs: RSliceMut<'_, f32>,
) -> Fallible<()> {
    // SAFETY: promised by the caller.
    unsafe {
        with::<L, _>(object, "predict_resident", |learner| {
            learner.predict_resident(split, samples, outputs.into_mut_slice())
        })
    }
}

/// The functions of extensions for the learner behind `object`.
///
/// # Safety
/// `object` came from [`LearnerHandle::new`], is alive, and nothing else uses it now.
unsafe fn of_extensions(object: *mut c_void) -> OfExtensions {
    // SAFETY: every `Slot` starts with these functions, which are those of its own learner.
    unsafe { *object.cast::<OfExtensions>() }
}

/// The function of `cost/1`, for a learner of any kind: the algorithm makes no difference.
///
/// # Safety
/// See [`of_extensions`]; the same holds for the functions of `resident/1`.
pub(crate) unsafe extern "C" fn cost_of_learner(
    object: *mut c_void,
    _algorithm: RStr<'_>,
) -> Fallible<ROption<Cost>> {
    // SAFETY: promised by the caller.
    unsafe { (of_extensions(object).cost)(object) }
}

/// # Safety
/// See [`of_extensions`].
pub(crate) unsafe extern "C" fn lend_to_learner(
    object: *mut c_void,
    _algorithm: RStr<'_>,
    number: u32,
    split: &StoredSplit<'_>,
) -> Fallible<u32> {
    // SAFETY: promised by the caller.
    unsafe { (of_extensions(object).lend)(object, number, split) }
}

/// # Safety
/// See [`of_extensions`].
pub(crate) unsafe extern "C" fn train_learner_resident(
    object: *mut c_void,
    _algorithm: RStr<'_>,
    epoch: u32,
    order: &EpochOrder<'_>,
    places: &mut PlaceSource<'_>,
    metrics: &mut MetricSink<'_>,
) -> Fallible<()> {
    // SAFETY: promised by the caller.
    unsafe { (of_extensions(object).train)(object, epoch, order, places, metrics) }
}

/// # Safety
/// See [`of_extensions`].
pub(crate) unsafe extern "C" fn predict_of_learner_resident(
    object: *mut c_void,
    _algorithm: RStr<'_>,
    split: u32,
    samples: Places,
    outputs: RSliceMut<'_, f32>,
) -> Fallible<()> {
    // SAFETY: promised by the caller.
    unsafe { (of_extensions(object).predict)(object, split, samples, outputs) }
}

/// # Safety
/// `object` came from `LearnerHandle::new::<L>` and is not used again.
unsafe extern "C" fn drop_learner<L>(object: *mut c_void) -> Fallible<()> {
    // SAFETY: promised by the caller.
    let slot = unsafe { Box::from_raw(object.cast::<Slot<L>>()) };
    guard("dropping the learner", move || {
        drop(slot);
        Ok(())
    })
}

#[cfg(test)]
mod tests;
