//! Serves the batches of an epoch to a learner: gathered from the memory-mapped table in the
//! epoch's order and augmented by its draws, so that every algorithm sees the same samples at the
//! same step.

use std::sync::atomic::Ordering;

use assay_abi::{Batch, Batches, ErrorCode, PluginError, TensorView};
use assay_data::augment::EpochAugmentation;
use assay_data::table::ImageTable;

use super::passes::Passes;
use crate::stages::{Context, Phase, cancelled};

/// The batches of one epoch, served in one pass or two.
pub(super) struct EpochBatches<'a> {
    context: &'a Context,
    table: &'a ImageTable,
    order: Vec<u32>,
    augmentation: Option<EpochAugmentation>,
    batch_size: usize,
    passes: Passes,
    /// How many passes the learner will make, as far as is known; only for progress.
    expected_passes: u32,
    phase: Phase,
    images: Vec<f32>,
    labels: Vec<i64>,
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

impl<'a> EpochBatches<'a> {
    /// Batches of `batch_size` samples in `order`, for a learner that is expected to make
    /// `expected_passes` passes.
    pub(super) fn new(
        context: &'a Context,
        table: &'a ImageTable,
        order: Vec<u32>,
        augmentation: Option<EpochAugmentation>,
        batch_size: usize,
        expected_passes: u32,
        phase: Phase,
    ) -> Self {
        let batch_size = batch_size.min(order.len());
        let sample = table.shape().pixels();
        let passes = Passes::new(order.len());
        Self {
            context,
            table,
            order,
            augmentation,
            batch_size,
            passes,
            expected_passes,
            phase,
            images: vec![0.0; batch_size * sample],
            labels: vec![0; batch_size],
            shape: [0; 4],
            strides: Vec::new(),
        }
    }

    /// Whether the learner pulled every batch of every pass that it began.
    pub(super) fn is_exhausted(&self) -> bool {
        self.passes.is_complete()
    }

    /// How many passes the learner began.
    pub(super) fn passes(&self) -> u32 {
        self.passes.begun()
    }
}

impl Batches for EpochBatches<'_> {
    fn next_batch(&mut self) -> Result<Option<Batch<'_>>, PluginError> {
        if self.context.cancelled.load(Ordering::Relaxed) {
            return Err(cancelled());
        }
        let (done, total) = self.passes.progress(self.expected_passes);
        self.phase.report(self.context, done, total);
        let next = self.passes.advance(self.batch_size)?;
        let Some(indices) = next.and_then(|range| self.order.get(range)) else {
            return Ok(None);
        };
        let host = |error: &(dyn std::error::Error + 'static)| {
            PluginError::from_error(ErrorCode::HOST, error)
        };
        let size = indices.len();
        let images = &mut self.images[..size * self.table.shape().pixels()];
        let labels = &mut self.labels[..size];
        match &self.augmentation {
            None => self.table.gather(indices, images, labels),
            Some(augmentation) => {
                self.table
                    .gather_augmented(indices, augmentation, images, labels)
            }
        }
        .map_err(|error| host(&error))?;
        self.shape = batch_shape(size, self.table);
        self.strides = TensorView::contiguous_strides(&self.shape);
        Ok(Some(Batch {
            inputs: TensorView::f32(images, &self.shape, &self.strides)
                .map_err(|error| host(&error))?,
            labels: TensorView::i64(labels, &self.shape[..1], &[1])
                .map_err(|error| host(&error))?,
        }))
    }
}
