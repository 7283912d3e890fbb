//! Refuses batches that are not what was agreed, before anything is computed from them.

use assay_abi::{Batch, ErrorCode, StoredSplit, TensorView};
use assay_network::{Network, Task};

use crate::error::Error;

/// The sizes that a network takes and gives, and its task.
#[derive(Clone, Copy)]
pub(crate) struct Expected {
    pub(crate) task: Task,
    /// Channels, height and width of one input.
    input: [i64; 3],
    /// `n_L`
    pub(crate) outputs: i64,
}

impl Expected {
    pub(crate) fn of(network: &Network) -> Self {
        Self {
            task: network.task(),
            input: <[usize; 3]>::from(network.input()).map(|size| size as i64),
            outputs: network.outputs() as i64,
        }
    }

    /// Refuses a split of other images than the network takes, or with labels that are no classes of one that classifies.
    pub(crate) fn check_split(&self, split: &StoredSplit<'_>) -> Result<(), Error> {
        let image = [split.channels, split.height, split.width].map(i64::from);
        if image != self.input {
            let expected = self.input;
            let message = format!("a split has images of shape {image:?}, expected {expected:?}");
            return Err(Error::new(ErrorCode::SHAPE, message));
        }
        for part in split.parts {
            self.check_classes(&part.labels, "a part of the split")?;
        }
        Ok(())
    }

    /// Refuses labels that are no classes of a network that classifies.
    fn check_classes(&self, labels: &[i64], whose: &str) -> Result<(), Error> {
        let classes = self.outputs;
        let stray = |label: &i64| !(0..classes).contains(label);
        match labels.iter().position(stray) {
            Some(at) if self.task == Task::Classification => Err(Error::new(
                ErrorCode::SHAPE,
                format!(
                    "label {at} of {whose} is {}, expected 0 to {}",
                    labels[at],
                    classes - 1
                ),
            )),
            _ => Ok(()),
        }
    }

    /// Refuses a buffer of `found` values for the outputs of so many `samples`.
    pub(crate) fn check_outputs(&self, samples: i64, found: usize) -> Result<(), Error> {
        let expected = samples as usize * self.outputs as usize;
        if found == expected {
            return Ok(());
        }
        let message = format!(
            "the output buffer holds {found} values, expected {expected} for {samples} samples"
        );
        Err(Error::new(ErrorCode::SHAPE, message))
    }
}

/// B, if `inputs` are (B, C, H, W) with as many values a sample as the network takes.
pub(crate) fn checked_samples(expected: &Expected, inputs: TensorView<'_>) -> Result<i64, Error> {
    inputs.as_f32()?;
    match *inputs.shape() {
        [samples, channels, height, width]
            if samples > 0 && [channels, height, width] == expected.input =>
        {
            Ok(samples)
        }
        _ => Err(Error::new(
            ErrorCode::SHAPE,
            format!(
                "the inputs have shape {:?}, expected at least one sample of {:?}",
                inputs.shape(),
                expected.input
            ),
        )),
    }
}

/// The labels, if there are as many as samples and, where the network classifies, each is a class
/// of it. A reconstruction makes no use of them.
pub(crate) fn checked_labels<'a>(
    expected: &Expected,
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
    expected.check_classes(labels, "the batch")?;
    Ok(labels)
}
