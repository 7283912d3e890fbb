//! NVRTC, the compiler of kernels, which comes with libtorch's CUDA.

use std::ffi::CString;

use assay_abi::PluginError;
use cudarc::nvrtc::result::{self as compiler, NvrtcError};
use cudarc::nvrtc::sys as compiler_api;
use libloading::Library;

use super::super::kernel::SOURCE;
use super::{kept, refused};

/// The library of libtorch that is linked with NVRTC.
const LIBTORCHS_COMPILER: &str = "libcaffe2_nvrtc.so";

/// Every operation is rounded on its own, and to a subnormal number where that is the nearest.
const OPTIONS: [&str; 5] = [
    "--fmad=false",
    "--ftz=false",
    "--prec-div=true",
    "--prec-sqrt=true",
    "--std=c++17",
];

/// The kernels as a driver loads them, for the cards of an architecture such as `sm_90`. They are compiled unless an
/// earlier worker left them.
///
/// # Errors
/// There is no compiler, or it refuses the source.
pub(super) fn image(architecture: &str) -> Result<Vec<u8>, PluginError> {
    let (major, minor) = version()?;
    let what = format!("{architecture} {major}.{minor} {OPTIONS:?}\n");
    let what = [&[&*what], &SOURCE[..]].concat().concat();
    kept::or_compiled(what.as_bytes(), || Compiled::new(architecture)?.image())
}

fn version() -> Result<(i32, i32), PluginError> {
    if !has_compiler() {
        let help = "it is part of CUDA and of PyTorch: name its folder with LD_LIBRARY_PATH, or use device `cuda`, \
                    whose bits are not those of a processor";
        let cause = "libnvrtc.so, the compiler of kernels, cannot be opened";
        return Err(refused(cause, help));
    }
    let (mut major, mut minor) = (0, 0);
    // SAFETY: the library was opened above, and writes two numbers.
    let told = unsafe { compiler_api::nvrtcVersion(&raw mut major, &raw mut minor) };
    told.result().map_err(failed)?;
    Ok((major, minor))
}

/// True if NVRTC's library can be opened.
pub(in super::super) fn has_compiler() -> bool {
    // SAFETY: here and below: opens libraries whose constructors do no more than those of the rest of CUDA. This one of
    // libtorch's brings the compiler that it was installed with, wherever that lies.
    if let Ok(library) = unsafe { Library::new(LIBTORCHS_COMPILER) } {
        std::mem::forget(library);
    }
    // SAFETY: as above.
    unsafe { compiler_api::is_culib_present() }
}

/// The kernels, compiled for an architecture.
pub(in super::super) struct Compiled {
    program: compiler_api::nvrtcProgram,
    /// The program may refer to it.
    _source: CString,
}

impl Compiled {
    /// # Errors
    /// The source is refused.
    ///
    /// # Panics
    /// There is no compiler.
    pub(in super::super) fn new(architecture: &str) -> Result<Self, PluginError> {
        let source = CString::new(SOURCE.concat()).map_err(|error| refused(error, ""))?;
        let compiled = Self {
            program: compiler::create_program(&source, None).map_err(failed)?,
            _source: source,
        };
        let architecture = format!("--gpu-architecture={architecture}");
        let options = [&OPTIONS[..], &[&architecture]].concat();
        // SAFETY: here and below: the program was created above, and is destroyed when this is dropped.
        let outcome = unsafe { compiler::compile_program(compiled.program, &options) };
        outcome.map_err(|error| compiled.refusal(error))?;
        Ok(compiled)
    }

    /// The words of the compiler.
    fn refusal(&self, error: NvrtcError) -> PluginError {
        // SAFETY: as above.
        let log = unsafe { compiler::get_program_log(self.program) };
        let log: Vec<_> = log.into_iter().flatten().map(|it| it as u8).collect();
        let log = String::from_utf8_lossy(&log);
        let words = log.trim_end_matches('\0').trim();
        refused(format!("{error}: {words}"), "")
    }

    /// The form that a driver loads.
    pub(in super::super) fn image(&self) -> Result<Vec<u8>, PluginError> {
        let mut size = 0;
        // SAFETY: as above; the compiler writes a number, and then as many bytes.
        unsafe {
            let told = compiler_api::nvrtcGetCUBINSize(self.program, &raw mut size);
            told.result().map_err(failed)?;
            let mut image = vec![0; size];
            let told = compiler_api::nvrtcGetCUBIN(self.program, image.as_mut_ptr().cast());
            told.result().map_err(failed)?;
            Ok(image)
        }
    }

    /// The form that a person can read.
    #[cfg(test)]
    pub(in super::super) fn assembly(&self) -> Result<String, PluginError> {
        // SAFETY: as above.
        let assembly = unsafe { compiler::get_ptx(self.program) }.map_err(failed)?;
        let assembly: Vec<_> = assembly.into_iter().map(|it| it as u8).collect();
        Ok(String::from_utf8_lossy(&assembly).into_owned())
    }
}

impl Drop for Compiled {
    fn drop(&mut self) {
        // SAFETY: as above.
        let _ = unsafe { compiler::destroy_program(self.program) };
    }
}

fn failed(error: NvrtcError) -> PluginError {
    refused(error, "")
}
