//! Reads the handshake of a plugin's library without loading it, and owns what can be wrong with a
//! plugin as a file.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use assay_abi::{HANDSHAKE_SECTION, Handshake, HandshakeMismatch};
use assay_core::{Advice, PluginHash};
use object::ReadCache;

use super::reference::{HashPrefix, InvalidReference};
use crate::elf::{self, NotLoadable};
use crate::environment::LIBTORCH;

/// Larger files are no plugins: libtorch is not linked into them.
const LARGEST: u64 = 1 << 30;

/// Why a plugin cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// The reference has an `@` and then no hash, or a comparison and then no version.
    #[error("`{reference}` does not name a plugin")]
    Reference {
        /// The reference.
        reference: String,
        /// The error in it.
        source: InvalidReference,
    },
    /// There are libraries of the plugin, none of which has the hash that was asked for.
    #[error(
        "the plugin `{library}` does not have the hash {wanted}: {}",
        each(found)
    )]
    OtherHash {
        /// The plugin, by name or path.
        library: String,
        /// The hash, or the beginning of it.
        wanted: HashPrefix,
        /// The libraries and their hashes.
        found: Vec<(PathBuf, PluginHash)>,
    },
    /// No folder of the search path has it.
    #[error("there is no plugin `{reference}`")]
    NotFound {
        /// The name asked for.
        reference: String,
        /// The file looked for.
        file_name: String,
        /// The folders searched.
        searched: Vec<PathBuf>,
    },
    /// The file cannot be read.
    #[error("cannot read the plugin {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The underlying error.
        source: std::io::Error,
    },
    /// The file is a library for another processor.
    #[error("the plugin {} cannot be loaded: {reason}", path.display())]
    OtherMachine {
        /// The file.
        path: PathBuf,
        /// The machine it is built for, and the one that is needed.
        reason: String,
    },
    /// The file is a library, or not even that, but no plugin.
    #[error("{} is not an Assay plugin: {reason}", path.display())]
    NotAPlugin {
        /// The file.
        path: PathBuf,
        /// Why it is not a plugin.
        reason: String,
    },
    /// The file is a plugin for another host.
    #[error("the plugin {} cannot be used", path.display())]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// The field that differs.
        source: HandshakeMismatch,
    },
}

impl Advice for PluginError {
    fn help(&self) -> Cow<'_, str> {
        match self {
            Self::Reference { .. } => {
                "a plugin is named by name, by path, or by either with `@` and the beginning of \
                 its hash, or with a version, as in `kp >= 1.2`"
                    .into()
            }
            Self::OtherHash { .. } => {
                "build that library again, or ask for the one that is there; a whole hash also \
                 finds a library that the store still has"
                    .into()
            }
            Self::NotFound {
                file_name,
                searched,
                ..
            } => {
                let folders: Vec<_> = searched
                    .iter()
                    .map(|folder| folder.display().to_string())
                    .collect();
                format!(
                    "looked for {file_name} in {}; name a folder with --plugin-dir",
                    folders.join(", ")
                )
                .into()
            }
            Self::Unreadable { path, source }
                if source.kind() == std::io::ErrorKind::NotFound
                    && path.components().any(|part| part.as_os_str() == "target") =>
            {
                "build it; `cargo build --release --target-dir target` puts the library of a crate into \
                 its own folder, also where CARGO_TARGET_DIR names another"
                    .into()
            }
            Self::Unreadable { .. } => "check the path and its permissions".into(),
            Self::OtherMachine { .. } => {
                "take the library that was built for this kind of machine, or build it here".into()
            }
            Self::NotAPlugin { .. } => {
                "a plugin is a cdylib that uses export_plugin! of the assay-sdk crate".into()
            }
            Self::Mismatch {
                source: HandshakeMismatch::PanicAbort,
                ..
            } => "remove panic = \"abort\" from its profile and build it again".into(),
            Self::Mismatch {
                source: HandshakeMismatch::Libtorch { ours, .. },
                ..
            } => format!("build it again with libtorch {ours}, so that all plugins compute alike")
                .into(),
            Self::Mismatch { .. } => "build it again with the SDK of this host's version".into(),
        }
    }
}

/// The library of a plugin, read and not executed.
pub struct LibraryFile {
    /// The handshake that it carries.
    pub handshake: Handshake,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Their hash.
    pub hash: PluginHash,
}

/// Reads the plugin's library at `path`; nothing in it is executed.
///
/// # Errors
/// The file is unreadable, no plugin, or one for another host.
pub fn read_library(path: &Path) -> Result<LibraryFile, PluginError> {
    let handshake = read_handshake(path)?;
    let bytes = read_bytes(path)?;
    let hash = PluginHash::of(&bytes);
    Ok(LibraryFile {
        handshake,
        bytes,
        hash,
    })
}

/// The bytes of the library at `path`.
pub(crate) fn read_bytes(path: &Path) -> Result<Vec<u8>, PluginError> {
    assay_files::read(path, LARGEST).map_err(|source| PluginError::Unreadable {
        path: path.to_owned(),
        source,
    })
}

/// Which file has which hash, in words.
fn each(found: &[(PathBuf, PluginHash)]) -> String {
    let each = found
        .iter()
        .map(|(file, hash)| format!("{} has {hash}", file.display()));
    each.collect::<Vec<_>>().join(", ")
}

/// The handshake of the library at `path`, checked; nothing in it is executed.
///
/// # Errors
/// The file is unreadable, no plugin, or one for another host.
pub(crate) fn read_handshake(path: &Path) -> Result<Handshake, PluginError> {
    let handshake = handshake_of(path)?;
    let fits = handshake.check(LIBTORCH);
    fits.map_err(|source| PluginError::Mismatch {
        path: path.to_owned(),
        source,
    })?;
    Ok(handshake)
}

/// The handshake of the library at `path`, whatever host it was built for; nothing in it is
/// executed.
///
/// # Errors
/// The file is unreadable, or no plugin.
pub fn handshake_of(path: &Path) -> Result<Handshake, PluginError> {
    let unreadable = |source| PluginError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let not_a_plugin = |reason: &str| PluginError::NotAPlugin {
        path: path.to_owned(),
        reason: reason.to_owned(),
    };
    let file = assay_files::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.len() > LARGEST {
        return Err(not_a_plugin("it is larger than 1 GiB"));
    }
    let loadable = elf::check_shared_library(&file).map_err(unreadable)?;
    loadable.map_err(|what| match what {
        NotLoadable::OtherMachine(_) => PluginError::OtherMachine {
            path: path.to_owned(),
            reason: what.to_string(),
        },
        NotLoadable::NotElf(_) | NotLoadable::NotShared => not_a_plugin(&what.to_string()),
    })?;
    // Reads the few pages that the section lies in, not the whole library.
    let file = ReadCache::new(file);
    let content = elf::section(&file, HANDSHAKE_SECTION)
        .map_err(|_| not_a_plugin("it is a damaged library"))?
        .ok_or_else(|| not_a_plugin("the library has no handshake"))?;
    let mismatch = |source| PluginError::Mismatch {
        path: path.to_owned(),
        source,
    };
    Handshake::parse(content).map_err(mismatch)
}
