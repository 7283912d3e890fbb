//! Output files and log of a worker. A plugin could write to them, so neither is trusted before it
//! is checked.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use assay_core::ObjectHash;
use assay_store::Store;

use super::Failure;
use crate::event::Output;

/// How much of a log is kept.
const LONGEST_LOG: u64 = 1 << 20;
/// Comes before what the actions of a worker printed.
const PRINTED_BY_ALL: &[u8] = b"printed by the worker, which executed several actions at once:\n";
/// How many lines of a log an error shows, and how much of each.
const LOG_LINES: usize = 12;
const LINE_CHARACTERS: usize = 400;

/// The files that the worker says it left in `out`: name → (file, media type). What is wrong with
/// them is the error.
pub(super) fn collect(
    out: &Path,
    outputs: Vec<Output>,
) -> Result<BTreeMap<String, (PathBuf, String)>, String> {
    let own = fs::symlink_metadata(out).is_ok_and(|metadata| metadata.is_dir());
    if !own {
        return Err("its output folder is not a folder any more".to_owned());
    }
    let mut files = BTreeMap::new();
    for output in outputs {
        let path = out.join(&output.name);
        let plain = path.parent() == Some(out) && path.file_name().is_some();
        let ordinary = fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_file());
        if !plain || !ordinary {
            return Err(format!("`{}` is not an ordinary file", output.name));
        }
        files.insert(output.name, (path, output.media_type));
    }
    Ok(files)
}

/// A log that a worker writes to, read through the descriptor that it was opened with: its path
/// lies where the worker may replace it.
pub(super) struct Log {
    file: File,
    path: PathBuf,
}

impl Log {
    /// Starts a new log at `path`.
    pub(super) fn start(path: PathBuf) -> Result<Self, Failure> {
        let file = File::options()
            .create(true)
            .append(true)
            .read(true)
            .open(&path)
            .and_then(|file| file.set_len(0).map(|()| file));
        match file {
            Ok(file) => Ok(Self::of_file(file, path)),
            Err(source) => Err(failed("write the log", path, source)),
        }
    }

    /// The log that `file` is, which is at `path`.
    pub(super) fn of_file(file: File, path: PathBuf) -> Self {
        Self { file, path }
    }

    /// A handle of the log for the worker to write to.
    pub(super) fn writer(&self) -> Result<File, Failure> {
        let clone = self.file.try_clone();
        clone.map_err(|source| failed("write the log", self.path.clone(), source))
    }

    /// Adds what a worker of several actions printed to the log of one of them. Where that cannot be done, the log goes
    /// without.
    pub(super) fn append(&self, printed: &Self) {
        let text = printed.end().unwrap_or_default();
        if !text.is_empty() {
            let _ = (&self.file)
                .write_all(PRINTED_BY_ALL)
                .and_then(|()| (&self.file).write_all(&text));
        }
    }

    /// Stores the log's end, if there is anything in it.
    pub(super) fn store(&self, store: &Store) -> Result<Option<ObjectHash>, Failure> {
        let log = self.end();
        let log = log.map_err(|source| failed("read the log", self.path.clone(), source))?;
        if log.is_empty() {
            Ok(None)
        } else {
            Ok(Some(store.put_bytes(&log)?))
        }
    }

    /// The end of the log, which may be of any length.
    pub(super) fn end(&self) -> io::Result<Vec<u8>> {
        let length = self.file.metadata()?.len();
        let start = length.saturating_sub(LONGEST_LOG);
        let mut log = vec![0; (length - start) as usize];
        self.file.read_exact_at(&mut log, start)?;
        Ok(log)
    }

    /// The end of the log as text; empty where it cannot be read.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.end().unwrap_or_default()).into_owned()
    }

    /// The last lines, none of them longer than is shown.
    pub(super) fn last_lines(&self) -> Vec<String> {
        let text = self.text();
        let lines: Vec<_> = text.lines().collect();
        let last = &lines[lines.len().saturating_sub(LOG_LINES)..];
        let shorten = |line: &&str| line.chars().take(LINE_CHARACTERS).collect();
        last.iter().map(shorten).collect()
    }
}

fn failed(what: &'static str, path: PathBuf, source: io::Error) -> Failure {
    Failure::File { what, path, source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn output(name: &str) -> Vec<Output> {
        vec![Output {
            name: name.to_owned(),
            media_type: String::new(),
        }]
    }

    #[test]
    fn only_ordinary_files_of_the_folder_are_taken() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        fs::create_dir(&out).unwrap();
        fs::write(folder.path().join("secret"), "secret").unwrap();
        fs::write(out.join("plain"), "plain").unwrap();
        symlink(folder.path().join("secret"), out.join("link")).unwrap();
        assert!(collect(&out, output("plain")).is_ok());
        for name in ["link", "../secret", "absent", "", "."] {
            assert!(collect(&out, output(name)).is_err(), "{name}");
        }
    }

    #[test]
    fn a_folder_that_leads_elsewhere_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("other")).unwrap();
        fs::write(folder.path().join("other/plain"), "plain").unwrap();
        let out = folder.path().join("out");
        symlink(folder.path().join("other"), &out).unwrap();
        assert!(collect(&out, output("plain")).is_err());
    }
}
