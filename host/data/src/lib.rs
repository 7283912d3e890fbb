//! Datasets of Assay: sources, checks, Arrow image tables and the order of epochs.
//!
//! The crate turns named data into verified bytes ([`source`]), verified bytes into tables
//! ([`prepare`](mod@prepare)) and tables into batches ([`table`], [`order`],
//! [`augment`]) or into what a person looks at ([`figures`], [`sheet`]). It knows neither the store
//! nor plugins nor tensors, and reads no setting from the environment: directories and permissions
//! are arguments.

#![deny(unsafe_code)]

mod atomic;
pub mod augment;
pub mod cifar;
mod content;
mod digest;
mod encoded;
pub mod figures;
pub mod idx;
pub mod image;
pub mod imagenet;
pub mod known;
pub mod order;
pub mod parquet_images;
pub mod prepare;
pub mod sheet;
pub mod source;
mod statistics;
pub mod table;
mod words;

/// Whether serialising may leave `value` out.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
