//! Kernels on a processor: a library made of their source (`kernels/emulation.cpp`), whose threads take turns.
//!
//! It is for tests: what a card would compute can be seen without one, slowly.

use std::error::Error as _;
use std::ffi::{c_int, c_void};
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

use assay_abi::{ErrorCode, PluginError};
use libloading::Library;

use super::{Graph, Kernel, Launch, Node};
use crate::error::Error;

type Launcher = unsafe extern "C" fn(blocks: u32, backwards: c_int, arguments: *mut *mut c_void);

pub(super) struct Emulated(Rc<Kernels>);

struct Kernels {
    /// In the order of [`Kernel::ALL`].
    launchers: Vec<Launcher>,
    /// Blocks and threads of the next launch take turns from the last to the first.
    backwards: AtomicBool,
    /// The launchers are its functions.
    _library: Library,
}

impl Emulated {
    pub(super) fn open(path: &Path) -> Result<Self, PluginError> {
        let refused = |error: libloading::Error| {
            let path = path.display();
            let cause = error
                .source()
                .map_or_else(String::new, |it| format!(": {it}"));
            let message =
                format!("the library of an emulated card `{path}` cannot be used: {error}{cause}");
            PluginError::new(ErrorCode::DEVICE, message)
                .with_help("it is made of the SDK's kernels, for tests")
        };
        // SAFETY: a library of kernels has no constructors; whoever names one answers for it.
        let library = unsafe { Library::new(path) }.map_err(refused)?;
        let mut launchers = Vec::new();
        for kernel in Kernel::ALL {
            let name = format!("launch_{}", kernel.name());
            // SAFETY: the prelude declares every launcher like this.
            let launcher = unsafe { library.get::<Launcher>(name.as_bytes()) }.map_err(refused)?;
            launchers.push(*launcher);
        }
        Ok(Self(Rc::new(Kernels {
            launchers,
            backwards: AtomicBool::new(false),
            _library: library,
        })))
    }
}

impl Kernels {
    /// # Safety
    /// As for [`Launch::launch`].
    unsafe fn launch(&self, kernel: Kernel, blocks: u32, arguments: &mut [*mut c_void]) {
        // Each launch in the other direction than the one before: where that decides a bit, threads race.
        let backwards = self.backwards.fetch_xor(true, Ordering::Relaxed);
        if let Some(launcher) = self.launchers.get(kernel as usize) {
            // SAFETY: promised by the caller.
            unsafe { launcher(blocks, c_int::from(backwards), arguments.as_mut_ptr()) };
        }
    }
}

/// Launches, each after those that it waits for.
struct Sequence {
    kernels: Rc<Kernels>,
    nodes: Vec<Node>,
    /// From the last to the first, but for what each waits for: what waits for too few comes too early.
    order: Vec<usize>,
}

impl Sequence {
    fn new(kernels: &Rc<Kernels>, nodes: &[Node], waits: &[Vec<usize>]) -> Self {
        let mut order = Vec::with_capacity(nodes.len());
        let mut begun = vec![false; nodes.len()];
        for last in (0..nodes.len()).rev() {
            let mut path = if begun[last] { Vec::new() } else { vec![last] };
            while let Some(&at) = path.last() {
                begun[at] = true;
                match waits[at].iter().find(|&&before| !begun[before]) {
                    Some(&before) => path.push(before),
                    None => order.extend(path.pop()),
                }
            }
        }
        Self {
            kernels: kernels.clone(),
            nodes: nodes.to_vec(),
            order,
        }
    }
}

impl Graph for Sequence {
    fn replace(&mut self, at: usize, node: &mut Node) -> Result<(), Error> {
        if let Some(former) = self.nodes.get_mut(at) {
            *former = node.clone();
        }
        Ok(())
    }

    unsafe fn launch(&self) -> Result<(), Error> {
        for &at in &self.order {
            let mut node = self.nodes[at].clone();
            // SAFETY: promised by the caller.
            unsafe {
                self.kernels
                    .launch(node.kernel, node.blocks, &mut node.pointers());
            }
        }
        Ok(())
    }
}

impl Launch for Emulated {
    unsafe fn launch(
        &self,
        kernel: Kernel,
        blocks: u32,
        arguments: &mut [*mut c_void],
    ) -> Result<(), Error> {
        // SAFETY: promised by the caller.
        unsafe { self.0.launch(kernel, blocks, arguments) };
        Ok(())
    }

    fn graph(&self, nodes: &mut [Node], waits: &[Vec<usize>]) -> Result<Box<dyn Graph>, Error> {
        Ok(Box::new(Sequence::new(&self.0, nodes, waits)))
    }

    fn share(&self) -> usize {
        // Few, so that small products meet tiles of every size.
        4
    }

    fn free_memory(&self) -> Result<usize, Error> {
        Ok(usize::MAX)
    }
}
