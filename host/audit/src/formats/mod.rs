//! The file formats that can be looked into, one module for each: how a file of it is recognised,
//! its content summarised and two such files compared. [`FORMATS`] lists them; a new format is a
//! module and a line there.
//!
//! A format is recognised by the bytes alone, so that an object says the same whatever it is called
//! and wherever it is shown. Nothing in a file is trusted: whatever it claims, it costs bounded
//! memory and ends in an answer. A summary and a difference have one of a few shapes (table,
//! tensors, images, text, values), which is all that whoever displays them has to know.

mod arrow;
mod bytes;
mod element;
mod error;
mod json;
mod library;
mod npy;
pub(crate) mod parquet;
mod safetensors;
mod table;
mod tensors;
mod text;

use std::fs;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use assay_core::Difference;
use serde::Serialize;

pub use self::arrow::Images;
pub use self::bytes::BytesDifference;
pub(crate) use self::error::FormatError;
pub use self::table::{Column, ColumnDifference, SchemaDifference, Table, TableDifference};
pub use self::tensors::{
    Figures, LargestElement, Tensor, TensorChange, TensorDifference, Tensors, TensorsDifference,
    ValuesDifference,
};
pub use self::text::{LineDifference, Text, TextDifference};

/// Every format, in the order in which a file is held against them: those with a signature first,
/// and text, which is the least particular, last.
const FORMATS: [&Format; 7] = [
    &parquet::FORMAT,
    &arrow::FORMAT,
    &library::FORMAT,
    &npy::FORMAT,
    &safetensors::FORMAT,
    &json::FORMAT,
    &text::FORMAT,
];

/// Bytes of a file that are read to recognise its format.
const HEAD: u64 = 64 << 10;
/// A text of more bytes is not parsed or compared: a line or a document may be as long as it.
const LARGEST_TEXT: u64 = 64 << 20;
/// The most characters of a text that a difference quotes.
const LONGEST_QUOTE: usize = 200;

/// Compares the insides of two files of a format.
type Compare = fn(&Path, &Path) -> Result<Inside, FormatError>;

/// A file format.
struct Format {
    /// A file of it, such as `a Parquet table`.
    name: &'static str,
    /// Its content, such as `a table (Parquet)`.
    content: &'static str,
    /// Whether a file that begins like this is of it.
    recognise: fn(&Head) -> io::Result<bool>,
    /// The content, with at most so many rows of a table or lines of a text.
    summarise: fn(&Head, usize) -> Result<Summary, FormatError>,
    /// Every difference between two files of it; nothing for a format of which nothing but the
    /// bytes is compared.
    compare: Option<Compare>,
}

/// The beginning of a file.
struct Head {
    path: PathBuf,
    size: u64,
    bytes: Vec<u8>,
}

impl Head {
    fn read(path: &Path) -> io::Result<Self> {
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

    /// Format of the file; nothing for bytes of no format that is looked into.
    fn format(&self) -> io::Result<Option<&'static Format>> {
        for format in FORMATS {
            if (format.recognise)(self)? {
                return Ok(Some(format));
            }
        }
        Ok(None)
    }
}

/// The content of a file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Content {
    /// Its kind in a few words; of a broken file, the format that it begins like.
    pub what: &'static str,
    /// The content itself.
    #[serde(flatten)]
    pub summary: Summary,
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

impl Content {
    /// Reads the content of the file at `path`, with at most `rows` rows of a table or lines of a
    /// text. The file must not change meanwhile; objects of a store never do.
    ///
    /// # Errors
    /// The file cannot be read. A fault in its content is [`Summary::Broken`].
    pub fn of(path: &Path, rows: usize) -> io::Result<Self> {
        let head = Head::read(path)?;
        let Some(format) = head.format()? else {
            return Ok(Self {
                what: bytes::kind(&head.bytes),
                summary: Summary::Bytes {},
            });
        };
        Ok(match guarded(|| (format.summarise)(&head, rows)) {
            Ok(summary) => Self {
                what: format.content,
                summary,
            },
            Err(error) => Self {
                what: format.name,
                summary: Summary::Broken {
                    broken: error.to_string(),
                },
            },
        })
    }
}

/// Difference of two files in their bytes, and what they mean.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ContentDifference {
    /// Their sizes in bytes.
    pub sizes: [u64; 2],
    /// Which bytes differ.
    pub bytes: BytesDifference,
    /// Differences in the decoded content; nothing where neither file is of a format that is
    /// compared, or they are not of the same one.
    pub inside: Option<Inside>,
    /// Reason why nothing is said of their content, although one of them is of a known format.
    pub undecoded: Option<String>,
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

/// Every difference between two files. They must not change while they are compared.
///
/// # Errors
/// One of them cannot be read. One that does not decode is no error.
pub fn compare_files(before: &Path, now: &Path) -> io::Result<ContentDifference> {
    let sizes = [fs::metadata(before)?.len(), fs::metadata(now)?.len()];
    let bytes = bytes::compare(before, now)?;
    let heads = [Head::read(before)?, Head::read(now)?];
    let [one, other] = heads.each_ref().map(Head::format);
    let (inside, undecoded) = match (one?, other?) {
        (None, None) => (None, None),
        (Some(one), Some(other)) if one.name == other.name => {
            let compared = one
                .compare
                .map(|compare| guarded(|| compare(before, now)))
                .transpose();
            match compared {
                Ok(inside) => (inside, None),
                Err(error) => (None, Some(error.to_string())),
            }
        }
        formats => {
            let formats = <[_; 2]>::from(formats);
            let kind = |at: usize| {
                let known = formats[at].map(|format| format.content);
                known.unwrap_or_else(|| bytes::kind(&heads[at].bytes))
            };
            let reason = format!("it was {}, and is {}", kind(0), kind(1));
            (None, Some(reason))
        }
    };
    Ok(ContentDifference {
        sizes,
        bytes,
        inside,
        undecoded,
    })
}

/// The answer of `decode`. Decoders index by lengths that they find in a file, so that damage can
/// make them panic; nothing that they touched outlives the call.
pub(crate) fn guarded<T>(
    decode: impl FnOnce() -> Result<T, FormatError>,
) -> Result<T, FormatError> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or(Err(FormatError::Decoder))
}

/// The beginning of a text that may be long.
fn quote(text: &str) -> String {
    match text.char_indices().nth(LONGEST_QUOTE) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or(text)),
        None => text.to_owned(),
    }
}
