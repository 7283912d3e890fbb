//! Named tensors out of safetensors: what a state or directions hold.

use std::collections::BTreeMap;

use safetensors::SafeTensors;
use safetensors::tensor::Dtype;

use crate::check::{Problem, failed};

/// The 32-bit float tensors of a document, by name.
#[derive(Debug)]
pub(crate) struct Tensors(pub(crate) BTreeMap<String, Vec<f32>>);

impl Tensors {
    /// Reads `bytes`, which are called `what`; tensors of other types are left out.
    pub(crate) fn parse(what: &str, bytes: &[u8]) -> Result<Self, Problem> {
        let document = match SafeTensors::deserialize(bytes) {
            Ok(document) => document,
            Err(error) => return failed(format!("{what} cannot be read as safetensors: {error}")),
        };
        let floats = |data: &[u8]| {
            let (words, _) = data.as_chunks::<4>();
            words.iter().map(|&word| f32::from_le_bytes(word)).collect()
        };
        let tensors = document.iter();
        Ok(Self(
            tensors
                .filter(|(_, tensor)| tensor.dtype() == Dtype::F32)
                .map(|(name, tensor)| (name.to_owned(), floats(tensor.data())))
                .collect(),
        ))
    }

    /// The first tensor with a value that is no finite number.
    pub(crate) fn non_finite(&self) -> Option<&str> {
        let mut tensors = self.0.iter();
        let found = tensors.find(|(_, values)| values.iter().any(|value| !value.is_finite()));
        found.map(|(name, _)| name.as_str())
    }
}

/// True if two lists have the same numbers, bit for bit.
pub(crate) fn same_bits(one: &[f32], other: &[f32]) -> bool {
    let bits = |values: &[f32]| {
        values
            .iter()
            .map(|value| value.to_bits())
            .collect::<Vec<_>>()
    };
    bits(one) == bits(other)
}
