//! Errors of image tables and of requests to them.

use std::io;
use std::path::{Path, PathBuf};

use arrow::error::ArrowError;

use super::{InvalidStandardisation, MAX_CLASSES};

/// A table that cannot be opened or written.
#[derive(Debug, thiserror::Error)]
#[error("image table {}: {fault}", path.display())]
pub struct TableError {
    /// The file.
    pub path: PathBuf,
    /// The fault of the table, which the message names: there is no further cause.
    pub fault: TableFault,
}

/// A fault of a table.
#[derive(Debug, thiserror::Error)]
pub enum TableFault {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Io(io::Error),
    /// The file cannot be written.
    #[error("cannot be written: {0}")]
    Write(io::Error),
    /// The file is not an Arrow IPC file, or is cut off.
    #[error("is not a complete Arrow IPC file ({0}); make the dataset again")]
    NotArrow(&'static str),
    /// Arrow refuses the content.
    #[error("is damaged ({0}); make the dataset again")]
    Arrow(ArrowError),
    /// A part of the file lies outside it or outside its block.
    #[error(
        "is damaged: {part} of record batch {batch} lies outside the file; make the dataset again"
    )]
    OutOfBounds {
        /// The part.
        part: &'static str,
        /// The number of the record batch, from 0.
        batch: usize,
    },
    /// A record batch is not of the kind that tables consist of.
    #[error("is not an image table: record batch {batch} {problem}; make the dataset again")]
    WrongBatch {
        /// The number of the record batch, from 0.
        batch: usize,
        /// The fault in words.
        problem: &'static str,
    },
    /// The schema's metadata lacks an entry, or its text does not parse.
    #[error(
        "is not an image table of this version: the metadata `{key}` is {found}, expected {expected}"
    )]
    WrongMetadata {
        /// The entry.
        key: &'static str,
        /// Its text, or `missing`.
        found: String,
        /// The text that it should have.
        expected: &'static str,
    },
    /// The statistics in the metadata make no scaling.
    #[error("is not an image table: {0}; make the dataset again")]
    Scaling(InvalidStandardisation),
    /// The columns are not those of an image table with this metadata.
    #[error("is not an image table: its columns are {found}, expected {expected}")]
    WrongColumns {
        /// The columns there.
        found: String,
        /// The columns that the metadata asks for.
        expected: String,
    },
    /// There is no file to open.
    #[error("has no shard; make the dataset again")]
    NoShard,
    /// The shards of one table do not belong together.
    #[error("holds images of {found}, and the first shard images of {expected}")]
    ShardsDiffer {
        /// Shape and classes of this shard.
        found: String,
        /// Shape and classes of the first.
        expected: String,
    },
    /// The scaling that was asked for has not one entry for each channel.
    #[error("has images of {channels} channels, which a scaling of {found} does not fit")]
    Channels {
        /// Channels of the images.
        channels: u32,
        /// Channels of the scaling.
        found: usize,
    },
    /// There are more rows than can be indexed.
    #[error("has more than 4,294,967,295 rows")]
    TooManyRows,
    /// A label is not a class.
    #[error(
        "has label {label} in row {row}; with {classes} classes, labels are below {classes}; make the dataset again"
    )]
    LabelOutOfRange {
        /// The label.
        label: u32,
        /// The row, from 0.
        row: u64,
        /// The number of classes.
        classes: u32,
    },
    /// The number of classes cannot be represented.
    #[error("cannot have {0} classes: from 1 to {MAX_CLASSES} are supported")]
    Classes(u32),
    /// A scaling was given that is of other channels.
    #[error("a scaling of {found} channels was given to a table of {expected}-channel images")]
    GivenScaling {
        /// Channels of the table's images.
        expected: u32,
        /// Channels of the scaling.
        found: usize,
    },
    /// An image was given that has another size than the table's.
    #[error("an image of {found} bytes was given to a table of {expected}-byte images")]
    ImageSize {
        /// Bytes of the table's images.
        expected: usize,
        /// Bytes of the image given.
        found: usize,
    },
    /// A label was given that is no class.
    #[error("label {label} was given to a table of {classes} classes")]
    Label {
        /// The label.
        label: u16,
        /// The number of classes.
        classes: u32,
    },
}

impl From<io::Error> for TableFault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ArrowError> for TableFault {
    fn from(error: ArrowError) -> Self {
        Self::Arrow(error)
    }
}

impl From<InvalidStandardisation> for TableFault {
    fn from(error: InvalidStandardisation) -> Self {
        Self::Scaling(error)
    }
}

impl TableFault {
    /// The fault as one of the table at `path`.
    pub(super) fn at(self, path: &Path) -> TableError {
        TableError {
            path: path.to_owned(),
            fault: self,
        }
    }
}

/// A batch that cannot be gathered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GatherError {
    /// The slices do not fit the number of indices.
    #[error(
        "a batch of {batch} images needs {expected} pixels and {batch} labels, but was given room \
         for {images} pixels and {labels} labels"
    )]
    WrongLength {
        /// The number of indices.
        batch: usize,
        /// The number of pixels needed.
        expected: usize,
        /// The number of pixels that there is room for.
        images: usize,
        /// The number of labels that there is room for.
        labels: usize,
    },
    /// An index is beyond the table.
    #[error("there is no image {index}: the table has {rows}")]
    OutOfRange {
        /// The index.
        index: u32,
        /// The number of rows.
        rows: u32,
    },
}
