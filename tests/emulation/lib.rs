//! The SDK's kernels for a card, built for a processor.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// No multiplication and addition become one, and square roots are the processor's.
const OPTIONS: [&str; 10] = [
    "-std=c++17",
    "-O2",
    "-march=native",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-Wall",
    "-Wextra",
    "-Werror",
    // The compiler does not see that every thread takes part in a phase.
    "-Wno-maybe-uninitialized",
    "-fPIC",
];

/// The library of an emulated card, which every test process builds once.
///
/// # Panics
/// There is no C++ compiler, or it refuses the source.
#[expect(clippy::expect_used, reason = "without the library there is no test")]
pub fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let kernels =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/sdk/src/card/kernels");
        let folder = tempfile::tempdir().expect("a temporary folder").keep();
        let library = folder.join("libkernels.so");
        let compiler = std::env::var_os("CXX").unwrap_or_else(|| "c++".into());
        let output = Command::new(compiler)
            .args(OPTIONS)
            .args(["-shared", "-o"])
            .arg(&library)
            .arg(kernels.join("emulation.cpp"))
            .output()
            .expect("a C++ compiler");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        library
    })
}

/// The name of a device that computes with [`library`].
pub fn device() -> String {
    format!("emulated:{}", library().display())
}
