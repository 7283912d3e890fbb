//! A stream of the driver's for one learner, on which libtorch computes as well while the learner is called.
//!
//! Learners of one process compute side by side only on streams of their own. libtorch has a current stream for each
//! thread, in whose order it computes and frees memory; the bindings have no call to set it. The functions are those of
//! libtorch's stable C interface.

use std::any::Any;
use std::ffi::c_void;
use std::ptr;

use cudarc::driver::result::{self as driver, DriverError};
use cudarc::driver::sys::{self as driver_api, CUevent_flags as Flags};
use libloading::os::unix::{Library, RTLD_NOW};

use crate::card::note_slower;
use crate::device::CUDA_LIBRARY;

pub(super) struct Stream {
    context: driver_api::CUcontext,
    /// Null for the default stream, which libtorch computes on by itself.
    handle: driver_api::CUstream,
    card: i32,
    /// The end of what was launched, for whoever waits for it asleep.
    end: driver_api::CUevent,
    /// The functions by which libtorch enters it; none for the default stream.
    guards: Option<Guards>,
}

type Create = unsafe extern "C" fn(*mut c_void, i32, *mut *mut c_void) -> i32;
type Delete = unsafe extern "C" fn(*mut c_void) -> i32;
type Current = unsafe extern "C" fn(i32, *mut *mut c_void) -> i32;

/// The functions of `torch/csrc/inductor/aoti_torch/c/shim.h`, which return 0 where they succeed.
#[derive(Clone, Copy)]
struct Guards {
    create: Create,
    delete: Delete,
    current: Current,
}

impl Guards {
    /// Those of libtorch, which has been opened; none where it lacks them.
    fn find() -> Option<Self> {
        // SAFETY: it has been opened before, so that nothing is loaded.
        let library = unsafe { Library::open(Some(CUDA_LIBRARY), RTLD_NOW) }.ok()?;
        // SAFETY: the header declares them like this.
        let guards = unsafe {
            Self {
                create: *library.get(b"aoti_torch_create_cuda_stream_guard").ok()?,
                delete: *library.get(b"aoti_torch_delete_cuda_stream_guard").ok()?,
                current: *library.get(b"aoti_torch_get_current_cuda_stream").ok()?,
            }
        };
        std::mem::forget(library);
        Some(guards)
    }
}

/// Has libtorch compute on a stream, on this thread, until it is dropped.
struct Guard {
    guards: Guards,
    handle: *mut c_void,
}

impl Drop for Guard {
    fn drop(&mut self) {
        // SAFETY: made by `create`, on this thread, and deleted once.
        let _ = unsafe { (self.guards.delete)(self.handle) };
    }
}

impl Stream {
    /// A stream of its own, or the default one where libtorch cannot be had to compute on another.
    pub(super) fn new(context: driver_api::CUcontext, card: i32) -> Result<Self, DriverError> {
        let mut stream = Self {
            context,
            handle: ptr::null_mut(),
            card,
            end: ptr::null_mut(),
            guards: None,
        };
        let flags = Flags::CU_EVENT_BLOCKING_SYNC as u32 | Flags::CU_EVENT_DISABLE_TIMING as u32;
        // SAFETY: the context lives as long as the process; the driver writes a handle to the place that it is given.
        unsafe {
            driver::ctx::set_current(context)?;
            driver_api::cuEventCreate(&raw mut stream.end, flags).result()?;
        }
        stream.guards = Guards::find();
        if stream.guards.is_some() {
            stream.handle = driver::stream::create(driver::stream::StreamKind::NonBlocking)?;
            if !stream.is_entered() {
                stream.destroy_handle();
            }
        }
        if stream.is_default() {
            note_slower(
                &"this libtorch computes on no stream but its own, where trainings take turns",
            );
        }
        Ok(stream)
    }

    /// True if libtorch computes on it once it is entered.
    fn is_entered(&self) -> bool {
        let (Some(guards), Some(_guard)) = (self.guards, self.enter()) else {
            return false;
        };
        let mut current = ptr::null_mut();
        // SAFETY: as the header declares it; the place is one of this frame.
        let asked = unsafe { (guards.current)(self.card, &raw mut current) };
        asked == 0 && current == self.handle.cast()
    }

    pub(super) fn is_default(&self) -> bool {
        self.handle.is_null()
    }

    pub(super) fn handle(&self) -> driver_api::CUstream {
        self.handle
    }

    /// Has libtorch compute on it, on this thread, until what is given is dropped.
    pub(super) fn enter(&self) -> Option<Box<dyn Any>> {
        let guards = self.guards?;
        let mut handle = ptr::null_mut();
        // SAFETY: the stream lives as long as `self`, which a learner keeps while it is called.
        let made = unsafe { (guards.create)(self.handle.cast(), self.card, &raw mut handle) };
        (made == 0 && !handle.is_null()).then(|| Box::new(Guard { guards, handle }) as Box<dyn Any>)
    }

    /// Waits until all that was launched on it is done, asleep.
    pub(super) fn wait(&self) -> Result<(), DriverError> {
        // SAFETY: the context lives as long as the process, the event and the stream as long as `self`.
        unsafe {
            driver::ctx::set_current(self.context)?;
            driver::event::record(self.end, self.handle)?;
            driver::event::synchronize(self.end)
        }
    }

    /// Leaves the stream of its own, after all that was launched on it: libtorch may give the memory of this learner to
    /// one on another stream of the same handle.
    fn destroy_handle(&mut self) {
        self.guards = None;
        if self.handle.is_null() {
            return;
        }
        // SAFETY: made by the driver, and destroyed once.
        unsafe {
            let _ = driver::ctx::set_current(self.context);
            let _ = driver::stream::synchronize(self.handle);
            let _ = driver::stream::destroy(self.handle);
        }
        self.handle = ptr::null_mut();
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.destroy_handle();
        if !self.end.is_null() {
            // SAFETY: made by the driver, and destroyed once.
            unsafe {
                let _ = driver::ctx::set_current(self.context);
                let _ = driver::event::destroy(self.end);
            }
        }
    }
}
