//! Builds with the cargo that runs the tests.

use std::path::Path;
use std::process::Command;

/// Has cargo build in `folder`, and leave what it builds in `target`.
pub(crate) fn build(folder: &Path, target: &Path, arguments: &[&str]) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(folder)
        .args(["build", "--quiet", "--target-dir"])
        .arg(target)
        .args(arguments);
    // Cargo describes the package of a test in its environment. Build scripts that look at these variables
    // would run again, and everything that depends on them would be compiled again.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        let of_the_test = ["CARGO_PKG_", "CARGO_MANIFEST_", "OUT_DIR"];
        if of_the_test.iter().any(|it| name.starts_with(it)) {
            command.env_remove(&*name);
        }
    }
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "cargo cannot build in {}:\n{}",
        folder.display(),
        String::from_utf8_lossy(&output.stderr)
    );
}
