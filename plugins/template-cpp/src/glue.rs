//! The calls to `glue.cpp`, and all `unsafe` code of the plugin. Lengths, shapes and classes are checked
//! here, before any memory is handed over, so that the C++ can rely on them.

use std::ffi::{CStr, c_char, c_int};
use std::marker::{PhantomData, PhantomPinned};
use std::ptr::{self, NonNull};
use std::slice;

use assay_abi::{ErrorCode, PluginError};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

/// A hyper-parameter: a number within bounds.
pub(crate) struct Setting {
    pub(crate) name: String,
    pub(crate) description: String,
    /// Its value where none is given.
    pub(crate) initial: f64,
    pub(crate) minimum: Option<f64>,
    pub(crate) above: Option<f64>,
    pub(crate) maximum: Option<f64>,
    pub(crate) below: Option<f64>,
}

/// The description of the rule.
pub(crate) struct Description {
    pub(crate) summary: String,
    pub(crate) reference: String,
    pub(crate) settings: Vec<Setting>,
}

/// The source of a learner's directions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The author's rule.
    Rule,
    /// The gradient of the loss, to compare the rule with.
    Backpropagation,
}

/// The types of `glue.cpp`, field by field.
mod ffi {
    use super::{PhantomData, PhantomPinned, c_char, c_int};

    /// `Handle`: only C++ knows what is in it.
    #[repr(C)]
    pub(super) struct Handle {
        data: [u8; 0],
        // Neither moved nor shared between threads by Rust.
        marker: PhantomData<(*mut u8, PhantomPinned)>,
    }

    #[repr(C)]
    pub(super) struct Failure {
        pub(super) code: u32,
        pub(super) message: [u8; 512],
    }

    #[repr(C)]
    pub(super) struct TensorInfo {
        pub(super) name: *const c_char,
        pub(super) shape: *const i64,
        pub(super) dimensions: usize,
        pub(super) data: *mut u8,
        pub(super) bytes: usize,
        pub(super) is_integer: bool,
    }

    #[repr(C)]
    pub(super) struct Setting {
        pub(super) name: *const c_char,
        pub(super) description: *const c_char,
        pub(super) initial: f64,
        pub(super) minimum: f64,
        pub(super) above: f64,
        pub(super) maximum: f64,
        pub(super) below: f64,
    }

    #[repr(C)]
    pub(super) struct RuleInfo {
        pub(super) summary: *const c_char,
        pub(super) reference: *const c_char,
        pub(super) settings: *const Setting,
        pub(super) count: usize,
    }

    unsafe extern "C" {
        pub(super) fn rule_describe(out: *mut RuleInfo, failure: *mut Failure) -> bool;
        pub(super) fn rule_create(
            units: *const i64,
            count: usize,
            seed: u64,
            threads: c_int,
            values: *const f64,
            settings: usize,
            backpropagation: bool,
            out: *mut *mut Handle,
            failure: *mut Failure,
        ) -> bool;
        pub(super) fn rule_step(
            handle: *mut Handle,
            inputs: *const f32,
            labels: *const i64,
            samples: i64,
            loss: *mut f64,
            failure: *mut Failure,
        ) -> bool;
        pub(super) fn rule_predict(
            handle: *const Handle,
            inputs: *const f32,
            samples: i64,
            outputs: *mut f32,
            failure: *mut Failure,
        ) -> bool;
        pub(super) fn rule_directions(
            handle: *mut Handle,
            inputs: *const f32,
            labels: *const i64,
            samples: i64,
            out: *mut *const TensorInfo,
            count: *mut usize,
            failure: *mut Failure,
        ) -> bool;
        pub(super) fn rule_state(
            handle: *mut Handle,
            out: *mut *const TensorInfo,
            count: *mut usize,
            failure: *mut Failure,
        ) -> bool;
        pub(super) fn rule_destroy(handle: *mut Handle);
    }
}

