//! The SDK's kernels for a card, built for a processor.

use std::ffi::OsString;
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
    static LIBRARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let library = LIBRARY.get_or_init(|| built(&[]));
    library.as_ref().expect("the kernels compile")
}

/// One whose kernels are read as for a card, and whose threads are those of the processor: slow.
///
/// # Panics
/// As [`library`].
#[expect(clippy::expect_used, reason = "without the library there is no test")]
pub fn library_on_threads() -> &'static Path {
    static LIBRARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    // A function of another library may have the name of a kernel.
    let own = "-Wl,-Bsymbolic";
    let options = ["-DON_THREADS", "-Wno-unknown-pragmas", "-pthread", own];
    let library = LIBRARY.get_or_init(|| built(&options));
    library.as_ref().expect("the kernels compile")
}

/// Builds the kernels with these options too. An error is kept by the callers: tests of random cases would compile once
/// more for each of them.
#[expect(clippy::expect_used, reason = "without the library there is no test")]
fn built(more: &[&str]) -> Result<PathBuf, String> {
    let folder = tempfile::tempdir().expect("a temporary folder").keep();
    let library = folder.join("libkernels.so");
    let options = OPTIONS.iter().chain(more).chain(&["-shared", "-o"]);
    let options: Vec<_> = options.map(OsString::from).collect();
    let source = kernels().join("emulation.cpp");
    let files = [library.clone().into(), source.into()];
    compile("CXX", "c++", &options, &files)?;
    Ok(library)
}

/// The folder of the kernels' source.
fn kernels() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/sdk/src/card/kernels")
}

/// Puts an emulated driver that computes, and its compiler, into a folder for `LD_LIBRARY_PATH`.
///
/// # Panics
/// There is no compiler, or it refuses the source.
#[expect(clippy::expect_used, reason = "without the driver there is no test")]
pub fn build_driver(folder: &Path) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures");
    let source = |name: &str| OsString::from(fixtures.join(name));
    let made = |name: &str| OsString::from(folder.join(name));
    let options = |options: &[&str]| -> Vec<_> { options.iter().map(OsString::from).collect() };
    let object = options(&["-O2", "-fPIC", "-D_GNU_SOURCE", "-DDRIVER", "-c", "-o"]);
    compile("CC", "cc", &object, &[made("cuda.o"), source("cuda.c")]).expect("the driver compiles");
    let mut driver = options(&OPTIONS);
    driver.extend(options(&["-shared", "-Wl,-soname,libcuda.so.1", "-I"]));
    driver.extend([kernels().into(), "-o".into()]);
    let files = [made("libcuda.so.1"), source("card.cpp"), made("cuda.o")];
    compile("CXX", "c++", &driver, &files).expect("the driver compiles");
    let soname = "-Wl,-soname,libnvrtc.so.13";
    let compiler = options(&["-O2", "-fPIC", "-shared", "-DCOMPILER", soname, "-o"]);
    let files = [made("libnvrtc.so.13"), source("cuda.c")];
    compile("CC", "cc", &compiler, &files).expect("the driver compiles");
}

/// Runs the compiler that a variable names, or else its usual one.
fn compile(
    variable: &str,
    usual: &str,
    options: &[OsString],
    files: &[OsString],
) -> Result<(), String> {
    let compiler = std::env::var_os(variable).unwrap_or_else(|| usual.into());
    let output = Command::new(compiler)
        .args(options)
        .args(files)
        .output()
        .map_err(|error| format!("there is no compiler `{usual}`: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The name of a device that computes with [`library`].
pub fn device() -> String {
    format!("emulated:{}", library().display())
}
