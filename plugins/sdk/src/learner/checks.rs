//! Refuses batches that are not what was agreed, before anything is computed from them.

use assay_abi::{Batch, ErrorCode, TensorView};
use assay_network::Task;

use crate::error::Error;
use crate::model::Model;

/// B, if `inputs` are (B, C, H, W) with as many values a sample as the network takes.
pub(super) fn checked_samples(model: &Model, inputs: TensorView<'_>) -> Result<i64, Error> {
    inputs.as_f32()?;
    match *inputs.shape() {
        [samples, channels, height, width]
            if samples > 0 && [channels, height, width] == model.input_shape() =>
        {
            Ok(samples)
        }
        _ => Err(Error::new(
            ErrorCode::SHAPE,
            format!(
                "the inputs have shape {:?}, expected at least one sample of {:?}",
                inputs.shape(),
                model.input_shape()
            ),
        )),
    }
}

/// The labels, if there are as many as samples and, where the network classifies, each is a class
/// of it. A reconstruction makes no use of them.
pub(super) fn checked_labels<'a>(
    model: &Model,
    batch: &Batch<'a>,
    samples: i64,
) -> Result<&'a [i64], Error> {
    let labels = batch.labels.as_i64()?;
    if *batch.labels.shape() != [samples] {
        return Err(Error::new(
            ErrorCode::SHAPE,
            format!(
                "the labels have shape {:?}, expected [{samples}]",
                batch.labels.shape()
            ),
        ));
    }
    if model.task() == Task::Reconstruction {
        return Ok(labels);
    }
    let classes = model.outputs();
    match labels
        .iter()
        .position(|label| !(0..classes).contains(label))
    {
        None => Ok(labels),
        Some(at) => Err(Error::new(
            ErrorCode::SHAPE,
            format!(
                "label {at} of the batch is {}, expected 0 to {}",
                labels[at],
                classes - 1
            ),
        )),
    }
}
