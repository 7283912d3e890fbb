//! The user's own files, where the XDG Base Directory Specification puts them.

use std::path::{Path, PathBuf};

/// The trust store; none for a user without a home.
pub(crate) fn trust_file() -> Option<PathBuf> {
    folder("XDG_CONFIG_HOME", ".config").map(|folder| folder.join("trust.toml"))
}

/// The key that the user signs plugins with, unless another is named; none for a user without a
/// home.
pub(crate) fn signing_key_file() -> Option<PathBuf> {
    folder("XDG_CONFIG_HOME", ".config").map(|folder| folder.join("signing.key"))
}

/// The names of remotes; none for a user without a home.
pub(crate) fn remotes_file() -> Option<PathBuf> {
    folder("XDG_CONFIG_HOME", ".config").map(|folder| folder.join("remotes.toml"))
}

/// The user's executors; none for a user without a home.
pub(crate) fn executors_file() -> Option<PathBuf> {
    folder("XDG_CONFIG_HOME", ".config").map(|folder| folder.join("executors.toml"))
}

/// The user's own plugins.
pub(crate) fn plugins_folder() -> Option<PathBuf> {
    folder("XDG_DATA_HOME", ".local/share").map(|folder| folder.join("plugins"))
}

/// The folder of the descriptions that plugins have given of themselves.
pub(crate) fn descriptions_folder() -> Option<PathBuf> {
    folder("XDG_CACHE_HOME", ".cache").map(|folder| folder.join("plugins"))
}

/// Our folder in that of `variable`, or in `default` in the user's home. The specification has
/// relative paths ignored.
fn folder(variable: &str, default: &str) -> Option<PathBuf> {
    let absolute = |name: &str| {
        let path = PathBuf::from(std::env::var_os(name)?);
        path.is_absolute().then_some(path)
    };
    let base = absolute(variable).or_else(|| Some(absolute("HOME")?.join(Path::new(default))));
    Some(base?.join("assay"))
}
