//! Summary of directions in a few figures, for a person to read.

use std::io;
use std::path::Path;

use assay_audit::formats::{Content, Summary, Tensor};
use serde::Serialize;

/// One tensor in figures. A value that is not finite makes every figure NaN.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TensorSummary {
    /// Its name.
    pub name: String,
    /// Its sizes, outermost first.
    pub shape: Vec<usize>,
    /// The Euclidean norm of its values.
    pub norm: f64,
    /// Their mean; 0 where there are none.
    pub mean: f64,
    /// The largest magnitude among them.
    pub max: f64,
}

/// A file that is not of tensors of 32-bit floats.
#[derive(Debug, thiserror::Error)]
pub enum InvalidTensors {
    /// It cannot be read.
    #[error("the directions cannot be read")]
    Unreadable(#[from] io::Error),
    /// It holds something else.
    #[error("the directions are {what}, expected safetensors")]
    Content {
        /// Kind of its content.
        what: &'static str,
    },
    /// A tensor has another element type.
    #[error("tensor `{name}` of the directions is {dtype}, expected F32")]
    Type {
        /// Its name.
        name: String,
        /// Its element type.
        dtype: String,
    },
}

/// The figures of every tensor of the file at `path`, by name; sums are taken in 64 bits.
///
/// # Errors
/// See [`InvalidTensors`].
pub fn summarise(path: &Path) -> Result<Vec<TensorSummary>, InvalidTensors> {
    let content = Content::of(path, 0)?;
    let Summary::Tensors(found) = content.summary else {
        return Err(InvalidTensors::Content { what: content.what });
    };
    let summaries = found.tensors.into_iter().map(summary);
    let mut summaries = summaries.collect::<Result<Vec<_>, _>>()?;
    summaries.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(summaries)
}

fn summary(tensor: Tensor) -> Result<TensorSummary, InvalidTensors> {
    let (name, dtype) = (tensor.name, tensor.dtype);
    let figures = match tensor.figures {
        Some(figures) if dtype == "F32" => figures,
        _ => return Err(InvalidTensors::Type { name, dtype }),
    };
    let finite = |figure| {
        if figures.non_finite == 0 {
            figure
        } else {
            f64::NAN
        }
    };
    let magnitude = |value: Option<f64>| value.map_or(0.0, f64::abs);
    Ok(TensorSummary {
        name,
        shape: tensor.shape,
        norm: finite(figures.norm),
        mean: finite(figures.mean),
        max: finite(magnitude(figures.min).max(magnitude(figures.max))),
    })
}
