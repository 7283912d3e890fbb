//! Samples in memory, and the views of them that cross the boundary.

use assay_abi::{Batch, ErrorCode, PluginError, TensorError, TensorView};
use assay_network::{Network, Task};

use crate::random::Random;

/// One batch of samples.
#[derive(Clone, Debug)]
pub(crate) struct Samples {
    shape: [i64; 4],
    strides: [i64; 4],
    inputs: Vec<f32>,
    labels: Vec<i64>,
    label_shape: [i64; 1],
}

impl Samples {
    /// The samples whose inputs, each of shape (C, H, W), lie one after another.
    pub(crate) fn new(input: [usize; 3], inputs: Vec<f32>, labels: Vec<i64>) -> Self {
        let [channels, height, width] = input.map(|size| size as i64);
        let count = labels.len() as i64;
        Self {
            shape: [count, channels, height, width],
            strides: [channels * height * width, height * width, width, 1],
            inputs,
            labels,
            label_shape: [count],
        }
    }

    /// Inputs uniform on [-1, 1), and labels that are classes of `network`. Where it reconstructs,
    /// labels are no class of anything, since nothing may depend on them.
    pub(crate) fn random(network: &Network, count: usize, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let input: [usize; 3] = network.input().into();
        let values = count * input.iter().product::<usize>();
        let inputs = (0..values).map(|_| random.symmetric()).collect();
        let label = |random: &mut Random| match network.task() {
            Task::Classification => random.below(network.outputs()) as i64,
            Task::Reconstruction => 1000,
        };
        let labels = (0..count).map(|_| label(&mut random)).collect();
        Self::new(input, inputs, labels)
    }

    /// The number of samples.
    pub(crate) fn count(&self) -> usize {
        self.labels.len()
    }

    pub(crate) fn labels(&self) -> &[i64] {
        &self.labels
    }

    /// The values of each input, in order.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = &[f32]> {
        let [_, channels, height, width] = self.shape.map(|size| size as usize);
        self.inputs.chunks_exact((channels * height * width).max(1))
    }

    /// The same samples in parts of the given sizes; what is left makes another part.
    pub(crate) fn parts(&self, sizes: &[usize]) -> Vec<Self> {
        let [_, channels, height, width] = self.shape.map(|size| size as usize);
        let mut inputs = self.inputs();
        let mut labels = self.labels.iter().copied();
        let mut part = |size: usize| {
            let inputs = inputs.by_ref().take(size).flatten().copied().collect();
            let labels = labels.by_ref().take(size).collect();
            Self::new([channels, height, width], inputs, labels)
        };
        let mut parts: Vec<_> = sizes.iter().map(|&size| part(size)).collect();
        parts.push(part(usize::MAX));
        parts.retain(|part| part.count() > 0);
        parts
    }

    /// The samples as batches of `size`, the last one ragged.
    pub(crate) fn batches(&self, size: usize) -> Vec<Self> {
        self.parts(&vec![size; self.count() / size.max(1)])
    }

    /// The samples as they cross the boundary.
    pub(crate) fn batch(&self) -> Result<Batch<'_>, PluginError> {
        let view = || -> Result<Batch<'_>, TensorError> {
            Ok(Batch {
                inputs: TensorView::f32(&self.inputs, &self.shape, &self.strides)?,
                labels: TensorView::i64(&self.labels, &self.label_shape, &[1])?,
            })
        };
        view().map_err(|error| PluginError::from_error(ErrorCode::HOST, &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_the_whole_in_order() {
        let inputs: Vec<_> = (0..14).map(|value| value as f32).collect();
        let whole = Samples::new([1, 1, 2], inputs.clone(), (0..7).collect());
        let parts = whole.parts(&[1, 4]);
        let sizes: Vec<_> = parts.iter().map(Samples::count).collect();
        assert_eq!(sizes, [1, 4, 2]);
        let again: Vec<_> = parts.iter().flat_map(Samples::inputs).flatten().collect();
        assert_eq!(again, inputs.iter().collect::<Vec<_>>());
        assert_eq!(whole.batches(3).len(), 3);
        assert!(parts.iter().all(|part| part.batch().is_ok()));
    }
}
