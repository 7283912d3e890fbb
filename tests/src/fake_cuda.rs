//! A driver and libraries of CUDA that show whatever cards a test wants, on a machine that has none.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A folder for `LD_LIBRARY_PATH` with the driver and the libraries of `tests/fixtures/cuda.c`.
pub struct FakeCuda {
    folder: TempDir,
}

/// The libraries that libtorch asks for, beside the driver.
const LIBRARIES: [&str; 3] = ["libcudart.so.13", "libcublas.so.13", "libcudnn.so.9"];

impl FakeCuda {
    /// A driver, and libraries of CUDA 13.0.
    pub fn new() -> Self {
        let fake = Self::driver();
        fake.libraries(13000);
        fake
    }

    /// A driver alone.
    pub fn driver() -> Self {
        let fake = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        fake.compile("libcuda.so.1", &["-DDRIVER"]);
        fake
    }

    /// Makes the libraries those of this version, such as 13000 for 13.0.
    pub fn libraries(&self, version: u32) {
        for library in LIBRARIES {
            self.compile(library, &[&format!("-DVERSION={version}")]);
        }
        let needed = LIBRARIES.map(|library| format!("-l:{library}"));
        let mut arguments = vec!["-Wl,--no-as-needed", "-L", self.path().to_str().unwrap()];
        arguments.extend(needed.iter().map(String::as_str));
        self.compile("libtorch_cuda.so", &arguments);
    }

    /// Value for `LD_LIBRARY_PATH`.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    fn compile(&self, library: &str, arguments: &[&str]) {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/cuda.c");
        let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
        let file: PathBuf = self.path().join(library);
        let output = Command::new(compiler)
            .args(["-shared", "-fPIC", "-D_GNU_SOURCE", "-o"])
            .arg(&file)
            .arg(format!("-Wl,-soname,{library}"))
            .arg(source)
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{library}: {output:?}");
    }
}

impl Default for FakeCuda {
    fn default() -> Self {
        Self::new()
    }
}
