//! Saved states, opened so that a test can read and edit single tensors.

use std::collections::BTreeMap;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use super::host::SplitMix;

/// Named tensors.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State(pub BTreeMap<String, SavedTensor>);

/// One tensor, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedTensor {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    pub bytes: Vec<u8>,
}

impl State {
    pub fn parse(bytes: &[u8]) -> Self {
        let saved = SafeTensors::deserialize(bytes).unwrap();
        let tensors = saved.iter().map(|(name, view)| {
            let tensor = SavedTensor {
                dtype: view.dtype(),
                shape: view.shape().to_vec(),
                bytes: view.data().to_vec(),
            };
            (name.to_owned(), tensor)
        });
        Self(tensors.collect())
    }

    /// Adds a tensor.
    pub fn insert(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        assert_eq!(shape.iter().product::<usize>(), values.len(), "{name}");
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        let tensor = SavedTensor {
            dtype: Dtype::F32,
            shape: shape.to_vec(),
            bytes: bytes.collect(),
        };
        self.0.insert(name.to_owned(), tensor);
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let views = self.0.iter().map(|(name, tensor)| {
            let view = TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.bytes).unwrap();
            (name, view)
        });
        safetensors::serialize(views, None).unwrap()
    }

    pub fn shape(&self, name: &str) -> &[usize] {
        &self.0[name].shape
    }

    pub fn f32(&self, name: &str) -> Vec<f32> {
        self.0[name]
            .bytes
            .chunks_exact(4)
            .map(|word| f32::from_le_bytes(word.try_into().unwrap()))
            .collect()
    }

    pub fn f64(&self, name: &str) -> Vec<f64> {
        self.f32(name).into_iter().map(f64::from).collect()
    }

    pub fn set(&mut self, name: &str, values: &[f32]) {
        let tensor = self.0.get_mut(name).unwrap();
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        assert_eq!(tensor.bytes.len(), bytes.len(), "{name}");
        tensor.bytes = bytes;
    }

    /// The tensors whose names start with `prefix`.
    pub fn part(&self, prefix: &str) -> Self {
        let named = self.0.iter().filter(|(name, _)| name.starts_with(prefix));
        Self(
            named
                .map(|(name, tensor)| (name.clone(), tensor.clone()))
                .collect(),
        )
    }
}

/// Random trained biases: zero at the start, they would hide their part.
pub fn randomise_biases(state: &mut State, seed: u64) {
    let mut random = SplitMix(seed);
    let biases: Vec<_> = state.0.keys().filter(|it| is_bias(it)).cloned().collect();
    for name in biases {
        let count = state.shape(&name).iter().product();
        let values: Vec<_> = (0..count).map(|_| random.symmetric() as f32).collect();
        state.set(&name, &values);
    }
}

/// True for a trained bias.
fn is_bias(name: &str) -> bool {
    let groups = ["forward.", "inverse.", "head."];
    let trained = groups.iter().any(|group| name.starts_with(group));
    trained && name.rsplit('.').next() == Some("bias")
}

/// The transpose of a row-major (rows, columns).
pub fn transposed(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns)
        .flat_map(|column| (0..rows).map(move |row| values[row * columns + column]))
        .collect()
}
