//! Reasons why a file does not decode.

use std::io;

use arrow::error::ArrowError;
use assay_core::CanonicalError;
use assay_data::table::TableFault;
use parquet::errors::ParquetError;

/// The reason why a file is not of the format that it begins like, as a clause about `it`.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FormatError {
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Arrow(#[from] ArrowError),
    #[error("{0}")]
    Parquet(#[from] ParquetError),
    #[error("{0}")]
    Images(TableFault),
    #[error("it is no JSON: {0}")]
    Json(serde_json::Error),
    #[error("its header: {0}")]
    Header(serde_json::Error),
    #[error("{0}")]
    Metadata(#[from] CanonicalError),
    /// Any other fault, in words.
    #[error("{0}")]
    Malformed(String),
    #[error("its parts do not decode")]
    Decoder,
}

impl From<&str> for FormatError {
    fn from(fault: &str) -> Self {
        Self::Malformed(fault.to_owned())
    }
}
