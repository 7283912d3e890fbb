//! Serves the batches of an epoch to a learner: gathered from the memory-mapped table in the
//! epoch's order and augmented by its draws, so that every algorithm sees the same samples at the
//! same step.

use std::sync::atomic::Ordering;

use assay_abi::{Batch, Batches, ErrorCode, PluginError, TensorView};
use assay_data::augment::EpochAugmentation;
use assay_data::table::ImageTable;

use super::{Context, Phase, cancelled};

/// The batches of one epoch.
pub(super) struct EpochBatches<'a> {
    context: &'a Context,
    table: &'a ImageTable,
    order: Vec<u32>,
    augmentation: Option<EpochAugmentation>,
    batch_size: usize,
    /// How many samples were served.
    served: usize,
    phase: Phase,
    images: Vec<f32>,
    labels: Vec<i64>,
    shape: [i64; 4],
    strides: Vec<i64>,
}

/// The shape (B, C, H, W) of `size` samples of `table`.
pub(super) fn batch_shape(size: usize, table: &ImageTable) -> [i64; 4] {
    let shape = table.shape();
    [
        size as i64,
        shape.channels().into(),
        shape.height().into(),
        shape.width().into(),
    ]
}

impl<'a> EpochBatches<'a> {
    pub(super) fn new(
        context: &'a Context,
        table: &'a ImageTable,
        order: Vec<u32>,
        augmentation: Option<EpochAugmentation>,
        batch_size: usize,
        phase: Phase,
    ) -> Self {
        let batch_size = batch_size.min(order.len());
        let sample = table.shape().pixels();
        Self {
            context,
            table,
            order,
            augmentation,
            batch_size,
            served: 0,
            phase,
            images: vec![0.0; batch_size * sample],
            labels: vec![0; batch_size],
            shape: [0; 4],
            strides: Vec::new(),
        }
    }

    /// Whether the learner pulled every batch.
    pub(super) fn is_exhausted(&self) -> bool {
        self.served == self.order.len()
    }
}

impl Batches for EpochBatches<'_> {
    fn next_batch(&mut self) -> Result<Option<Batch<'_>>, PluginError> {
        if self.context.cancelled.load(Ordering::Relaxed) {
            return Err(cancelled());
        }
        let total = self.order.len();
        self.phase.report(self.context, self.served, total);
        let end = total.min(self.served + self.batch_size);
        let indices = &self.order[self.served..end];
        if indices.is_empty() {
            return Ok(None);
        }
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
        self.served = end;
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
