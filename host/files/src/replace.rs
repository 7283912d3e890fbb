//! Files that appear under their name whole and flushed, or not at all: whoever reads the name finds
//! the old file there or the new one, also after a power cut.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// The permissions of a file that everybody may read, before the user's mask.
pub const READABLE: u32 = 0o666;

/// The permissions of a file that is its user's alone.
pub const PRIVATE: u32 = 0o600;

/// A file that is being written, under a temporary name in the folder in which it will appear.
/// Dropped before it is finished, it leaves nothing.
#[derive(Debug)]
pub struct NewFile {
    temporary: NamedTempFile,
    path: PathBuf,
}

impl NewFile {
    /// An empty file that will appear at `path`, in a folder that exists; `mode` is what the user's
    /// mask makes of it.
    pub fn create(path: &Path, mode: u32) -> io::Result<Self> {
        let temporary = tempfile::Builder::new()
            .permissions(Permissions::from_mode(mode))
            .tempfile_in(folder_of(path))?;
        Ok(Self {
            temporary,
            path: path.to_owned(),
        })
    }

    /// The file itself, for writing.
    pub fn as_file(&self) -> &File {
        self.temporary.as_file()
    }

    /// The name that it has until it is finished.
    pub fn temporary_path(&self) -> &Path {
        self.temporary.path()
    }

    /// Gives the file its name; a file of that name is replaced.
    pub fn replace(self) -> io::Result<()> {
        self.temporary.as_file().sync_all()?;
        self.temporary.persist(&self.path)?;
        File::open(folder_of(&self.path))?.sync_all()
    }

    /// Gives the file its name, which must be free.
    pub fn publish(self) -> io::Result<()> {
        self.temporary.as_file().sync_all()?;
        self.temporary.persist_noclobber(&self.path)?;
        File::open(folder_of(&self.path))?.sync_all()
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.temporary.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.temporary.flush()
    }
}

/// Gives `path` these bytes in one step, in a folder that exists; `mode` is what the user's mask
/// makes of it.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file = NewFile::create(path, mode)?;
    file.write_all(bytes)?;
    file.replace()
}

/// As [`replace`], for a path at which there is no file yet.
pub fn create(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file = NewFile::create(path, mode)?;
    file.write_all(bytes)?;
    file.publish()
}

/// The folder that `path` lies in.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}
