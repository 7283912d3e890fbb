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
mod quote;
mod safetensors;
mod shape;
mod table;
mod tensors;
mod text;

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use serde::Serialize;

pub use self::bytes::BytesDifference;
pub(crate) use self::error::FormatError;
use self::shape::{Format, Head};
pub use self::shape::{Images, Inside, LineDifference, Summary, Text, TextDifference};
pub use self::table::{Column, ColumnDifference, SchemaDifference, Table, TableDifference};
pub use self::tensors::{
    Figures, LargestElement, Tensor, TensorChange, TensorDifference, Tensors, TensorsDifference,
    ValuesDifference,
};

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

/// The format of a file; nothing for bytes of no format that is looked into.
fn format_of(head: &Head) -> io::Result<Option<&'static Format>> {
    for format in FORMATS {
        if (format.recognise)(head)? {
            return Ok(Some(format));
        }
    }
    Ok(None)
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

impl Content {
    /// Reads the content of the file at `path`, with at most `rows` rows of a table or lines of a
    /// text. The file must not change meanwhile; objects of a store never do.
    ///
    /// # Errors
    /// The file cannot be read. A fault in its content is [`Summary::Broken`].
    pub fn of(path: &Path, rows: usize) -> io::Result<Self> {
        let head = Head::read(path)?;
        let Some(format) = format_of(&head)? else {
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

/// Every difference between two files. They must not change while they are compared.
///
/// # Errors
/// One of them cannot be read. One that does not decode is no error.
pub fn compare_files(before: &Path, now: &Path) -> io::Result<ContentDifference> {
    let sizes = [fs::metadata(before)?.len(), fs::metadata(now)?.len()];
    let bytes = bytes::compare(before, now)?;
    let heads = [Head::read(before)?, Head::read(now)?];
    let [one, other] = heads.each_ref().map(format_of);
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
