//! Kernels on an NVIDIA card: compiled by NVRTC, and launched on a stream that libtorch computes on too, and in whose order it
//! frees memory.

mod compiler;
mod kept;
mod stream;

use std::any::Any;
use std::collections::BTreeMap;
use std::ffi::{CString, c_void};
use std::fmt::Display;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use assay_abi::{ErrorCode, PluginError};
use cudarc::driver::result::{self as driver, DriverError};
use cudarc::driver::sys::{self as driver_api, CUdevice_attribute as Attribute};

#[cfg(test)]
pub(super) use self::compiler::{Compiled, has_compiler};
use self::stream::Stream;
use super::{Graph, Kernel, Launch, Node, THREADS};
use crate::error::Error;

/// The kernels, and the stream on which one learner launches them.
pub(super) struct Nvidia {
    kernels: &'static Kernels,
    stream: Stream,
}

impl Nvidia {
    /// # Errors
    /// There is no compiler for kernels, or no card.
    pub(super) fn open(card: i32) -> Result<Self, PluginError> {
        let kernels = Kernels::of(card)?;
        let stream = Stream::new(kernels.context, card).map_err(failed)?;
        kernels.learners.fetch_add(1, Ordering::Relaxed);
        Ok(Self { kernels, stream })
    }
}

impl Drop for Nvidia {
    fn drop(&mut self) {
        self.kernels.learners.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The kernels of a card, for all learners of a process.
struct Kernels {
    context: driver_api::CUcontext,
    /// In the order of [`Kernel::ALL`].
    functions: Vec<driver_api::CUfunction>,
    multiprocessors: usize,
    /// Learners of this process that compute with them.
    learners: AtomicUsize,
}

// SAFETY: handles of the driver, which serves all threads of a process alike, and nothing changes; the count is atomic.
unsafe impl Send for Kernels {}
// SAFETY: as above.
unsafe impl Sync for Kernels {}

/// By the number of the card. Whoever finds them in the making waits.
static KERNELS: Mutex<BTreeMap<i32, &'static Kernels>> = Mutex::new(BTreeMap::new());

impl Kernels {
    /// The number of learners that compute with them, at least one.
    fn learners(&self) -> usize {
        self.learners.load(Ordering::Relaxed).max(1)
    }

    /// Those of a card, compiled and loaded at the first call. They stay as long as the process lives, as libtorch's do.
    fn of(card: i32) -> Result<&'static Self, PluginError> {
        let mut all = KERNELS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kernels) = all.get(&card) {
            return Ok(kernels);
        }
        let kernels: &'static Self = Box::leak(Box::new(Self::load(card)?));
        all.insert(card, kernels);
        Ok(kernels)
    }

    fn load(card: i32) -> Result<Self, PluginError> {
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
        let image = compiler::image(&format!("sm_{major}{minor}"))?;
        // SAFETY: the device was found above; its primary context is the one that libtorch uses.
        let context = unsafe { driver::primary_ctx::retain(device) }.map_err(failed)?;
        // SAFETY: the context was retained above, for good; the image is one of the compiler's; the module is never unloaded.
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
            multiprocessors: usize::try_from(multiprocessors).unwrap_or(1),
            learners: AtomicUsize::new(0),
        })
    }
}

impl Launch for Nvidia {
    fn enter(&self) -> Result<Option<Box<dyn Any>>, PluginError> {
        let entered = self.stream.enter();
        if entered.is_none() && !self.stream.is_default() {
            return Err(refused(
                "libtorch does not compute on a stream of theirs",
                "",
            ));
        }
        Ok(entered)
    }

    fn wait(&self) -> Result<(), Error> {
        let waited = self.stream.wait();
        waited.map_err(|error| Error::from(failed(error)))
    }

    unsafe fn launch(
        &self,
        kernel: Kernel,
        blocks: u32,
        arguments: &mut [*mut c_void],
    ) -> Result<(), Error> {
        let Some(&function) = self.kernels.functions.get(kernel as usize) else {
            return Ok(());
        };
        let (grid, block) = ((blocks, 1, 1), (THREADS as u32, 1, 1));
        // SAFETY: the context lives as long as the process, and the function is one of it; the arguments are promised by
        // the caller, and copied by the call.
        let launched = unsafe {
            driver::ctx::set_current(self.kernels.context).and_then(|()| {
                let stream = self.stream.handle();
                driver::launch_kernel(function, grid, block, 0, stream, arguments)
            })
        };
        launched.map_err(|error| Error::from(failed(error)))
    }

    fn graph(&self, nodes: &mut [Node], waits: &[Vec<usize>]) -> Result<Box<dyn Graph>, Error> {
        let graph = DriverGraph::new(self.kernels, self.stream.handle(), nodes, waits);
        Ok(Box::new(graph.map_err(failed)?))
    }

    fn share(&self) -> usize {
        (self.kernels.multiprocessors / self.kernels.learners()).max(1)
    }

