//! Scalars in TensorBoard's format of event files: a TFRecord for each event, whose bytes are a protocol
//! buffer (`tensorflow/core/util/event.proto`). It owns the few fields that scalars have.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

use sha2::{Digest, Sha256};

/// The version of the format, which the first event of a file has.
const VERSION: &str = "brain.Event:2";

/// The most bytes of one name in a path.
const LONGEST_NAME: usize = 100;

/// A value of a metric on a split.
pub type Scalar<'a> = (&'a str, &'a str, f64);

/// A file of events.
#[derive(Debug)]
pub struct ScalarFile {
    file: File,
}

impl ScalarFile {
    /// Makes a new file for a training in `folder`; `name` tells the files of one folder apart.
    ///
    /// # Errors
    /// The folder or the file cannot be made, or the file is there.
    pub fn create(folder: &Path, name: &str, moment_ms: u64) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let name = format!(
            "events.out.tfevents.{}.{}",
            moment_ms / 1000,
            safe_name(name)
        );
        let file = File::create_new(folder.join(name))?;
        let mut created = Self { file };
        let mut event = Message::at(moment_ms);
        event.bytes(3, VERSION.as_bytes());
        created.write(&event)?;
        Ok(created)
    }

    /// Adds the scalars after an epoch, as `METRIC/SPLIT`.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn add<'a>(
        &mut self,
        moment_ms: u64,
        epoch: u32,
        scalars: impl Iterator<Item = Scalar<'a>>,
    ) -> io::Result<()> {
        let mut summary = Message::default();
        for (metric, split, value) in scalars {
            let mut scalar = Message::default();
            scalar.bytes(1, format!("{metric}/{split}").as_bytes());
            // TensorBoard has single precision.
            scalar.fixed32(2, (value as f32).to_bits());
            summary.bytes(1, &scalar.0);
        }
        let mut event = Message::at(moment_ms);
        event.number(2, epoch.into());
        event.bytes(5, &summary.0);
        self.write(&event)
    }

    /// Writes a record: length, its checksum, bytes, their checksum.
    fn write(&mut self, event: &Message) -> io::Result<()> {
        let length = (event.0.len() as u64).to_le_bytes();
        let mut record = length.to_vec();
        record.extend(masked_checksum(&length).to_le_bytes());
        record.extend(&event.0);
        record.extend(masked_checksum(&event.0).to_le_bytes());
        self.file.write_all(&record)
    }
}

/// The checksum of TFRecord.
fn masked_checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}

/// A protocol buffer.
#[derive(Debug, Default)]
struct Message(Vec<u8>);

impl Message {
    /// An event at this moment.
    fn at(moment_ms: u64) -> Self {
        let mut event = Self::default();
        event.key(1, 1);
        let seconds = moment_ms as f64 / 1000.0;
        event.0.extend(seconds.to_le_bytes());
        event
    }

    fn key(&mut self, field: u8, wire_type: u8) {
        self.0.push(field << 3 | wire_type);
    }

    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    fn number(&mut self, field: u8, number: u64) {
        self.key(field, 0);
        self.varint(number);
    }

    fn fixed32(&mut self, field: u8, bits: u32) {
        self.key(field, 5);
        self.0.extend(bits.to_le_bytes());
    }

    fn bytes(&mut self, field: u8, bytes: &[u8]) {
        self.key(field, 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
    }
}

/// The folder of a stage below `root`, a folder for each part of its name. What a file system or a shell
/// may take for something else becomes `_`, and then a digest tells such names apart.
pub fn stage_folder(root: &Path, stage: &str) -> PathBuf {
    root.join(stage.split('/').map(safe_name).collect::<PathBuf>())
}

/// A name as one part of a path.
pub fn safe_name(name: &str) -> String {
    let is_plain = |char: char| char.is_alphanumeric() || "-_=+.,".contains(char);
    let path = Path::new(name);
    let is_one = path.components().eq([Component::Normal(name.as_ref())]);
    if is_one && name.len() <= LONGEST_NAME && name.chars().all(is_plain) {
        return name.to_owned();
    }
    let plain = name.chars().take(LONGEST_NAME / 4);
    let plain: String = plain
        .map(|char| if is_plain(char) { char } else { '_' })
        .collect();
    let digest = Sha256::digest(name);
    let digest = digest.iter().take(4).map(|byte| format!("{byte:02x}"));
    format!("{plain}_{}", digest.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_tensorflow() {
        // The CRC-32C of RFC 3720, B.4, and the mask of `tensorflow/core/lib/hash/crc32c.h`.
        assert_eq!(crc32c::crc32c(&[0; 32]), 0x8a91_36aa);
        let unmasked = |masked: u32| masked.wrapping_sub(0xa282_ead8).rotate_left(15);
        assert_eq!(unmasked(masked_checksum(&[0; 32])), 0x8a91_36aa);
    }

    #[test]
    fn no_name_leads_out_of_its_folder() {
        let root = Path::new("root");
        assert_eq!(
            stage_folder(root, "train/bp/seed=1"),
            Path::new("root/train/bp/seed=1")
        );
        for hostile in [
            "../../etc",
            "/etc",
            "a//b",
            ".",
            "",
            "a\0b",
            "\u{1b}[2J",
            "a b",
        ] {
            let folder = stage_folder(root, hostile);
            assert!(folder.starts_with(root), "{}", folder.display());
            let parts = folder.components().skip(1);
            let mut parts = parts.map(|part| part.as_os_str().to_string_lossy().into_owned());
            assert!(parts.all(|part| part != ".." && part.len() <= LONGEST_NAME));
        }
        assert_ne!(safe_name("a b"), safe_name("a\tb"));
        assert!(safe_name(&"é".repeat(200)).len() < 2 * LONGEST_NAME);
    }
}
