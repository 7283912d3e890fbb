//! The numbers in which one step of a training differs from the next: the place of its batch, counters of the learner's state,
//! and the slot in which its own numbers wait to be read. A card counts them itself, so the launches of a step are the
//! same each time.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::rc::Rc;

use tch::{Kind, Tensor};

use super::graph::hold;
use super::{Argument, Card, Kernel, current};
use crate::error::Error;
use crate::tensor_slices::{copy_i64, number};

/// Steps on a card that wait to be read together.
pub(crate) const SLOTS: usize = 128;

/// The numbers that one launch advances.
const TOGETHER: usize = 8;

/// The most numbers of a step whose parts have rows for all steps that wait. Those beyond have memory of their own, and such a step
/// is not repeated.
const ROWS: usize = 32;

/// The first of what is counted: the slot of a step, and the place of its batch in the epoch. Counters follow.
const SLOT: usize = 0;
const SAMPLE: usize = 1;
const COUNTERS: usize = 2;

/// A number of a learner's saved state that its steps advance.
pub(crate) struct Counter {
    /// A scalar `i64` in main memory.
    value: Tensor,
    /// Its place among what a card counts.
    place: Cell<Option<usize>>,
}

impl Counter {
    pub(crate) fn new(value: i64) -> Rc<Self> {
        Rc::new(Self {
            value: Tensor::from(value),
            place: Cell::new(None),
        })
    }

    pub(crate) fn now(&self) -> Result<Count, Error> {
        Ok(Count {
            value: number(&self.value)?.get(),
            place: self.place.get(),
        })
    }

    pub(crate) fn advance(&self, by: i64) -> Result<(), Error> {
        let number = number(&self.value)?;
        number.set(number.get().wrapping_add(by));
        Ok(())
    }

    /// Shares its memory.
    pub(crate) fn tensor(&self) -> Tensor {
        self.value.shallow_clone()
    }
}

/// A number that a launch is given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Count {
    value: i64,
    place: Option<usize>,
}

/// The kernels' `struct Count`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct OfKernel {
    counted: *const i64,
    added: i64,
}

impl OfKernel {
    /// The addresses of what is counted.
    pub(super) fn memory(&self) -> Range<usize> {
        let begin = self.counted as usize;
        let bytes = if self.counted.is_null() {
            0
        } else {
            size_of::<i64>()
        };
        begin..begin + bytes
    }
}

impl Count {
    pub(crate) const ZERO: Self = Self::fixed(0);

    /// One that no card counts.
    pub(crate) const fn fixed(value: i64) -> Self {
        Self { value, place: None }
    }

    /// The first place of a batch.
    pub(crate) fn of_sample(first: u32) -> Self {
        Self {
            value: first.into(),
            place: Some(SAMPLE),
        }
    }

    pub(crate) fn value(self) -> i64 {
        self.value
    }

    /// As the current card counts it, or as it is where none does.
    pub(crate) fn argument(self) -> Argument {
        let counts = current().and_then(|card| card.counts());
        let of_kernel = match (counts, self.place) {
            (Some(counts), Some(place)) => counts.argument(self.value, place),
            _ => OfKernel {
                counted: std::ptr::null(),
                added: self.value,
            },
        };
        Argument::Count(of_kernel)
    }
}

/// The numbers that a card counts for one learner.
pub(crate) struct Counts {
    memory: Tensor,
    /// The numbers that are there when all that was launched is done.
    found: RefCell<Vec<i64>>,
    counters: Vec<Rc<Counter>>,
    /// Memory with a row for each step that waits, by its turn among those that a step asks for.
    rows: RefCell<Vec<(usize, Rc<Tensor>)>>,
    /// Times that the step under way has asked.
    asked: Cell<usize>,
}

/// The differences that one step makes to the numbers, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Advances(Vec<i64>);

impl Counts {
    /// Of the counters of a learner's state.
    ///
    /// # Errors
    /// Memory that cannot be allocated.
    pub(crate) fn new(card: &Card, counters: Vec<Rc<Counter>>) -> Result<Self, Error> {
        for (place, counter) in (COUNTERS..).zip(&counters) {
            counter.place.set(Some(place));
        }
        let count = COUNTERS + counters.len();
        Ok(Self {
            memory: Tensor::f_zeros([count as i64], (Kind::Int64, card.device()))?,
            found: RefCell::new(vec![0; count]),
            counters,
            rows: RefCell::default(),
            asked: Cell::new(0),
        })
    }

    /// Has the card count from the first slot, the first sample, and what the counters are at.
    ///
    /// # Errors
    /// Those of the card.
    pub(crate) fn begin(&self) -> Result<(), Error> {
        let mut found = self.found.borrow_mut();
        found[..COUNTERS].fill(0);
        for (found, counter) in found[COUNTERS..].iter_mut().zip(&self.counters) {
            *found = counter.now()?.value;
        }
        copy_i64(&self.memory, &found)
    }

    /// The number of the slot, for whoever sets it to the first, since nothing waits any more.
    pub(crate) fn first_slot(&self) -> Argument {
        self.found.borrow_mut()[SLOT] = 0;
        Argument::element(&self.memory, SLOT)
    }

    /// The place of the next batch, if it follows the one before.
    pub(crate) fn next_sample(&self) -> i64 {
        self.found.borrow()[SAMPLE]
    }

