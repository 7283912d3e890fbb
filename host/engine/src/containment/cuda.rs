//! Additional rights of a worker that computes on a CUDA device, and the reason for each: exactly
//! what NVIDIA's driver was seen to need where it starts. Each right widens what a plugin can
//! reach, so all of them are here, and docs/containment.md says what a plugin gains.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use landlock::{AccessFs, BitFlags, make_bitflags};
use libc::{c_int, c_long};

use super::calls::{Rules, bits, equal, when};
use crate::elf;

/// Files and folders in which the driver reads about the machine: which cards there are and whether
/// its kernel modules are loaded, the sizes of memory blocks, and settings for single programs.
const FACTS: &[&str] = &[
    "/etc/nvidia",
    "/proc/devices",
    "/proc/driver/nvidia",
    "/sys/bus/pci/devices",
    "/sys/devices/system/memory",
    "/sys/module/nvidia",
    "/sys/module/nvidia_uvm",
    "/usr/share/nvidia",
];

/// The file that says which memory is near to a PCI device. The rest of the device's folder says
/// more than the driver asks.
const NEAR_MEMORY: &str = "numa_node";

/// Files and folders that can be read.
pub(super) fn facts() -> Vec<PathBuf> {
    let facts = FACTS.iter().map(PathBuf::from);
    let devices = fs::read_dir("/sys/bus/pci/devices").into_iter().flatten();
    let near = devices
        .flatten()
        .map(|device| device.path().join(NEAR_MEMORY));
    facts.chain(near).collect()
}

/// Folders of the driver's libraries that neither the loader's cache nor its own folders name:
/// where containers, NixOS and the Linux of Windows mount them.
const DRIVER_FOLDERS: &[&str] = &[
    "/usr/local/nvidia/lib64",
    "/usr/local/nvidia/lib",
    "/run/opengl-driver/lib",
    "/usr/lib/wsl/lib",
];

/// The library that CUDA programs load, and how those begin that it loads itself, for example to
/// compile.
const DRIVER: &str = "libcuda.so.1";
const OF_DRIVER: [&str; 3] = ["libcuda.so", "libcudadebugger.so", "libnvidia-"];

/// A folder has no more libraries of a driver.
const MOST_LIBRARIES: usize = 200;

/// The driver's libraries, wherever the loader finds them outside of the folders of the system and
/// of `LD_LIBRARY_PATH`, whose libraries every plugin gets.
pub(super) fn driver_libraries() -> Vec<File> {
    let cache = fs::read(LOADER_CACHE).unwrap_or_default();
    let mut folders = folders_in_cache(&cache);
    folders.extend(DRIVER_FOLDERS.iter().map(PathBuf::from));
    folders.sort();
    folders.dedup();
    let libraries = folders
        .iter()
        .flat_map(|folder| libraries_of_driver(folder));
    libraries.collect()
}

fn libraries_of_driver(folder: &Path) -> Vec<File> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter(|entry| {
        let name = entry.file_name();
        OF_DRIVER
            .iter()
            .any(|start| name.as_bytes().starts_with(start.as_bytes()))
    });
    let files = names.filter_map(|entry| elf::open(&entry.path()));
    files.take(MOST_LIBRARIES).collect()
}

const LOADER_CACHE: &str = "/etc/ld.so.cache";

/// The folders that the loader's cache names for the driver. The cache holds, behind numbers, the
/// paths of libraries with a zero byte after each.
fn folders_in_cache(cache: &[u8]) -> Vec<PathBuf> {
    let texts = cache.split(|&byte| byte == 0);
    let paths = texts.map(|text| Path::new(OsStr::from_bytes(text)));
    let drivers = paths.filter(|path| path.is_absolute() && path.ends_with(DRIVER));
    drivers
        .filter_map(|path| Some(path.parent()?.to_owned()))
        .collect()
}

/// The device files: the driver's own, each card, the memory that card and processor share, and the
/// right to a part of a card that is split. Not those that set displays or watch other processes.
pub(super) fn devices() -> Vec<PathBuf> {
    let entries = fs::read_dir("/dev").into_iter().flatten().flatten();
    let names = entries.filter(|entry| is_device(&entry.file_name().to_string_lossy()));
    let parts = fs::read_dir("/dev/nvidia-caps").into_iter().flatten();
    let devices = names.chain(parts.flatten());
    devices.map(|entry| entry.path()).collect()
}

fn is_device(name: &str) -> bool {
    let card = |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit());
    ["nvidiactl", "nvidia-uvm"].contains(&name) || name.strip_prefix("nvidia").is_some_and(card)
}

/// The folder of this process's threads: the driver names its own by writing to `comm`, and fails
/// where it cannot. A rule for one file would have to be made after the thread, so the folder is
/// what it takes. What can be written there is of this process alone, but for root.
pub(super) const THREADS: &str = "/proc/self/task";

/// Access to the files of [`THREADS`]: enough to write a name.
pub(super) fn naming() -> BitFlags<AccessFs> {
    make_bitflags!(AccessFs::{ WriteFile | Truncate })
}

/// The driver asks for the control daemon of the multi-process service at a path, and does without
/// if there is no such file. The answer is the same for every address, so a socket reaches nobody.
pub(super) const CONNECT: (c_long, c_int) = (libc::SYS_connect, libc::ENOENT);

/// Of the type of a socket, what is not a flag.
const SOCKET_TYPES: u64 = 0xf;

/// Adds the calls that the driver makes.
pub(super) fn allow(rules: &mut Rules) -> Result<(), seccompiler::Error> {
    // It binds a Unix socket to a name of its own, where another process that shares memory with
    // it would ask for that. It can listen, but there is no call that would let anybody in, and
    // none that would send: with what is allowed, no byte goes through it.
    let unix = equal(0, libc::AF_UNIX as u64)?;
    let packets = bits(1, SOCKET_TYPES, libc::SOCK_SEQPACKET as u64)?;
    rules.insert(libc::SYS_socket, vec![when(&[unix, packets])?]);
    rules.insert(libc::SYS_bind, Vec::new());
    rules.insert(libc::SYS_listen, Vec::new());
    let level = equal(1, libc::SOL_SOCKET as u64)?;
    let credentials = equal(2, libc::SO_PASSCRED as u64)?;
    rules.insert(libc::SYS_setsockopt, vec![when(&[level, credentials])?]);
    // Which device it talks to is for Landlock; these are the requests of its modules alone.
    let requests = rules.entry(libc::SYS_ioctl).or_default();
    for (mask, value) in REQUESTS {
        requests.push(when(&[bits(1, mask, value)?])?);
    }
    Ok(())
}

/// The requests to the modules, as masks and values, from the headers of NVIDIA's open modules:
/// those to `nvidia` are of the type `F`, those to `nvidia-uvm` are numbers below 256, but for two
/// that begin and end its use.
const REQUESTS: [(u64, u64); 3] = [
    (0xff00, (b'F' as u64) << 8),
    (0xffff_ff00, 0),
    (0xffff_fffc, 0x3000_0000),
];

#[cfg(test)]
mod tests;
