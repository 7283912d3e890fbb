//! Saved states, opened so that a test can read and edit single tensors.

use std::collections::BTreeMap;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

/// Named tensors.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State(pub BTreeMap<String, Entry>);

/// One tensor, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    pub bytes: Vec<u8>,
}

impl State {
    pub fn parse(bytes: &[u8]) -> Self {
        let saved = SafeTensors::deserialize(bytes).unwrap();
        let entries = saved.iter().map(|(name, view)| {
            let entry = Entry {
                dtype: view.dtype(),
                shape: view.shape().to_vec(),
                bytes: view.data().to_vec(),
            };
            (name.to_owned(), entry)
        });
        Self(entries.collect())
    }

    /// Adds a tensor.
    pub fn insert(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        assert_eq!(shape.iter().product::<usize>(), values.len(), "{name}");
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        let entry = Entry {
            dtype: Dtype::F32,
            shape: shape.to_vec(),
            bytes: bytes.collect(),
        };
        self.0.insert(name.to_owned(), entry);
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let views = self.0.iter().map(|(name, entry)| {
            let view = TensorView::new(entry.dtype, entry.shape.clone(), &entry.bytes).unwrap();
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
        let entry = self.0.get_mut(name).unwrap();
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        assert_eq!(entry.bytes.len(), bytes.len(), "{name}");
        entry.bytes = bytes;
    }

    /// The tensors whose names start with `prefix`.
    pub fn part(&self, prefix: &str) -> Self {
        let named = self.0.iter().filter(|(name, _)| name.starts_with(prefix));
        Self(
            named
                .map(|(name, entry)| (name.clone(), entry.clone()))
                .collect(),
        )
    }
}

/// The transpose of a row-major (rows, columns).
pub fn transposed(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns)
        .flat_map(|column| (0..rows).map(move |row| values[row * columns + column]))
        .collect()
}
