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
use super::{Graph, Kernel, Launch, Node, THREADS};
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

    fn graph(&self, nodes: &mut [Node]) -> Result<Box<dyn Graph>, Error> {
        let graph = Chain::new(self.context, &self.functions, nodes);
        Ok(Box::new(graph.map_err(failed)?))
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

/// A graph of the driver's, in which each launch waits for the one before it.
struct Chain {
    context: driver_api::CUcontext,
    /// Of its kernels, in the order of [`Kernel::ALL`].
    functions: Vec<driver_api::CUfunction>,
    graph: driver_api::CUgraph,
    /// The form that is launched; null until it was made.
    executable: driver_api::CUgraphExec,
    nodes: Vec<driver_api::CUgraphNode>,
}

impl Chain {
    fn new(
        context: driver_api::CUcontext,
        functions: &[driver_api::CUfunction],
        nodes: &mut [Node],
    ) -> Result<Self, DriverError> {
        let mut chain = Self {
            context,
            functions: functions.to_vec(),
            graph: ptr::null_mut(),
            executable: ptr::null_mut(),
            nodes: Vec::with_capacity(nodes.len()),
        };
        // SAFETY: here and below: the context lives as long as the process, the graph and its parts as long as `chain`; the
        // driver writes handles to the places that it is given, and copies parameters.
        unsafe {
            driver::ctx::set_current(context)?;
            driver_api::cuGraphCreate(&raw mut chain.graph, 0).result()?;
        }
        for node in nodes {
            let before = chain.nodes.last().copied();
            let mut pointers = node.pointers();
            let parameters = chain.parameters(node, &mut pointers);
            let mut added = ptr::null_mut();
            // SAFETY: as above; there is one node before this one, or none.
            unsafe {
                driver_api::cuGraphAddKernelNode_v2(
                    &raw mut added,
                    chain.graph,
                    before.as_ref().map_or(ptr::null(), ptr::from_ref),
                    usize::from(before.is_some()),
                    &raw const parameters,
                )
                .result()?;
            }
            chain.nodes.push(added);
        }
        // SAFETY: as above.
        unsafe {
            driver_api::cuGraphInstantiateWithFlags(&raw mut chain.executable, chain.graph, 0)
                .result()?;
        }
        Ok(chain)
    }

    /// Those of a launch with its arguments at `pointers`.
    fn parameters(
        &self,
        node: &Node,
        pointers: &mut [*mut c_void],
    ) -> driver_api::CUDA_KERNEL_NODE_PARAMS {
        let function = self.functions.get(node.kernel as usize);
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

impl Drop for Chain {
    fn drop(&mut self) {
        // SAFETY: both were made by the driver, or are null, and nothing else has them. A launch under way goes on. Errors
        // are those of launches before, which were or will be told.
        unsafe {
            let _ = driver::ctx::set_current(self.context);
            if !self.executable.is_null() {
                let _ = driver_api::cuGraphExecDestroy(self.executable);
            }
            if !self.graph.is_null() {
                let _ = driver_api::cuGraphDestroy(self.graph);
            }
        }
    }
}

impl Graph for Chain {
    fn replace(&mut self, at: usize, node: &mut Node) -> Result<(), Error> {
        let Some(&place) = self.nodes.get(at) else {
            return Ok(());
        };
        let mut pointers = node.pointers();
        let parameters = self.parameters(node, &mut pointers);
        // SAFETY: the executable was made of the graph that has this node; the driver copies the parameters. Launches before
        // keep theirs.
        let replaced = unsafe {
            driver::ctx::set_current(self.context).and_then(|()| {
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
            driver::ctx::set_current(self.context)
                .and_then(|()| driver_api::cuGraphLaunch(self.executable, ptr::null_mut()).result())
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
