//! The description of a format, and the shapes of content and differences that all formats share.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use assay_core::Difference;
use assay_data::table::ImageShape;
use serde::Serialize;

use super::error::FormatError;
use super::table::{Table, TableDifference};
use super::tensors::{Tensors, TensorsDifference};

/// Bytes of a file that are read to recognise its format.
pub(super) const HEAD: u64 = 64 << 10;
/// A text of more bytes is not parsed or compared: a line or a document may be as long as it.
pub(super) const LARGEST_TEXT: u64 = 64 << 20;

/// Compares the insides of two files of a format.
pub(super) type Compare = fn(&Path, &Path) -> Result<Inside, FormatError>;

/// A file format.
pub(super) struct Format {
    /// A file of it, such as `a Parquet table`.
    pub(super) name: &'static str,
    /// Its content, such as `a table (Parquet)`.
    pub(super) content: &'static str,
    /// Whether a file that begins like this is of it.
    pub(super) recognise: fn(&Head) -> io::Result<bool>,
    /// The content, with at most so many rows of a table or lines of a text.
    pub(super) summarise: fn(&Head, usize) -> Result<Summary, FormatError>,
    /// Every difference between two files of it; nothing for a format of which nothing but the
    /// bytes is compared.
    pub(super) compare: Option<Compare>,
}

/// The beginning of a file.
pub(super) struct Head {
    pub(super) path: PathBuf,
    pub(super) size: u64,
    pub(super) bytes: Vec<u8>,
}

impl Head {
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let file = assay_files::open(path)?;
        let size = file.metadata()?.len();
        let mut bytes = Vec::new();
        file.take(HEAD).read_to_end(&mut bytes)?;
        Ok(Self {
            path: path.to_owned(),
            size,
            bytes,
        })
    }
}

/// The content of a file, in one of the shapes that all formats share.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Summary {
    /// Columns and rows.
    Table {
        /// The table.
        table: Table,
    },
    /// Arrays of numbers.
    Tensors(Tensors),
    /// Images and their labels.
    Images(Images),
    /// Lines of text.
    Text(Text),
    /// A shared library, which may be a plugin's.
    Library {},
    /// Bytes that are not looked into.
    Bytes {},
    /// A file that begins like a known format but does not decode as it.
    Broken {
        /// Reason why it does not decode.
        broken: String,
    },
}

/// Differences in the content of two files of one format.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "form", rename_all = "kebab-case")]
pub enum Inside {
    /// Tables.
    Table(TableDifference),
    /// Tensors.
    Tensors(TensorsDifference),
    /// JSON documents: every value that differs, by path.
    Json {
        /// The values.
        values: Vec<Difference>,
    },
    /// Texts.
    Text(TextDifference),
}

impl Inside {
    /// Whether both files say the same, and only their encoding differs.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Table(table) => table.is_empty(),
            Self::Tensors(tensors) => tensors.is_empty(),
            Self::Json { values } => values.is_empty(),
            Self::Text(text) => text.differing == 0,
        }
    }
}

/// An image table in figures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Images {
    /// Number of images.
    pub images: u32,
    /// Channels, rows and columns of each.
    pub shape: ImageShape,
    /// The images of each class, by label.
    pub label_counts: Vec<u64>,
}

/// The first lines of a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Text {
    /// The lines, without their ends. What is in them comes from strangers.
    pub lines: Vec<String>,
    /// Whether there is more.
    pub more: bool,
}

impl Text {
    /// So many lines of a text, of which the end may be missing already.
    pub(super) fn first(text: &str, lines: usize, is_cut: bool) -> Self {
        let mut all = text.lines();
        let lines = all.by_ref().take(lines).map(str::to_owned).collect();
        Self {
            lines,
            more: is_cut || all.next().is_some(),
        }
    }
}

/// Which lines of two texts differ.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TextDifference {
    /// Number of lines that they have.
    pub lines: [u64; 2],
    /// How many lines differ from the line with the same number.
    pub differing: u64,
    /// The first of them.
    pub first: Option<LineDifference>,
}

/// A line that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LineDifference {
    /// Its number, counted from 1.
    pub line: u64,
    /// How it begins in the first text, if it is there.
    pub before: Option<String>,
    /// How it begins in the second.
    pub now: Option<String>,
}