/// Makes a call that fills in a failure where it returns false.
fn call(function: impl FnOnce(*mut ffi::Failure) -> bool) -> Result<(), PluginError> {
    let mut failure = ffi::Failure {
        code: ErrorCode::OTHER.0,
        message: [0; 512],
    };
    if function(&raw mut failure) {
        return Ok(());
    }
    let message = failure.message.split(|&byte| byte == 0).next();
    let message = String::from_utf8_lossy(message.unwrap_or_default());
    let message: String = message
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    Err(PluginError::new(ErrorCode(failure.code), message))
}

/// The description of the rule in `rule.cpp`.
///
/// # Errors
/// The C++ failed.
pub(crate) fn describe() -> Result<Description, PluginError> {
    let mut info = ffi::RuleInfo {
        summary: ptr::null(),
        reference: ptr::null(),
        settings: ptr::null(),
        count: 0,
    };
    // SAFETY: both pointers are to live values of the types that `glue.cpp` declares.
    call(|failure| unsafe { ffi::rule_describe(&raw mut info, failure) })?;
    // SAFETY: `rule_describe` succeeded, so these are `count` settings of a static vector.
    let settings = unsafe { elements(info.settings, info.count) };
    // SAFETY: the texts of a description and of its settings are string literals, or null.
    let text = |pointer| unsafe { text(pointer) };
    let bound = |value: f64| (!value.is_nan()).then_some(value);
    let settings = settings.iter().map(|setting| Setting {
        name: text(setting.name),
        description: text(setting.description),
        initial: setting.initial,
        minimum: bound(setting.minimum),
        above: bound(setting.above),
        maximum: bound(setting.maximum),
        below: bound(setting.below),
    });
    Ok(Description {
        summary: text(info.summary),
        reference: text(info.reference),
        settings: settings.collect(),
    })
}

/// A learner in C++.
pub(crate) struct Rule {
    /// Made by `rule_create`, owned by this value alone, and destroyed with it.
    handle: NonNull<ffi::Handle>,
    inputs: usize,
    outputs: usize,
}

impl Rule {
    /// A learner of a network with these numbers of inputs and of units in each layer. There is one value
    /// for each setting of the description.
    ///
    /// # Errors
    /// The rule refuses the network, or the C++ failed.
    pub(crate) fn new(
        units: &[u32],
        seed: u64,
        threads: u32,
        values: &[f64],
        kind: Kind,
    ) -> Result<Self, PluginError> {
        let (&[inputs, ..], &[.., outputs]) = (units, units) else {
            return Err(shape("a network without layers"));
        };
        let threads = c_int::try_from(threads).ok().filter(|&threads| threads > 0);
        let threads = threads
            .ok_or_else(|| PluginError::new(ErrorCode::DEVICE, "expected at least one thread"))?;
        let sizes: Vec<i64> = units.iter().copied().map(i64::from).collect();
        let mut handle = ptr::null_mut();
        // SAFETY: the pointers are to as many sizes and values as is said, which live until the call
        // returns, and to places of the types that `glue.cpp` declares.
        call(|failure| unsafe {
            ffi::rule_create(
                sizes.as_ptr(),
                sizes.len(),
                seed,
                threads,
                values.as_ptr(),
                values.len(),
                kind == Kind::Backpropagation,
                &raw mut handle,
                failure,
            )
        })?;
        let handle = NonNull::new(handle)
            .ok_or_else(|| PluginError::new(ErrorCode::OTHER, "the learner was not made"))?;
        Ok(Self {
            handle,
            inputs: inputs as usize,
            outputs: outputs as usize,
        })
    }

    /// Trains on one batch; its mean loss before the step, in nats.
    ///
    /// # Errors
    /// The batch has another shape, a value is not finite, or the C++ failed.
    pub(crate) fn step(&mut self, inputs: &[f32], labels: &[i64]) -> Result<f64, PluginError> {
        let samples = self.check_batch(inputs, labels)?;
        let mut loss = 0.0;
        // SAFETY: `handle` is alive, and `&mut self` makes the call exclusive. `check_batch` proved
        // that the inputs and the labels are as many as `samples` says and that every label is a
        // class. They are only read, and not after the call has returned.
        call(|failure| unsafe {
            ffi::rule_step(
                self.handle.as_ptr(),
                inputs.as_ptr(),
                labels.as_ptr(),
                samples,
                &raw mut loss,
                failure,
            )
        })?;
        Ok(loss)
    }

