//! Shared libraries as files: what this program can load, and where a library tells the loader to
//! search for others. A file may claim anything, so every size is checked before something is read.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use object::elf::{
    DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_STRTAB, EM_386, EM_AARCH64, EM_ARM, EM_LOONGARCH, EM_PPC64,
    EM_RISCV, EM_S390, EM_X86_64, ET_DYN, FileHeader64, Machine, PN_XNUM, PT_DYNAMIC, PT_LOAD,
};
use object::read::elf::{Dyn, FileHeader, ProgramHeader, SectionHeader};
use object::{Endianness, ReadCache};

use crate::environment::library_path;

/// A file that this program cannot load as a library, by what it is instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotLoadable {
    /// Something else than an ELF file.
    NotElf(&'static str),
    /// An ELF file for another processor.
    OtherMachine(Architecture),
    /// An ELF file for this processor that is no library, such as a core dump.
    NotShared,
}

impl fmt::Display for NotLoadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotElf(kind) => write!(f, "it is {kind}, not a shared library (ELF)"),
            Self::OtherMachine(found) => write!(
                f,
                "it is built for {found}, and this program loads libraries for {HERE}"
            ),
            Self::NotShared => f.write_str("it is an ELF file, but not a shared library"),
        }
    }
}

/// The class, byte order and machine that an ELF file is built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Architecture {
    bits: u8,
    little_endian: bool,
    machine: Machine,
}

/// The architecture that this program is built for.
const HERE: Architecture = Architecture {
    bits: if cfg!(target_pointer_width = "64") {
        64
    } else {
        32
    },
    little_endian: cfg!(target_endian = "little"),
    machine: if cfg!(target_arch = "aarch64") {
        EM_AARCH64
    } else {
        EM_X86_64
    },
};

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.machine {
            EM_386 => f.write_str("x86")?,
            EM_AARCH64 => f.write_str("aarch64")?,
            EM_ARM => f.write_str("arm")?,
            EM_LOONGARCH => f.write_str("loongarch")?,
            EM_PPC64 => f.write_str("powerpc64")?,
            EM_RISCV => f.write_str("riscv")?,
            EM_S390 => f.write_str("s390x")?,
            EM_X86_64 => f.write_str("x86-64")?,
            other => write!(f, "machine {}", other.0)?,
        }
        let order = if self.little_endian { "little" } else { "big" };
        write!(f, " ({} bits, {order}-endian)", self.bits)
    }
}

/// The length of what is looked at: the beginning of an ELF header of either width.
const START: usize = 20;

/// Checks that `file`, which must be a regular file, is a shared library for this machine.
///
/// # Errors
/// The file cannot be read; the inner error says what it is instead.
pub(crate) fn check_shared_library(file: &File) -> io::Result<Result<(), NotLoadable>> {
    let mut start = [0; START];
    let length = read_up_to(file, &mut start, 0)?;
    Ok(check_start(&start[..length]))
}

fn check_start(start: &[u8]) -> Result<(), NotLoadable> {
    let Ok(start) = <&[u8; START]>::try_from(start) else {
        return Err(NotLoadable::NotElf(kind_of(start)));
    };
    if !start.starts_with(b"\x7fELF") {
        return Err(NotLoadable::NotElf(kind_of(start)));
    }
    let little_endian = start[5] == 1;
    let number = |at: usize| {
        let bytes = [start[at], start[at + 1]];
        if little_endian {
            u16::from_le_bytes(bytes)
        } else {
            u16::from_be_bytes(bytes)
        }
    };
    let found = Architecture {
        bits: if start[4] == 2 { 64 } else { 32 },
        little_endian,
        machine: Machine(number(18)),
    };
    if found != HERE {
        return Err(NotLoadable::OtherMachine(found));
    }
    if number(16) != ET_DYN.0 {
        return Err(NotLoadable::NotShared);
    }
    Ok(())
}

/// The kind of a file, by its first bytes.
fn kind_of(start: &[u8]) -> &'static str {
    let starts_with = |magic: &[u8]| start.starts_with(magic);
    let mach_o: [&[u8]; 3] = [
        b"\xcf\xfa\xed\xfe",
        b"\xce\xfa\xed\xfe",
        b"\xca\xfe\xba\xbe",
    ];
    if start.is_empty() {
        "an empty file"
    } else if starts_with(b"MZ") {
        "a Windows library or program"
    } else if mach_o.into_iter().any(starts_with) {
        "a macOS library or program"
    } else if starts_with(b"!<arch>\n") {
        "a static library"
    } else if start.iter().all(|&byte| is_of_text(byte)) {
        "a text"
    } else {
        "a file of another kind"
    }
}

