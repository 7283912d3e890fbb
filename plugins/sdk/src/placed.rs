//! A learner together with the card whose kernels it computes with, which is the current one while it is called.

use std::rc::Rc;

use assay_abi::{
    Batch, BatchSource, Cost, EpochOrder, Learner, MetricSink, PlaceSource, Places, PluginError,
    StoredSplit, TensorView,
};

use crate::card::{self, Card};

pub(crate) struct Placed {
    pub(crate) learner: Box<dyn Learner>,
    pub(crate) card: Option<Rc<Card>>,
}

impl Learner for Placed {
    fn train_epoch(
        &mut self,
        epoch: u32,
        batches: &mut BatchSource<'_>,
        metrics: &mut MetricSink<'_>,
    ) -> Result<(), PluginError> {
        card::serve(self.card.as_ref(), || {
            self.learner.train_epoch(epoch, batches, metrics)
        })
    }

    fn predict(&mut self, inputs: TensorView<'_>, outputs: &mut [f32]) -> Result<(), PluginError> {
        card::serve(self.card.as_ref(), || self.learner.predict(inputs, outputs))
    }

    fn save(&mut self) -> Result<Vec<u8>, PluginError> {
        card::serve(self.card.as_ref(), || self.learner.save())
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), PluginError> {
        card::serve(self.card.as_ref(), || self.learner.restore(state))
    }

    fn directions(&mut self, batch: Batch<'_>, noise: &[u8]) -> Result<Vec<u8>, PluginError> {
        card::serve(self.card.as_ref(), || self.learner.directions(batch, noise))
    }

    fn cost(&mut self) -> Option<Cost> {
        self.learner.cost()
    }

    fn lend(&mut self, number: u32, split: &StoredSplit<'_>) -> Result<bool, PluginError> {
        card::serve(self.card.as_ref(), || self.learner.lend(number, split))
    }

    fn train_resident(
        &mut self,
        epoch: u32,
        order: &EpochOrder<'_>,
        places: &mut PlaceSource<'_>,
        metrics: &mut MetricSink<'_>,
    ) -> Result<(), PluginError> {
        card::serve(self.card.as_ref(), || {
            self.learner.train_resident(epoch, order, places, metrics)
        })
    }

    fn predict_resident(
        &mut self,
        split: u32,
        samples: Places,
        outputs: &mut [f32],
    ) -> Result<(), PluginError> {
        card::serve(self.card.as_ref(), || {
            self.learner.predict_resident(split, samples, outputs)
        })
    }
}
