//! Reads an archive from someone who may be hostile. It takes nothing that [`super::Writer`] would
//! not have written, and holds no more than a block of it.

use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

use tar::{EntryType, Header};
use zstd::stream::read::Decoder;

use super::{BLOCK, END, header, padding};
use crate::error::{ArchiveError, Refusal};
use crate::limits::Limits;

/// How zstd frames begin.
pub(crate) const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The largest window that a reader holds, as a power of two; the writer's is far smaller.
const WINDOW_LOG: u32 = 25;

/// An archive that is being read.
pub(crate) struct Reader<'a, R: BufRead> {
    input: Decoder<'a, Counted<R>>,
    packed: Rc<Cell<u64>>,
    unpacked: u64,
    last: Option<String>,
}

impl<R: BufRead> Reader<'_, R> {
    /// # Errors
    /// The input is no zstd at all.
    pub(crate) fn new(mut input: R) -> Result<Self, ArchiveError> {
        let start = input.fill_buf().map_err(ArchiveError::Unreadable)?;
        if !start.starts_with(&MAGIC) {
            return Err(ArchiveError::NotZstd);
        }
        let packed = Rc::<Cell<u64>>::default();
        let counted = Counted {
            inner: input,
            count: Rc::clone(&packed),
        };
        let decoder = Decoder::with_buffer(counted).map_err(ArchiveError::Unreadable)?;
        let mut decoder = decoder.single_frame();
        decoder
            .window_log_max(WINDOW_LOG)
            .map_err(ArchiveError::Unreadable)?;
        Ok(Self {
            input: decoder,
            packed,
            unpacked: 0,
            last: None,
        })
    }

    /// Bytes of the bundle itself that were read so far.
    pub(crate) fn packed(&self) -> u64 {
        self.packed.get()
    }

    /// The name and size of the next file; nothing after the last one, when the whole input was
    /// read. The file's bytes come next, with [`Reader::fill`].
    ///
    /// # Errors
    /// There is anything but a plain file, or the end, or names are not in order.
    pub(crate) fn next(&mut self) -> Result<Option<(String, u64)>, ArchiveError> {
        let mut block = [0; BLOCK];
        self.fill(&mut block)?;
        if block == END[..BLOCK] {
            return self.end().map(|()| None);
        }
        let (name, size) = parse(&block)?;
        if self.last.as_deref() >= Some(&name) {
            return Err(refused(&name, Refusal::Order));
        }
        self.last = Some(name.clone());
        Ok(Some((name, size)))
    }

    /// Reads the padding in the last block of a file with this name and size.
    ///
    /// # Errors
    /// The padding is anything but zeros.
    pub(crate) fn skip_padding(&mut self, name: &str, size: u64) -> Result<(), ArchiveError> {
        let mut block = [0; BLOCK];
        let rest = block.get_mut(..padding(size)).unwrap_or_default();
        self.fill(rest)?;
        if rest.iter().any(|byte| *byte != 0) {
            return Err(refused(name, Refusal::Padding));
        }
        Ok(())
    }

    /// The second block of zeros, the end of the frame, and the end of the input.
    fn end(&mut self) -> Result<(), ArchiveError> {
        let mut block = [0; BLOCK];
        self.fill(&mut block)?;
        let mut more = [0];
        if block != END[..BLOCK] || self.take(&mut more)? > 0 {
            return Err(ArchiveError::Trailing);
        }
        let rest = self.input.get_mut().inner.fill_buf();
        if !rest.map_err(ArchiveError::Unreadable)?.is_empty() {
            return Err(ArchiveError::Trailing);
        }
        Ok(())
    }

    /// The next bytes: of the file that [`Reader::next`] named, as many as it has, and then its
    /// padding ([`Reader::skip_padding`]).
    ///
    /// # Errors
    /// The input breaks off or was changed, or unpacks to far more than it should.
    pub(crate) fn fill(&mut self, mut buffer: &mut [u8]) -> Result<(), ArchiveError> {
        while !buffer.is_empty() {
            match self.take(buffer)? {
                0 => {
                    return Err(ArchiveError::Unreadable(
                        io::ErrorKind::UnexpectedEof.into(),
                    ));
                }
                count => buffer = buffer.get_mut(count..).unwrap_or_default(),
            }
        }
        Ok(())
    }

    fn take(&mut self, buffer: &mut [u8]) -> Result<usize, ArchiveError> {
        let count = self.input.read(buffer).map_err(ArchiveError::Unreadable)?;
        self.unpacked += count as u64;
        if Limits::is_plausible(self.packed.get(), self.unpacked) {
            Ok(count)
        } else {
            Err(ArchiveError::Bomb {
                packed: self.packed.get(),
            })
        }
    }
}

/// The name and size in a header that is just as it should be.
fn parse(block: &[u8; BLOCK]) -> Result<(String, u64), ArchiveError> {
    let found = Header::from_byte_slice(block);
    let bytes = found.path_bytes();
    let shown = String::from_utf8_lossy(&bytes);
    let name = std::str::from_utf8(&bytes).map_err(|_| refused(&shown, Refusal::Encoding))?;
    let kind = found.entry_type();
    if kind != EntryType::Regular {
        return Err(refused(name, Refusal::Kind(describe(kind))));
    }
    let size = found
        .entry_size()
        .map_err(|_| refused(name, Refusal::Header))?;
    let expected = header(name, size).map_err(|_| refused(name, Refusal::Name))?;
    if expected.as_bytes() != block {
        return Err(refused(name, Refusal::Header));
    }
    Ok((name.to_owned(), size))
}

fn describe(kind: EntryType) -> &'static str {
    match kind {
        EntryType::Symlink => "a symbolic link",
        EntryType::Link => "a hard link",
        EntryType::Char | EntryType::Block => "a device",
        EntryType::Fifo => "a pipe",
        EntryType::Directory => "a folder",
        EntryType::GNUSparse => "a sparse file",
        EntryType::GNULongName | EntryType::GNULongLink => "a long name",
        EntryType::XHeader | EntryType::XGlobalHeader => "an extended header",
        _ => "of an unknown kind",
    }
}

fn refused(name: &str, why: Refusal) -> ArchiveError {
    ArchiveError::Entry {
        name: name.to_owned(),
        why,
    }
}

/// Counts what is read, since a decoder does not say.
struct Counted<R> {
    inner: R,
    count: Rc<Cell<u64>>,
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.count.set(self.count.get() + count as u64);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.inner.consume(count);
        self.count.set(self.count.get() + count as u64);
    }
}
