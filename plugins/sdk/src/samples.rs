//! The samples of a batch, wherever they lie, and the sources of an epoch's batches.

use assay_abi::{Batch, BatchSource, PlaceSource, TensorView};

use crate::card::{KeptOrder, KeptSamples};
use crate::error::Error;
use crate::learner::{Expected, checked_labels, checked_samples};

/// Samples that a learner trains on or predicts for, which were checked.
#[derive(Clone, Copy)]
pub(crate) enum Samples<'a> {
    /// Lent by the host for a call.
    Lent(LentSamples<'a>),
    /// Of a split that the learner keeps on its card.
    Kept(KeptSamples<'a>),
}

#[derive(Clone, Copy)]
pub(crate) struct LentSamples<'a> {
    /// (B, C, H, W), row-major.
    pub(crate) inputs: &'a [f32],
    /// The classes, where they are known.
    pub(crate) labels: &'a [i64],
    count: i64,
}

impl<'a> Samples<'a> {
    /// The samples of `batch`, if they are what the network takes.
    ///
    /// # Errors
    /// Another shape, or labels that are no classes of a network that classifies.
    pub(crate) fn of_batch(expected: &Expected, batch: &Batch<'a>) -> Result<Self, Error> {
        let count = checked_samples(expected, batch.inputs)?;
        Ok(Self::Lent(LentSamples {
            inputs: batch.inputs.as_f32()?,
            labels: checked_labels(expected, batch, count)?,
            count,
        }))
    }

    /// Samples that are to be predicted for.
    ///
    /// # Errors
    /// Another shape.
    pub(crate) fn of_inputs(expected: &Expected, inputs: TensorView<'a>) -> Result<Self, Error> {
        let count = checked_samples(expected, inputs)?;
        Ok(Self::Lent(LentSamples {
            inputs: inputs.as_f32()?,
            labels: &[],
            count,
        }))
    }

    /// B.
    pub(crate) fn count(self) -> i64 {
        match self {
            Self::Lent(lent) => lent.count,
            Self::Kept(kept) => kept.count(),
        }
    }
}

/// The batches of one epoch, in one pass or two.
pub(crate) trait Batches {
    /// The next batch; `None` at the end of a pass.
    ///
    /// # Errors
    /// Samples that the network does not take, or whatever the host reports.
    fn next(&mut self) -> Result<Option<Samples<'_>>, Error>;
}

/// Batches that the host gathers.
pub(crate) struct LentBatches<'a, 'b> {
    pub(crate) source: &'a mut BatchSource<'b>,
    pub(crate) expected: Expected,
}

impl Batches for LentBatches<'_, '_> {
    fn next(&mut self) -> Result<Option<Samples<'_>>, Error> {
        match self.source.next_batch()? {
            None => Ok(None),
            Some(batch) => Samples::of_batch(&self.expected, &batch).map(Some),
        }
    }
}

/// Batches of a split that the learner keeps.
pub(crate) struct KeptBatches<'a, 'b> {
    pub(crate) source: &'a mut PlaceSource<'b>,
    pub(crate) order: KeptOrder,
}

impl Batches for KeptBatches<'_, '_> {
    fn next(&mut self) -> Result<Option<Samples<'_>>, Error> {
        match self.source.next_places()? {
            None => Ok(None),
            Some(places) => Ok(Some(Samples::Kept(self.order.at(places)?))),
        }
    }
}
