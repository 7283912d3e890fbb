//! Steps on a card, which nobody waits for: their numbers are read many at a time. A step that diverged is found
//! then, with the tensor that was not finite first; those after it have changed nothing that is kept.

use std::mem;

use super::readings::{Readings, Table, Watch};
use super::report::Report;
use super::{At, Trainer, Update, diverged_direction, diverged_metric, output_name};
use crate::card::{self, Card, SLOTS};
use crate::error::Error;
use crate::parameters::Parameters;
use crate::samples::Samples;

impl Trainer {
    /// Launches a step as [`Trainer::train_step`] makes it on a processor.
    pub(super) fn launch_step(
        &mut self,
        card: &Card,
        samples: Samples<'_>,
        update: Update,
        at: At,
        report: &mut Report<'_, '_>,
    ) -> Result<(), Error> {
        if !self.has_buffers(samples.count()) {
            // What was noted of the steps before is in the buffers of their size.
            self.settle(report)?;
            self.change_buffers(samples.count());
        }
        let readings = match self.repeat_step(card, samples, update)? {
            Some(readings) => readings,
            None => self.take_down_step(card, samples, update, at, report)?,
        };
        self.waiting.push((at, readings));
        if self.waiting.len() == SLOTS {
            self.settle(report)?;
        }
        Ok(())
    }

    /// True if its buffers are those of so many samples.
    pub(super) fn has_buffers(&self, samples: i64) -> bool {
        let buffers = self.training.as_ref();
        buffers.is_some_and(|it| it.workspace.samples() == samples)
    }

    /// Takes the buffers for batches of so many samples, or none where it has none yet, and keeps those that it had: an epoch may
    /// end with a smaller batch, and the next one then begins with the buffers, and the launches, of the one before. Those of a third
    /// size go.
    fn change_buffers(&mut self, samples: i64) {
        mem::swap(&mut self.training, &mut self.other);
        if !self.has_buffers(samples) {
            self.training = None;
        }
    }

    /// All updates of a step, and its numbers.
    pub(super) fn updates_of_step(
        &mut self,
        card: &Card,
        samples: Samples<'_>,
        update: Update,
        at: At,
        report: &mut Report<'_, '_>,
    ) -> Result<Readings, Error> {
        let mut readings = self.compute(samples, update, 1, None)?;
        self.move_watched(card, &readings, update, at, report)?;
        let again = Update {
            network: true,
            inverses: false,
            ..update
        };
        let updates = if update.network { self.updates } else { 1 };
        for number in 2..=updates {
            let next = self.compute(samples, again, number, None)?;
            self.move_watched(card, &next, again, at, report)?;
            readings.own = next.own;
        }
        Ok(readings)
    }

    /// Moves the groups of `update`, and has the card note what of the step is not finite.
    fn move_watched(
        &mut self,
        card: &Card,
        readings: &Readings,
        update: Update,
        at: At,
        report: &mut Report<'_, '_>,
    ) -> Result<(), Error> {
        if readings.is_known_to_diverge() {
            self.settle(report)?;
            return self.refuse_known(readings, at, report);
        }
        let known = self.training.as_mut().and_then(|it| it.watch.take());
        let watch = match known {
            Some(watch) => watch,
            None => self.new_watch(card)?,
        };
        watch.note_values(card, readings)?;
        card.flagging(watch.flag(), || self.step(update))?;
        watch.note_directions(card)?;
        if let Some(buffers) = &mut self.training {
            buffers.watch = Some(watch);
        }
        Ok(())
    }

    /// The error of a step with a number that is not finite, before it moves anything.
    fn refuse_known(
        &self,
        readings: &Readings,
        at: At,
        report: &mut Report<'_, '_>,
    ) -> Result<(), Error> {
        let measured = readings.read()?;
        report.push(&measured)?;
        match measured.non_finite(self.declared.metrics) {
            None => Ok(()),
            Some(metric) => {
                let place = format_args!("{at}");
                Err(diverged_metric(metric, place, self.first_non_finite()?))
            }
        }
    }

