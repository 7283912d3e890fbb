//! The numbers of steps before anybody reads them, and on a card whatever they say of a step that diverged.

use std::ops::Range;

use tch::{Kind, Tensor};

use super::report::Measured;
use crate::card::{self, Argument, Card, Count, Counts, Kernel, SLOTS};
use crate::error::Error;
use crate::operand;
use crate::value::Value;

/// The numbers of one step, measured before its update; `None` for a group that it does not update.
#[derive(Debug, Default)]
pub(crate) struct Readings {
    /// The mean task loss of the batch.
    pub(crate) batch: Option<Value>,
    /// The losses of inverses, each with its layer.
    pub(crate) inverses: Option<Vec<(usize, Value)>>,
    /// The algorithm's own metrics, in the order in which it declares them.
    pub(crate) own: Vec<f64>,
}

impl Readings {
    /// The numbers, as soon as they are there.
    pub(super) fn read(&self) -> Result<Measured, Error> {
        let measured = Self::read_all(std::slice::from_ref(self))?;
        Ok(measured.into_iter().next().unwrap_or_default())
    }

    /// Those of several steps, in one transfer.
    pub(super) fn read_all(all: &[Self]) -> Result<Vec<Measured>, Error> {
        let values: Vec<_> = all.iter().flat_map(Self::values).collect();
        let mut numbers = Value::read_all(&values)?.into_iter();
        let mut measured = Vec::new();
        for readings in all {
            let mut next = || numbers.next().unwrap_or(f64::NAN);
            let mut step = Measured {
                batch: readings.batch.as_ref().map(|_| next()),
                own: readings.own.clone(),
                ..Measured::default()
            };
            if let Some(inverses) = &readings.inverses {
                let mut sum = 0.0;
                for (layer, _) in inverses {
                    let loss = next();
                    sum += loss;
                    *step.inverse_by_layer.entry(*layer).or_default() += loss;
                }
                step.inverse = Some(sum);
            }
            measured.push(step);
        }
        Ok(measured)
    }

    /// True if a number is known that is not finite.
    pub(super) fn is_known_to_diverge(&self) -> bool {
        let known = self.values().filter_map(|it| match it {
            Value::Known(value) => Some(*value),
            Value::OnCard { .. } => None,
        });
        known
            .chain(self.own.iter().copied())
            .any(|it| !it.is_finite())
    }

    /// The numbers of a step that was repeated, which waits in that slot; `None` where a number is known already, which the next
    /// step need not have.
    pub(super) fn repeated(&self, slot: usize) -> Option<Self> {
        if !self.own.is_empty() || self.values().any(|it| it.parts().is_none()) {
            return None;
        }
        let of_slot = |(layer, value): &(usize, Value)| (*layer, value.of_slot(slot));
        let inverses = self.inverses.as_ref();
        Some(Self {
            batch: self.batch.as_ref().map(|value| value.of_slot(slot)),
            inverses: inverses.map(|all| all.iter().map(of_slot).collect()),
            own: Vec::new(),
        })
    }

    /// Everything but the algorithm's own metrics, in the order in which it is read.
    fn values(&self) -> impl Iterator<Item = &Value> {
        let inverses = self.inverses.iter().flatten().map(|(_, value)| value);
        self.batch.iter().chain(inverses)
    }
}

/// Tensors on a card, by addresses and counts, with their names.
pub(super) struct Table {
    entries: Tensor,
    names: Vec<String>,
    /// The addresses of the tensors' memory.
    memory: Vec<Range<usize>>,
}

impl Table {
    pub(super) fn new<'a>(
        card: &Card,
        tensors: impl IntoIterator<Item = (String, &'a Tensor)>,
    ) -> Result<Self, Error> {
        let (mut entries, mut names, mut memory) = (Vec::new(), Vec::new(), Vec::new());
        for (name, tensor) in tensors {
            memory.push(operand::extent(tensor));
            entries.extend([tensor.data_ptr() as i64, tensor.numel() as i64]);
            names.push(name);
        }
        card::catch_up()?;
        Ok(Self {
            entries: Tensor::f_from_slice(&entries)?.f_to_device(card.device())?,
            names,
            memory,
        })
    }
}

