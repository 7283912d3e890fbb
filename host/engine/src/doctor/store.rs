//! The place of the store: whether it is there, can be written, and has room. It is not made where it
//! is not there: the nearest folder above it is looked at instead.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use assay_core::Advice;
use assay_store::{Store, StoreError};

use super::Problem;

/// The time that a file system may take to answer: one of a network that is gone never does.
const PATIENCE: Duration = Duration::from_secs(10);

/// The place of a store.
#[derive(Clone, Debug)]
pub struct StorePlace {
    /// The store's folder.
    pub path: PathBuf,
    /// Whether a store is there.
    pub exists: bool,
    /// The kind of its file system, where it can be told.
    pub file_system: Option<String>,
    /// Bytes that the user may still write there.
    pub free: Option<u64>,
    /// Why nothing can be stored there.
    pub(super) problem: Option<Problem>,
}

impl StorePlace {
    /// Looks at the place at `path`, on a thread of its own.
    pub(super) fn look(path: &Path) -> Self {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let (sender, looked) = channel();
        let place = path.clone();
        thread::spawn(move || sender.send(look(place)));
        looked.recv_timeout(PATIENCE).unwrap_or_else(|_| Self {
            problem: Some(Problem::new(
                format!("the file system of {} does not answer", path.display()),
                "see whether it is mounted, or name another place with --store",
            )),
            path,
            exists: false,
            file_system: None,
            free: None,
        })
    }
}

impl StorePlace {
    /// The promises that do not hold there.
    pub(super) fn notice(&self) -> Option<Problem> {
        let kind = self.file_system.as_deref().filter(|kind| is_shared(kind))?;
        Some(Problem::new(
            format!(
                "the store lies in a file system ({kind}) that other machines may use too, where locks need not \
                 hold: two machines may execute the same action, and `pipeline gc` does not see the other's work"
            ),
            "results stay right, since files are written elsewhere and renamed, and every name is a hash. For \
             several machines keep stores on their own disks and share a hub (docs/clusters.md)",
        ))
    }
}

fn look(path: PathBuf) -> StorePlace {
    let examined = path.ancestors().find(|it| it.symlink_metadata().is_ok());
    let examined = examined.unwrap_or(Path::new("/")).to_owned();
    let (exists, problem) = match problem(&path, &examined) {
        Ok(exists) => (exists, None),
        Err(problem) => (false, Some(problem)),
    };
    let free = rustix::fs::statvfs(&examined).ok();
    StorePlace {
        path,
        exists,
        file_system: examined
            .canonicalize()
            .ok()
            .and_then(|path| file_system(&path)),
        free: free.map(|it| it.f_bavail.saturating_mul(it.f_frsize)),
        problem,
    }
}

/// Whether the store is there, or why nothing can be stored in it.
fn problem(path: &Path, examined: &Path) -> Result<bool, Problem> {
    let elsewhere = "name another place with --store or ASSAY_STORE";
    match fs::metadata(examined) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => {
            let what = format!(
                "{} is not a folder, so no store can be there",
                examined.display()
            );
            return Err(Problem::new(what, elsewhere));
        }
        Err(error) => {
            let what = format!(
                "the store at {} cannot be reached: {error}",
                examined.display()
            );
            return Err(Problem::new(what, elsewhere));
        }
    }
    let exists = match Store::open_existing(path) {
        Ok(_) => true,
        // A run makes it.
        Err(StoreError::NotAStore { .. }) => false,
        Err(_) if examined != path => false,
        Err(error) => return Err(Problem::new(error.to_string(), error.help())),
    };
    // It has no name, or loses it at once: nobody sees it.
    match tempfile::tempfile_in(examined) {
        Ok(_) => Ok(exists),
        Err(error) => {
            let what = format!(
                "nothing can be written to {}: {}",
                examined.display(),
                word(&error)
            );
            let help = format!("make it writable for this user, or {elsewhere}");
            Err(Problem::new(what, help))
        }
    }
}

/// The system's own word, without the names that a library adds.
fn word(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code).to_string(),
        None => error.kind().to_string(),
    }
}

/// The kind of the file system that the folder lies in, as the kernel names it.
fn file_system(folder: &Path) -> Option<String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    file_system_of(folder, &mounts)
}

/// The kind of the file system that other machines may have mounted too and in which the folder lies, if it lies in
/// such a one. Locks there may hold on one machine alone, or nowhere.
pub fn shared_file_system(folder: &Path) -> Option<String> {
    let kind = file_system(&folder.canonicalize().ok()?)?;
    is_shared(&kind).then_some(kind)
}

/// File systems of networks and clusters, as the kernel names them.
const SHARED: [&str; 22] = [
    "9p",
    "acfs",
    "afs",
    "beegfs",
    "ceph",
    "cifs",
    "fhgfs",
    "gfs2",
    "glusterfs",
    "gpfs",
    "lustre",
    "ncpfs",
    "nfs",
    "nfs4",
    "ocfs2",
    "orangefs",
    "panfs",
    "pvfs2",
    "smb3",
    "smbfs",
    "vmhgfs",
    "wekafs",
];

fn is_shared(kind: &str) -> bool {
    // Nobody can tell what is behind a program's file system: sshfs, s3fs, glusterfs.
    kind.starts_with("fuse.") || SHARED.contains(&kind)
}

/// The same, given the mounts.
fn file_system_of(folder: &Path, mounts: &str) -> Option<String> {
    let mounts = mounts.lines().filter_map(|line| {
        let (mount, of_system) = line.split_once(" - ")?;
        let point = mount.split(' ').nth(4)?.replace("\\040", " ");
        let point = PathBuf::from(point);
        let kind = of_system.split(' ').next()?.to_owned();
        folder
            .starts_with(&point)
            .then(|| (point.as_os_str().len(), kind))
    });
    // Of two at one place the later hides the earlier.
    let innermost = mounts.max_by_key(|(length, _)| *length);
    innermost.map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 254:1 / / rw,relatime - ext4 /dev/vda1 rw
40 22 0:40 / /home rw - nfs4 server:/home rw
41 40 0:41 / /home/me/with\\040space rw - fuse.sshfs other: rw
42 22 0:42 / /scratch rw - lustre mgs@tcp:/scratch rw
";

    #[test]
    fn a_store_on_a_shared_file_system_is_recognised() {
        let kind = |folder: &str| file_system_of(Path::new(folder), MOUNTS).unwrap();
        assert_eq!(kind("/tmp/store"), "ext4");
        assert_eq!(kind("/home/me/store"), "nfs4");
        assert_eq!(kind("/home/me/with space/store"), "fuse.sshfs");
        for (folder, shared) in [
            ("/tmp", false),
            ("/homes", false),
            ("/home", true),
            ("/home/me/with space", true),
            ("/scratch/me", true),
        ] {
            assert_eq!(is_shared(&kind(folder)), shared, "{folder}");
        }
    }
}
