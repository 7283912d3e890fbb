//! Kernels on an NVIDIA card: compiled by NVRTC, which comes with libtorch's CUDA, and launched on libtorch's default
//! stream, in whose order it frees memory.

use std::ffi::{CString, c_void};
use std::fmt::Display;
use std::ptr;

use assay_abi::{ErrorCode, PluginError};
use cudarc::driver::result::{self as driver, DriverError};
use cudarc::driver::sys::{self as driver_api, CUdevice_attribute as Attribute};
use cudarc::nvrtc::{CompileError, CompileOptions, compile_ptx_with_opts, sys as compiler_api};

use libloading::Library;

use super::kernel::SOURCE;
use super::{Kernel, Launch, THREADS};
use crate::error::Error;

/// The library of libtorch that is linked with NVRTC.
const LIBTORCHS_COMPILER: &str = "libcaffe2_nvrtc.so";

pub(super) struct Nvidia {
    context: driver_api::CUcontext,
    /// In the order of [`Kernel::ALL`].
    functions: Vec<driver_api::CUfunction>,
    multiprocessors: u32,
}

impl Nvidia {
    /// Compiles the kernels for a card and loads them. They stay as long as the process lives, as libtorch's do.
    pub(super) fn open(card: i32) -> Result<Self, PluginError> {
        // SAFETY: opens the driver's library, as libtorch has done before.
        if !unsafe { driver_api::is_culib_present() } {
            return Err(refused("the driver's libcuda.so cannot be opened", ""));
        }
        driver::init().map_err(failed)?;
        let device = driver::device::get(card).map_err(failed)?;
        // SAFETY: the device was found above.
        let attribute = |of| unsafe { driver::device::get_attribute(device, of) }.map_err(failed);
        let major = attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?;
        let minor = attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?;
        let multiprocessors = attribute(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?;
        let image = compile(&format!("compute_{major}{minor}"))?;
        // SAFETY: the device was found above; its primary context is the one that libtorch uses.
        let context = unsafe { driver::primary_ctx::retain(device) }.map_err(failed)?;
        // SAFETY: the context was retained above, for good; the image ends with a zero; the module is never unloaded.
        let module = unsafe {
            driver::ctx::set_current(context)
                .and_then(|()| driver::module::load_data(image.as_ptr().cast()))
        };
        let module = module.map_err(failed)?;
        let mut functions = Vec::new();
        for kernel in Kernel::ALL {
            let name = CString::new(kernel.name()).map_err(|error| refused(error, ""))?;
            // SAFETY: the module was loaded above.
            let function = unsafe { driver::module::get_function(module, name) };
            functions.push(function.map_err(failed)?);
        }
        Ok(Self {
            context,
            functions,
            multiprocessors: u32::try_from(multiprocessors).unwrap_or(1),
        })
    }
}

/// The kernels in the form that a driver loads, for an architecture such as `compute_90` and later ones.
///
/// # Errors
/// There is no compiler, or it refuses the source.
pub(super) fn compile(architecture: &str) -> Result<CString, PluginError> {
    if !has_compiler() {
        let help = "it is part of CUDA and of PyTorch: name its folder with LD_LIBRARY_PATH, or use device `cuda`, \
                    whose bits are not those of a processor";
        let cause = "libnvrtc.so, the compiler of kernels, cannot be opened";
        return Err(refused(cause, help));
    }
    // Every operation is rounded on its own, and to a subnormal number where that is the nearest.
    let options = CompileOptions {
        fmad: Some(false),
        ftz: Some(false),
        prec_div: Some(true),
        prec_sqrt: Some(true),
        options: vec![
            format!("--gpu-architecture={architecture}"),
            "--std=c++17".to_owned(),
        ],
        ..CompileOptions::default()
    };
    let compiled =
        compile_ptx_with_opts(SOURCE.concat(), options).map_err(|error| match error {
            CompileError::CompileError { log, .. } => refused(log.to_string_lossy(), ""),
            other => refused(other, ""),
        })?;
    CString::new(compiled.to_src()).map_err(|error| refused(error, ""))
}

/// True if NVRTC's library can be opened.
pub(super) fn has_compiler() -> bool {
    // SAFETY: here and below: opens libraries whose constructors do no more than those of the rest of CUDA. This one of
    // libtorch's brings the compiler that it was installed with, wherever that lies.
    if let Ok(library) = unsafe { Library::new(LIBTORCHS_COMPILER) } {
        std::mem::forget(library);
    }
    // SAFETY: as above.
    unsafe { compiler_api::is_culib_present() }
}

impl Launch for Nvidia {
    unsafe fn launch(
        &self,
        kernel: Kernel,
        blocks: u32,
        arguments: &mut [*mut c_void],
    ) -> Result<(), Error> {
        let Some(&function) = self.functions.get(kernel as usize) else {
            return Ok(());
        };
        let (grid, block) = ((blocks, 1, 1), (THREADS as u32, 1, 1));
        // SAFETY: the context lives as long as the process, and the function is one of it; the arguments are promised by
        // the caller, and copied by the call.
        let launched = unsafe {
            driver::ctx::set_current(self.context).and_then(|()| {
                driver::launch_kernel(function, grid, block, 0, ptr::null_mut(), arguments)
            })
        };
        launched.map_err(|error| Error::from(failed(error)))
    }

    fn multiprocessors(&self) -> u32 {
        self.multiprocessors
    }

    fn free_memory(&self) -> Result<usize, Error> {
        // SAFETY: the context lives as long as the process.
        let current = unsafe { driver::ctx::set_current(self.context) };
        let memory = current.and_then(|()| driver::mem_get_info());
        let (free, _) = memory.map_err(|error| Error::from(failed(error)))?;
        Ok(free)
    }
}

/// The words of the driver, in which the host knows a card that was lost or is full.
fn failed(error: DriverError) -> PluginError {
    let words = error.error_string();
    let words = words.map_or_else(
        |_| error.to_string(),
        |it| it.to_string_lossy().into_owned(),
    );
    refused(words, "")
}

fn refused(cause: impl Display, help: &str) -> PluginError {
    let message = format!("the SDK's kernels cannot run on the card: {cause}");
    PluginError::new(ErrorCode::DEVICE, message).with_help(help)
}