/// The tensors that a card looks at after each step, and its notes, which are read with the step's numbers.
pub(super) struct Watch {
    /// Parameters, and then what the layers gave.
    values: Table,
    directions: Table,
    /// For each step that waits: whether a direction was not finite, the number of the first such direction, and that of
    /// the first value, or below zero. 32-bit integers, (3, [`SLOTS`]).
    notes: Tensor,
}

/// The rows of the notes.
#[derive(Clone, Copy)]
enum Note {
    Flag,
    Direction,
    Value,
}

/// The first tensors that were not finite after a step.
pub(super) struct Noted {
    /// A direction was not finite.
    pub(super) flag: bool,
    pub(super) direction: Option<String>,
    pub(super) value: Option<String>,
}

impl Watch {
    pub(super) fn new(card: &Card, values: Table, directions: Table) -> Result<Self, Error> {
        let notes = Tensor::f_zeros([3, SLOTS as i64], (Kind::Int, card.device()))?;
        let watch = Self {
            values,
            directions,
            notes,
        };
        watch.clear(card, None)?;
        Ok(watch)
    }

    /// Nothing is noted of any step, and the next step is that of the first slot.
    pub(super) fn clear(&self, card: &Card, counts: Option<&Counts>) -> Result<(), Error> {
        let arguments = [
            Argument::of(&self.notes),
            Argument::count(SLOTS),
            counts.map_or(Argument::NULL, Counts::first_slot),
        ];
        // SAFETY: there are three notes for each of so many steps.
        unsafe { card.each(Kernel::Forget, 3 * SLOTS, arguments) }
    }

    /// Notes the first value that is not finite, where a number of a step is not.
    pub(super) fn note_values(&self, card: &Card, of: &Readings) -> Result<(), Error> {
        for parts in of.values().filter_map(Value::parts) {
            let of_parts = [
                parts.element(0),
                parts.row(),
                Argument::count(parts.count()),
            ];
            let notes = [self.place(Note::Value), Argument::NULL];
            note(card, notes, of_parts, &self.values)?;
        }
        Ok(())
    }

    /// The flags of which an optimiser sets that of its step where a direction is not finite.
    pub(super) fn flag(&self) -> Argument {
        self.place(Note::Flag)
    }

    /// Notes the first direction that is not finite, where the flag is set.
    pub(super) fn note_directions(&self, card: &Card) -> Result<(), Error> {
        let none = [Argument::NULL, Count::ZERO.argument(), Argument::count(0)];
        let notes = [self.place(Note::Direction), self.flag()];
        note(card, notes, none, &self.directions)
    }

    /// The notes of so many steps, as soon as they are there.
    pub(super) fn read(&self, steps: usize) -> Result<Vec<Noted>, Error> {
        card::finish()?;
        let mut notes = vec![0_i32; 3 * SLOTS];
        self.notes.f_copy_data(&mut notes, 3 * SLOTS)?;
        let name = |table: &Table, number: i32| {
            let number = usize::try_from(number).ok()?;
            table.names.get(number).cloned()
        };
        let of_step = |slot: usize| Noted {
            flag: notes[slot] != 0,
            direction: name(&self.directions, notes[SLOTS + slot]),
            value: name(&self.values, notes[2 * SLOTS + slot]),
        };
        Ok((0..steps.min(SLOTS)).map(of_step).collect())
    }

    /// The first of the notes of a kind, one for each slot.
    fn place(&self, note: Note) -> Argument {
        Argument::element(&self.notes, note as usize * SLOTS)
    }
}

/// Notes on the step under way.
fn note(
    card: &Card,
    [found, flag]: [Argument; 2],
    [parts, row, count]: [Argument; 3],
    table: &Table,
) -> Result<(), Error> {
    let arguments = [
        found,
        flag,
        card.slot().argument(),
        parts,
        row,
        count,
        Argument::of(&table.entries),
        Argument::count(table.names.len()),
    ];
    // SAFETY: the table was made of tensors that live as long as the learner's buffers for this batch size, and is made anew
    // with them; notes have a place for each step that waits.
    unsafe { card.launch_reading(Kernel::NoteFirst, 1, arguments, &table.memory) }
}
