//! A learner without a host, for the tests that an author writes beside an algorithm.
//!
//! It calls the same code as the boundary does and hands out plain vectors, so that a test can
//! write an equation down once more in loops and compare. It is no place to train a network in:
//! it sees one batch at a time and measures nothing.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use assay_abi::{
    Batch, BatchSource, Batches, ErrorCode, Learner, MetricSink, Metrics, PluginError, TensorView,
};
use assay_network::Network;
use safetensors::{Dtype, SafeTensors};
use tch::Device;

use crate::device;
use crate::error::Error;
use crate::exported::Exported;
use crate::learner::{BATCH_LOSS, at_boundary};
use crate::state::StateError;

/// Named tensors of 32-bit floats, row-major, with the names and shapes of saved states.
pub type Tensors = BTreeMap<String, Vec<f32>>;

/// A small network that `A` trains on batches handed to it, on one thread of the processor.
pub struct Trial<A> {
    learner: Box<dyn Learner>,
    trained_by: PhantomData<A>,
    input: [i64; 3],
    epoch: u32,
}

impl<A: Exported> Trial<A> {
    /// A network whose layers are written as in pipeline files (`["fc 5", "softmax 4"]`), with the
    /// initial values that `seed` decides. `input` is channels, height, width.
    ///
    /// # Errors
    /// A network that does not fit, or whatever keeps the algorithm from being made.
    pub fn new(
        input: [usize; 3],
        layers: &[&str],
        config: &A::Config,
        seed: u64,
    ) -> Result<Self, Error> {
        let network = Network::parse(input, layers)
            .map_err(|error| Error::new(ErrorCode::UNSUPPORTED, error.to_string()))?;
        device::set_threads(1)?;
        Ok(Self {
            learner: at_boundary(|| A::learner(&network, config, seed, Device::Cpu))?,
            trained_by: PhantomData,
            input: input.map(|size| size as i64),
            epoch: 0,
        })
    }
}

impl<A> Trial<A> {
    /// The directions of a batch of B samples, applied to nothing: `inputs` has B samples one
    /// after the other, each in the order (channel, row, column), and `labels` a class for each.
    ///
    /// # Errors
    /// Inputs and labels that do not fit the network, or what the algorithm failed with.
    pub fn directions(&mut self, inputs: &[f32], labels: &[i64]) -> Result<Tensors, Error> {
        let shapes = self.shapes(labels);
        let directions = self
            .learner
            .directions(shapes.batch(inputs, labels)?, &[])?;
        tensors(&directions)
    }

    /// Trains one step on a batch, laid out as for [`Trial::directions`]; the mean loss of the
    /// batch before the step.
    ///
    /// # Errors
    /// As for [`Trial::directions`], or a training that diverges.
    pub fn step(&mut self, inputs: &[f32], labels: &[i64]) -> Result<f64, Error> {
        self.epoch += 1;
        let shapes = self.shapes(labels);
        let batch = shapes.batch(inputs, labels)?;
        let served = false;
        let (mut once, mut loss) = (SingleBatch { batch, served }, LastLoss(f64::NAN));
        self.learner.train_epoch(
            self.epoch,
            &mut BatchSource::new(&mut once),
            &mut MetricSink::new(&mut loss),
        )?;
        Ok(loss.0)
    }

    /// The learner's tensors: weights and biases, the algorithm's own, the optimiser's moments.
    ///
    /// # Errors
    /// Memory that cannot be allocated.
    pub fn state(&mut self) -> Result<Tensors, Error> {
        tensors(&self.learner.save()?)
    }

    fn shapes(&self, labels: &[i64]) -> Shapes {
        let samples = labels.len() as i64;
        let [channels, height, width] = self.input;
        Shapes::new([samples, channels, height, width])
    }
}

/// The shapes and strides that the views of one batch borrow.
struct Shapes {
    inputs: [i64; 4],
    input_strides: Vec<i64>,
    labels: [i64; 1],
}

impl Shapes {
    fn new(inputs: [i64; 4]) -> Self {
        Self {
            inputs,
            input_strides: TensorView::contiguous_strides(&inputs),
            labels: [inputs[0]],
        }
    }

    fn batch<'a>(&'a self, inputs: &'a [f32], labels: &'a [i64]) -> Result<Batch<'a>, Error> {
        Ok(Batch {
            inputs: TensorView::f32(inputs, &self.inputs, &self.input_strides)?,
            labels: TensorView::i64(labels, &self.labels, &[1])?,
        })
    }
}

/// Serves one batch in every pass.
struct SingleBatch<'a> {
    batch: Batch<'a>,
    served: bool,
}

impl Batches for SingleBatch<'_> {
    fn next_batch(&mut self) -> Result<Option<Batch<'_>>, PluginError> {
        self.served = !self.served;
        Ok(self.served.then_some(self.batch))
    }
}

/// Keeps the batch's loss.
struct LastLoss(f64);

impl Metrics for LastLoss {
    fn record(&mut self, name: &str, values: &[f64]) -> Result<(), PluginError> {
        if let (BATCH_LOSS, Some(&loss)) = (name, values.last()) {
            self.0 = loss;
        }
        Ok(())
    }
}

/// The tensors of 32-bit floats in `bytes`.
fn tensors(bytes: &[u8]) -> Result<Tensors, Error> {
    let file = SafeTensors::deserialize(bytes)
        .map_err(|error| StateError::Unreadable(error.to_string()))?;
    let floats = |bytes: &[u8]| {
        bytes
            .chunks_exact(4)
            .map(|word| f32::from_le_bytes([word[0], word[1], word[2], word[3]]))
            .collect()
    };
    Ok(file
        .iter()
        .filter(|(_, tensor)| tensor.dtype() == Dtype::F32)
        .map(|(name, tensor)| (name.to_owned(), floats(tensor.data())))
        .collect())
}
