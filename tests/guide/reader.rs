//! A reader of the guide: a folder of its own, a shell, and an editor.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use assay_report::{Quantity, read_table};
use assay_tests::{Images, binary, libraries};
use tempfile::TempDir;

/// Synthetic images of the shape and the number of classes of MNIST, in its place.
const DATASET: &str = "source = \"idx\"\npath = \"../data\"\nclasses = 10\nvalidation = 500";

/// Settings of the reader's cargo: what a crate depends on is compiled quickly, since nothing here is about its speed.
const CONFIGURATION: &str = r#"
[profile.release.package."*"]
opt-level = 0
debug = false
[profile.release.build-override]
opt-level = 0
[profile.release.package.assay-sdk]
opt-level = 2
"#;

pub(crate) struct Reader {
    root: TempDir,
    /// Where the shell is.
    folder: PathBuf,
    /// The folder of the crate that the guide makes.
    crate_folder: PathBuf,
}

impl Reader {
    /// A reader who will call the crate `name`.
    pub(crate) fn new(name: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let images = Images {
            side: 28,
            classes: 10,
        };
        images.write(&root.path().join("data"), 4000, 500);
        fs::create_dir(root.path().join(".cargo")).unwrap();
        fs::write(root.path().join(".cargo/config.toml"), CONFIGURATION).unwrap();
        Self {
            folder: root.path().to_owned(),
            crate_folder: root.path().join(name),
            root,
        }
    }

    /// Types a command, which must succeed; what it printed on both streams.
    #[track_caller]
    pub(crate) fn run(&mut self, line: &str) -> String {
        let end = self.root.path().join("folder");
        // Both streams in one, as a terminal shows them.
        let script = format!("exec 2>&1\n{line}\npwd > {}", end.display());
        let mut shell = Command::new("bash");
        shell
            .args(["-euo", "pipefail", "-c", &script])
            .current_dir(&self.folder)
            .env("PATH", path_with(binary().parent().unwrap()))
            .stdin(Stdio::null());
        // A user's shell, not the one that cargo made for this test.
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            let of_cargo = name.starts_with("CARGO_") && name != "CARGO_HOME";
            if of_cargo || name.starts_with("ASSAY_") || CLEARED.contains(&&*name) {
                shell.env_remove(&*name);
            }
        }
        // One that keeps what cargo builds in a folder for all crates. Commands that say where they build do so
        // there; others use what is kept from one test run to the next.
        if line.starts_with("cargo build") {
            shell.env("CARGO_TARGET_DIR", self.root.path().join("shared-target"));
        }
        if let Some(libtorch) = without_link() {
            shell.env("LIBTORCH", libtorch);
        }
        let output = shell.output().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "`{line}` failed:\n{printed}");
        self.folder = PathBuf::from(fs::read_to_string(end).unwrap().trim_end());
        self.prepare_crate();
        printed
    }

    /// Once the crate is there: keeps what is compiled from one test run to the next, and puts
    /// synthetic images in the place of MNIST.
    fn prepare_crate(&self) {
        let target = self.crate_folder.join("target");
        if !self.crate_folder.exists() || target.exists() {
            return;
        }
        let shared = libraries().parent().unwrap().join("scaffold");
        fs::create_dir_all(&shared).unwrap();
        symlink(shared, target).unwrap();
        let pipeline = self.crate_folder.join("pipeline.toml");
        let text = fs::read_to_string(&pipeline).unwrap();
        assert!(text.contains("source = \"mnist\""), "{text}");
        fs::write(pipeline, text.replace("source = \"mnist\"", DATASET)).unwrap();
    }

    /// The text of a file, whose path is relative to where the shell is.
    #[track_caller]
    pub(crate) fn read(&self, file: &str) -> String {
        let path = self.folder.join(file);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Edits a file: one place in it that reads `from` shall read `to`.
    #[track_caller]
    pub(crate) fn change(&self, file: &str, from: &str, to: &str) {
        let text = self.read(file);
        assert_eq!(text.matches(from).count(), 1, "{file}:\n{from}");
        fs::write(self.folder.join(file), text.replace(from, to)).unwrap();
    }

    /// The test error of each method in the last report, in percent.
    pub(crate) fn last_table(&self) -> BTreeMap<String, f64> {
        let reports = self.crate_folder.join("artifacts/reports");
        let pipeline = fs::read_dir(reports).unwrap().next().unwrap().unwrap();
        let rows = read_table(&pipeline.path().join("report/table.parquet")).unwrap();
        rows.into_iter()
            .map(|row| {
                let error = row.get(Quantity::TestErrorLastEpoch).unwrap().mean;
                (row.label.method, error)
            })
            .collect()
    }
}

/// Variables that cargo and rustup set for a test, beside `CARGO_…`.
const CLEARED: [&str; 5] = [
    "CARGO",
    "LD_LIBRARY_PATH",
    "LIBTORCH",
    "LIBTORCH_CXX11_ABI",
    "RUSTUP_TOOLCHAIN",
];

/// The libtorch of a checkout that `scripts/setup` did not have to link one into.
fn without_link() -> Option<OsString> {
    let link = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.libtorch");
    let exported = std::env::var_os("LIBTORCH");
    exported.filter(|_| !link.exists())
}

fn path_with(folder: &Path) -> OsString {
    let rest = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(folder.to_owned()).chain(std::env::split_paths(&rest));
    std::env::join_paths(folders).unwrap()
}
