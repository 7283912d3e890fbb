//! The CUDA libraries that a plugin's libtorch uses: which versions the loader would give it. They
//! lie where the plugin says, so they are loaded in a contained child alone.

use std::ffi::{OsStr, c_int};
use std::path::{Path, PathBuf};

use assay_core::Limits;
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use serde::{Deserialize, Serialize};

use super::child;
use super::driver::clean;
use super::error::DeviceError;
use crate::cancel::Cancel;
use crate::containment::{Places, Profile, contain};
use crate::elf::Dynamic;

/// The versions of the libraries, each `none` where there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LibraryVersions {
    /// The CUDA runtime, such as `13.0`.
    pub runtime: String,
    /// cuBLAS, such as `13.1.0`.
    pub cublas: String,
    /// cuDNN, such as `9.19.0`.
    pub cudnn: String,
}

/// Version of a library that is not there.
const NONE: &str = "none";

impl Default for LibraryVersions {
    fn default() -> Self {
        Self {
            runtime: NONE.to_owned(),
            cublas: NONE.to_owned(),
            cudnn: NONE.to_owned(),
        }
    }
}

/// Asks the libraries that the plugin in the file `plugin` would use, in a process of its own that is
/// contained as a worker is.
///
/// # Errors
/// They cannot be asked.
pub fn ask_libraries(plugin: &Path, cancel: &Cancel) -> Result<LibraryVersions, DeviceError> {
    let arguments = [OsStr::new("libraries"), plugin.as_os_str()];
    let LibraryVersions {
        runtime,
        cublas,
        cudnn,
    } = child::ask("the CUDA libraries", &arguments, cancel)?;
    // A library of the plugin's may say anything.
    Ok(LibraryVersions {
        runtime: clean(&runtime),
        cublas: clean(&cublas),
        cudnn: clean(&cudnn),
    })
}

/// The half of libtorch that computes on cards.
const LIBTORCH: &str = "libtorch_cuda.so";

/// The folders that the loader looks for a plugin's libraries in, before those of the system.
pub(super) fn folders(plugin: &Path) -> Vec<PathBuf> {
    Dynamic::read(plugin).search_path()
}

/// Looks at the libraries from within this process, which must be a child that may crash or hang.
pub(super) fn look(plugin: &Path) -> LibraryVersions {
    let places = Places {
        plugin: Some(plugin.to_owned()),
        ..Places::default()
    };
    // Nothing of the plugin's is loaded by a process that is not contained.
    if contain(Profile::Sealed, &places, Limits::default()).is_err() {
        return LibraryVersions::default();
    }
    let Some(libtorch) = find(LIBTORCH, &folders(plugin)) else {
        return LibraryVersions::default();
    };
    let libtorch = Dynamic::read(&libtorch);
    let folders = libtorch.search_path();
    let ask = |start: &str, question: fn(&Library) -> Option<String>| {
        let name = libtorch
            .needed
            .iter()
            .find(|name| name.starts_with(start))?;
        // Where none of its folders has it, the loader looks in those of the system.
        let file = find(name, &folders).unwrap_or_else(|| name.into());
        // SAFETY: its constructors run as they would in a worker, and as contained.
        let library = unsafe { Library::open(Some(file), RTLD_NOW | RTLD_LOCAL) };
        question(&library.ok()?)
    };
    let version = |start, question| ask(start, question).unwrap_or(NONE.to_owned());
    LibraryVersions {
        runtime: version("libcudart.so", |library| {
            let version = runtime(library)?;
            Some(format!("{}.{}", version / 1000, version % 1000 / 10))
        }),
        cublas: version("libcublas.so", |library| {
            property(library, c"cublasGetProperty")
        }),
        cudnn: version("libcudnn.so", |library| {
            property(library, c"cudnnGetProperty")
        }),
    }
}

fn find(name: &str, folders: &[PathBuf]) -> Option<PathBuf> {
    let mut files = folders.iter().map(|folder| folder.join(name));
    files.find(|file| file.is_file())
}

fn runtime(library: &Library) -> Option<c_int> {
    type GetVersion = unsafe extern "C" fn(*mut c_int) -> c_int;
    // SAFETY: as cuda_runtime_api.h declares it.
    let get = unsafe { library.get::<GetVersion>(b"cudaRuntimeGetVersion") }.ok()?;
    let mut version = 0;
    // SAFETY: as above; the pointer is to a number of this frame.
    (unsafe { get(&raw mut version) } == 0).then_some(version)
}

/// The version by its three parts, which `library_types.h` numbers.
fn property(library: &Library, function: &std::ffi::CStr) -> Option<String> {
    type GetProperty = unsafe extern "C" fn(c_int, *mut c_int) -> c_int;
    // SAFETY: as cublas_api.h and cudnn_version.h declare it.
    let get = unsafe { library.get::<GetProperty>(function.to_bytes_with_nul()) }.ok()?;
    let part = |which| {
        let mut value = 0;
        // SAFETY: as above; the pointer is to a number of this frame.
        (unsafe { get(which, &raw mut value) } == 0).then_some(value)
    };
    Some(format!("{}.{}.{}", part(0)?, part(1)?, part(2)?))
}
