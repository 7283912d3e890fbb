//! Writes an archive. The same files give the same bytes: names come sorted, and a header holds
//! nothing but name and size.

use std::io::{self, Read, Write};

use zstd::stream::write::Encoder;

use super::{END, header, padding};

/// Weights hardly shrink whatever is tried; images and libraries do, and well enough at this level.
const LEVEL: i32 = 9;

/// An archive that is being written.
pub(crate) struct Writer<W: Write> {
    out: Encoder<'static, W>,
}

impl<W: Write> Writer<W> {
    pub(crate) fn new(out: W) -> io::Result<Self> {
        let mut out = Encoder::new(out, LEVEL)?;
        out.include_checksum(true)?;
        Ok(Self { out })
    }

    /// Appends a file of `size` bytes, whose name must sort after those before.
    ///
    /// # Errors
    /// `content` has another size, or cannot be read, or the archive cannot be written.
    pub(crate) fn append(
        &mut self,
        name: &str,
        size: u64,
        content: &mut dyn Read,
    ) -> io::Result<()> {
        self.out.write_all(header(name, size)?.as_bytes())?;
        let copied = io::copy(&mut content.take(size.saturating_add(1)), &mut self.out)?;
        if copied != size {
            let reason = format!("`{name}` changed while it was read");
            return Err(io::Error::other(reason));
        }
        self.out.write_all(&END[..padding(size)])
    }

    /// Ends the archive.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&END)?;
        self.out.finish()
    }
}
