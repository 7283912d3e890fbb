//! Saved states: named tensors as safetensors, written and read in one canonical layout.

use std::borrow::Cow;
use std::collections::BTreeMap;

use safetensors::tensor::{Dtype, SafeTensors, View};
use tch::{Kind, Tensor};

use crate::error::Error;
use crate::layout::Canonical;

/// Why a saved state was refused. The learner is as it was before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The bytes are no safetensors.
    #[error("the state cannot be read as safetensors: {0}")]
    Unreadable(String),
    /// A tensor that the learner needs is absent.
    #[error("the state has no tensor `{name}`, which this algorithm and network need")]
    Missing {
        /// Its name.
        name: String,
    },
    /// A tensor that the learner does not know.
    #[error("the state has a tensor `{name}`, which this algorithm and network do not use")]
    Unknown {
        /// Its name.
        name: String,
    },
    /// A tensor of another type or shape.
    #[error("tensor `{name}` is {found}, expected {expected}")]
    Mismatch {
        /// Its name.
        name: String,
        /// Type and shape found.
        found: String,
        /// Type and shape expected.
        expected: String,
    },
    /// A count or a key below zero.
    #[error("tensor `{name}` is {value}, expected at least 0")]
    Negative {
        /// Its name.
        name: String,
        /// The value found.
        value: i64,
    },
}

/// The tensors that make up a learner's state. They share their storage with the learner's own.
pub(crate) struct State(BTreeMap<String, Canonical>);

impl State {
    pub(crate) fn new(tensors: impl IntoIterator<Item = (String, Canonical)>) -> Self {
        Self(tensors.into_iter().collect())
    }

    /// The state as safetensors.
    pub(crate) fn save(&self) -> Result<Vec<u8>, Error> {
        to_safetensors(self.0.iter().map(|(name, tensor)| (name.as_str(), tensor)))
    }

    /// Puts a saved state back, wholly or, on an error, not at all.
    pub(crate) fn restore(&self, bytes: &[u8]) -> Result<(), Error> {
        let saved = SafeTensors::deserialize(bytes)
            .map_err(|error| StateError::Unreadable(error.to_string()))?;
        if let Some(name) = saved
            .names()
            .into_iter()
            .find(|&name| !self.0.contains_key(name))
        {
            let name = name.to_owned();
            return Err(StateError::Unknown { name }.into());
        }
        let mut values = Vec::with_capacity(self.0.len());
        for (name, tensor) in &self.0 {
            values.push((tensor, checked(&saved, name, tensor)?));
        }
        for (tensor, value) in values {
            tensor.write(&value)?;
        }
        Ok(())
    }
}

/// Named tensors as safetensors, row-major, in a canonical order.
pub(crate) fn to_safetensors<'a>(
    tensors: impl Iterator<Item = (&'a str, &'a Canonical)>,
) -> Result<Vec<u8>, Error> {
    let saved = tensors
        .map(|(name, tensor)| Ok((name, SavedTensor::new(tensor)?)))
        .collect::<Result<Vec<_>, Error>>()?;
    Ok(safetensors::serialize(saved, None)
        .map_err(|error| StateError::Unreadable(error.to_string()))?)
}

/// The saved value of `name` if it fits `tensor`.
fn checked(saved: &SafeTensors<'_>, name: &str, tensor: &Canonical) -> Result<Tensor, Error> {
    let Ok(view) = saved.tensor(name) else {
        let name = name.to_owned();
        return Err(StateError::Missing { name }.into());
    };
    let (kind, dtype) = kind(tensor.view())?;
    let size = tensor.shape();
    if view.dtype() != dtype || shape(tensor) != view.shape() {
        return Err(StateError::Mismatch {
            name: name.to_owned(),
            found: format!("{} {:?}", view.dtype(), view.shape()),
            expected: format!("{dtype} {size:?}"),
        }
        .into());
    }
    let value = Tensor::f_from_data_size(view.data(), size, kind)?;
    if kind == Kind::Int64 {
        let found = value.f_int64_value(&[])?;
        if found < 0 {
            let (name, value) = (name.to_owned(), found);
            return Err(StateError::Negative { name, value }.into());
        }
    }
    Ok(value)
}

fn shape(tensor: &Canonical) -> Vec<usize> {
    tensor.shape().iter().map(|&size| size as usize).collect()
}

fn kind(tensor: &Tensor) -> Result<(Kind, Dtype), Error> {
    match tensor.f_kind()? {
        Kind::Int64 => Ok((Kind::Int64, Dtype::I64)),
        _ => Ok((Kind::Float, Dtype::F32)),
    }
}

/// A copy of a tensor in main memory.
struct SavedTensor {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl SavedTensor {
    fn new(tensor: &Canonical) -> Result<Self, Error> {
        let (_, dtype) = kind(tensor.view())?;
        let plain = tensor.read()?;
        let count = plain.numel();
        let mut bytes = vec![0; count * dtype.bitsize() / 8];
        plain.f_copy_data_u8(&mut bytes, count)?;
        Ok(Self {
            dtype,
            shape: shape(tensor),
            bytes,
        })
    }
}

impl View for SavedTensor {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.bytes.as_slice().into()
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}
