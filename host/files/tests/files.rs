//! Tests of which files are opened and which are not, and of folders that no ordinary walk gets
//! through.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot set itself up should stop there"
)]

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::thread;

use assay_files::{Kind, NotRegular, TooLarge, append, holds, open, open_itself, read, remove};
use rustix::fs::{CWD, FileType, Mode, OFlags, mkdirat, mknodat, openat};

fn pipe(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

/// One of everything that is not a regular file.
fn specials(folder: &Path) -> Vec<(PathBuf, Kind)> {
    let at = |name: &str| folder.join(name);
    pipe(&at("pipe"));
    // The file stays when the listener goes.
    UnixListener::bind(at("socket")).unwrap();
    fs::create_dir(at("folder")).unwrap();
    symlink("/dev/zero", at("device")).unwrap();
    [
        ("pipe", Kind::Pipe),
        ("socket", Kind::Socket),
        ("folder", Kind::Folder),
        ("device", Kind::Device),
    ]
    .map(|(name, kind)| (at(name), kind))
    .into()
}

fn kind(error: &io::Error) -> Option<Kind> {
    let inner = error.get_ref()?.downcast_ref::<NotRegular>()?;
    Some(inner.0)
}

#[test]
fn only_regular_files_are_opened_and_nothing_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    for (path, expected) in specials(folder.path()) {
        assert_eq!(kind(&open(&path).unwrap_err()), Some(expected));
        assert_eq!(kind(&read(&path, 10).unwrap_err()), Some(expected));
        assert!(!holds(&path, b""));
        let expected = match expected {
            Kind::Device => Kind::Link,
            other => other,
        };
        assert_eq!(kind(&open_itself(&path).unwrap_err()), Some(expected));
        assert_eq!(kind(&append(&path).unwrap_err()), Some(expected));
    }
    // With a reader a pipe can be opened for writing.
    let path = folder.path().join("pipe");
    let reader = openat(CWD, &path, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()).unwrap();
    assert_eq!(kind(&append(&path).unwrap_err()), Some(Kind::Pipe));
    drop(reader);
    let missing = open(&folder.path().join("missing")).unwrap_err();
    assert_eq!(missing.kind(), io::ErrorKind::NotFound);
}

#[test]
fn a_link_to_a_file_is_followed_where_that_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("file"), folder.path().join("link"));
    fs::write(&file, "text").unwrap();
    symlink(&file, &link).unwrap();
    assert_eq!(read(&link, 4).unwrap(), b"text");
    assert!(holds(&link, b"text") && !holds(&link, b"texts") && !holds(&link, b"tent"));
    assert_eq!(kind(&open_itself(&link).unwrap_err()), Some(Kind::Link));
    symlink(
        folder.path().join("nowhere"),
        folder.path().join("dangling"),
    )
    .unwrap();
    let dangling = append(&folder.path().join("dangling")).unwrap_err();
    assert_eq!(kind(&dangling), Some(Kind::Link));
    assert!(!folder.path().join("nowhere").exists());
}

#[test]
fn no_more_is_read_than_is_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sparse");
    File::create(&path).unwrap().set_len(1 << 40).unwrap();
    let error = read(&path, 16 << 20).unwrap_err();
    let inner = error.get_ref().unwrap().downcast_ref::<TooLarge>();
    assert_eq!(inner, Some(&TooLarge { limit: 16 << 20 }));
    assert!(error.to_string().contains("larger than 16 MiB"), "{error}");
    // A file of the kernel's says that it has no bytes, and has some.
    assert!(read(Path::new("/proc/self/status"), 10).is_err());
    assert!(
        !read(Path::new("/proc/self/status"), 1 << 20)
            .unwrap()
            .is_empty()
    );
}

/// A chain of folders, each in the one before, with a file in each.
fn nest(folder: &Path, depth: usize) {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY;
    let mut here: OwnedFd = openat(CWD, folder, flags, Mode::empty()).unwrap();
    for _ in 0..depth {
        openat(&here, "f", OFlags::CREATE, Mode::RUSR).unwrap();
        mkdirat(&here, "inner", Mode::RWXU).unwrap();
        here = openat(&here, "inner", flags, Mode::empty()).unwrap();
    }
}

#[test]
fn folders_of_any_depth_are_measured_and_removed_on_a_small_stack() {
    // In memory where that can be: removing thousands of folders from a disk takes long.
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    let folder = folder.unwrap();
    let deep = folder.path().join("deep");
    fs::create_dir(&deep).unwrap();
    fs::write(deep.join("bytes"), [0; 1000]).unwrap();
    // Longer than any path, and more folders than a process may have open.
    nest(&deep, 3000);
    let removing = thread::Builder::new().stack_size(128 << 10).spawn(move || {
        let content = assay_files::measure(&deep).unwrap();
        assert_eq!(content.bytes, 1000);
        assert!(content.written_ms > 1_600_000_000_000);
        remove(&deep).unwrap();
        assert!(!deep.exists());
        // Nothing to remove is nothing to complain of.
        remove(&deep).unwrap();
    });
    removing.unwrap().join().unwrap();
}

#[test]
fn what_a_link_leads_to_stays_and_what_nobody_may_read_goes() {
    let folder = tempfile::tempdir().unwrap();
    let (outside, inside) = (folder.path().join("outside"), folder.path().join("inside"));
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("mine"), "mine").unwrap();
    let closed = inside.join("wide/closed");
    fs::create_dir_all(closed.join("further")).unwrap();
    for number in 0..200 {
        fs::write(
            inside.join(format!("wide/{number}-{}", "n".repeat(240))),
            "",
        )
        .unwrap();
        fs::create_dir_all(inside.join(format!("wide/folder-{number}"))).unwrap();
    }
    symlink(&outside, inside.join("wide/link")).unwrap();
    symlink(&outside, folder.path().join("link")).unwrap();
    pipe(&inside.join("pipe"));
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    let read_only = fs::Permissions::from_mode(0o500);
    fs::set_permissions(inside.join("wide"), read_only).unwrap();
    assay_files::measure(&inside).unwrap();
    remove(&inside).unwrap();
    remove(&folder.path().join("link")).unwrap();
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1);
    assert_eq!(fs::read(outside.join("mine")).unwrap(), b"mine");
}

#[test]
fn a_file_is_replaced_whole_or_stays_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    assay_files::create(&path, b"one", assay_files::PRIVATE).unwrap();
    let taken = assay_files::create(&path, b"two", assay_files::PRIVATE).unwrap_err();
    assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&path).unwrap(), b"one");

    let mut abandoned = assay_files::NewFile::create(&path, assay_files::PRIVATE).unwrap();
    abandoned.write_all(b"half").unwrap();
    drop(abandoned);
    assert_eq!(fs::read(&path).unwrap(), b"one");

    assay_files::replace(&path, b"three", assay_files::PRIVATE).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"three");
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(names.len(), 1);
    assert!(assay_files::replace(&folder.path().join("no/file"), b"", 0o600).is_err());
}
