//! The container: ustar under one zstd frame, written in one way only. It knows blocks and
//! headers, and not what the files are.
//!
//! A reader compares every header with the one that the writer would have written for that name
//! and size. Links, devices, sparse files, long names and whatever else tar can say are all
//! refused by that one comparison.

mod read;
mod write;

pub(crate) use read::{MAGIC, Reader};
pub(crate) use write::Writer;

use std::io;

use tar::{EntryType, Header};

/// Tar counts in blocks.
const BLOCK: usize = 512;

/// An archive ends with two blocks of zeros.
const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// The one header of a file with this name and size.
fn header(name: &str, size: u64) -> io::Result<Header> {
    let mut header = Header::new_ustar();
    header.set_path(name)?;
    header.set_size(size);
    header.set_mode(0o444);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_entry_type(EntryType::Regular);
    header.set_cksum();
    Ok(header)
}

/// The zeros that fill the last block of so many bytes.
fn padding(size: u64) -> usize {
    (size.next_multiple_of(BLOCK as u64) - size) as usize
}