    fn free_memory(&self) -> Result<usize, Error> {
        // SAFETY: the context lives as long as the process.
        let current = unsafe { driver::ctx::set_current(self.kernels.context) };
        let memory = current.and_then(|()| driver::mem_get_info());
        let (free, _) = memory.map_err(|error| Error::from(failed(error)))?;
        Ok(free / self.kernels.learners())
    }
}

/// A graph of the driver's.
struct DriverGraph {
    kernels: &'static Kernels,
    /// The one that it is launched on.
    stream: driver_api::CUstream,
    graph: driver_api::CUgraph,
    /// The form that is launched; null until it was made.
    executable: driver_api::CUgraphExec,
    nodes: Vec<driver_api::CUgraphNode>,
}

impl DriverGraph {
    fn new(
        kernels: &'static Kernels,
        stream: driver_api::CUstream,
        nodes: &mut [Node],
        waits: &[Vec<usize>],
    ) -> Result<Self, DriverError> {
        let mut made = Self {
            kernels,
            stream,
            graph: ptr::null_mut(),
            executable: ptr::null_mut(),
            nodes: Vec::with_capacity(nodes.len()),
        };
        // SAFETY: here and below: the context lives as long as the process, the graph and its parts as long as `made`; the
        // driver writes handles to the places that it is given, and copies parameters.
        unsafe {
            driver::ctx::set_current(kernels.context)?;
            driver_api::cuGraphCreate(&raw mut made.graph, 0).result()?;
        }
        for (node, waits) in nodes.iter_mut().zip(waits) {
            let before = waits.iter().filter_map(|&at| made.nodes.get(at).copied());
            let before: Vec<_> = before.collect();
            let mut pointers = node.pointers();
            let parameters = made.parameters(node, &mut pointers);
            let mut added = ptr::null_mut();
            // SAFETY: as above; there are so many nodes before this one.
            unsafe {
                driver_api::cuGraphAddKernelNode_v2(
                    &raw mut added,
                    made.graph,
                    before.as_ptr(),
                    before.len(),
                    &raw const parameters,
                )
                .result()?;
            }
            made.nodes.push(added);
        }
        // SAFETY: as above.
        unsafe {
            driver_api::cuGraphInstantiateWithFlags(&raw mut made.executable, made.graph, 0)
                .result()?;
        }
        Ok(made)
    }

    /// Those of a launch with its arguments at `pointers`.
    fn parameters(
        &self,
        node: &Node,
        pointers: &mut [*mut c_void],
    ) -> driver_api::CUDA_KERNEL_NODE_PARAMS {
        let function = self.kernels.functions.get(node.kernel as usize);
        driver_api::CUDA_KERNEL_NODE_PARAMS {
            func: function.copied().unwrap_or(ptr::null_mut()),
            gridDimX: node.blocks,
            gridDimY: 1,
            gridDimZ: 1,
            blockDimX: THREADS as u32,
            blockDimY: 1,
            blockDimZ: 1,
            sharedMemBytes: 0,
            kernelParams: pointers.as_mut_ptr(),
            extra: ptr::null_mut(),
            kern: ptr::null_mut(),
            ctx: ptr::null_mut(),
        }
    }
}

impl Drop for DriverGraph {
    fn drop(&mut self) {
        // SAFETY: both were made by the driver, or are null, and nothing else has them. A launch under way goes on. Errors
        // are those of launches before, which were or will be told.
        unsafe {
            let _ = driver::ctx::set_current(self.kernels.context);
            if !self.executable.is_null() {
                let _ = driver_api::cuGraphExecDestroy(self.executable);
            }
            if !self.graph.is_null() {
                let _ = driver_api::cuGraphDestroy(self.graph);
            }
        }
    }
}

impl Graph for DriverGraph {
    fn replace(&mut self, at: usize, node: &mut Node) -> Result<(), Error> {
        let Some(&place) = self.nodes.get(at) else {
            return Ok(());
        };
        let mut pointers = node.pointers();
        let parameters = self.parameters(node, &mut pointers);
        // SAFETY: the executable was made of the graph that has this node; the driver copies the parameters. Launches before
        // keep theirs.
        let replaced = unsafe {
            driver::ctx::set_current(self.kernels.context).and_then(|()| {
                driver_api::cuGraphExecKernelNodeSetParams_v2(
                    self.executable,
                    place,
                    &raw const parameters,
                )
                .result()
            })
        };
        replaced.map_err(|error| Error::from(failed(error)))
    }

    unsafe fn launch(&self) -> Result<(), Error> {
        // SAFETY: the arguments are promised by the caller.
        let launched = unsafe {
            driver::ctx::set_current(self.kernels.context)
                .and_then(|()| driver_api::cuGraphLaunch(self.executable, self.stream).result())
        };
        launched.map_err(|error| Error::from(failed(error)))
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
