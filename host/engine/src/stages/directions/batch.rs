//! A batch that a person wrote, as safetensors: read, checked against the network and handed on
//! as it crosses the boundary. Nothing in it is believed before it is checked.

use assay_abi::{Batch, PluginError, TensorView};
use assay_network::{Network, Shape, Task};
use safetensors::tensor::{Dtype, TensorView as SavedTensor};
use safetensors::{SafeTensorError, SafeTensors};

const INPUTS: &str = "inputs";
const LABELS: &str = "labels";
const NOISE: &str = "noise.";

/// A batch that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum BatchError {
    #[error("the batch cannot be read as safetensors")]
    Unreadable(#[source] SafeTensorError),
    #[error("the batch has no tensor `{name}`; expected {expected}")]
    Missing {
        name: &'static str,
        expected: String,
    },
    #[error("the batch has a tensor `{name}`; expected `inputs`, `labels` and {noise}")]
    Unknown { name: String, noise: String },
    #[error("tensor `{name}` of the batch is {dtype} {shape:?}, expected {expected}")]
    Mismatch {
        name: String,
        dtype: Dtype,
        shape: Vec<usize>,
        expected: String,
    },
    #[error("tensor `labels` of the batch has {label} at {at}, expected 0 to {}", classes - 1)]
    Label {
        at: usize,
        label: i64,
        classes: usize,
    },
    #[error("the noise of the batch cannot be handed on")]
    Noise(#[source] SafeTensorError),
}

/// Inputs (B, C, H, W), labels (B) below the number of classes, and noise.
#[derive(Debug)]
pub(super) struct LabelledBatch {
    inputs: Vec<f32>,
    shape: [i64; 4],
    labels: Vec<i64>,
    /// Safetensors of `noise.{l}` and `noise.{tag}…`, or nothing.
    noise: Vec<u8>,
}

impl LabelledBatch {
    /// Reads `inputs`, f32 (B, features) or (B, C, H, W), `labels`, int64 (B), any of `noise.{l}`,
    /// f32 (B, `n_l`), for the layers l below the last, and any of `noise.{tag}…`, f32, draws of the
    /// algorithm's own, whose names and shapes it checks itself.
    ///
    /// # Errors
    /// The tensor at fault, and what was expected of it.
    pub(super) fn parse(bytes: &[u8], network: &Network) -> Result<Self, BatchError> {
        let tensors = SafeTensors::deserialize(bytes).map_err(BatchError::Unreadable)?;
        let shape = network.input();
        let inputs = named(&tensors, INPUTS, || expected_inputs(shape))?;
        let samples = samples(&inputs, shape)?;
        let labels = labels(&tensors, network, samples)?;
        let [channels, height, width] = <[usize; 3]>::from(shape).map(|size| size as i64);
        Ok(Self {
            inputs: words(inputs.data()).map(f32::from_le_bytes).collect(),
            shape: [samples as i64, channels, height, width],
            labels,
            noise: noise(&tensors, network, samples)?,
        })
    }

    /// Calls `body` with the batch as it crosses the boundary, and its noise.
    pub(super) fn with<T>(
        &self,
        body: impl FnOnce(Batch<'_>, &[u8]) -> Result<T, PluginError>,
    ) -> Result<T, PluginError> {
        let host = |error| PluginError::from_error(assay_abi::ErrorCode::HOST, &error);
        let strides = TensorView::contiguous_strides(&self.shape);
        let batch = Batch {
            inputs: TensorView::f32(&self.inputs, &self.shape, &strides).map_err(host)?,
            labels: TensorView::i64(&self.labels, &self.shape[..1], &[1]).map_err(host)?,
        };
        body(batch, &self.noise)
    }
}

fn named<'a>(
    tensors: &SafeTensors<'a>,
    name: &'static str,
    expected: impl FnOnce() -> String,
) -> Result<SavedTensor<'a>, BatchError> {
    tensors.tensor(name).map_err(|_| BatchError::Missing {
        name,
        expected: expected(),
    })
}

fn expected_inputs(shape: Shape) -> String {
    let Shape {
        channels,
        height,
        width,
    } = shape;
    format!(
        "F32 [B, {}] or [B, {channels}, {height}, {width}]",
        shape.units()
    )
}

