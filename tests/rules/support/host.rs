//! A host's side of the boundary: batches in memory and a list of metrics.

use std::collections::BTreeMap;

use assay_abi::{
    Batch, BatchSource, Batches, ErrorCode, LearnerHandle, MOST_PASSES, MetricSink, Metrics,
    PluginError, TensorView,
};

/// One batch in main memory.
#[derive(Clone, Debug)]
pub struct Samples {
    pub shape: [i64; 4],
    pub inputs: Vec<f32>,
    pub labels: Vec<i64>,
}

impl Samples {
    /// Pseudo-random inputs in [-1, 1) and labels below `classes`.
    pub fn random(seed: u64, samples: usize, input: [usize; 3], classes: usize) -> Self {
        let mut random = SplitMix(seed);
        let count = samples * input.iter().product::<usize>();
        let [channels, height, width] = input.map(|size| size as i64);
        Self {
            shape: [samples as i64, channels, height, width],
            inputs: (0..count).map(|_| random.symmetric() as f32).collect(),
            labels: (0..samples)
                .map(|_| (random.next() % classes as u64) as i64)
                .collect(),
        }
    }

    /// Each sample as a batch of its own.
    pub fn split(&self) -> impl Iterator<Item = Self> {
        let size = self.inputs.len() / self.labels.len();
        let [_, channels, height, width] = self.shape;
        let inputs = self.inputs.chunks(size);
        inputs.zip(&self.labels).map(move |(inputs, &label)| Self {
            shape: [1, channels, height, width],
            inputs: inputs.to_vec(),
            labels: vec![label],
        })
    }

    /// Calls `body` with the batch as it crosses the boundary.
    pub fn with<T>(&self, body: impl FnOnce(Batch<'_>) -> T) -> T {
        let strides = TensorView::contiguous_strides(&self.shape);
        let label_shape = [self.labels.len() as i64];
        body(Batch {
            inputs: TensorView::f32(&self.inputs, &self.shape, &strides).unwrap(),
            labels: TensorView::i64(&self.labels, &label_shape, &[1]).unwrap(),
        })
    }
}

/// A generator of its own, so that the tests share nothing with the SDK's.
pub struct SplitMix(pub u64);

impl SplitMix {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform on [-1, 1).
    pub fn symmetric(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }
}

/// Serves batches in order, as often as the contract allows; optionally asks to stop instead of
/// serving number `cancel_at`, counted over all passes.
struct Epoch<'a> {
    batches: &'a [Samples],
    served: usize,
    passes: usize,
    cancel_at: Option<usize>,
    strides: Vec<i64>,
    label_shape: [i64; 1],
}

impl Batches for Epoch<'_> {
    fn next_batch(&mut self) -> Result<Option<Batch<'_>>, PluginError> {
        if self.cancel_at == Some(self.served) {
            return Err(PluginError::new(
                ErrorCode::CANCELLED,
                "stopped by the test",
            ));
        }
        let at = self.served - self.passes * self.batches.len();
        let Some(samples) = self.batches.get(at) else {
            self.passes += 1;
            return Ok(None);
        };
        assert!(self.passes < MOST_PASSES as usize, "one pass too many");
        self.served += 1;
        self.strides = TensorView::contiguous_strides(&samples.shape);
        self.label_shape = [samples.labels.len() as i64];
        Ok(Some(Batch {
            inputs: TensorView::f32(&samples.inputs, &samples.shape, &self.strides).unwrap(),
            labels: TensorView::i64(&samples.labels, &self.label_shape, &[1]).unwrap(),
        }))
    }
}

/// Every value that was reported, by metric and in order.
#[derive(Default)]
pub struct Recorder(pub BTreeMap<String, Vec<f64>>);

impl Metrics for Recorder {
    fn record(&mut self, name: &str, values: &[f64]) -> Result<(), PluginError> {
        self.0.entry(name.to_owned()).or_default().extend(values);
        Ok(())
    }
}

impl Recorder {
    /// The values of one metric.
    pub fn values(&self, name: &str) -> Vec<f64> {
        self.0.get(name).cloned().unwrap_or_default()
    }
}

/// Trains one epoch; what its steps reported, and how it ended.
pub fn train_recording(
    learner: &mut LearnerHandle,
    epoch: u32,
    batches: &[Samples],
    cancel_at: Option<usize>,
) -> (Recorder, Result<(), PluginError>) {
    let mut source = Epoch {
        batches,
        served: 0,
        passes: 0,
        cancel_at,
        strides: Vec::new(),
        label_shape: [0],
    };
    let mut recorder = Recorder::default();
    let result = learner.train_epoch(
        epoch,
        &mut BatchSource::new(&mut source),
        &mut MetricSink::new(&mut recorder),
    );
    (recorder, result)
}

/// Trains one epoch; the losses of its steps, and how it ended.
pub fn train(
    learner: &mut LearnerHandle,
    epoch: u32,
    batches: &[Samples],
    cancel_at: Option<usize>,
) -> (Vec<f64>, Result<(), PluginError>) {
    let (recorder, result) = train_recording(learner, epoch, batches, cancel_at);
    (recorder.values("batch_loss"), result)
}
