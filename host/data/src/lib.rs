//! Datasets of Assay: sources, checks, Arrow image tables and the order of epochs.
//!
//! The crate reads what a pipeline file says of a dataset ([`sources`]), turns its files into image
//! tables ([`prepare`](mod@prepare)), and tables into batches ([`table`], [`order`], [`augment`]) or
//! into what a person looks at ([`figures`], [`sheet`]). It knows neither the store nor plugins nor
//! tensors, and reads no setting from the environment: directories and permissions are arguments.

#![deny(unsafe_code)]

pub mod augment;
mod cifar;
mod content;
mod digest;
mod error;
pub mod figures;
pub mod idx;
pub mod obtain;
pub mod order;
pub mod prepare;
pub mod sheet;
pub mod sources;
mod statistics;
pub mod table;
mod words;

pub use assay_image as image;
pub use error::{DatasetError, FormatError};

/// True if serialising may leave `value` out.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