    /// Writes the logits of `inputs`, row-major.
    ///
    /// # Errors
    /// A slice has another length, or the C++ failed.
    pub(crate) fn predict(
        &mut self,
        inputs: &[f32],
        outputs: &mut [f32],
    ) -> Result<(), PluginError> {
        let samples = inputs.len() / self.inputs;
        let fits = inputs.len() == samples * self.inputs
            && samples.checked_mul(self.outputs) == Some(outputs.len());
        let count = i64::try_from(samples).ok().filter(|_| fits);
        let count = count.ok_or_else(|| shape("inputs and outputs do not fit the network"))?;
        if count == 0 {
            return Ok(());
        }
        // SAFETY: `handle` is alive. The inputs are `count` samples and the outputs have room for as
        // many rows; `inputs` is only read, `outputs` is borrowed exclusively, and neither is used
        // after the call has returned.
        call(|failure| unsafe {
            ffi::rule_predict(
                self.handle.as_ptr(),
                inputs.as_ptr(),
                count,
                outputs.as_mut_ptr(),
                failure,
            )
        })
    }

    /// The directions of one batch, as safetensors.
    ///
    /// # Errors
    /// See [`Rule::step`].
    pub(crate) fn directions(
        &mut self,
        inputs: &[f32],
        labels: &[i64],
    ) -> Result<Vec<u8>, PluginError> {
        let samples = self.check_batch(inputs, labels)?;
        let (mut infos, mut count) = (ptr::null(), 0);
        // SAFETY: as in `step`.
        call(|failure| unsafe {
            ffi::rule_directions(
                self.handle.as_ptr(),
                inputs.as_ptr(),
                labels.as_ptr(),
                samples,
                &raw mut infos,
                &raw mut count,
                failure,
            )
        })?;
        // SAFETY: the call succeeded, and no other one is made before the tensors have been read.
        safetensors(&unsafe { Memory::list(infos, count) })
    }

    /// The state, as safetensors.
    ///
    /// # Errors
    /// The C++ failed.
    pub(crate) fn save(&mut self) -> Result<Vec<u8>, PluginError> {
        safetensors(&self.state()?)
    }

    /// Puts a saved state back, wholly or, on an error, not at all.
    ///
    /// # Errors
    /// [`ErrorCode::STATE`]: it is none of this algorithm and network.
    pub(crate) fn restore(&mut self, state: &[u8]) -> Result<(), PluginError> {
        let saved = SafeTensors::deserialize(state)
            .map_err(|error| PluginError::from_error(ErrorCode::STATE, &error))?;
        let own = self.state()?;
        let misfit = |name: &str, how: &str| {
            let message = format!("tensor `{name}` of the state {how}");
            PluginError::new(ErrorCode::STATE, message)
        };
        if let Some(name) = saved
            .names()
            .iter()
            .find(|name| own.iter().all(|it| it.name != **name))
        {
            return Err(misfit(
                &name.escape_default().to_string(),
                "is unknown here",
            ));
        }
        let mut values = Vec::with_capacity(own.len());
        for tensor in &own {
            let view = saved
                .tensor(&tensor.name)
                .map_err(|_| misfit(&tensor.name, "is missing"))?;
            if view.dtype() != tensor.dtype
                || view.shape() != tensor.shape
                || view.data().len() != tensor.bytes().len()
            {
                return Err(misfit(&tensor.name, "has another type or shape"));
            }
            // Of the two types only counts are integers.
            if tensor.dtype == Dtype::I64 && view.data().chunks(8).any(|it| it[7] & 0x80 != 0) {
                return Err(misfit(&tensor.name, "is below zero"));
            }
            values.push(view.data());
        }
        for (mut tensor, value) in own.into_iter().zip(values) {
            tensor.write(value);
        }
        Ok(())
    }

