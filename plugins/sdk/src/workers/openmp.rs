//! The threads themselves: those of the OpenMP runtime that libtorch uses.
//!
//! Between two operations OpenMP's threads wait busily for the next. Threads of our own beside
//! them would find every processor taken, and would be woken too late for operations of a tenth
//! of a millisecond.

use std::ffi::{c_int, c_uint, c_void};
use std::sync::OnceLock;

use libloading::os::unix::{Library, RTLD_NOW};

/// The runtime that libtorch brings along, and its function for a parallel region: part of the
/// binary interface of every program compiled with GCC's OpenMP.
const RUNTIME: &str = "libgomp.so.1";
const PARALLEL: &[u8] = b"GOMP_parallel";

/// Only a library that is loaded already (`dlfcn.h` of Linux).
const RTLD_NOLOAD: c_int = 4;

type Region = unsafe extern "C" fn(*mut c_void);
type Parallel = unsafe extern "C" fn(Region, *mut c_void, c_uint, c_uint);

/// Calls `work` on `threads` threads, this one among them, and returns when all are done. Where
/// libtorch has another runtime, on this one alone. `work` must not panic.
pub(super) fn run<W: Fn() + Sync>(threads: usize, work: &W) {
    let parallel = if threads > 1 { parallel() } else { None };
    let Some(parallel) = parallel else {
        return work();
    };
    let data = std::ptr::from_ref(work).cast_mut().cast();
    // SAFETY: the function has this signature; `call::<W>` gets back the pointer it expects, and all
    // threads have returned from it, so that `work` outlives them, when the function returns.
    unsafe { parallel(call::<W>, data, threads as c_uint, 0) };
}

/// # Safety
/// `data` points to a `W` that lives during the call and may be shared among threads.
unsafe extern "C" fn call<W: Fn() + Sync>(data: *mut c_void) {
    // SAFETY: promised by the caller.
    unsafe { (*data.cast_const().cast::<W>())() }
}

fn parallel() -> Option<Parallel> {
    static FOUND: OnceLock<Option<Parallel>> = OnceLock::new();
    *FOUND.get_or_init(|| {
        // SAFETY: the library is loaded, so none of its constructors run.
        let runtime = unsafe { Library::open(Some(RUNTIME), RTLD_NOW | RTLD_NOLOAD) }.ok()?;
        // SAFETY: a function of this signature, by the runtime's binary interface.
        let entry = unsafe { runtime.get::<Parallel>(PARALLEL) }
            .ok()
            .map(|entry| *entry);
        // libtorch keeps it loaded for the life of the process anyway.
        std::mem::forget(runtime);
        entry
    })
}
