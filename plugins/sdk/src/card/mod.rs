//! The SDK's own kernels on a card: the operations of the CPU, in the same order and with the same roundings, so that
//! a training gives the same bits on both.
//!
//! The kernels (`kernels/*.cu`) are compiled when a card is opened ([`nvidia`]) and run on libtorch's memory, in its
//! order. The same source, compiled for a processor, is a card too ([`emulated`]): with it every kernel is tested for its bits,
//! its bounds and races on a machine without a card.
//!
//! A learner on a card makes it the current one of its thread while it is called ([`serve`]). An operation of the SDK first asks
//! whether its operands lie on the current card, then whether they lie in main memory, and leaves the rest to
//! libtorch.

mod counts;
mod elementwise;
mod emulated;
mod graph;
mod kernel;
mod nvidia;
mod order;
mod product;
mod split;
mod tile;

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ffi::c_void;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::marker::PhantomData;
use std::ops::Range;
use std::path::Path;
use std::rc::Rc;

use assay_abi::PluginError;
use tch::{Device, Kind, Tensor};

use crate::error::Error;
use crate::function::Function;
use crate::operand::{refuse_common_memory, refuse_overlap, refused, refused_for_gaps};

pub(crate) use counts::{Advances, Count, Counter, Counts, Parts, SLOTS};
pub(crate) use elementwise::{Elementwise, elementwise};
use graph::{Graph, Node, Steps};
pub(crate) use graph::{Repeat, catch_up};
pub(crate) use kernel::{Argument, Kernel};
pub(crate) use product::{Job, Key, Products, Shape, Start};
pub(crate) use split::{KeptOrder, KeptSamples, KeptSplit};

/// Threads of a block, as in the kernels' prelude.
const THREADS: usize = 256;

/// A card whose kernels are ready.
pub(crate) struct Card {
    device: Device,
    launcher: Box<dyn Launch>,
    products: RefCell<BTreeMap<Key, Rc<[Products]>>>,
    /// The integers of which an optimiser sets that of its step where a direction is not finite.
    flag: Cell<Argument>,
    /// Blocks that run at the same time, at least, of those of one learner.
    share: Cell<usize>,
    /// The numbers that it counts in the step under way.
    counts: RefCell<Option<Rc<Counts>>>,
    /// Launches that wait, and the graphs that were made of those before.
    steps: Steps,
}

/// Runs kernels, each after those before it.
trait Launch {
    /// Has libtorch compute in the order of the launches, on this thread, until what is given is dropped; none where it
    /// does so anyway.
    fn enter(&self) -> Result<Option<Box<dyn Any>>, PluginError> {
        Ok(None)
    }

    /// Waits until all that was launched is done, and leaves the processor to others meanwhile.
    fn wait(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Has `blocks` blocks of a kernel run, not necessarily before this returns.
    ///
    /// # Safety
    /// The arguments are those of the kernel, and everything that it touches of their memory is there until the launch
    /// is over.
    unsafe fn launch(
        &self,
        kernel: Kernel,
        blocks: u32,
        arguments: &mut [*mut c_void],
    ) -> Result<(), Error>;

    /// Blocks that it runs at the same time, at least, of those of each of the learners that share it.
    fn share(&self) -> usize;

    /// Bytes that nobody uses, shared evenly among the learners there are so far.
    fn free_memory(&self) -> Result<usize, Error>;

    /// A graph of launches, each after those that it `waits` for, by their places before it; it launches nothing yet.
    fn graph(&self, nodes: &mut [Node], waits: &[Vec<usize>]) -> Result<Box<dyn Graph>, Error>;
}

thread_local! {
    static CURRENT: RefCell<Option<Rc<Card>>> = const { RefCell::new(None) };
}

/// Runs `body` with `card`, or none, as this thread's current one.
pub(crate) fn enter<T>(card: Option<&Rc<Card>>, body: impl FnOnce() -> T) -> T {
    /// Puts the former one back, also after a panic.
    struct Former(Option<Rc<Card>>);
    impl Drop for Former {
        fn drop(&mut self) {
            CURRENT.set(self.0.take());
        }
    }
    let _former = Former(CURRENT.replace(card.cloned()));
    body()
}

/// Runs what a host asks of a learner with `card`, or none, as the current one, in whose order libtorch computes too.
///
/// # Errors
/// Those of `body`; or libtorch cannot be had to compute in that order.
pub(crate) fn serve<T>(
    card: Option<&Rc<Card>>,
    body: impl FnOnce() -> Result<T, PluginError>,
) -> Result<T, PluginError> {
    let _order = match card {
        Some(card) => card.launcher.enter()?,
        None => None,
    };
    enter(card, body)
}

/// The current card of this thread.
pub(crate) fn current() -> Option<Rc<Card>> {
    CURRENT.with_borrow(Clone::clone)
}

/// Waits for the current card, if there is one, to do all that was asked of it: for whoever is about to read from it.
/// libtorch would keep a processor busy until then, which other learners of the process need.
///
/// # Errors
/// Those of the card.
pub(crate) fn finish() -> Result<(), Error> {
    catch_up()?;
    match current() {
        Some(card) => card.launcher.wait(),
        None => Ok(()),
    }
}

/// Says in the log why a card computes slower than it could. A log that cannot be written costs the line.
fn note_slower(reason: &dyn Display) {
    let _ = writeln!(
        io::stderr().lock(),
        "slower than this card could be: {reason}"
    );
}

/// The elements of a contiguous tensor of 32-bit floats on a card.
#[derive(Clone, Copy)]
pub(crate) struct Elements<'a> {
    data: *mut f32,
    count: usize,
    tensor: PhantomData<&'a Tensor>,
}