fn is_of_text(byte: u8) -> bool {
    byte.is_ascii_graphic() || byte.is_ascii_whitespace()
}

/// Opens the file that `path` leads to, if it is a regular one that this machine could load as a
/// library.
pub(crate) fn open(path: &Path) -> Option<File> {
    // Opening a device could do something.
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let file = assay_files::open(path).ok()?;
    check_shared_library(&file).ok()?.is_ok().then_some(file)
}

/// Larger than the dynamic section of any library: `libtorch_cpu.so` has 500 bytes.
const LARGEST_DYNAMIC: u64 = 1 << 16;
/// More run paths than the loader looks at, which is one of each kind.
const MOST_RUN_PATHS: usize = 8;
/// A longer run path is not looked at.
const LONGEST_RUN_PATH: usize = 1 << 16;
/// More libraries than any needs directly, and longer names than files have.
const MOST_NEEDED: usize = 1000;
const LONGEST_NEEDED: usize = 4096;

/// The entries of a 64-bit library that are meant for the loader. Relative folders mean whatever
/// folder the program was started in, so they are left out.
#[derive(Debug, Default)]
pub(crate) struct Dynamic {
    /// The names of the libraries it needs.
    pub(crate) needed: Vec<String>,
    /// The folders of `DT_RPATH`, `$ORIGIN` replaced.
    rpath: Vec<PathBuf>,
    /// The folders of `DT_RUNPATH`.
    runpath: Vec<PathBuf>,
}

impl Dynamic {
    /// Reads those of `file`, which was found in the folder `origin`; nothing where it cannot be
    /// read.
    pub(crate) fn of(file: &File, origin: &Path) -> Self {
        read_dynamic(file, origin).unwrap_or_default()
    }

    /// As [`Dynamic::of`], for the library that `path` leads to.
    pub(crate) fn read(path: &Path) -> Self {
        let read = || {
            let path = path.canonicalize().ok()?;
            Some(Self::of(&open(&path)?, path.parent()?))
        };
        read().unwrap_or_default()
    }

    /// The folders that the library itself names.
    pub(crate) fn folders(self) -> impl Iterator<Item = PathBuf> {
        self.rpath.into_iter().chain(self.runpath)
    }

    /// The folders that the loader searches for what the library needs, in order, before those of
    /// the system.
    pub(crate) fn search_path(&self) -> Vec<PathBuf> {
        // The newer of the two ranks below the environment, and the older one does not count
        // beside it.
        let first = self.rpath.iter().filter(|_| self.runpath.is_empty());
        let first = first.cloned().chain(library_path());
        first.chain(self.runpath.iter().cloned()).collect()
    }
}

/// The content of a section of a library, if it has one of that name. Of the rest only the list of sections
/// is read, and no symbols: that would take a millisecond.
///
/// # Errors
/// The file is damaged.
pub(crate) fn section<'d>(
    library: &'d ReadCache<File>,
    name: &str,
) -> object::Result<Option<&'d [u8]>> {
    let header = FileHeader64::<Endianness>::parse(library)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, library)?;
    let section = sections.section_by_name(endian, name.as_bytes());
    section
        .map(|(_, section)| section.data(endian, library))
        .transpose()
}

fn read_dynamic(file: &File, origin: &Path) -> Option<Dynamic> {
    // Reads the few pages that matter: libtorch has hundreds of megabytes.
    let cache = ReadCache::new(file);
    let header = FileHeader64::<Endianness>::parse(&cache).ok()?;
    let endian = header.endian().ok()?;
    if header.e_phnum(endian) == PN_XNUM {
        return None;
    }
    let segments = header.program_headers(endian, &cache).ok()?;
    // As the loader does it, which knows no sections.
    let dynamic = segments
        .iter()
        .find(|segment| segment.p_type(endian) == PT_DYNAMIC)?;
    if dynamic.p_filesz(endian) > LARGEST_DYNAMIC {
        return None;
    }
    let entries = dynamic.dynamic(endian, &cache).ok()??;
    let strings = entries
        .iter()
        .find(|entry| entry.tag(endian) == DT_STRTAB)?
        .val(endian);
    let offset_of = |address: u64| {
        let segment = segments.iter().find(|segment| {
            let within = address.checked_sub(segment.p_vaddr(endian));
            segment.p_type(endian) == PT_LOAD
                && within.is_some_and(|within| within < segment.p_filesz(endian))
        })?;
        (address - segment.p_vaddr(endian)).checked_add(segment.p_offset(endian))
    };
    let texts = |tag, most, longest| {
        let entries = entries.iter().filter(move |entry| entry.tag(endian) == tag);
        entries.take(most).filter_map(move |entry| {
            let offset = offset_of(strings.checked_add(entry.val(endian))?)?;
            text_at(file, offset, longest)
        })
    };
    let folders = |tag| {
        let paths: Vec<String> = texts(tag, MOST_RUN_PATHS, LONGEST_RUN_PATH).collect();
        let folders = paths.iter().flat_map(|path| path.split(':'));
        let folders = folders.map(|folder| in_origin(folder, origin));
        folders.filter(|folder| folder.is_absolute()).collect()
    };
    Some(Dynamic {
        needed: texts(DT_NEEDED, MOST_NEEDED, LONGEST_NEEDED).collect(),
        rpath: folders(DT_RPATH),
        runpath: folders(DT_RUNPATH),
    })
}

