//! A step of a training as one launch.
//!
//! The launches of a step wait until all are known ([`Card::as_graph`]). Most steps have the same ones with the same
//! arguments, since the card counts what differs ([`super::counts`]). So a graph is made of the launches of the first step of a
//! kind, in which launches wait for one another only where they share memory ([`order`]), and for each later one the arguments
//! that differ are replaced in it. Where none did, the step may be repeated without anybody asking for its launches again
//! ([`Card::repeat`]).
//!
//! A launch that waits has not happened: whoever reads what a launch writes has the card catch up first ([`catch_up`]), and so has
//! whoever has libtorch compute with it, or write to new memory: that of a tensor which is gone may be touched by a launch
//! that waits.

use std::cell::{Cell, RefCell};
use std::ops::Range;

use tch::Tensor;

use super::product::OfKernel;
use super::{Argument, CURRENT, Card, Kernel, current, note_slower, order};
use crate::error::Error;
use crate::function::Function;

/// Kinds of steps that have a graph, those made last. A learner has one or two for each size of batches, and others when its share of
/// the card changes.
const MOST: usize = 16;

/// A variable of the process: with the value `0` every launch is made on its own, with `chain` each waits for the one before.
const GRAPHS: &str = "ASSAY_GRAPHS";

/// A launch that waits, or is a part of a graph.
#[derive(Clone, PartialEq)]
pub(super) struct Node {
    pub(super) kernel: Kernel,
    pub(super) blocks: u32,
    pub(super) arguments: Vec<Argument>,
    /// The addresses of memory that it reads beside that of its arguments.
    pub(super) reads: Vec<Range<usize>>,
}

/// Launches in a form that a card makes at once.
pub(super) trait Graph {
    /// Gives the launch at a place other blocks and arguments.
    fn replace(&mut self, at: usize, node: &mut Node) -> Result<(), Error>;

    /// Has the launches made, not necessarily before this returns.
    ///
    /// # Safety
    /// The arguments of each are those of its kernel, and everything that it touches of their memory is there until they
    /// are over.
    unsafe fn launch(&self) -> Result<(), Error>;
}

/// Launches that wait, and the graphs that were made of those before.
#[derive(Default)]
pub(super) struct Steps {
    waiting: RefCell<Option<Vec<Node>>>,
    /// Memory that the waiting launches touch.
    held: RefCell<Vec<Tensor>>,
    /// Since the step under way began, somebody asked for what waited.
    is_broken: Cell<bool>,
    made: RefCell<Vec<Made>>,
    /// Graphs that were made so far.
    number: Cell<u64>,
    /// A graph could not be made or launched, or nobody wants any: the launches of a step are made one by one.
    refused: Cell<bool>,
    /// Each launch of a graph waits for the one before.
    is_chain: Cell<bool>,
    /// Steps that were one launch.
    #[cfg(test)]
    count: Cell<u64>,
    /// Steps that were repeated.
    #[cfg(test)]
    repeated: Cell<u64>,
}

/// A graph with what its launches are at present.
struct Made {
    /// Among all that were made.
    number: u64,
    /// The number of samples in its batches.
    samples: i64,
    nodes: Vec<Node>,
    /// The launches that each waits for.
    waits: Vec<Vec<usize>>,
    graph: Box<dyn Graph>,
    /// Memory that they touch.
    held: Vec<Tensor>,
    /// Counts the steps that replaced something.
    version: u64,
}

/// A step that was the same as the one before it, to be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Repeat {
    /// Of the graph.
    number: u64,
    version: u64,
}

impl Node {
    /// The addresses of its arguments.
    pub(super) fn pointers(&mut self) -> Vec<*mut std::ffi::c_void> {
        self.arguments.iter_mut().map(Argument::pointer).collect()
    }
}

impl Steps {
    /// Has a launch wait, if launches do; else gives its arguments back.
    pub(super) fn take_down<const N: usize>(
        &self,
        kernel: Kernel,
        blocks: u32,
        arguments: [Argument; N],
        reads: &[Range<usize>],
    ) -> Option<[Argument; N]> {
        let mut waiting = self.waiting.borrow_mut();
        let Some(nodes) = waiting.as_mut() else {
            return Some(arguments);
        };
        nodes.push(Node {
            kernel,
            blocks,
            arguments: arguments.to_vec(),
            reads: reads.to_vec(),
        });
        None
    }