    /// Reads the numbers of the steps that wait, and reports them up to the first that diverged.
    pub(super) fn settle(&mut self, report: &mut Report<'_, '_>) -> Result<(), Error> {
        let (places, readings): (Vec<_>, Vec<_>) = self.waiting.drain(..).unzip();
        let watch = self.watch().filter(|_| !places.is_empty());
        let Some(watch) = watch else {
            return Ok(());
        };
        let (measured, noted) = (Readings::read_all(&readings)?, watch.read(places.len())?);
        if let Some(card) = card::current() {
            watch.clear(&card, self.counts.as_deref())?;
        }
        for ((at, measured), noted) in places.into_iter().zip(measured).zip(noted) {
            report.push(&measured)?;
            let place = format_args!("{at}");
            if let Some(metric) = measured.non_finite(self.declared.metrics) {
                return Err(diverged_metric(metric, place, noted.value));
            }
            if noted.flag {
                return Err(diverged_direction(place, noted.direction));
            }
        }
        Ok(())
    }

    pub(super) fn watch(&self) -> Option<&Watch> {
        self.training.as_ref()?.watch.as_ref()
    }

    fn new_watch(&self, card: &Card) -> Result<Watch, Error> {
        let groups = || [self.model.parameters()].into_iter().chain(self.maps());
        let values = groups().flat_map(Parameters::tensors);
        let values = values.map(|it| (it.name.clone(), &it.value));
        let given = self.training.iter().flat_map(|it| it.workspace.given());
        let given = given.map(|(l, values)| (output_name(l), values));
        let groups = self.maps().chain([self.model.parameters()]);
        let directions = groups.flat_map(Parameters::tensors).map(|it| {
            let name = format!("the direction of {}, in layer {}", it.name, it.layer);
            (name, &it.gradient)
        });
        Watch::new(
            card,
            Table::new(card, values.chain(given))?,
            Table::new(card, directions)?,
        )
    }
}

#[cfg(test)]
mod tests {
    use crate::backpropagation::Backpropagation;
    use crate::card::{Card, enter};
    use crate::optimiser::Adam;
    use crate::trial::Trial;

    /// The losses of steps on batches of so many samples, and the state after them.
    fn trained(sizes: &[usize]) -> (Vec<u64>, Vec<(String, Vec<u32>)>) {
        let layers = ["lc 3x3 2 s2", "fc 5 relu norm", "softmax 3"];
        let made = Trial::<Backpropagation>::new([1, 4, 4], &layers, &Adam::default(), 7);
        let mut trial = made.unwrap();
        let losses = (1..).zip(sizes).map(|(step, &samples)| {
            let inputs = (0..16 * samples).map(|at| (at * step % 13) as f32 / 6.0 - 1.0);
            let labels: Vec<_> = (0..samples).map(|at| (at + step) as i64 % 3).collect();
            trial.step(&inputs.collect::<Vec<_>>(), &labels).unwrap()
        });
        let losses = losses.map(f64::to_bits).collect();
        let state = trial.state().unwrap().into_iter();
        let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect();
        (
            losses,
            state.map(|(name, values)| (name, bits(values))).collect(),
        )
    }

    #[test]
    fn steps_on_a_card_are_one_launch_each_and_change_no_bit() {
        let card = Card::emulated(assay_emulation::library()).unwrap();
        for (sizes, launched) in [
            // The first makes the buffers, and of the second a graph is made.
            (&[6; 7][..], 5),
            // The first of each size makes buffers, and of the second a graph is made, but for those that are there already.
            (&[6, 6, 6, 2, 2, 2, 6, 6], 5),
        ] {
            let before = card.graphs_launched();
            let found = enter(Some(&card), || trained(sizes));
            assert_eq!(found, trained(sizes), "{sizes:?}");
            assert_eq!(card.graphs_launched() - before, launched, "{sizes:?}");
        }
    }
}
