//! Images and labels in the columns of Parquet files, as Hugging Face keeps datasets: a structure
//! column with the encoded `bytes` of each image, and a column of whole numbers.
//!
//! Labels are read once, images stream row group by row group. What the classes are called is
//! read from the files' own metadata. Nothing here decodes an image.

mod classes;
mod error;
mod find;
mod labels;
mod set;

use std::path::Path;

pub use self::error::ParquetImagesError;
pub use self::find::{FindError, find};

pub(crate) use self::set::Set;

use crate::prepare::ParquetSource;

/// The sets of a dataset, and what their images show.
pub(crate) struct ParquetImages {
    /// The classes' names, by label.
    pub(crate) class_names: Vec<String>,
    pub(crate) train: Set,
    pub(crate) test: Option<Set>,
}

/// Opens the files of `source` in `folder`, reads their labels and checks them.
pub(crate) fn open(
    source: &ParquetSource,
    folder: &Path,
) -> Result<ParquetImages, ParquetImagesError> {
    let train = Set::open(&source.train, folder, source)?;
    let test = (!source.test_files.is_empty())
        .then(|| Set::open(&source.test_files, folder, source))
        .transpose()?;
    let class_names = classes::names(source, &train, test.as_ref());
    for set in [Some(&train), test.as_ref()].into_iter().flatten() {
        set.check_labels(&source.label_column, class_names.len())?;
    }
    Ok(ParquetImages {
        class_names,
        train,
        test,
    })
}

#[cfg(test)]
mod tests;