    /// Ends a step, and the work on its batch of so many samples if that is its last: has the card count it.
    ///
    /// # Errors
    /// Those of the card.
    pub(crate) fn end_step(&self, card: &Card, samples: i64) -> Result<Advances, Error> {
        let mut by = vec![1, samples];
        for (counter, found) in self.counters.iter().zip(&self.found.borrow()[COUNTERS..]) {
            by.push(counter.now()?.value - found);
        }
        for (part, advances) in by.chunks(TOGETHER).enumerate() {
            let mut together = [0; TOGETHER];
            together[..advances.len()].copy_from_slice(advances);
            let arguments = [
                Argument::element(&self.memory, part * TOGETHER),
                Argument::count(advances.len()),
                Argument::Advances(together),
            ];
            // SAFETY: there are so many numbers from this one on.
            unsafe { card.each(Kernel::Advance, advances.len(), arguments) }?;
        }
        let advances = Advances(by);
        self.follow(&advances);
        Ok(advances)
    }

    /// Follows a step that was repeated: advances the counters as the card does.
    ///
    /// # Errors
    /// Those of a counter.
    pub(crate) fn repeat(&self, advances: &Advances) -> Result<(), Error> {
        for (counter, by) in self.counters.iter().zip(&advances.0[COUNTERS..]) {
            counter.advance(*by)?;
        }
        self.follow(advances);
        Ok(())
    }

    fn follow(&self, Advances(by): &Advances) {
        for (found, by) in self.found.borrow_mut().iter_mut().zip(by) {
            *found = found.wrapping_add(*by);
        }
    }

    fn argument(&self, value: i64, place: usize) -> OfKernel {
        hold(&self.memory);
        let counted = self.memory.data_ptr().cast::<i64>().cast_const();
        let found = self.found.borrow().get(place).copied().unwrap_or_default();
        OfKernel {
            counted: counted.wrapping_add(place),
            added: value.wrapping_sub(found),
        }
    }
}

impl Card {
    /// Has `body`, a step, be counted.
    pub(crate) fn counting<T>(&self, counts: &Rc<Counts>, body: impl FnOnce() -> T) -> T {
        /// Has nothing be counted any more, also after a panic.
        struct End<'a>(&'a Card);
        impl Drop for End<'_> {
            fn drop(&mut self) {
                self.0.counts.take();
            }
        }
        counts.asked.set(0);
        self.counts.replace(Some(counts.clone()));
        let _end = End(self);
        body()
    }

    fn counts(&self) -> Option<Rc<Counts>> {
        self.counts.borrow().clone()
    }

    /// The slot of the step under way, among those that wait to be read.
    pub(crate) fn slot(&self) -> Count {
        self.counts().map_or(Count::ZERO, |counts| Count {
            value: counts.found.borrow()[SLOT],
            place: Some(SLOT),
        })
    }

    /// Memory for so many parts of a number: of the step under way, or for itself.
    ///
    /// # Errors
    /// It cannot be allocated.
    pub(crate) fn parts(&self, count: usize) -> Result<Parts, Error> {
        let rows = |rows: usize| {
            let size = [rows as i64, count as i64];
            let rows = Tensor::f_empty(size, (Kind::Double, self.device()))?;
            Ok::<_, Error>(Rc::new(rows))
        };
        let counts = self.counts().filter(|counts| counts.asked.get() < ROWS);
        let Some(counts) = counts else {
            let (rows, row) = (rows(1)?, Count::ZERO);
            return Ok(Parts { rows, row, count });
        };
        let row = self.slot();
        let turn = counts.asked.replace(counts.asked.get() + 1);
        let mut all = counts.rows.borrow_mut();
        let is_ours = |(of, rows): &&(_, Rc<Tensor>)| *of == turn && rows.numel() == SLOTS * count;
        let known = all.iter().find(is_ours).map(|(_, rows)| rows.clone());
        let rows = if let Some(rows) = known {
            rows
        } else {
            let rows = rows(SLOTS)?;
            all.push((turn, rows.clone()));
            rows
        };
        Ok(Parts { rows, row, count })
    }
}

/// Floats of 64 bits in a row, from which a card computes a number.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    /// (R, count)
    rows: Rc<Tensor>,
    row: Count,
    count: usize,
}

impl Parts {
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// The element at a place of the first row.
    pub(crate) fn element(&self, at: usize) -> Argument {
        Argument::element(&self.rows, at)
    }

    /// The row, for the kernel.
    pub(crate) fn row(&self) -> Argument {
        self.row.argument()
    }

    /// Those of another step, in its slot.
    pub(crate) fn of_slot(&self, slot: usize) -> Self {
        let row = Count::fixed(slot as i64);
        Self {
            row,
            ..self.clone()
        }
    }

    /// True of the rows of one number, of whichever steps.
    pub(crate) fn are_rows_of(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.rows, &other.rows)
    }

    /// The number of the row, from 0.
    pub(crate) fn number(&self) -> usize {
        self.row.value as usize
    }

    /// The parts themselves, after all that was launched.
    ///
    /// # Errors
    /// Those of the card.
    pub(crate) fn read(&self) -> Result<Vec<f64>, Error> {
        super::finish()?;
        let mut read = vec![0.0; self.count];
        let row = self.rows.f_narrow(0, self.row.value, 1)?;
        row.f_copy_data(&mut read, self.count)?;
        Ok(read)
    }
}