    /// The memory of the state's tensors.
    fn state(&mut self) -> Result<Vec<Memory<'_>>, PluginError> {
        let (mut infos, mut count) = (ptr::null(), 0);
        // SAFETY: `handle` is alive, and the pointers are to places of the types that `glue.cpp` declares.
        call(|failure| unsafe {
            ffi::rule_state(
                self.handle.as_ptr(),
                &raw mut infos,
                &raw mut count,
                failure,
            )
        })?;
        // SAFETY: the call succeeded, and the result borrows `self` exclusively, so no other call can be
        // made while it is alive.
        Ok(unsafe { Memory::list(infos, count) })
    }

    /// The number of samples of a batch that the network can be trained on.
    fn check_batch(&self, inputs: &[f32], labels: &[i64]) -> Result<i64, PluginError> {
        if labels.is_empty() || labels.len().checked_mul(self.inputs) != Some(inputs.len()) {
            return Err(shape(
                "the inputs and labels of a batch do not fit the network",
            ));
        }
        let is_class =
            |&label: &i64| usize::try_from(label).is_ok_and(|label| label < self.outputs);
        if !labels.iter().all(is_class) {
            return Err(shape("a label is no class of the network"));
        }
        i64::try_from(labels.len()).map_err(|_| shape("a batch is too large"))
    }
}

impl Drop for Rule {
    fn drop(&mut self) {
        // SAFETY: made by `rule_create`, and destroyed here only.
        unsafe { ffi::rule_destroy(self.handle.as_ptr()) }
    }
}

/// The memory of a tensor that C++ owns.
struct Memory<'a> {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    data: *mut u8,
    count: usize,
    owner: PhantomData<&'a mut [u8]>,
}

impl Memory<'_> {
    /// The memory of `count` tensors.
    ///
    /// # Safety
    /// `glue.cpp` gave the list, whose tensors are contiguous and initialised, and no other call with the same
    /// learner is made during the lifetime of the result.
    unsafe fn list<'a>(infos: *const ffi::TensorInfo, count: usize) -> Vec<Memory<'a>> {
        // SAFETY: promised by the caller.
        let infos = unsafe { elements(infos, count) };
        let memory = infos.iter().map(|info| {
            // SAFETY: promised by the caller.
            let sizes = unsafe { elements(info.shape, info.dimensions) };
            Memory {
                // SAFETY: promised by the caller; names are C strings.
                name: unsafe { text(info.name) },
                dtype: if info.is_integer {
                    Dtype::I64
                } else {
                    Dtype::F32
                },
                // Sizes of tensors are not below zero.
                shape: sizes
                    .iter()
                    .map(|size| size.unsigned_abs() as usize)
                    .collect(),
                data: info.data,
                count: info.bytes,
                owner: PhantomData,
            }
        });
        memory.collect()
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: see `list`; nothing writes but `write`, which nothing calls during the borrow.
        unsafe { elements(self.data, self.count) }
    }

    /// Overwrites the tensor, which has as many bytes as `value`.
    fn write(&mut self, value: &[u8]) {
        let count = self.count.min(value.len());
        // SAFETY: `count` bytes lie at both places; `value` belongs to Rust, so they do not overlap.
        unsafe { ptr::copy_nonoverlapping(value.as_ptr(), self.data, count) }
    }
}

fn safetensors(tensors: &[Memory<'_>]) -> Result<Vec<u8>, PluginError> {
    let failed =
        |error: safetensors::SafeTensorError| PluginError::from_error(ErrorCode::OTHER, &error);
    let views = tensors.iter().map(|tensor| {
        let view = TensorView::new(tensor.dtype, tensor.shape.clone(), tensor.bytes());
        Ok((tensor.name.as_str(), view.map_err(failed)?))
    });
    let views: Vec<_> = views.collect::<Result<_, PluginError>>()?;
    safetensors::serialize(views, None).map_err(failed)
}

/// # Safety
/// `data` is null and `count` 0, or `data` points to `count` initialised elements that live for `'a`.
unsafe fn elements<'a, T>(data: *const T, count: usize) -> &'a [T] {
    if count == 0 {
        return &[];
    }
    // SAFETY: promised by the caller.
    unsafe { slice::from_raw_parts(data, count) }
}

/// # Safety
/// `text` is null or a C string.
unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: promised by the caller.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_string_lossy().into_owned()
}

fn shape(message: &str) -> PluginError {
    PluginError::new(ErrorCode::SHAPE, message)
}