impl Elements<'_> {
    pub(crate) fn len(self) -> usize {
        self.count
    }

    /// Their addresses.
    fn memory(self) -> Range<*mut f32> {
        self.data..self.data.wrapping_add(self.count)
    }

    /// The elements of a range.
    ///
    /// # Panics
    /// They are not among these.
    pub(crate) fn part(self, range: &Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= self.count);
        Self {
            data: self.data.wrapping_add(range.start),
            count: range.len(),
            ..self
        }
    }
}

/// The current card with an output on it, which is to be written, and the inputs that it is computed from.
pub(crate) type Operands<'a, const N: usize> = (Rc<Card>, Elements<'a>, [Elements<'a>; N]);

/// The operands of an operation on the current card; `None` if there is none, or one of them is not a tensor of
/// 32-bit floats on it.
///
/// # Errors
/// `out` shares memory with one of `inputs`, or one of them is not contiguous.
#[track_caller]
pub(crate) fn operands<'a, const N: usize>(
    out: &'a Tensor,
    inputs: [&'a Tensor; N],
) -> Result<Option<Operands<'a, N>>, Error> {
    let Some(card) = current() else {
        return Ok(None);
    };
    let all = || inputs.into_iter().chain([out]);
    if !all().all(|it| card.holds(it)) {
        return Ok(None);
    }
    if !all().all(Tensor::is_contiguous) {
        refuse_overlap(out, inputs)?;
        return Err(refused_for_gaps());
    }
    let (out, inputs) = (elements(out), inputs.map(elements));
    refuse_common_memory(&out.memory(), &inputs.map(Elements::memory))?;
    Ok(Some((card, out, inputs)))
}

/// As [`operands`], of tensors that are only read, and that may be one and the same.
pub(crate) fn read<const N: usize>(inputs: [&Tensor; N]) -> Option<(Rc<Card>, [Elements<'_>; N])> {
    let card = current()?;
    let ours = |it: &Tensor| card.holds(it) && it.is_contiguous();
    inputs
        .into_iter()
        .all(ours)
        .then(|| (card, inputs.map(elements)))
}

/// The elements of a tensor that is contiguous and of 32-bit floats.
fn elements(tensor: &Tensor) -> Elements<'_> {
    graph::hold(tensor);
    Elements {
        data: tensor.data_ptr().cast(),
        count: tensor.numel(),
        tensor: PhantomData,
    }
}

impl Card {
    fn new(device: Device, launcher: Box<dyn Launch>) -> Rc<Self> {
        let share = Cell::new(launcher.share());
        Rc::new(Self {
            device,
            launcher,
            share,
            products: RefCell::default(),
            flag: Cell::new(Argument::NULL),
            counts: RefCell::default(),
            steps: Steps::new(),
        })
    }

    /// The kernels on the first card that this process sees, which libtorch has opened as `device`, or of an emulated
    /// driver, whose memory is this machine's.
    ///
    /// # Errors
    /// There is no compiler for kernels, or no card.
    pub(crate) fn nvidia(device: Device) -> Result<Rc<Self>, PluginError> {
        let launcher = nvidia::Nvidia::open(0)?;
        Ok(Self::new(device, Box::new(launcher)))
    }

    /// The kernels of a library that was made of their source, on memory of this machine.
    ///
    /// # Errors
    /// The library cannot be opened, or lacks a kernel.
    pub(crate) fn emulated(library: &Path) -> Result<Rc<Self>, PluginError> {
        let launcher = emulated::Emulated::open(library)?;
        Ok(Self::new(Device::Cpu, Box::new(launcher)))
    }

    /// The device that its tensors are on, for libtorch.
    pub(crate) fn device(&self) -> Device {
        self.device
    }

    /// Blocks that run at the same time, at least, of those of one learner.
    fn share(&self) -> usize {
        self.share.get()
    }

    /// Shares the card with the learners that there are now; true if that is another share than before. Steps of one pass have one
    /// share, so that they are the same.
    pub(crate) fn share_anew(&self) -> bool {
        let share = self.launcher.share();
        self.share.replace(share) != share
    }