    /// Has the launch that waits last, a product that writes `delta`, multiply it by the derivative of a function at `h`; false
    /// if it is anything else.
    pub(super) fn multiply_derivative(
        &self,
        delta: Argument,
        h: Argument,
        function: Function,
    ) -> bool {
        let mut waiting = self.waiting.borrow_mut();
        let Some(Node { arguments, .. }) = waiting.as_mut().and_then(|nodes| nodes.last_mut())
        else {
            return false;
        };
        let is_delta = arguments.first() == Some(&delta);
        let product = arguments.iter_mut().find_map(|argument| match argument {
            Argument::Product(product) => Some(product),
            _ => None,
        });
        let is_done = is_delta && product.is_some_and(|it| it.multiply_derivative(function));
        if is_done {
            arguments[OfKernel::H] = h;
        }
        is_done
    }

    /// Without any so far; the process may ask for none at all.
    pub(super) fn new() -> Self {
        let steps = Self::default();
        let is_set_to = |value| std::env::var_os(GRAPHS).is_some_and(|it| it == value);
        steps.refused.set(is_set_to("0"));
        steps.is_chain.set(is_set_to("chain"));
        steps
    }

    /// Has the launches of every later step be made one by one. A card that is at fault says so again then; one that has
    /// no graphs is slower without.
    fn refuse(&self, error: &Error) {
        self.refused.set(true);
        note_slower(&format_args!("a step cannot be launched at once ({error})"));
    }

    /// The launches that each of `nodes` waits for.
    fn waits(&self, nodes: &[Node]) -> Vec<Vec<usize>> {
        if self.is_chain.get() {
            return (0..nodes.len())
                .map(|at| at.checked_sub(1).into_iter().collect())
                .collect();
        }
        order::waits(nodes)
    }
}

impl Made {
    /// True if it launches what it did when a step was taken down.
    fn is_at(&self, step: Repeat) -> bool {
        (self.number, self.version) == (step.number, step.version)
    }

    /// True if it launches the same kernels in an order that `nodes` may have too.
    fn is_of(&self, nodes: &[Node], steps: &Steps) -> bool {
        let kernels = nodes.iter().map(|node| node.kernel);
        self.nodes.iter().map(|node| node.kernel).eq(kernels)
            && (self.nodes == nodes || self.waits == steps.waits(nodes))
    }

    /// Launches the graph with the blocks and arguments of `nodes`, which touch the memory that is `held`: in exchange for that of
    /// the launches before. True if they are the same.
    ///
    /// # Safety
    /// As for [`Graph::launch`].
    unsafe fn launch(&mut self, nodes: &mut [Node], held: &mut Vec<Tensor>) -> Result<bool, Error> {
        let mut is_same = true;
        for (at, (node, next)) in self.nodes.iter_mut().zip(nodes).enumerate() {
            if node != next {
                self.graph.replace(at, next)?;
                node.clone_from(next);
                is_same = false;
            }
        }
        // SAFETY: promised by the caller.
        unsafe { self.graph.launch() }?;
        if !is_same {
            self.version += 1;
            std::mem::swap(&mut self.held, held);
        }
        Ok(is_same)
    }
}

