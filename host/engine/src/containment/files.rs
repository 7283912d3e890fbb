//! Which files a worker can read, and that it writes to its scratch folder alone: Landlock.

use std::fs::File;
use std::path::PathBuf;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, LandlockStatus, PathBeneath, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, make_bitflags, path_beneath_rules,
};

use super::libraries::Libraries;
use super::{Places, Profile, cuda};

/// The newest interface whose restrictions are asked for. A kernel that has less enforces what
/// it has.
const NEWEST: ABI = ABI::V7;

/// Where the system's libraries are, and what its loader reads to find them.
const SYSTEM: &[&str] = &[
    "/lib",
    "/lib32",
    "/lib64",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/local/lib64",
    "/nix/store",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/ld.so.preload",
];

/// Files and folders from which libtorch, `OpenMP`, MKL, glibc and the standard library learn about
/// the system.
const FACTS: &[&str] = &[
    "/proc/self",
    "/proc/cpuinfo",
    "/proc/filesystems",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/version",
    "/proc/sys/kernel/osrelease",
    "/proc/sys/vm",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
    "/sys/fs/cgroup",
    "/sys/kernel/mm/transparent_hugepage",
    "/dev/random",
    "/dev/urandom",
    "/dev/zero",
    "/etc/localtime",
    "/usr/share/zoneinfo",
];

type Rights = BitFlags<AccessFs>;

/// Restricts this thread. The version of the kernel's interface is returned, 0 where it has none.
pub(super) fn restrict(profile: Profile, places: &Places) -> Result<u32, RulesetError> {
    let ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?;
    let ruleset = match profile {
        Profile::Sealed => ruleset.handle_access(AccessNet::from_all(NEWEST))?,
        Profile::Fetching => ruleset,
    };
    let status = ruleset
        .create()?
        .add_rules(path_beneath_rules(readable(profile, places), reading()))?
        .add_rules(libraries(profile, places).map(|file| Ok::<_, RulesetError>(library(file))))?
        .add_rules(path_beneath_rules(&places.scratch, writing()))?
        .add_rules(path_beneath_rules(devices(places), device()))?
        .add_rules(path_beneath_rules(threads(places), cuda::naming()))?
        .restrict_self()?;
    let enforced = status.ruleset != RulesetStatus::NotEnforced;
    Ok(match status.landlock {
        LandlockStatus::Available { effective_abi, .. } if enforced => {
            effective_abi.min(NEWEST) as u32
        }
        _ => 0,
    })
}

fn reading() -> Rights {
    AccessFs::from_read(NEWEST)
}

/// Ordinary files and folders alone: a link, pipe or device could lead the supervisor, which
/// takes what lies there afterwards, to something else.
fn writing() -> Rights {
    let special = make_bitflags!(AccessFs::{
        Execute | MakeChar | MakeBlock | MakeFifo | MakeSock | MakeSym | IoctlDev
    });
    AccessFs::from_all(NEWEST) & !special
}

fn device() -> Rights {
    make_bitflags!(AccessFs::{ ReadFile | WriteFile | IoctlDev })
}

fn readable(profile: Profile, places: &Places) -> Vec<PathBuf> {
    let paths = |paths: &[&str]| paths.iter().map(PathBuf::from).collect::<Vec<_>>();
    if profile == Profile::Fetching {
        return paths(&["/"]);
    }
    let mut readable = paths(SYSTEM);
    readable.extend(paths(FACTS));
    if places.cuda {
        readable.extend(cuda::facts());
    }
    // A backtrace needs the names in this program.
    readable.extend(std::env::current_exe());
    readable.extend(places.inputs.iter().cloned());
    readable.extend(places.plugin.clone());
    readable
}

/// The libraries that lie elsewhere than those of the system.
fn libraries(profile: Profile, places: &Places) -> impl Iterator<Item = File> {
    let plugin = places
        .plugin
        .iter()
        .filter(move |_| profile == Profile::Sealed);
    let needed = plugin.flat_map(|plugin| Libraries::of(plugin, SYSTEM));
    let driver = places.cuda.then(cuda::driver_libraries);
    needed.chain(driver.into_iter().flatten())
}

/// The right to read a library: the file itself, whatever has its name later.
fn library(file: File) -> PathBeneath<File> {
    PathBeneath::new(file, AccessFs::ReadFile)
}

fn devices(places: &Places) -> Vec<PathBuf> {
    let mut devices = vec![PathBuf::from("/dev/null")];
    if places.cuda {
        devices.extend(cuda::devices());
    }
    devices
}

/// Where threads can be named.
fn threads(places: &Places) -> Option<&'static str> {
    places.cuda.then_some(cuda::THREADS)
}
