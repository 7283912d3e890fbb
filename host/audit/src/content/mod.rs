//! Decodes the content of a file: a table, tensors, images, text, a library, or bytes of a
//! recognised format. The format is recognised by the bytes, never by a name, and nothing in them
//! is trusted: whatever a file claims, it costs bounded memory and ends in an answer.

mod bytes;
mod images;
mod table;
mod tensors;
mod text;

use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

pub use self::images::Images;
pub use self::table::{Column, Table};
pub(crate) use self::tensors::LONGEST_HEADER;
pub use self::tensors::{Figures, Tensor, Tensors};
pub use self::text::Text;

/// How much of a file is looked at to tell what it is.
const HEAD: u64 = 64 << 10;

/// Content of a file.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Content {
    /// A table in Parquet.
    Table(Table),
    /// Tensors in safetensors.
    Tensors(Tensors),
    /// Images and their labels in Arrow IPC.
    Images(Images),
    /// Text, JSON made readable.
    Text(Text),
    /// A shared library (ELF).
    Library,
    /// Nothing at all.
    Empty,
    /// Bytes, and what they look like.
    Bytes(&'static str),
    /// A file that begins like a known format but does not decode as it.
    Broken {
        /// Format that it begins like.
        like: &'static str,
        /// Reason why it does not decode.
        why: String,
    },
}

impl Content {
    /// Reads the content of the file at `path`, with at most `rows` rows of a table or lines of a
    /// text. The file must not change meanwhile; objects of a store never do.
    ///
    /// # Errors
    /// The file cannot be read. A fault in its content is [`Content::Broken`].
    pub fn of(path: &Path, rows: usize) -> io::Result<Self> {
        let mut file = assay_files::open(path)?;
        let size = file.metadata()?.len();
        let mut head = Vec::new();
        (&mut file).take(HEAD).read_to_end(&mut head)?;
        Ok(match head.as_slice() {
            [] => Self::Empty,
            [b'P', b'A', b'R', b'1', ..] => guarded("a Parquet table", || {
                table::read(path, rows).map(Self::Table)
            }),
            [b'A', b'R', b'R', b'O', b'W', b'1', ..] => {
                guarded("an Arrow file", || images::read(path).map(Self::Images))
            }
            [0x7f, b'E', b'L', b'F', ..] => Self::Library,
            head if tensors::is_like(head, size) => {
                guarded("safetensors", || tensors::read(path).map(Self::Tensors))
            }
            head => match text::read(path, head, size, rows)? {
                Some(text) => Self::Text(text),
                None => Self::Bytes(bytes::look(head)),
            },
        })
    }

    /// Format of the content, in a few words.
    pub const fn what(&self) -> &'static str {
        match self {
            Self::Table(_) => "a table (Parquet)",
            Self::Tensors(_) => "tensors (safetensors)",
            Self::Images(_) => "images with labels (Arrow IPC)",
            Self::Text(Text { json: true, .. }) => "text (JSON)",
            Self::Text(_) => "text",
            Self::Library => "a shared library (ELF)",
            Self::Empty => "empty",
            Self::Bytes(looks) => looks,
            Self::Broken { like, .. } => like,
        }
    }
}

/// The content that `read` finds. Decoders index by lengths that they find in a file, so what is
/// damaged can make them panic; nothing that they touched outlives the call.
fn guarded(like: &'static str, read: impl FnOnce() -> Result<Content, String>) -> Content {
    let read = catch_unwind(AssertUnwindSafe(read));
    let why = match read {
        Ok(Ok(content)) => return content,
        Ok(Err(why)) => why,
        Err(_) => "its parts do not decode".to_owned(),
    };
    Content::Broken { like, why }
}