impl Card {
    /// Runs `body`, a step on a batch of so many samples, whose launches wait until it has returned, and are then made as one. Says
    /// too how to repeat the step, if it was the same as the one before of as many samples.
    ///
    /// # Errors
    /// Those of `body`, after which what has waited never happens, and those of the card.
    pub(crate) fn as_graph<T>(
        &self,
        samples: i64,
        body: impl FnOnce() -> Result<T, Error>,
    ) -> Result<(T, Option<Repeat>), Error> {
        /// Has nothing wait any more, also after a panic.
        struct End<'a>(&'a Steps);
        impl Drop for End<'_> {
            fn drop(&mut self) {
                self.0.waiting.take();
                self.0.held.take();
            }
        }
        let steps = &self.steps;
        if steps.refused.get() || steps.waiting.borrow().is_some() {
            return Ok((body()?, None));
        }
        steps.waiting.replace(Some(Vec::new()));
        steps.is_broken.set(false);
        let _end = End(steps);
        let value = body()?;
        let nodes = steps.waiting.take().unwrap_or_default();
        let repeat = self.play(samples, nodes)?;
        Ok((value, repeat.filter(|_| !steps.is_broken.get())))
    }

    /// True if a step is still what its graph launches.
    pub(crate) fn keeps(&self, step: Repeat) -> bool {
        self.makes_graphs() && self.steps.made.borrow().iter().any(|made| made.is_at(step))
    }

    /// True if no graph has failed, and nobody wants none.
    pub(crate) fn makes_graphs(&self) -> bool {
        !self.steps.refused.get()
    }

    /// Launches a step once more; false where it has to be asked for again.
    pub(crate) fn repeat(&self, step: Repeat) -> bool {
        let (steps, made) = (&self.steps, self.steps.made.borrow());
        let known = made.iter().find(|made| made.is_at(step));
        let Some(made) = known.filter(|_| self.makes_graphs()) else {
            return false;
        };
        // SAFETY: the launches are those that were made when the step was taken down, and the memory of their arguments is held; a
        // learner repeats a step only as long as it has the buffers of then, whose addresses lie in tables.
        if let Err(error) = unsafe { made.graph.launch() } {
            steps.refuse(&error);
            return false;
        }
        #[cfg(test)]
        steps.repeated.set(steps.repeated.get() + 1);
        true
    }

    /// Steps that were one launch.
    #[cfg(test)]
    pub(crate) fn graphs_launched(&self) -> u64 {
        self.steps.count.get()
    }

    /// Steps that were repeated.
    #[cfg(test)]
    pub(crate) fn steps_repeated(&self) -> u64 {
        self.steps.repeated.get()
    }

    /// Has every launch be made on its own.
    #[cfg(test)]
    pub(crate) fn refuse_graphs(&self) {
        self.steps.refused.set(true);
    }

    fn play(&self, samples: i64, mut nodes: Vec<Node>) -> Result<Option<Repeat>, Error> {
        let steps = &self.steps;
        let mut held = steps.held.take();
        let mut made = steps.made.borrow_mut();
        let is_ours = |it: &&mut Made| it.samples == samples && it.is_of(&nodes, steps);
        if let Some(made) = made.iter_mut().find(is_ours) {
            // SAFETY: the launches were given to `Card::launch` by callers who promised it, and what they touch is held, or lives as
            // long as the step's buffers.
            match unsafe { made.launch(&mut nodes, &mut held) } {
                Ok(is_same) => {
                    #[cfg(test)]
                    steps.count.set(steps.count.get() + 1);
                    let Made {
                        number, version, ..
                    } = *made;
                    return Ok(is_same.then_some(Repeat { number, version }));
                }
                Err(error) => steps.refuse(&error),
            }
        }
        self.launch_all(&mut nodes)?;
        if nodes.is_empty() || steps.refused.get() {
            return Ok(None);
        }
        if made.len() == MOST {
            made.remove(0);
        }
        let waits = steps.waits(&nodes);
        match self.launcher.graph(&mut nodes, &waits) {
            Ok(graph) => made.push(Made {
                number: steps.number.replace(steps.number.get() + 1),
                samples,
                nodes,
                waits,
                graph,
                held,
                version: 0,
            }),
            Err(error) => steps.refuse(&error),
        }
        Ok(None)
    }

    fn launch_all(&self, nodes: &mut [Node]) -> Result<(), Error> {
        for node in nodes {
            let mut pointers = node.pointers();
            // SAFETY: as in `play`.
            unsafe {
                self.launcher
                    .launch(node.kernel, node.blocks, &mut pointers)
            }?;
        }
        Ok(())
    }
}

/// Keeps the memory of a tensor until the launches that wait on the current card were made, or as long as they may be
/// repeated.
pub(super) fn hold(tensor: &Tensor) {
    CURRENT.with_borrow(|card| {
        let Some(Card { steps, .. }) = card.as_deref() else {
            return;
        };
        if steps.waiting.borrow().is_some() {
            steps.held.borrow_mut().push(tensor.shallow_clone());
        }
    });
}

