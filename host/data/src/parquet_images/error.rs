//! Why Parquet files are not a dataset of images.

use std::io;
use std::path::PathBuf;

use parquet::errors::ParquetError;

/// Parquet files that cannot be used as a dataset.
#[derive(Debug, thiserror::Error)]
pub enum ParquetImagesError {
    /// A file cannot be opened.
    #[error(
        "{}: cannot be read: {source}; files are looked for in the folder that `path` names, or \
         beside the pipeline file", path.display()
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is no Parquet file, or is damaged.
    #[error("{file}: cannot be read as Parquet: {source}")]
    Parquet {
        /// The file.
        file: String,
        /// Why.
        source: ParquetError,
    },
    /// A column is missing or of another type.
    #[error("{file}: column `{column}` {problem}; its columns are {columns}")]
    Column {
        /// The file.
        file: String,
        /// The column.
        column: String,
        /// The fault in words.
        problem: String,
        /// The columns that the file has.
        columns: String,
    },
    /// A label is missing or is no class.
    #[error("{file}: row {row} has {problem}")]
    Label {
        /// The file.
        file: String,
        /// The row, from 0.
        row: u64,
        /// The fault of the label.
        problem: String,
    },
    /// There are no rows, or more than can be counted.
    #[error("the files have {rows} rows; a dataset has from 1 to 4,294,967,295")]
    Count {
        /// How many.
        rows: u64,
    },
}
