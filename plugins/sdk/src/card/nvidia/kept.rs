//! Compiled kernels in a file that the host passes on from one worker to the next: to compile them takes seconds.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use assay_abi::PluginError;

/// The variable with the path of the file, which need not be there. The host makes it.
const FILE: &str = "ASSAY_KERNELS";

/// The most bytes that are read of it.
const LIMIT: u64 = 64 << 20;

/// Length of a hash in bytes.
const HASH: usize = 32;

/// The content of the file if it was compiled of the same, else what `compile` gives, which is left there.
pub(super) fn or_compiled(
    of: &[u8],
    compile: impl FnOnce() -> Result<Vec<u8>, PluginError>,
) -> Result<Vec<u8>, PluginError> {
    let Some(path) = std::env::var_os(FILE) else {
        return compile();
    };
    or_compiled_in(Path::new(&path), of, compile)
}

fn or_compiled_in(
    path: &Path,
    of: &[u8],
    compile: impl FnOnce() -> Result<Vec<u8>, PluginError>,
) -> Result<Vec<u8>, PluginError> {
    if let Ok(Some(kept)) = read(path, of) {
        return Ok(kept);
    }
    let compiled = compile()?;
    // Who cannot leave it costs the next worker the time.
    let _ = write(path, of, &compiled);
    Ok(compiled)
}

/// The bytes of the file after the hashes of what they were compiled of and of themselves.
fn read(path: &Path, of: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LIMIT).read_to_end(&mut bytes)?;
    let Some((hashes, kept)) = bytes.split_at_checked(2 * HASH) else {
        return Ok(None);
    };
    let is_whole = hashes == hashes_of(of, kept).concat();
    Ok(is_whole.then(|| kept.to_vec()))
}

fn write(path: &Path, of: &[u8], compiled: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(&hashes_of(of, compiled).concat())?;
    file.write_all(compiled)
}

fn hashes_of(of: &[u8], compiled: &[u8]) -> [[u8; HASH]; 2] {
    [of, compiled].map(|bytes| *blake3::hash(bytes).as_bytes())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_was_compiled_of_the_same_is_not_compiled_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kernels");
        let found = |of: &[u8], bytes: &[u8]| {
            let mut is_new = false;
            let compile = || {
                is_new = true;
                Ok(bytes.to_vec())
            };
            let found = or_compiled_in(&path, of, compile).unwrap();
            (found, is_new)
        };
        assert_eq!(found(b"one", b"kernels"), (b"kernels".to_vec(), true));
        assert_eq!(found(b"one", b"others"), (b"kernels".to_vec(), false));
        assert_eq!(found(b"two", b"others"), (b"others".to_vec(), true));
        assert_eq!(found(b"two", b""), (b"others".to_vec(), false));
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            for damaged in [&flipped[..], &whole[..at]] {
                fs::write(&path, damaged).unwrap();
                assert_eq!(found(b"two", b"others"), (b"others".to_vec(), true), "{at}");
                assert_eq!(fs::read(&path).unwrap(), whole);
            }
        }
    }

    #[test]
    fn a_file_that_cannot_be_written_costs_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let found = or_compiled_in(folder.path(), b"one", || Ok(b"kernels".to_vec()));
        assert_eq!(found.unwrap(), b"kernels");
    }
}
