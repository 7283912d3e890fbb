//! Serves the batches of an epoch to a learner: gathered from the memory-mapped table in the
//! epoch's order and augmented by its draws, so that every algorithm sees the same samples at the
//! same step. While a learner works on a batch, a thread gathers the one after it.

use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, Scope};

use assay_abi::{Batch, BatchPlaces, Batches, ErrorCode, Places, PluginError, TensorView};
use assay_data::augment::EpochAugmentation;
use assay_data::table::{GatherError, ImageTable};

use super::passes::Passes;
use crate::stages::{Context, Phase, cancelled};

/// The samples of one epoch.
pub(super) struct EpochSamples<'a> {
    pub(super) table: &'a ImageTable,
    pub(super) order: Vec<u32>,
    pub(super) augmentation: Option<EpochAugmentation>,
}

/// Samples that were gathered, or are to be.
#[derive(Default)]
struct Gathered {
    /// Their places in the order of the epoch.
    places: Range<usize>,
    images: Vec<f32>,
    labels: Vec<i64>,
}

impl EpochSamples<'_> {
    /// Fills `gathered` with the samples at its places.
    fn gather(&self, gathered: &mut Gathered) -> Result<(), GatherError> {
        let indices = self.order.get(gathered.places.clone()).unwrap_or_default();
        let Gathered { images, labels, .. } = gathered;
        images.resize(indices.len() * self.table.shape().pixels(), 0.0);
        labels.resize(indices.len(), 0);
        match &self.augmentation {
            None => self.table.gather(indices, images, labels),
            Some(augmentation) => {
                self.table
                    .gather_augmented(indices, augmentation, images, labels)
            }
        }
    }
}

/// Outcome of gathering, with what was gathered.
type Filled = (Gathered, Result<(), GatherError>);

/// A thread that gathers.
struct Ahead {
    wanted: SyncSender<Gathered>,
    filled: Receiver<Filled>,
    /// The places that it was last asked for and has not been asked to hand over.
    pending: Option<Range<usize>>,
}

impl Ahead {
    /// Starts the thread, which ends with this value; none where there can be no other thread.
    fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        samples: &'scope EpochSamples<'_>,
    ) -> Option<Self> {
        let (wanted, requests) = sync_channel::<Gathered>(1);
        let (answers, filled) = sync_channel(1);
        let work = move || {
            for mut gathered in requests {
                let outcome = samples.gather(&mut gathered);
                if answers.send((gathered, outcome)).is_err() {
                    return;
                }
            }
        };
        let started = Builder::new()
            .name("batches".to_owned())
            .spawn_scoped(scope, work);
        started.ok().map(|_| Self {
            wanted,
            filled,
            pending: None,
        })
    }

    /// Has the samples at the places of `gathered` gathered.
    fn ask(&mut self, gathered: Gathered) {
        let places = gathered.places.clone();
        self.pending = self.wanted.send(gathered).is_ok().then_some(places);
    }

    /// The samples that were asked for last, unless nothing was.
    fn take(&mut self) -> Option<Filled> {
        self.pending.take()?;
        self.filled.recv().ok()
    }
}

/// The places of the batches of one epoch, served in one pass or two.
pub(super) struct EpochPlaces<'a> {
    context: &'a Context,
    batch_size: usize,
    passes: Passes,
    /// The passes that the learner will make, as far as is known; only for progress, and for the batch that
    /// is gathered at the end of a pass.
    expected_passes: u32,
    phase: Phase,
}

impl<'a> EpochPlaces<'a> {
    /// Places of batches of `batch_size` of so many `samples`, for a learner that is expected to make
    /// `expected_passes` passes.
    pub(super) fn new(
        context: &'a Context,
        samples: usize,
        batch_size: usize,
        expected_passes: u32,
        phase: Phase,
    ) -> Self {
        Self {
            context,
            batch_size: batch_size.min(samples),
            passes: Passes::new(samples),
            expected_passes,
            phase,
        }
    }

    /// True if the learner pulled every batch of every pass that it began.
    pub(super) fn is_exhausted(&self) -> bool {
        self.passes.is_complete()
    }

