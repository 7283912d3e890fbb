//! Builds with the cargo that runs the tests.

use std::path::Path;
use std::process::Command;

/// Has cargo build in `folder`, and leave what it builds in `target`.
pub(crate) fn build(folder: &Path, target: &Path, arguments: &[&str]) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(folder)
        .args(["build", "--quiet", "--target-dir"])
        .arg(target)
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "cargo cannot build in {}:\n{}",
        folder.display(),
        String::from_utf8_lossy(&output.stderr)
    );
}
