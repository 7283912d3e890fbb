//! Loads a plugin into this process. Only workers do this, one plugin each, and never unload it.

use std::ffi::c_void;
use std::mem::ManuallyDrop;
use std::path::Path;
use std::ptr;

use assay_abi::{LoadError, LoadedPlugin, ROOT_SYMBOL};
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

use super::file::{PluginError, read_handshake};
use crate::log::note;

/// Why a library could not be loaded as a plugin.
#[derive(Debug, thiserror::Error)]
pub enum LoadFailure {
    /// Its handshake says that it cannot be.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// The system's loader refused it.
    #[error("the system cannot load the plugin")]
    Open(#[source] libloading::Error),
    /// It has a handshake but no root module.
    #[error("the plugin has no root module `{ROOT_SYMBOL}`")]
    NoRoot,
    /// Its root module has another layout.
    #[error("the plugin cannot be used: {0}")]
    Interface(LoadError),
}

/// Ends this process, in which plugins may have been loaded, without the destructors of their libraries: those of libtorch take
/// a third of the time that it takes to load it. What was written to streams of C's is there.
pub(crate) fn leave(is_success: bool) -> ! {
    // SAFETY: null stands for all streams, and any thread may flush them.
    unsafe { libc::fflush(ptr::null_mut()) };
    signal_hook::low_level::exit(i32::from(!is_success))
}

/// Loads the plugin at `path`, whose handshake is checked first.
///
/// # Safety
/// The library's own code runs in this process, from its constructors on, and nothing can keep it from
/// what the process may do. The user trusts these bytes, and the file has no others while it is open.
///
/// # Errors
/// Anything that keeps the library from being used; the process is unharmed unless one of the
/// library's own constructors harmed it.
pub unsafe fn load(path: &Path) -> Result<LoadedPlugin, LoadFailure> {
    read_handshake(path)?;
    // SAFETY: opening runs the library's constructors. Its handshake shows that it was built for this
    // target; that it is trusted is promised by the caller.
    let library =
        unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.map_err(LoadFailure::Open)?;
    // libtorch leaves threads and thread-local destructors behind, so unloading is never safe.
    let library = ManuallyDrop::new(library);
    // SAFETY: the symbol is only used as an address here.
    let symbol = unsafe { library.get::<*const c_void>(ROOT_SYMBOL.as_bytes()) }
        .map_err(|_| LoadFailure::NoRoot)?;
    let address: *const c_void = symbol.into_raw().cast_const();
    if address.is_null() {
        return Err(LoadFailure::NoRoot);
    }
    // SAFETY: the address is that of the root symbol, the library stays loaded for the life of
    // the process, and its handshake was accepted.
    unsafe { LoadedPlugin::from_symbol(address) }.map_err(|error| {
        if let LoadError::Layout { details } = &error {
            note(details);
        }
        LoadFailure::Interface(error)
    })
}
