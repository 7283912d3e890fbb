//! The process of one plugin or of the reference product: it answers each line, a number of
//! steps, with the seconds that they took.

use std::io::{BufRead, Write, stdin, stdout};
use std::time::Instant;

use assay_abi::{
    Batch, BatchSource, Batches, ErrorCode, LearnerHandle, MetricSink, PluginError, TensorError,
    TensorView,
};
use tch::{Device, Kind, Tensor};

use crate::Failure;
use crate::arguments::Work;
use crate::networks::NamedNetwork;
use crate::support::host::{Recorder, Samples};
use crate::support::plugin::{Learner, load};

/// Rows and columns of the matrices of the reference product.
pub(crate) const PRODUCT_SIZE: i64 = 2048;

/// Different batches, so that no network has learned them by heart within a turn.
const BATCHES: u64 = 4;

/// Also that of the `PyTorch` side.
const HYPERPARAMETERS: &str = r#"{"learning_rate": 1e-4}"#;

/// Does `work` until standard input ends.
pub(crate) fn run(work: &Work) -> Result<(), Failure> {
    match work {
        Work::Train {
            network,
            algorithm,
            threads,
        } => train(network, algorithm, *threads),
        Work::Multiply { threads } => multiply(*threads),
    }
}

fn train(network: &NamedNetwork, algorithm: &str, threads: u32) -> Result<(), Failure> {
    let version = load(algorithm).identity()?.version;
    let mut learner = Learner {
        algorithm,
        network: network.json()?,
        hyperparameters: HYPERPARAMETERS,
        threads,
        ..Learner::default()
    }
    .create()?;
    let (input, classes) = (network.network.input().into(), network.network.outputs());
    let batches: Vec<_> = (0..BATCHES)
        .map(|seed| Samples::random(seed, network.batch(), input, classes))
        .collect();
    epoch(&mut learner, &batches, 1)?;
    answer(&version, |steps| epoch(&mut learner, &batches, steps))
}

/// An epoch of `steps` batches, as a host would run it.
fn epoch(learner: &mut LearnerHandle, batches: &[Samples], steps: usize) -> Result<(), Failure> {
    let mut source = Cycle::new(batches, steps);
    let mut recorder = Recorder::default();
    let mut source = BatchSource::new(&mut source);
    Ok(learner.train_epoch(1, &mut source, &mut MetricSink::new(&mut recorder))?)
}

fn multiply(threads: u32) -> Result<(), Failure> {
    tch::set_num_threads(threads.try_into()?);
    let matrix = || Tensor::f_ones([PRODUCT_SIZE, PRODUCT_SIZE], (Kind::Float, Device::Cpu));
    let (a, b, product) = (matrix()?, matrix()?, matrix()?);
    answer(env!("CARGO_PKG_VERSION"), |steps| {
        for _ in 0..steps {
            let _ = a.f_mm_out(&product, &b)?;
        }
        Ok(())
    })
}

fn answer(
    version: &str,
    mut steps: impl FnMut(usize) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut out = stdout();
    writeln!(out, "ready {version}")?;
    for line in stdin().lock().lines() {
        let count = line?.parse()?;
        let start = Instant::now();
        steps(count)?;
        writeln!(out, "{}", start.elapsed().as_secs_f64())?;
    }
    Ok(())
}

/// Serves the same few batches over and over, `steps` of them in each pass.
struct Cycle<'a> {
    batches: &'a [Samples],
    steps: usize,
    /// In this pass.
    served: usize,
    /// Of the inputs of any batch.
    strides: Vec<i64>,
    label_shape: [i64; 1],
}

impl<'a> Cycle<'a> {
    fn new(batches: &'a [Samples], steps: usize) -> Self {
        let [samples, ..] = batches[0].shape;
        Self {
            batches,
            steps,
            served: 0,
            strides: TensorView::contiguous_strides(&batches[0].shape),
            label_shape: [samples],
        }
    }
}

impl Batches for Cycle<'_> {
    fn next_batch(&mut self) -> Result<Option<Batch<'_>>, PluginError> {
        if self.served == self.steps {
            self.served = 0;
            return Ok(None);
        }
        let samples = &self.batches[self.served % self.batches.len()];
        self.served += 1;
        let inputs = TensorView::f32(&samples.inputs, &samples.shape, &self.strides);
        let labels = TensorView::i64(&samples.labels, &self.label_shape, &[1]);
        let refused = |error: TensorError| PluginError::new(ErrorCode::HOST, error.to_string());
        Ok(Some(Batch {
            inputs: inputs.map_err(refused)?,
            labels: labels.map_err(refused)?,
        }))
    }
}
