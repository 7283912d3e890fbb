//! Which files a worker can read, and that it writes to its scratch folder alone: Landlock.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, LandlockStatus, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, make_bitflags, path_beneath_rules,
};

use super::{Places, Profile, libraries};

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

/// What libtorch, `OpenMP`, MKL, glibc and the standard library ask the system about itself.
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

/// What a CUDA driver needs beside that.
const CUDA_FACTS: &[&str] = &[
    "/proc/devices",
    "/proc/driver/nvidia",
    "/proc/modules",
    "/sys/bus/pci",
    "/sys/class",
    "/sys/devices",
    "/sys/module",
    "/usr/share/nvidia",
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
        .add_rules(path_beneath_rules([&places.scratch], writing()))?
        .add_rules(path_beneath_rules(devices(places), device()))?
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
        readable.extend(paths(CUDA_FACTS));
    }
    // A backtrace needs the names in this program.
    readable.extend(std::env::current_exe());
    readable.extend(places.inputs.iter().cloned());
    if let Some(plugin) = &places.plugin {
        readable.push(plugin.clone());
        let system: Vec<_> = SYSTEM.iter().map(Path::new).collect();
        readable.extend(libraries::needed(plugin, &system));
    }
    readable
}

fn devices(places: &Places) -> Vec<PathBuf> {
    let mut devices = vec![PathBuf::from("/dev/null")];
    if places.cuda {
        let entries = std::fs::read_dir("/dev").into_iter().flatten().flatten();
        let nvidia = entries.filter(|entry| {
            let name = entry.file_name();
            name.as_encoded_bytes().starts_with(b"nvidia")
        });
        devices.extend(nvidia.map(|entry| entry.path()));
    }
    devices
}