/// B, at least 1.
fn samples(inputs: &SavedTensor<'_>, shape: Shape) -> Result<usize, BatchError> {
    let sizes = <[usize; 3]>::from(shape);
    match *inputs.shape() {
        [samples, ref sample @ ..]
            if inputs.dtype() == Dtype::F32
                && samples > 0
                && (sample == [shape.units()] || sample == sizes) =>
        {
            Ok(samples)
        }
        _ => Err(mismatch(INPUTS, inputs, expected_inputs(shape))),
    }
}

/// The labels; a reconstruction makes no use of them, so they may be left out there.
fn labels(
    tensors: &SafeTensors<'_>,
    network: &Network,
    samples: usize,
) -> Result<Vec<i64>, BatchError> {
    let reconstructs = network.task() == Task::Reconstruction;
    if reconstructs && !tensors.names().contains(&LABELS) {
        return Ok(vec![0; samples]);
    }
    let labels = named(tensors, LABELS, || format!("I64 [{samples}]"))?;
    check(LABELS, &labels, Dtype::I64, &[samples])?;
    let labels: Vec<_> = words(labels.data()).map(i64::from_le_bytes).collect();
    if !reconstructs {
        check_labels(&labels, network.outputs())?;
    }
    Ok(labels)
}

fn check_labels(labels: &[i64], classes: usize) -> Result<(), BatchError> {
    let outside = |label: &i64| usize::try_from(*label).map_or(true, |label| label >= classes);
    match labels.iter().enumerate().find(|(_, label)| outside(label)) {
        None => Ok(()),
        Some((at, &label)) => Err(BatchError::Label { at, label, classes }),
    }
}

/// The tensors `noise.{l}` and `noise.{tag}…` as safetensors of their own; every other tensor is
/// refused. Which of them it needs is for the learner to say.
fn noise(
    tensors: &SafeTensors<'_>,
    network: &Network,
    samples: usize,
) -> Result<Vec<u8>, BatchError> {
    let layers = network.summary();
    let mut noise = Vec::new();
    for (name, tensor) in tensors.iter() {
        if [INPUTS, LABELS].contains(&name) {
            continue;
        }
        if is_draw(name) {
            check(name, &tensor, Dtype::F32, tensor.shape())?;
            noise.push((name, tensor));
            continue;
        }
        // Compared as text, so that `noise.01` is no other name for `noise.1`.
        let hidden = layers.iter().take(layers.len().saturating_sub(1));
        let layer = hidden
            .map(|layer| (format!("{NOISE}{}", layer.index), layer.output.units()))
            .find(|(known, _)| known == name);
        let Some((_, units)) = layer else {
            return Err(unknown(name, layers.len()));
        };
        check(name, &tensor, Dtype::F32, &[samples, units])?;
        noise.push((name, tensor));
    }
    if noise.is_empty() {
        return Ok(Vec::new());
    }
    safetensors::serialize(noise, None).map_err(BatchError::Noise)
}

/// True for `noise.{tag}…`, whose tag begins with a letter.
fn is_draw(name: &str) -> bool {
    let tag = name.strip_prefix(NOISE);
    tag.is_some_and(|tag| tag.starts_with(|first: char| first.is_ascii_alphabetic()))
}

fn unknown(name: &str, depth: usize) -> BatchError {
    let noise = match depth {
        0 | 1 => "no noise, since there is no hidden layer".to_owned(),
        2 => format!("perhaps `{NOISE}1`"),
        _ => format!("perhaps `{NOISE}1` to `{NOISE}{}`", depth - 1),
    };
    BatchError::Unknown {
        name: name.to_owned(),
        noise,
    }
}

fn check(
    name: &str,
    tensor: &SavedTensor<'_>,
    dtype: Dtype,
    shape: &[usize],
) -> Result<(), BatchError> {
    if tensor.dtype() == dtype && tensor.shape() == shape {
        return Ok(());
    }
    Err(mismatch(name, tensor, format!("{dtype} {shape:?}")))
}

fn mismatch(name: &str, tensor: &SavedTensor<'_>, expected: String) -> BatchError {
    BatchError::Mismatch {
        name: name.to_owned(),
        dtype: tensor.dtype(),
        shape: tensor.shape().to_vec(),
        expected,
    }
}

/// Little-endian words; safetensors checked that the bytes are as many as the shape says.
fn words<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
    bytes.as_chunks::<N>().0.iter().copied()
}