/// Makes the launches that wait on the current card, if there is one: for whoever reads what they write, or has libtorch
/// compute with it.
///
/// # Errors
/// Those of the card.
pub(crate) fn catch_up() -> Result<(), Error> {
    let Some(card) = current() else {
        return Ok(());
    };
    let waiting = card.steps.waiting.borrow_mut().as_mut().map(std::mem::take);
    let Some(mut nodes) = waiting else {
        return Ok(());
    };
    card.steps.is_broken.set(true);
    card.launch_all(&mut nodes)?;
    card.steps.held.borrow_mut().clear();
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::ffi::c_void;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::rc::Rc;

    use tch::{Device, Kind};

    use super::*;
    use crate::arithmetic::{add, copy, is_finite, scale, tanh};
    use crate::card::emulated::Emulated;
    use crate::card::{Count, Launch, enter};
    use crate::layout::Units;
    use crate::noise::{Distribution, Draw, DrawSource, Extent};

    fn card() -> Rc<Card> {
        Card::emulated(assay_emulation::library()).unwrap()
    }

    fn zeros(columns: i64) -> Tensor {
        Tensor::zeros([3, columns], (Kind::Float, Device::Cpu))
    }

    fn bits(tensor: &Tensor) -> Vec<u32> {
        let values = Vec::<f32>::try_from(tensor.view(-1)).unwrap();
        values.into_iter().map(f32::to_bits).collect()
    }

    fn numbers(columns: i64) -> Tensor {
        Tensor::arange(3 * columns, (Kind::Float, Device::Cpu)).view([3, columns]) / 7.0 - 1.0
    }

    /// tanh(factor · x)
    fn step(factor: f64, x: &Tensor, out: &Tensor) -> Result<(), Error> {
        copy(x, out)?;
        scale(out, factor)?;
        tanh(out)
    }

    fn expected(factor: f64, x: &Tensor) -> Vec<u32> {
        let out = x.zeros_like();
        step(factor, x, &out).unwrap();
        bits(&out)
    }

    #[test]
    fn a_step_that_comes_again_is_one_launch_with_its_own_arguments() {
        let card = card();
        enter(Some(&card), || {
            let out = zeros(5);
            // Factors of zero differ in their sign alone.
            for (at, factor) in (0..).zip([2.0, 2.0, -0.5, 0.0, -0.0]) {
                let x = numbers(5);
                card.as_graph(5, || step(factor, &x, &out)).unwrap();
                assert_eq!(
                    bits(&out),
                    enter(None, || expected(factor, &x)),
                    "step {at}"
                );
                assert_eq!(card.graphs_launched(), at);
            }
        });
    }

    #[test]
    fn steps_of_other_kinds_have_graphs_of_their_own() {
        let card = card();
        enter(Some(&card), || {
            let step = |(count, samples): (usize, i64)| {
                let (x, out) = (numbers(samples), zeros(samples));
                let again = |_| add(&out, &x, &out);
                card.as_graph(samples, || (0..count).try_for_each(again))
                    .unwrap();
                let same = zeros(samples);
                enter(None, || (0..count).try_for_each(|_| add(&same, &x, &same))).unwrap();
                assert_eq!(bits(&out), bits(&same), "{count} launches");
            };
            // Of other launches, or on batches of other sizes.
            let kinds = || (1..=MOST / 2).flat_map(|count| [(count, 4), (count, 3)]);
            kinds().chain(kinds()).for_each(step);
            assert_eq!(card.graphs_launched(), MOST as u64);
            // One more takes the place of the first.
            [(MOST, 4), (1, 3), (1, 4), (2, 3)]
                .into_iter()
                .for_each(step);
            assert_eq!(card.graphs_launched(), MOST as u64 + 2);
        });
    }

    #[test]
    fn who_reads_sees_what_has_waited() {
        let card = card();
        enter(Some(&card), || {
            for _ in 0..3 {
                let out = zeros(4);
                let found = card.as_graph(4, || {
                    let infinite = Tensor::full([3, 4], f64::INFINITY, (Kind::Float, Device::Cpu));
                    copy(&infinite, &out)?;
                    let found = is_finite(&out)?;
                    scale(&out, -1.0)?;
                    Ok(found)
                });
                assert!(!found.unwrap().0);
                let negative = Tensor::full([3, 4], f64::NEG_INFINITY, (Kind::Float, Device::Cpu));
                assert_eq!(bits(&out), bits(&negative));
            }
        });
    }

    #[test]
    fn signs_are_drawn_after_the_numbers_that_decide_them() {
        let card = card();
        let extent = Extent::Activation(Units::Flat(3));
        let draw = Draw::new("noise.sign.1".to_owned(), 0, extent, Distribution::Sign);
        let drawn = |step| {
            let out = zeros(40);
            let draw = || {
                draw.write(
                    DrawSource::Drawn {
                        key: 7,
                        step: Count::fixed(step),
                    },
                    40,
                    &out,
                )
            };
            match current() {
                Some(card) => card.as_graph(40, draw).unwrap().0,
                None => draw().unwrap(),
            }
            bits(&out)
        };
        for step in 0..3 {
            assert_eq!(
                enter(Some(&card), || drawn(step)),
                drawn(step),
                "step {step}"
            );
        }
    }

    #[test]
    fn memory_of_a_step_is_there_until_its_launches_are_over() {
        let card = card();
        enter(Some(&card), || {
            for _ in 0..3 {
                let out = zeros(4);
                card.as_graph(4, || {
                    let between = zeros(4);
                    copy(&numbers(4), &between)?;
                    copy(&between, &out)
                })
                .unwrap();
                assert_eq!(bits(&out), bits(&numbers(4)));
            }
        });
    }

    /// An emulated card whose graphs fail.
    struct Failing {
        launcher: Emulated,
        at: Fault,
    }

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Fault {
        Making,
        Replacing,
        Launching,
    }

    struct FailingGraph(Fault);

    fn fault() -> Error {
        crate::operand::refused("this card has no graphs", "")
    }

    impl Graph for FailingGraph {
        fn replace(&mut self, _at: usize, _node: &mut Node) -> Result<(), Error> {
            if self.0 == Fault::Replacing {
                return Err(fault());
            }
            Ok(())
        }

        unsafe fn launch(&self) -> Result<(), Error> {
            Err(fault())
        }
    }

    impl Launch for Failing {
        unsafe fn launch(
            &self,
            kernel: Kernel,
            blocks: u32,
            arguments: &mut [*mut c_void],
        ) -> Result<(), Error> {
            // SAFETY: promised by the caller.
            unsafe { self.launcher.launch(kernel, blocks, arguments) }
        }

        fn graph(
            &self,
            _nodes: &mut [Node],
            _waits: &[Vec<usize>],
        ) -> Result<Box<dyn Graph>, Error> {
            if self.at == Fault::Making {
                return Err(fault());
            }
            Ok(Box::new(FailingGraph(self.at)))
        }

        fn share(&self) -> usize {
            self.launcher.share()
        }

        fn free_memory(&self) -> Result<usize, Error> {
            self.launcher.free_memory()
        }
    }

    #[test]
    fn a_card_whose_graphs_fail_launches_one_by_one() {
        for at in [Fault::Making, Fault::Replacing, Fault::Launching] {
            let launcher = Emulated::open(assay_emulation::library()).unwrap();
            let card = Card::new(Device::Cpu, Box::new(Failing { launcher, at }));
            enter(Some(&card), || {
                let x = numbers(5);
                for factor in [2.0, -1.0, 0.5] {
                    let out = zeros(5);
                    card.as_graph(4, || step(factor, &x, &out)).unwrap();
                    assert_eq!(bits(&out), enter(None, || expected(factor, &x)), "{at:?}");
                }
            });
            assert!(card.steps.refused.get());
            assert_eq!(card.graphs_launched(), 0, "{at:?}");
        }
    }

    #[test]
    fn nothing_waits_after_a_step_that_broke_off() {
        let card = card();
        enter(Some(&card), || {
            let (x, out) = (numbers(4), zeros(4));
            let broken = card.as_graph(4, || {
                copy(&x, &out)?;
                Err::<(), _>(crate::operand::refused("it broke off", ""))
            });
            assert!(broken.is_err());
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                card.as_graph(4, || -> Result<(), Error> { panic!("it broke off") })
            }));
            assert!(panicked.is_err());
            assert_eq!(bits(&out), bits(&zeros(4)), "what waited was dropped");
            copy(&x, &out).unwrap();
            assert_eq!(bits(&out), bits(&x), "what is launched now happens now");
        });
    }
}
