//! Has libtorch compute the same bits in every run on one kind of card: deterministic algorithms, and
//! float32 as it is instead of TF32.
//!
//! The bindings have no call for that. The functions are those of `at::Context`, which libtorch
//! exports and its own headers call; they are named as C++ compilers name them on Linux.

use std::ffi::c_void;
use std::sync::Once;

use assay_abi::{ErrorCode, PluginError};

// The part of libtorch that every plugin is linked with has them, with or without CUDA. A method takes
// its object first, and gives and takes `bool` as C does.
unsafe extern "C" {
    #[link_name = "_ZN2at13globalContextEv"]
    fn global_context() -> *mut c_void;
    #[link_name = "_ZN2at7Context26setDeterministicAlgorithmsEbb"]
    fn set_deterministic_algorithms(context: *mut c_void, on: bool, warn_only: bool);
    #[link_name = "_ZN2at7Context39setDeterministicFillUninitializedMemoryEb"]
    fn set_fill_uninitialized_memory(context: *mut c_void, on: bool);
    #[link_name = "_ZN2at7Context21setDeterministicCuDNNEb"]
    fn set_deterministic_cudnn(context: *mut c_void, on: bool);
    #[link_name = "_ZN2at7Context18setAllowTF32CuBLASEb"]
    fn set_tf32_cublas(context: *mut c_void, on: bool);
    #[link_name = "_ZN2at7Context17setAllowTF32CuDNNEb"]
    fn set_tf32_cudnn(context: *mut c_void, on: bool);
    #[link_name = "_ZNK2at7Context23deterministicAlgorithmsEv"]
    fn deterministic_algorithms(context: *const c_void) -> bool;
    #[link_name = "_ZNK2at7Context31deterministicAlgorithmsWarnOnlyEv"]
    fn deterministic_algorithms_warn_only(context: *const c_void) -> bool;
    #[link_name = "_ZNK2at7Context18deterministicCuDNNEv"]
    fn deterministic_cudnn(context: *const c_void) -> bool;
    #[link_name = "_ZNK2at7Context15allowTF32CuBLASEv"]
    fn tf32_cublas(context: *const c_void) -> bool;
    #[link_name = "_ZNK2at7Context16float32PrecisionENS_14Float32BackendENS_9Float32OpE"]
    fn float32_precision(context: *const c_void, backend: i32, operation: i32) -> i32;
}

// Numbers of the enumerations in ATen/Context.h.
const CUDA: i32 = 1;
const CONVOLUTION: i32 = 1;
const TF32: i32 = 2;

/// The variable, and its values with which cuBLAS sums in the same order in every run. The library
/// reads it when it starts, so it is the host that sets it.
const WORKSPACE: (&str, [&str; 2]) = ("CUBLAS_WORKSPACE_CONFIG", [":4096:8", ":16:8"]);

/// The settings of libtorch that decide the bits of a computation on a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Determinism {
    /// Algorithms that give other bits in another run are refused.
    pub(crate) algorithms: bool,
    /// The same for cuDNN.
    pub(crate) cudnn: bool,
    /// Products or convolutions may round their factors to TF32.
    pub(crate) tf32: bool,
}

/// Settings as the host writes them into an action on a card.
pub(crate) const WANTED: Determinism = Determinism {
    algorithms: true,
    cudnn: true,
    tf32: false,
};

impl Determinism {
    /// Libtorch's settings as they are.
    pub(crate) fn current() -> Self {
        // SAFETY: the context lives as long as the process; the functions only read it, and are declared
        // as `at::Context` has them.
        unsafe {
            let context = global_context();
            Self {
                algorithms: deterministic_algorithms(context)
                    && !deterministic_algorithms_warn_only(context),
                cudnn: deterministic_cudnn(context),
                tf32: tf32_cublas(context) || float32_precision(context, CUDA, CONVOLUTION) == TF32,
            }
        }
    }
}

/// Makes libtorch compute deterministically in this process, and sees that it does.
///
/// # Errors
/// [`ErrorCode::DEVICE`] where libtorch's settings are not what they were set to, or the host left
/// cuBLAS without a workspace.
pub(crate) fn enforce() -> Result<(), PluginError> {
    let (variable, values) = WORKSPACE;
    let value = std::env::var(variable).unwrap_or_default();
    if !values.contains(&value.as_str()) {
        let message = format!("{variable} is `{value}`, so cuBLAS may sum in any order");
        return Err(
            PluginError::new(ErrorCode::DEVICE, message).with_help(format!(
                "set it to {} before this process starts, as the host does, or use device `cpu`",
                values[0]
            )),
        );
    }
    settle()
}

/// Learners of other threads may compute once it has been called.
static SETTLED: Once = Once::new();

fn settle() -> Result<(), PluginError> {
    // SAFETY: as above; the functions only set fields, before anything computes.
    SETTLED.call_once(|| unsafe {
        let context = global_context();
        set_deterministic_algorithms(context, true, false);
        // Nothing here reads memory before it wrote it, and filling it would cost a launch each time.
        set_fill_uninitialized_memory(context, false);
        set_deterministic_cudnn(context, true);
        set_tf32_cublas(context, false);
        set_tf32_cudnn(context, false);
    });
    let current = Determinism::current();
    if current == WANTED {
        return Ok(());
    }
    let message = format!("libtorch does not compute deterministically: {current:?}");
    Err(PluginError::new(ErrorCode::DEVICE, message)
        .with_help("use the libtorch that scripts/setup fetches, or device `cpu`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libtorch_says_that_it_computes_deterministically() {
        // By itself it does not, or this would show nothing.
        assert!(Determinism::current().tf32);
        settle().unwrap();
        assert_eq!(Determinism::current(), WANTED);
    }
}
