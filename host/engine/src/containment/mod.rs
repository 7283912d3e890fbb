//! Contains a worker before it loads anything: no network, no other process, and of the files
//! only those that its stage needs. What the kernel does not offer is left out, and the level
//! that was reached is told; whether that is enough is for others to judge.
//!
//! Everything here is given up for good and inherited by later threads, so a worker contains
//! itself while it has one thread, and before a plugin's constructors can run.

mod calls;
mod cuda;
mod files;
mod libraries;
mod powers;

use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use assay_core::{Containment, Limits};
use landlock::RulesetError;

/// Rights that a worker keeps, by the kind of its stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// No network and no other process, and only named files can be read: for stages that load a
    /// plugin, and for those that need as little.
    Sealed,
    /// The network, other programs and every file for reading: for stages that obtain datasets.
    /// No plugin runs there.
    Fetching,
}

/// The files that a sealed worker needs beside those of the system.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    /// Where it may write; nowhere else.
    pub(crate) scratch: Vec<PathBuf>,
    /// The files it reads.
    pub(crate) inputs: Vec<PathBuf>,
    /// The library that it will load.
    pub(crate) plugin: Option<PathBuf>,
    /// Whether it computes on a CUDA device.
    pub(crate) cuda: bool,
}

/// A kernel that has a means of containment and does not let it be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ContainError {
    #[error("cannot restrict the worker's files")]
    Files(#[from] RulesetError),
    #[error("cannot filter the worker's system calls")]
    Calls(#[from] seccompiler::Error),
    #[error("cannot {what}")]
    Powers {
        what: &'static str,
        source: io::Error,
    },
}

/// Contains this thread, and whatever threads it starts, for good.
pub(crate) fn contain(
    profile: Profile,
    places: &Places,
    limits: Limits,
) -> Result<Containment, ContainError> {
    powers::limit(profile, places.cuda, limits)?;
    powers::give_up()?;
    // Files first: opening what may be read takes calls that are filtered afterwards.
    let landlock = files::restrict(profile, places)?;
    let seccomp = calls::filter(profile, places.cuda)?;
    Ok(Containment {
        landlock,
        seccomp,
        no_new_privileges: powers::has_given_up(),
    })
}

/// How far this kernel can contain a worker: tried on a thread that ends at once.
pub fn kernel_support() -> Containment {
    let attempt = || {
        let places = Places {
            scratch: vec![Path::new("/").to_owned()],
            ..Places::default()
        };
        powers::give_up().ok();
        Containment {
            landlock: files::restrict(Profile::Sealed, &places).unwrap_or(0),
            seccomp: calls::filter(Profile::Sealed, false).unwrap_or(false),
            no_new_privileges: powers::has_given_up(),
        }
    };
    thread::spawn(attempt).join().unwrap_or(Containment {
        landlock: 0,
        seccomp: false,
        no_new_privileges: false,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn trying_the_kernel_leaves_this_thread_as_it_was() {
        let before = powers::has_given_up();
        kernel_support();
        assert_eq!(powers::has_given_up(), before);
        assert!(tempfile::tempdir().is_ok());
    }

    /// Result of `body` on a thread of its own that is restricted to `places`; none where this
    /// kernel has no Landlock.
    fn restricted<T: Send + 'static>(
        places: Places,
        body: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let thread = thread::spawn(move || {
            powers::give_up().unwrap();
            let landlock = files::restrict(Profile::Sealed, &places).unwrap();
            (landlock > 0).then(body)
        });
        thread.join().unwrap()
    }

    #[test]
    fn a_sealed_thread_reads_its_inputs_and_writes_to_its_scratch_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("scratch")).unwrap();
        for name in ["input", "secret"] {
            fs::write(path(name), name).unwrap();
        }
        let places = Places {
            scratch: vec![path("scratch")],
            inputs: vec![path("input")],
            ..Places::default()
        };
        let names = ["input", "secret", "scratch/own"].map(path);
        let done = restricted(places, move || {
            let [input, secret, own] = names;
            [
                fs::write(&own, "own").is_ok(),
                fs::read(&own).is_ok(),
                fs::read(&input).is_ok(),
                fs::write(&input, "changed").is_ok(),
                fs::read(&secret).is_ok(),
                fs::remove_file(&secret).is_ok(),
                std::os::unix::fs::symlink(&secret, own.with_extension("link")).is_ok(),
            ]
        });
        match done {
            None => eprintln!("SKIPPED: this kernel has no Landlock"),
            Some(done) => {
                assert_eq!(done, [true, true, true, false, false, false, false]);
            }
        }
    }
}
