//! The plugins and the host of `tests/fixtures`: built once per test run, where the tests need them.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::cargo;
use crate::sandbox::libraries;

/// The file that cargo made of a fixture, such as `liblinear.so` or `old-host`.
///
/// The first call of a process builds them all. Processes that do so at once wait for each other,
/// and find everything built.
pub fn fixture(file: &str) -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| build(&[]));
    built(&target().join("debug").join(file))
}

/// `meddle`, which runs a program and meddles with its system calls.
pub fn meddle() -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| build(&["--package", "meddle"]));
    built(&target().join("debug/meddle"))
}

/// `libpanic_abort.so`, for which alone everything below it is compiled to abort.
pub fn aborting_fixture() -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| build(&["--profile", "abort", "--package", "panic-abort"]));
    built(&target().join("abort/libpanic_abort.so"))
}

/// Beside the folder that the tests themselves were built into.
fn target() -> PathBuf {
    libraries().parent().unwrap().join("fixtures")
}

fn built(file: &Path) -> PathBuf {
    assert!(file.is_file(), "there is no fixture {}", file.display());
    file.to_owned()
}

fn build(arguments: &[&str]) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    cargo::build(&fixtures, &target(), &[&["--locked"], arguments].concat());
}
