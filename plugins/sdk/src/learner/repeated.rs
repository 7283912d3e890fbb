//! Steps on a card that are repeated: a step that asked for the same launches as the one before it is launched again without the
//! algorithm, whose directions follow from its arguments and tensors alone. What differs from step to step the card counts.

use std::rc::Rc;

use assay_abi::{ErrorCode, PluginError};

use super::readings::Readings;
use super::report::Report;
use super::{At, InverseGroup, Trainer, Update};
use crate::card::{self, Advances, Card, Counts, Repeat};
use crate::cost;
use crate::error::Error;
use crate::noise::DrawStream;
use crate::samples::Samples;

/// Times that a step is repeated before it is asked for again.
const REPEATS: usize = 255;

/// A step that may be repeated.
pub(super) struct Repeated {
    /// The groups that it moves, and B.
    kind: (Update, i64),
    launches: Repeat,
    readings: Readings,
    advances: Advances,
    multiply_adds: u64,
    /// Steps until it is asked for once more, to see that it is the same.
    left: usize,
    /// Since it was asked for, the algorithm may have been asked for something else, and have made its own buffers anew: by a step
    /// on a batch of another size, or between two passes.
    is_old: bool,
}

impl Repeated {
    /// True if its batch has so many samples.
    pub(super) fn is_of(&self, samples: i64) -> bool {
        self.kind.1 == samples
    }
}

impl Trainer {
    /// Begins a pass: has the current card, if there is one, count from its beginning.
    pub(super) fn begin_counting(&mut self) -> Result<(), Error> {
        let Some(card) = card::current() else {
            return Ok(());
        };
        if card.share_anew() {
            // Other shares have other launches.
            self.repeated.clear();
        }
        for step in &mut self.repeated {
            step.is_old = true;
        }
        let counts = match self.counts.take() {
            Some(counts) => counts,
            None => Rc::new(Counts::new(&card, self.counters())?),
        };
        counts.begin()?;
        self.counts = Some(counts);
        Ok(())
    }

    /// The numbers of the state that steps advance.
    fn counters(&self) -> Vec<Rc<card::Counter>> {
        let companions = self
            .companions
            .iter()
            .filter_map(|it| it.optimiser.counter());
        let inverses = self.inverses.iter().flat_map(InverseGroup::counters);
        let draws = self.draws.iter().map(DrawStream::counter);
        let own = self.optimiser.counter().into_iter();
        let all = own.chain(companions).chain(inverses).chain(draws);
        all.cloned().collect()
    }

    /// Repeats a step that is known, and gives its numbers; `None` where the step has to be asked for.
    pub(super) fn repeat_step(
        &mut self,
        card: &Card,
        samples: Samples<'_>,
        update: Update,
    ) -> Result<Option<Readings>, Error> {
        let counts = self.counts.as_ref().filter(|it| follows(it, samples));
        let Some(counts) = counts.filter(|_| self.has_buffers(samples.count())) else {
            return Ok(None);
        };
        let mut known = self.repeated.iter_mut();
        let kind = (update, samples.count());
        let Some(step) = known.find(|step| step.kind == kind && step.left > 0) else {
            return Ok(None);
        };
        let Some(readings) = step.readings.repeated(self.waiting.len()) else {
            return Ok(None);
        };
        if !card.repeat(step.launches) {
            return Ok(None);
        }
        step.left -= 1;
        cost::add(step.multiply_adds);
        counts.repeat(&step.advances)?;
        Ok(Some(readings))
    }

    /// Asks for a step, as one launch where that may be, and keeps it if the next may be the same.
    pub(super) fn take_down_step(
        &mut self,
        card: &Card,
        samples: Samples<'_>,
        update: Update,
        at: At,
        report: &mut Report<'_, '_>,
    ) -> Result<Readings, Error> {
        let Some(counts) = self.counts.clone() else {
            return Err(Error::new(ErrorCode::OTHER, "a step is of no pass"));
        };
        // The first step of a size makes buffers and looks whether the algorithm keeps to its own.
        let is_known = self.has_buffers(samples.count()) && self.watch().is_some();
        let is_next = follows(&counts, samples);
        let kind = (update, samples.count());
        let known = self.repeated.iter().position(|it| it.kind == kind);
        let known = known.map(|known| self.repeated.swap_remove(known));
        let known = known.filter(|it| is_next && !it.is_old && card.keeps(it.launches));
        for step in &mut self.repeated {
            step.is_old |= !step.is_of(samples.count());
        }
        let (is_replayable, counted) = (self.declared.is_replayable, cost::counted());
        let mut step = || {
            card.counting(&counts, || {
                let readings = self.updates_of_step(card, samples, update, at, report)?;
                let done = if update.is_last { samples.count() } else { 0 };
                Ok((readings, counts.end_step(card, done)?))
            })
        };
        let ((readings, advances), launches) = if is_replayable && is_known {
            card.as_graph(samples.count(), step)?
        } else {
            (step()?, None)
        };
        if known.is_some_and(|it| Some(it.launches) != launches) && card.makes_graphs() {
            return Err(self.not_replayable(at));
        }
        if let (true, Some(launches), Some(readings)) = (is_next, launches, readings.repeated(0)) {
            self.repeated.push(Repeated {
                kind,
                launches,
                readings,
                advances,
                multiply_adds: cost::since(counted),
                left: REPEATS,
                is_old: false,
            });
        }
        Ok(readings)
    }

