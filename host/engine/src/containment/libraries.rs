//! The shared libraries that a plugin may bring in: those that lie in the folders that it, the
//! environment or one of those libraries names.
//!
//! A plugin says itself where its libraries are, so that is not trusted: of a folder that it
//! names, only files called like libraries are ever readable.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use object::read::elf::{Dyn, ElfFile64};
use object::{Endianness, ReadCache, elf};

/// Folders, and files in one of them, that are looked at; libtorch with CUDA has far fewer.
const MOST_FOLDERS: usize = 64;
const MOST_FILES: usize = 1000;

/// The libraries that loading `plugin` may need, outside of the folders of the system.
pub(super) fn needed(plugin: &Path, system: &[&Path]) -> BTreeSet<PathBuf> {
    let environment = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let mut waiting: Vec<_> = std::env::split_paths(&environment).collect();
    waiting.extend(run_path(plugin));
    let (mut folders, mut libraries) = (BTreeSet::new(), BTreeSet::new());
    while let Some(folder) = waiting.pop() {
        let Ok(folder) = folder.canonicalize() else {
            continue;
        };
        let of_system = system.iter().any(|system| folder.starts_with(system));
        if of_system || folders.len() == MOST_FOLDERS || !folders.insert(folder.clone()) {
            continue;
        }
        for library in libraries_in(&folder) {
            waiting.extend(run_path(&library));
            libraries.insert(library);
        }
    }
    libraries
}

/// The files in `folder` that are called like libraries: `lib*.so` and `lib*.so.*`.
fn libraries_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_library = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| {
            name.starts_with("lib") && name.split('.').skip(1).any(|part| part == "so")
        })
    };
    let libraries = entries.map(|entry| entry.path()).filter(is_library);
    libraries.take(MOST_FILES).collect()
}

/// The folders that an ELF file tells the loader to search; none where it cannot be read.
fn run_path(library: &Path) -> Vec<PathBuf> {
    let origin = library.parent().unwrap_or(Path::new("/"));
    let texts = dynamic_texts(library).unwrap_or_default();
    let folders = texts.iter().flat_map(|text| text.split(':'));
    folders
        .filter(|folder| !folder.is_empty())
        .map(|folder| {
            let origin = origin.to_string_lossy();
            let folder = folder.replace("${ORIGIN}", &origin);
            PathBuf::from(folder.replace("$ORIGIN", &origin))
        })
        .collect()
}

/// `DT_RPATH` and `DT_RUNPATH` of an ELF file.
fn dynamic_texts(library: &Path) -> Option<Vec<String>> {
    // Reads the few pages that matter: libtorch has hundreds of megabytes.
    let cache = ReadCache::new(File::open(library).ok()?);
    let file: ElfFile64<'_, Endianness, _> = ElfFile64::parse(&cache).ok()?;
    let endian = file.endian();
    let sections = file.elf_section_table();
    let (entries, link) = sections.dynamic(endian, &cache).ok()??;
    let strings = sections.strings(endian, &cache, link).ok()?;
    let paths = entries
        .iter()
        .filter(|entry| [elf::DT_RPATH, elf::DT_RUNPATH].contains(&entry.tag(endian)));
    let texts = paths.filter_map(|entry| {
        let text = entry.string(endian, strings).ok()?;
        String::from_utf8(text.to_vec()).ok()
    });
    Some(texts.collect())
}
