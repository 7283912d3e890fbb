//! Packs: a plugin's library with its signature, its description, its licence and a pipeline file, in one
//! archive. The names of its files are fixed, so none leads anywhere, and each has a limit.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read};
use std::path::{Path, PathBuf};

use assay_core::{Advice, Ending, ObjectHash};
use assay_files::{NewFile, READABLE, room_advice};

use crate::archive::{MAGIC, Reader, Writer};
use crate::error::{ArchiveError, Refusal};

/// The content of the first file.
const FORMAT: &[u8] = b"assay pack 1\n";

/// Bytes of a file that are read at a time, so that a size on paper takes no memory.
const PIECE: usize = 256 << 10;

/// A file of a pack. The archive has them in the order of their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PackFile {
    Format,
    Licence,
    Description,
    Library,
    Signature,
    Pipeline,
}

impl PackFile {
    const ALL: [Self; 6] = [
        Self::Format,
        Self::Licence,
        Self::Description,
        Self::Library,
        Self::Signature,
        Self::Pipeline,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Format => "FORMAT",
            Self::Licence => "LICENCE",
            Self::Description => "description.json",
            Self::Library => "library.so",
            Self::Signature => "library.so.minisig",
            Self::Pipeline => "pipeline.toml",
        }
    }

    /// The most bytes that it may have.
    const fn limit(self) -> u64 {
        match self {
            Self::Format => FORMAT.len() as u64,
            Self::Signature => 64 << 10,
            Self::Licence | Self::Pipeline => 1 << 20,
            Self::Description => 16 << 20,
            Self::Library => 1 << 30,
        }
    }
}

/// A text of a pack that somebody else writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackText {
    /// The licence of the plugin.
    Licence,
    /// A pipeline file that uses the plugin.
    Pipeline,
}

impl PackText {
    /// The most bytes that it may have.
    pub const fn limit(self) -> u64 {
        self.file().limit()
    }

    const fn file(self) -> PackFile {
        match self {
            Self::Licence => PackFile::Licence,
            Self::Pipeline => PackFile::Pipeline,
        }
    }
}

/// The content of a pack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pack {
    /// The plugin's description of itself, as JSON.
    pub description: String,
    /// The library.
    pub library: Vec<u8>,
    /// The signature of the library, in minisign's format.
    pub signature: Option<String>,
    /// The licence of the plugin.
    pub licence: Option<String>,
    /// A pipeline file that uses the plugin.
    pub pipeline: Option<String>,
}

/// Summary of a pack that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packed {
    /// The bytes of the pack.
    pub size: u64,
    /// The hash of the pack, which `b3sum` prints too.
    pub hash: ObjectHash,
}

/// The reason for which there is no pack, or nothing was taken from one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// The file of the pack cannot be read or written.
    #[error("cannot {what} the pack {}", path.display())]
    File {
        /// Operation that failed, as a verb.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
    /// There is a file of that name already.
    #[error("{} is there already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The container is not one of ours.
    #[error("the pack {} is refused: {error}", path.display())]
    Archive {
        /// The file.
        path: PathBuf,
        /// The fault.
        error: ArchiveError,
    },
    /// A file is larger than one of its name may be.
    #[error("the pack {} is refused: its `{name}` has more than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The name in the pack.
        name: &'static str,
        /// The most bytes.
        limit: u64,
    },
    /// A file that every pack has is not there.
    #[error("the pack {} is refused: it has no `{name}`", path.display())]
    Lacks {
        /// The file.
        path: PathBuf,
        /// The name in the pack.
        name: &'static str,
    },
    /// A file does not hold what its name says.
    #[error("the pack {} is refused: its `{name}` {problem}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// The name in the pack.
        name: &'static str,
        /// The problem, worded as the end of the message.
        problem: &'static str,
    },
}

impl Advice for PackError {
    fn help(&self) -> Cow<'_, str> {
        match self {
            Self::File { source, .. } => room_advice(source).into(),
            Self::Exists { .. } => {
                "name another file with --output, or write over it with --force".into()
            }
            Self::TooLarge { .. } => "".into(),
            Self::Archive { .. } | Self::Lacks { .. } | Self::Content { .. } => {
                "get it again; `pipeline plugin pack` makes packs".into()
            }
        }
    }

    fn ending(&self) -> Ending {
        match self {
            Self::File { .. } | Self::Exists { .. } => Ending::Refused,
            _ => Ending::Failed,
        }
    }
}

/// True if the file at `path` begins as a pack does, which no library does.
pub fn is_pack(path: &Path) -> bool {
    let mut start = [0; MAGIC.len()];
    let read = assay_files::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start == MAGIC
}