    fn not_replayable(&self, at: At) -> Error {
        let name = self.declared.name;
        let message = format!(
            "{name} asked for other operations {at} than for the steps before it, which were taken to be the same"
        );
        let help = "its directions have to follow from the pass and its tensors alone, or it is not `REPLAYABLE`";
        Error::Plugin(PluginError::new(ErrorCode::OTHER, message).with_help(help))
    }
}

/// True for samples of a split that is kept which follow those before.
fn follows(counts: &Counts, samples: Samples<'_>) -> bool {
    match samples {
        Samples::Lent(_) => false,
        Samples::Kept(kept) => kept.first() == counts.next_sample(),
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use assay_abi::{
        BatchPlaces, EpochOrder, MetricSink, Metrics, PIXEL_VALUES, PlaceSource, Places,
        PluginError, StoredSamples, StoredSplit,
    };
    use assay_network::Network;
    use tch::{Device, Tensor};

    use super::REPEATS;
    use crate::algorithm::Algorithm;
    use crate::arithmetic::copy;
    use crate::backpropagation::Backpropagation;
    use crate::card::{Card, enter};
    use crate::error::Error;
    use crate::exported::Exported;
    use crate::inference::Inference;
    use crate::optimiser::Adam;
    use crate::pass::{Directions, Pass};
    use crate::setup::Setup;

    const BATCH: u32 = 4;

    /// Serves the places of so many samples.
    struct Epoch {
        samples: u32,
        first: u32,
    }

    impl BatchPlaces for Epoch {
        fn next_places(&mut self) -> Result<Option<Places>, PluginError> {
            let (first, count) = (self.first, BATCH.min(self.samples - self.first));
            self.first += count;
            Ok((count > 0).then_some(Places { first, count }))
        }
    }

    #[derive(Debug, Default, PartialEq)]
    struct Losses(Vec<u64>);

    impl Metrics for Losses {
        fn record(&mut self, _name: &str, values: &[f64]) -> Result<(), PluginError> {
            self.0.extend(values.iter().map(|it| it.to_bits()));
            Ok(())
        }
    }

    /// The losses of epochs of so many samples, on a split that `card` keeps, and the state after them.
    fn trained<A: Exported<Config = Adam>>(
        card: &Rc<Card>,
        epochs: &[u32],
    ) -> Result<(Losses, Vec<u8>), PluginError> {
        let network = Network::parse([1, 2, 2], &["fc 5", "softmax 3"]).unwrap();
        let pixels: Vec<_> = (0..4 * 7).map(|at| (at * 37 % 256) as u8).collect();
        let labels: Vec<_> = (0..7).map(|at| at % 3).collect();
        let levels: Vec<_> = (0..PIXEL_VALUES)
            .map(|it| it as f32 / 128.0 - 1.0)
            .collect();
        let parts = [StoredSamples::new(&pixels, &labels)];
        let split = StoredSplit::new([1, 2, 2], &levels, &parts);
        enter(Some(card), || {
            let mut learner = A::learner(&network, &Adam::default(), 7, Device::Cpu).unwrap();
            assert!(learner.lend(0, &split).unwrap());
            let mut losses = Losses::default();
            for (epoch, &samples) in (1..).zip(epochs) {
                let order: Vec<_> = (0..samples).map(|at| (at * epoch + at / 7) % 7).collect();
                let mut places = Epoch { samples, first: 0 };
                learner.train_resident(
                    epoch,
                    &EpochOrder::new(0, &order, &[]),
                    &mut PlaceSource::new(&mut places),
                    &mut MetricSink::new(&mut losses),
                )?;
                let first = Places { first: 0, count: 5 };
                learner.predict_resident(0, first, &mut [0.0; 5 * 3])?;
            }
            Ok((losses, learner.save()?))
        })
    }

    fn emulated() -> Rc<Card> {
        Card::emulated(assay_emulation::library()).unwrap()
    }

    #[test]
    fn repeated_steps_change_no_bit() {
        let one_by_one = emulated();
        one_by_one.refuse_graphs();
        let steps = |steps: usize| steps as u32 * BATCH;
        for (epochs, repeated) in [
            // Of an epoch the first step makes buffers, of the second a graph is made, and the third is the same.
            (&[steps(3)][..], 0),
            (&[steps(8)], 5),
            // The next epoch has its order in the same memory, unless it is of another length.
            (&[steps(8), steps(8)], 5 + 8),
            (&[steps(8), steps(7)], 5 + 5),
            // A smaller batch has buffers of its own, which stay as long as there is no third size; a graph is made of its second step.
            (&[steps(8) + 1; 4], 5 + 8 + 8 + 9),
            (&[steps(2) + 1, steps(2) + 3, steps(2) + 1], 0),
            // More than are read together, and one that is asked for again.
            (&[steps(REPEATS + 10)], REPEATS as u64 + 6),
        ] {
            let card = emulated();
            let found = trained::<Backpropagation>(&card, epochs).unwrap();
            let expected = trained::<Backpropagation>(&one_by_one, epochs).unwrap();
            assert_eq!(found.0, expected.0, "{epochs:?}");
            assert!(found.1 == expected.1, "{epochs:?}: the states differ");
            assert_eq!(card.steps_repeated(), repeated, "{epochs:?}");
        }
        assert_eq!(one_by_one.steps_repeated(), 0);
    }

    /// Backpropagation with a buffer of its own, which is made anew for batches of another size, and by predictions.
    struct Buffering(Backpropagation, Option<Tensor>);

    impl Algorithm for Buffering {
        type Config = Adam;

        const NAME: &'static str = "buffering";
        const SUMMARY: &'static str = "A rule that copies what a layer gives.";
        const REFERENCE: &'static str = "None";
        const REPLAYABLE: bool = true;

        fn new(setup: &mut Setup<'_>, config: &Adam) -> Result<Self, Error> {
            Ok(Self(Algorithm::new(setup, config)?, None))
        }

        fn directions(&mut self, pass: &Pass<'_>, out: &mut Directions<'_>) -> Result<(), Error> {
            let fits = |it: &Tensor| it.size() == pass.h(1).size();
            let buffer = self.1.take().filter(fits);
            let buffer = buffer.unwrap_or_else(|| pass.h(1).zeros_like());
            copy(pass.h(1), self.1.insert(buffer))?;
            self.0.directions(pass, out)
        }

        fn predict(&mut self, inference: &Inference<'_>, outputs: &Tensor) -> Result<(), Error> {
            self.1 = None;
            self.0.predict(inference, outputs)
        }
    }

    #[test]
    fn a_rule_may_make_its_own_buffers_anew() {
        let (card, one_by_one) = (emulated(), emulated());
        one_by_one.refuse_graphs();
        // Steps that have been repeated often enough are asked for again, after a smaller batch and after predictions.
        for more in [0, 1] {
            let epochs = [REPEATS as u32 / 2 * BATCH + more; 4];
            let found = trained::<Buffering>(&card, &epochs).unwrap();
            let expected = trained::<Buffering>(&one_by_one, &epochs).unwrap();
            assert_eq!(found.0, expected.0);
            assert!(found.1 == expected.1, "the states differ");
            assert!(card.steps_repeated() > REPEATS as u64);
        }
    }

    /// Backpropagation that changes its mind after some steps.
    struct Counting(Backpropagation, usize);

    impl Algorithm for Counting {
        type Config = Adam;

        const NAME: &'static str = "counting";
        const SUMMARY: &'static str = "A rule that counts its steps.";
        const REFERENCE: &'static str = "None";
        const REPLAYABLE: bool = true;

        fn new(setup: &mut Setup<'_>, config: &Adam) -> Result<Self, Error> {
            Ok(Self(Algorithm::new(setup, config)?, 0))
        }

        fn directions(&mut self, pass: &Pass<'_>, out: &mut Directions<'_>) -> Result<(), Error> {
            self.1 += 1;
            if self.1 > 3 {
                return out.none(1).and(out.none(2));
            }
            self.0.directions(pass, out)
        }
    }

    #[test]
    fn a_rule_that_is_not_the_same_in_every_step_is_told_of() {
        let samples = (REPEATS as u32 + 10) * BATCH;
        let error = trained::<Counting>(&emulated(), &[samples]).unwrap_err();
        let message = error.message.as_str();
        assert!(
            message.contains("counting asked for other operations at step 259 of epoch 1"),
            "{message}"
        );
        assert!(error.help.contains("REPLAYABLE"), "{error}");
    }
}
