//! The alignment of an algorithm's directions with those of backpropagation, by layer, on the same batch
//! in the state after each epoch (Lillicrap et al. 2016 follow feedback alignment so).

use assay_abi::{Batch, ErrorCode, LearnerHandle, TensorView};
use assay_data::table::ImageTable;
use assay_report::{Split, alignment_metric};
use safetensors::tensor::{Dtype, SafeTensors, TensorView as SavedTensor};

use super::TrainingParameters;
use super::checkpoint::ProgressRow;
use super::samples::batch_shape;
use crate::stages::{Context, StageError, data};

/// Measures the alignment of one training.
pub(super) struct Alignment {
    /// A learner of backpropagation for the same network.
    backpropagation: LearnerHandle,
    /// Its state before anything is put there.
    initial: Vec<u8>,
    /// The first samples of the training split, as many as a batch has, as they are.
    images: Vec<f32>,
    labels: Vec<i64>,
    shape: [i64; 4],
    strides: Vec<i64>,
}

impl Alignment {
    /// Nothing if the training does not ask for it.
    ///
    /// # Errors
    /// The plugin has no backpropagation, or it cannot be made for the network.
    pub(super) fn new(
        context: &Context,
        parameters: &TrainingParameters,
        train: &ImageTable,
    ) -> Result<Option<Self>, StageError> {
        if !parameters.alignment {
            return Ok(None);
        }
        let mut backpropagation = context.backpropagation(parameters)?;
        let initial = backpropagation
            .save()
            .map_err(|error| context.plugin_error("save backpropagation's state", error))?;
        let size = train.len().min(parameters.batch_size);
        let indices: Vec<u32> = (0..size).collect();
        let mut images = vec![0.0; indices.len() * train.shape().pixels()];
        let mut labels = vec![0; indices.len()];
        train
            .gather(&indices, &mut images, &mut labels)
            .map_err(data)?;
        let shape = batch_shape(indices.len(), train);
        Ok(Some(Self {
            backpropagation,
            initial,
            images,
            labels,
            shape,
            strides: TensorView::contiguous_strides(&shape),
        }))
    }

    /// The cosine of the angle between both directions of the weights of each layer; nothing for a layer
    /// where one of them is zero or not finite. `state` is that of `learner` after `epoch`.
    ///
    /// # Errors
    /// A learner fails, or gives what cannot be compared.
    pub(super) fn measure(
        &mut self,
        context: &Context,
        parameters: &TrainingParameters,
        learner: &mut LearnerHandle,
        state: &[u8],
        epoch: u32,
    ) -> Result<Vec<ProgressRow>, StageError> {
        let batch = Batch {
            inputs: TensorView::f32(&self.images, &self.shape, &self.strides).map_err(data)?,
            labels: TensorView::i64(&self.labels, &self.shape[..1], &[1]).map_err(data)?,
        };
        self.backpropagation
            .restore(&with_values_of(&self.initial, state)?)
            .map_err(|error| context.plugin_error("restore backpropagation's state", error))?;
        let own = directions(context, learner, batch, "give its directions")?;
        let doing = "give backpropagation's directions";
        let gradients = directions(context, &mut self.backpropagation, batch, doing)?;
        let (Some(own), Some(gradients)) = (own, gradients) else {
            return Ok(Vec::new());
        };
        let what = format!("directions after epoch {epoch}");
        for directions in [&own, &gradients] {
            context.check_tensors(&parameters.network, &what, directions)?;
        }
        let own = SafeTensors::deserialize(&own).map_err(data)?;
        let gradients = SafeTensors::deserialize(&gradients).map_err(data)?;
        let mut rows = Vec::new();
        for l in 1..=parameters.network.layers().len() {
            let name = format!("forward.{l}.weight");
            let (Ok(own), Ok(gradient)) = (own.tensor(&name), gradients.tensor(&name)) else {
                continue;
            };
            if let Some(cosine) = cosine(&own, &gradient) {
                rows.push((epoch, Split::Train.to_string(), alignment_metric(l), cosine));
            }
        }
        Ok(rows)
    }
}

/// The directions of a batch; nothing if they are not finite, which is for the next epoch to find.
fn directions(
    context: &Context,
    learner: &mut LearnerHandle,
    batch: Batch<'_>,
    doing: &str,
) -> Result<Option<Vec<u8>>, StageError> {
    match learner.directions(batch, &[]) {
        Ok(directions) => Ok(Some(directions)),
        Err(error) if error.code == ErrorCode::NON_FINITE => Ok(None),
        Err(error) => Err(context.plugin_error(doing, error)),
    }
}

/// The saved state `initial` with the values that `state` has for its tensors: the parameters of the
/// network.
fn with_values_of(initial: &[u8], state: &[u8]) -> Result<Vec<u8>, StageError> {
    let initial = SafeTensors::deserialize(initial).map_err(data)?;
    let state = SafeTensors::deserialize(state).map_err(data)?;
    let tensors = initial.iter().map(|(name, tensor)| {
        let same = state.tensor(name).ok();
        (name, same.unwrap_or(tensor))
    });
    safetensors::serialize(tensors, None).map_err(data)
}

/// The cosine of the angle between two tensors; nothing if they differ in type or shape, or one is zero or
/// not finite.
fn cosine(one: &SavedTensor<'_>, other: &SavedTensor<'_>) -> Option<f64> {
    if one.dtype() != Dtype::F32 || other.dtype() != Dtype::F32 || one.shape() != other.shape() {
        return None;
    }
    let (mut product, mut squares) = (0.0, [0.0, 0.0]);
    for (a, b) in floats(one.data()).zip(floats(other.data())) {
        product += a * b;
        squares[0] += a * a;
        squares[1] += b * b;
    }
    let norms = squares[0].sqrt() * squares[1].sqrt();
    let cosine = product / norms;
    // The quotient may leave the interval by a rounding.
    cosine.is_finite().then(|| cosine.clamp(-1.0, 1.0))
}

fn floats(bytes: &[u8]) -> impl Iterator<Item = f64> {
    let words = bytes.as_chunks::<4>().0.iter();
    words.map(|word| f32::from_le_bytes(*word).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cosine_of(one: &[f32], other: &[f32]) -> Option<f64> {
        let bytes = |values: &[f32]| -> Vec<u8> {
            values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect()
        };
        let (one, other) = (bytes(one), bytes(other));
        let view = |bytes| SavedTensor::new(Dtype::F32, vec![one.len() / 4], bytes).unwrap();
        cosine(&view(&one), &view(&other))
    }

    #[test]
    fn the_cosine_is_that_of_the_angle() {
        assert_eq!(cosine_of(&[2.0, 0.0], &[0.5, 0.0]), Some(1.0));
        assert_eq!(cosine_of(&[2.0, 0.0], &[0.0, -3.0]), Some(0.0));
        assert_eq!(cosine_of(&[3.0, 4.0], &[-3.0, -4.0]), Some(-1.0));
        assert_eq!(cosine_of(&[3.0, 4.0], &[4.0, 3.0]), Some(24.0 / 25.0));
        assert_eq!(cosine_of(&[0.0, 0.0], &[4.0, 3.0]), None);
        assert_eq!(cosine_of(&[f32::NAN, 1.0], &[4.0, 3.0]), None);
    }
}