    fn holds(&self, tensor: &Tensor) -> bool {
        tensor.device() == self.device && tensor.f_kind().is_ok_and(|kind| kind == Kind::Float)
    }

    /// The integers of which an optimiser sets one where a direction is not finite, or null, and the slot of that one.
    pub(crate) fn flag(&self) -> [Argument; 2] {
        [self.flag.get(), self.slot().argument()]
    }

    /// Has the steps of optimisers inside `body` set an integer of those at `flag`.
    pub(crate) fn flagging<T>(&self, flag: Argument, body: impl FnOnce() -> T) -> T {
        let former = self.flag.replace(flag);
        let result = body();
        self.flag.set(former);
        result
    }

    /// The products of an operation, whose tables are made once; those of a later one go on from what those before it
    /// have written.
    pub(crate) fn products(
        &self,
        key: Key,
        make: impl FnOnce() -> (Shape, Vec<Vec<Job>>),
    ) -> Result<Rc<[Products]>, Error> {
        let mut all = self.products.borrow_mut();
        if let Some(products) = all.get(&key) {
            return Ok(products.clone());
        }
        let (shape, jobs) = make();
        let products = jobs.iter().map(|jobs| Products::new(self, shape, jobs));
        let products: Rc<[_]> = products.collect::<Result<Vec<_>, _>>()?.into();
        all.insert(key, products.clone());
        Ok(products)
    }

    /// `out = function(start + Σ_t A_t B_t)` for all products of an operation.
    ///
    /// # Errors
    /// An operand is too short.
    #[track_caller]
    pub(crate) fn run(
        &self,
        products: &[Products],
        function: Function,
        start: Start<'_>,
        out: Elements<'_>,
        factors: [Elements<'_>; 2],
    ) -> Result<(), Error> {
        for products in products {
            products.run(self, function, start, out, factors)?;
        }
        Ok(())
    }

    /// `delta ← delta ∘ φ'(a)`, given `h = φ(a)`, of as many elements, which lie apart: by the product that `delta` comes from, where
    /// that still waits.
    ///
    /// # Errors
    /// Those of the card.
    pub(crate) fn multiply_derivative(
        &self,
        function: Function,
        delta: Elements<'_>,
        h: Elements<'_>,
    ) -> Result<(), Error> {
        let [delta, h_of_kernel] = [delta, h].map(Argument::from);
        if self.steps.multiply_derivative(delta, h_of_kernel, function) {
            return Ok(());
        }
        let arguments = [
            delta,
            h_of_kernel,
            Argument::count(h.len()),
            Argument::I32(function.number()),
        ];
        // SAFETY: both have so many elements.
        unsafe { self.each(Kernel::MultiplyDerivative, h.len(), arguments) }
    }

    /// Launches a kernel that has a thread for each of `count` elements.
    ///
    /// # Safety
    /// The arguments are those of the kernel, whose memory is on this card and large enough.
    pub(crate) unsafe fn each<const N: usize>(
        &self,
        kernel: Kernel,
        count: usize,
        arguments: [Argument; N],
    ) -> Result<(), Error> {
        // SAFETY: promised by the caller.
        unsafe { self.launch(kernel, count.div_ceil(THREADS), arguments) }
    }

    /// Launches a kernel in so many blocks; in none it does nothing.
    ///
    /// # Safety
    /// The arguments are those of the kernel, whose memory is on this card and large enough.
    pub(crate) unsafe fn launch<const N: usize>(
        &self,
        kernel: Kernel,
        blocks: usize,
        arguments: [Argument; N],
    ) -> Result<(), Error> {
        // SAFETY: promised by the caller.
        unsafe { self.launch_reading(kernel, blocks, arguments, &[]) }
    }

    /// The same of a kernel that reads other memory too, at the addresses of `reads`.
    ///
    /// # Safety
    /// As for [`Card::launch`].
    pub(crate) unsafe fn launch_reading<const N: usize>(
        &self,
        kernel: Kernel,
        blocks: usize,
        arguments: [Argument; N],
        reads: &[Range<usize>],
    ) -> Result<(), Error> {
        if blocks == 0 {
            return Ok(());
        }
        // A card takes no more than an i32 counts.
        let blocks = i32::try_from(blocks).map_err(|_| refused("a tensor is too large", ""))?;
        let Some(mut arguments) =
            self.steps
                .take_down(kernel, blocks.unsigned_abs(), arguments, reads)
        else {
            return Ok(());
        };
        let mut pointers = arguments.each_mut().map(Argument::pointer);
        // SAFETY: the arguments outlive the call, which copies them; the rest is promised by the caller. libtorch
        // frees memory in the order of the launches.
        unsafe {
            self.launcher
                .launch(kernel, blocks.unsigned_abs(), &mut pointers)
        }
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod times;