/// Writes a pack to a file. The same content gives the same bytes.
///
/// # Errors
/// A part is larger than a pack may have it; the file cannot be written, or is there and is not to be
/// replaced. Nothing is left of it then.
pub fn write_pack(path: &Path, pack: &Pack, replace: bool) -> Result<Packed, PackError> {
    let failed = |what| {
        move |source| PackError::File {
            what,
            path: path.to_owned(),
            source,
        }
    };
    if !replace && path.symlink_metadata().is_ok() {
        return Err(PackError::Exists {
            path: path.to_owned(),
        });
    }
    let new = NewFile::create(path, READABLE).map_err(failed("create"))?;
    let mut writer = Writer::new(BufWriter::new(new.as_file())).map_err(failed("write"))?;
    for file in PackFile::ALL {
        let Some(mut bytes) = pack.bytes(file) else {
            continue;
        };
        let size = bytes.len() as u64;
        check_size(path, file, size)?;
        writer
            .append(file.name(), size, &mut bytes)
            .map_err(failed("write"))?;
    }
    let out = writer.finish().map_err(failed("write"))?;
    let out = out.into_inner().map_err(io::IntoInnerError::into_error);
    let out = out.map_err(failed("write"))?;
    let size = out.metadata().map_err(failed("inspect"))?.len();
    let mut hasher = blake3::Hasher::new();
    hasher
        .update_mmap_rayon(new.temporary_path())
        .map_err(failed("read"))?;
    let finished = if replace {
        new.replace()
    } else {
        new.publish()
    };
    finished.map_err(failed("create"))?;
    Ok(Packed {
        size,
        hash: hasher.finalize().into(),
    })
}

/// Reads a pack, which may be hostile, and writes nothing. Its library and description are not looked into.
///
/// # Errors
/// The file cannot be read, or is no pack.
pub fn read_pack(path: &Path) -> Result<Pack, PackError> {
    let refused = |error| PackError::Archive {
        path: path.to_owned(),
        error,
    };
    let file: File = assay_files::open(path).map_err(|source| PackError::File {
        what: "open",
        path: path.to_owned(),
        source,
    })?;
    let mut reader = Reader::new(BufReader::new(file)).map_err(refused)?;
    let mut pack = Pack::default();
    let mut found = Vec::with_capacity(PackFile::ALL.len());
    while let Some((name, size)) = reader.next().map_err(refused)? {
        let Some(file) = PackFile::ALL.into_iter().find(|file| file.name() == name) else {
            let why = Refusal::Name;
            return Err(refused(ArchiveError::Entry { name, why }));
        };
        check_size(path, file, size)?;
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < size {
            let left = usize::try_from(size).unwrap_or(usize::MAX) - bytes.len();
            let before = bytes.len();
            bytes.resize(before + left.min(PIECE), 0);
            let piece = bytes.get_mut(before..).unwrap_or_default();
            reader.fill(piece).map_err(refused)?;
        }
        reader.skip_padding(&name, size).map_err(refused)?;
        pack.take(file, bytes)
            .map_err(|problem| PackError::Content {
                path: path.to_owned(),
                name: file.name(),
                problem,
            })?;
        found.push(file);
    }
    for file in [PackFile::Format, PackFile::Description, PackFile::Library] {
        if !found.contains(&file) {
            return Err(PackError::Lacks {
                path: path.to_owned(),
                name: file.name(),
            });
        }
    }
    Ok(pack)
}

fn check_size(path: &Path, file: PackFile, size: u64) -> Result<(), PackError> {
    if size <= file.limit() {
        return Ok(());
    }
    Err(PackError::TooLarge {
        path: path.to_owned(),
        name: file.name(),
        limit: file.limit(),
    })
}

impl Pack {
    /// The names of its files.
    pub fn files(&self) -> impl Iterator<Item = &'static str> + '_ {
        let there = PackFile::ALL
            .into_iter()
            .filter(|&it| self.bytes(it).is_some());
        there.map(PackFile::name)
    }

    fn bytes(&self, file: PackFile) -> Option<&[u8]> {
        match file {
            PackFile::Format => Some(FORMAT),
            PackFile::Description => Some(self.description.as_bytes()),
            PackFile::Library => Some(&self.library),
            PackFile::Licence => self.licence.as_deref().map(str::as_bytes),
            PackFile::Signature => self.signature.as_deref().map(str::as_bytes),
            PackFile::Pipeline => self.pipeline.as_deref().map(str::as_bytes),
        }
    }

    /// Takes up a file, or says what is wrong with its bytes.
    fn take(&mut self, file: PackFile, bytes: Vec<u8>) -> Result<(), &'static str> {
        if file == PackFile::Library {
            self.library = bytes;
            return Ok(());
        }
        let text = String::from_utf8(bytes).map_err(|_| "is no text")?;
        match file {
            PackFile::Format if text.as_bytes() != FORMAT => {
                return Err("is that of another version of packs");
            }
            PackFile::Format | PackFile::Library => {}
            PackFile::Description => self.description = text,
            PackFile::Licence => self.licence = Some(text),
            PackFile::Signature => self.signature = Some(text),
            PackFile::Pipeline => self.pipeline = Some(text),
        }
        Ok(())
    }
}