/// A folder as a library in `origin` names it.
fn in_origin(folder: &str, origin: &Path) -> PathBuf {
    let origin = origin.to_string_lossy();
    let folder = folder.replace("${ORIGIN}", &origin);
    PathBuf::from(folder.replace("$ORIGIN", &origin))
}

/// The text at `offset`, which ends with a zero byte and is shorter than `longest`.
fn text_at(file: &File, offset: u64, longest: usize) -> Option<String> {
    let mut bytes = vec![0; longest];
    let length = read_up_to(file, &mut bytes, offset).ok()?;
    let end = bytes[..length].iter().position(|&byte| byte == 0)?;
    bytes.truncate(end);
    String::from_utf8(bytes).ok()
}

/// Reads from `offset` until `buffer` is full or the file ends; the number of bytes read.
fn read_up_to(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        let at = offset.saturating_add(filled as u64);
        match file.read_at(&mut buffer[filled..], at) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The start of this program, with bytes replaced.
    fn changed(changes: &[(usize, u8)]) -> String {
        let file = File::open("/proc/self/exe").unwrap();
        let mut start = [0; START];
        file.read_exact_at(&mut start, 0).unwrap();
        for &(at, byte) in changes {
            start[at] = byte;
        }
        match check_start(&start) {
            Ok(()) => "loadable".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn only_shared_libraries_for_this_machine_are_loadable() {
        // This program is relocatable, as libraries are.
        assert_eq!(changed(&[]), "loadable");
        let (other, name) = if cfg!(target_arch = "aarch64") {
            (EM_X86_64, "x86-64")
        } else {
            (EM_AARCH64, "aarch64")
        };
        let said = changed(&[(18, other.0 as u8), (19, (other.0 >> 8) as u8)]);
        let words = format!("it is built for {name} (64 bits, little-endian), and this program");
        assert!(said.starts_with(&words), "{said}");
        assert!(changed(&[(4, 1)]).contains("(32 bits, little-endian)"));
        assert!(changed(&[(5, 2)]).contains("(64 bits, big-endian)"));
        // The types of programs at a fixed address, and of core dumps.
        for kind in [2, 4] {
            assert!(changed(&[(16, kind)]).ends_with("not a shared library"));
        }
    }

    #[test]
    fn what_is_no_elf_file_is_named() {
        for (start, words) in [
            (&b""[..], "an empty file"),
            (b"MZ\x90\0", "a Windows library"),
            (b"\xcf\xfa\xed\xfe\x07\0\0\x01", "a macOS library"),
            (b"!<arch>\n", "a static library"),
            (b"#!/bin/sh\nexit 0\n#####", "a text"),
            (b"\x7fELF", "a file of another kind"),
            (&[0xff; START], "a file of another kind"),
        ] {
            let said = check_start(start).unwrap_err().to_string();
            assert!(said.contains(words), "{said}");
        }
    }

    #[test]
    fn a_library_that_is_cut_short_anywhere_has_no_run_path_and_does_no_harm() {
        let folder = tempfile::tempdir().unwrap();
        let whole = fs::read("/proc/self/exe").unwrap();
        for length in [0, 1, 16, 63, 64, 100, 500, 4096, 100_000] {
            let path = folder.path().join("cut");
            fs::write(&path, &whole[..length]).unwrap();
            let dynamic = Dynamic::of(&File::open(&path).unwrap(), folder.path());
            assert!(dynamic.needed.is_empty() && dynamic.folders().next().is_none());
        }
    }
}
