//! Of the files in its run path and on the loader's path, a plugin can read libraries alone.

use std::fs::{self, hard_link};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use assay_tests::Sandbox;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;

use super::{SECRET, assert_says, example, finish, with_suspect};

/// The run path that the examples of the hostile crate are built with.
fn built_run_path() -> String {
    format!("/{}", "run-path-to-replace/".repeat(12))
}

/// The library whose constructor does as it is told, as `libsuspect.so` with another run path.
fn suspect(sandbox: &Sandbox, run_path: &str) {
    let mut library = fs::read(example("assay_constructor")).unwrap();
    let old = built_run_path();
    let found = library
        .windows(old.len())
        .position(|window| window == old.as_bytes());
    let at = found.expect("the example has the run path that its build script gives it");
    let place = &mut library[at..at + old.len()];
    place.fill(0);
    place[..run_path.len()].copy_from_slice(run_path.as_bytes());
    fs::write(sandbox.path("libsuspect.so"), library).unwrap();
}

/// A user's folder full of files that are named like libraries, of which one is a library.
struct Folder {
    folder: TempDir,
}

/// Files that are not libraries: name in the folder, and where it is a link to something fixed, its target.
const NO_LIBRARIES: [(&str, &str); 6] = [
    ("libroot.so", "/secret"),
    ("liblink.so", ""),
    ("libhard.so", ""),
    ("libtext.so.1", ""),
    ("libdump.so", ""),
    ("libother.so", ""),
];

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("user")).unwrap();
        fs::create_dir(path("rp")).unwrap();
        fs::write(path("user/secret"), SECRET).unwrap();
        let rp = |name: &str| path("rp").join(name);
        symlink(path("user"), rp("libroot.so")).unwrap();
        symlink(path("user/secret"), rp("liblink.so")).unwrap();
        hard_link(path("user/secret"), rp("libhard.so")).unwrap();
        fs::write(rp("libtext.so.1"), SECRET).unwrap();
        // Of the type of core dumps, and for another machine.
        let library = fs::read(example("assay_liar")).unwrap();
        let changed = |at: usize, byte: u8| {
            let mut bytes = library.clone();
            bytes[at] = byte;
            bytes.extend(SECRET.bytes());
            bytes
        };
        fs::write(rp("libdump.so"), changed(16, 4)).unwrap();
        fs::write(rp("libother.so"), changed(18, 8)).unwrap();
        // Opening a pipe waits for its writer, and this one has none.
        let mode = Mode::from_raw_mode(0o600);
        mknodat(CWD, rp("libpipe.so"), FileType::Fifo, mode, 0).unwrap();
        symlink("/dev/zero", rp("libdevice.so")).unwrap();
        // As libraries are installed.
        fs::write(path("user/libreal.so.1.2"), &library).unwrap();
        symlink(path("user/libreal.so.1.2"), rp("libreal.so.1")).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Deed of the constructor: it reads everything.
    fn deed(&self) -> String {
        let names = NO_LIBRARIES.iter().map(|(name, below)| {
            let path = self.path("rp").join(name).display().to_string();
            path + below
        });
        let mut paths: Vec<_> = names.collect();
        paths.push(self.library().display().to_string());
        format!("read:{}", paths.join(":"))
    }

    fn library(&self) -> PathBuf {
        self.path("rp/libreal.so.1")
    }

    /// Nothing of the folder was read but the library, and that only if it may be.
    fn check(&self, said: &str, readable: bool) {
        for (name, below) in NO_LIBRARIES {
            let path = self.path("rp").join(name).display().to_string() + below;
            assert_says(said, &[&format!("cannot read {path}: Permission denied")]);
        }
        let outcome = if readable { "read" } else { "cannot read" };
        let library = self.library();
        assert_says(said, &[&format!("{outcome} {}: ", library.display())]);
        assert!(!said.contains(SECRET), "{said}");
    }
}

#[test]
fn a_run_path_opens_libraries_and_nothing_else() {
    let folder = Folder::new();
    let sandbox = Sandbox::with_methods(r#"["bp", "fa"]"#);
    suspect(&sandbox, folder.path("rp").to_str().unwrap());
    let finished = finish(&mut with_suspect(&sandbox, &folder.deed(), &[]));
    folder.check(&finished.exits(2).stderr, true);
}

#[test]
fn a_relative_run_path_opens_nothing() {
    let folder = Folder::new();
    let sandbox = Sandbox::with_methods(r#"["bp", "fa"]"#);
    let up = Path::new("../../../../../../..");
    let relative = up.join(folder.path("rp").strip_prefix("/").unwrap());
    suspect(&sandbox, relative.to_str().unwrap());
    let finished = finish(&mut with_suspect(&sandbox, &folder.deed(), &[]));
    folder.check(&finished.exits(2).stderr, false);
}

#[test]
fn the_search_path_of_the_environment_opens_libraries_and_nothing_else() {
    let folder = Folder::new();
    let sandbox = Sandbox::with_methods(r#"["bp", "fa"]"#);
    suspect(&sandbox, "");
    let absolute = folder.path("rp").display().to_string();
    let mut command = with_suspect(&sandbox, &folder.deed(), &[]);
    command.env("LD_LIBRARY_PATH", format!("relative::{absolute}"));
    folder.check(&finish(&mut command).exits(2).stderr, true);
    // The loader finds it as well.
    let mut command = with_suspect(&sandbox, "load:libreal.so.1", &[]);
    command.env("LD_LIBRARY_PATH", &absolute);
    let finished = finish(&mut command).exits(2);
    assert_says(&finished.stderr, &["loaded libreal.so.1"]);
    // An empty entry means the folder that the command is started in.
    fs::copy(folder.library(), sandbox.path("libreal.so.1")).unwrap();
    for path in [":", ".", ""] {
        let mut command = with_suspect(&sandbox, "load:libreal.so.1", &[]);
        command.env("LD_LIBRARY_PATH", path);
        let finished = finish(&mut command).exits(2);
        assert_says(&finished.stderr, &["cannot load libreal.so.1"]);
    }
}
