//! The libtorch that the loader finds for a plugin: which file, which version, and that it loads.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use assay_core::Limits;
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use serde::{Deserialize, Serialize};

use crate::cancel::Cancel;
use crate::containment::{Places, Profile, contain};
use crate::device::{DeviceError, ask_child, clean, loader_words};
use crate::elf::Dynamic;

/// The part of libtorch that computes on processors.
const LIBRARY: &str = "libtorch_cpu.so";

/// A libtorch that loads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Libtorch {
    /// Its file.
    pub file: PathBuf,
    /// Its version; none where it does not say.
    pub version: Option<String>,
}

impl Libtorch {
    /// Asks for the one that the plugin in the file `plugin` would use, in a contained process.
    ///
    /// # Errors
    /// There is none, or it does not load.
    pub(super) fn ask(plugin: &Path, cancel: &Cancel) -> Result<Self, DeviceError> {
        let arguments = [OsStr::new("libtorch"), plugin.as_os_str()];
        let answer: Result<Self, String> = ask_child("libtorch", &arguments, cancel)?;
        answer.map_err(|reason| DeviceError::Failed {
            whom: "libtorch",
            reason: clean(&reason),
        })
    }
}

/// Looks at libtorch from within this process, which must be a child that may crash or hang.
pub(crate) fn look(plugin: &Path) -> Result<Libtorch, String> {
    let folders = Dynamic::read(plugin).search_path();
    let places = Places {
        plugin: Some(plugin.to_owned()),
        ..Places::default()
    };
    // Nothing that a plugin names is loaded by a process that is not contained.
    contain(Profile::Sealed, &places, Limits::default()).map_err(|error| error.to_string())?;
    let mut files = folders.iter().map(|folder| folder.join(LIBRARY));
    let file = files.find(|file| file.is_file());
    let file = file.unwrap_or_else(|| LIBRARY.into());
    // SAFETY: its constructors run as they would in a worker, and as contained.
    let library = unsafe { Library::open(Some(&file), RTLD_NOW | RTLD_LOCAL) };
    let library = library.map_err(|error| loader_words(&error))?;
    Ok(Libtorch {
        version: version(&library),
        file,
    })
}

/// The version as libtorch writes it into a number: major, minor and patch, a byte each, first.
fn version(library: &Library) -> Option<String> {
    type GetVersion = unsafe extern "C" fn() -> u64;
    // SAFETY: as torch/csrc/inductor/aoti_torch/c/shim.h declares it.
    let get = unsafe { library.get::<GetVersion>(b"aoti_torch_abi_version") }.ok()?;
    // SAFETY: as above; it takes nothing and gives a number.
    let [major, minor, patch, ..] = unsafe { get() }.to_be_bytes();
    Some(format!("{major}.{minor}.{patch}"))
}