    /// The number of passes that the learner began.
    pub(super) fn passes(&self) -> u32 {
        self.passes.begun()
    }

    /// The places of the next batch.
    fn advance(&mut self) -> Result<Option<Range<usize>>, PluginError> {
        if self.context.cancelled.load(Ordering::Relaxed) {
            return Err(cancelled());
        }
        let (done, total) = self.passes.progress(self.expected_passes);
        self.phase.report(self.context, done, total);
        self.passes.advance(self.batch_size)
    }

    /// The places of the batch after it, as far as is known.
    fn upcoming(&self) -> Option<Range<usize>> {
        self.passes.upcoming(self.batch_size, self.expected_passes)
    }
}

impl BatchPlaces for EpochPlaces<'_> {
    fn next_places(&mut self) -> Result<Option<Places>, PluginError> {
        let places = self.advance()?;
        // A table has no more rows than a u32 counts.
        Ok(places.map(|it| Places {
            first: it.start as u32,
            count: it.len() as u32,
        }))
    }
}

/// The batches of one epoch, served in one pass or two.
pub(super) struct EpochBatches<'a, 'c> {
    places: &'a mut EpochPlaces<'c>,
    samples: &'a EpochSamples<'a>,
    ahead: Option<Ahead>,
    /// The batch that the learner has.
    served: Gathered,
    /// Memory for the one after it.
    spare: Gathered,
    shape: [i64; 4],
    strides: Vec<i64>,
}

/// The shape (B, C, H, W) of `size` samples of `table`.
pub(in crate::stages) fn batch_shape(size: usize, table: &ImageTable) -> [i64; 4] {
    let shape = table.shape();
    [
        size as i64,
        shape.channels().into(),
        shape.height().into(),
        shape.width().into(),
    ]
}

impl<'a, 'c> EpochBatches<'a, 'c> {
    /// The batches of `samples` at `places`; they are gathered on a thread of `scope`.
    pub(super) fn new<'scope>(
        scope: &'scope Scope<'scope, '_>,
        samples: &'scope EpochSamples<'_>,
        places: &'a mut EpochPlaces<'c>,
    ) -> Self
    where
        'scope: 'a,
    {
        Self {
            places,
            samples,
            ahead: Ahead::start(scope, samples),
            served: Gathered::default(),
            spare: Gathered::default(),
            shape: [0; 4],
            strides: Vec::new(),
        }
    }

    /// Takes the samples at `places` from the thread, or gathers them, into `served`.
    fn serve(&mut self, places: Range<usize>) -> Result<(), GatherError> {
        let taken = self.ahead.as_mut().and_then(Ahead::take);
        if let Some((gathered, outcome)) = taken {
            self.spare = std::mem::replace(&mut self.served, gathered);
            if self.served.places == places {
                return outcome;
            }
        }
        self.served.places = places;
        self.samples.gather(&mut self.served)
    }

    /// Has the batch after the one that is served gathered.
    fn look_ahead(&mut self) {
        let next = self.places.upcoming();
        if let (Some(ahead), Some(places)) = (&mut self.ahead, next) {
            let mut gathered = std::mem::take(&mut self.spare);
            gathered.places = places;
            ahead.ask(gathered);
        }
    }
}

impl Batches for EpochBatches<'_, '_> {
    fn next_batch(&mut self) -> Result<Option<Batch<'_>>, PluginError> {
        let Some(places) = self.places.advance()? else {
            return Ok(None);
        };
        let host = |error: &(dyn std::error::Error + 'static)| {
            PluginError::from_error(ErrorCode::HOST, error)
        };
        self.serve(places).map_err(|error| host(&error))?;
        self.look_ahead();
        let Gathered { images, labels, .. } = &self.served;
        self.shape = batch_shape(labels.len(), self.samples.table);
        self.strides = TensorView::contiguous_strides(&self.shape);
        Ok(Some(Batch {
            inputs: TensorView::f32(images, &self.shape, &self.strides)
                .map_err(|error| host(&error))?,
            labels: TensorView::i64(labels, &self.shape[..1], &[1])
                .map_err(|error| host(&error))?,
        }))
    }
}
