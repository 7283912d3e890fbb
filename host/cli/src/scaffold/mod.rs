//! A new plugin's crate: its files, made of the templates in `plugins/template`, and how they come
//! to lie in a folder. It never builds anything, and knows nothing of what the rule computes.

mod error;
mod name;
mod sdk;
mod write;

use std::fs;
use std::path::{Path, PathBuf};

pub(crate) use self::error::ScaffoldError;
pub(crate) use self::name::PluginName;
pub(crate) use self::sdk::Sdk;
pub(crate) use self::write::write;

/// The name of the plugin in the templates, which are files that compile as they are.
const TEMPLATE_NAME: &str = "drtp";

/// Everything that decides a new crate's files.
pub(crate) struct Scaffold {
    pub(crate) name: PluginName,
    pub(crate) sdk: Sdk,
    /// The folder with `lib` and `include`, absolute.
    pub(crate) libtorch: PathBuf,
}

impl Scaffold {
    /// The files, by their paths in the crate.
    ///
    /// # Errors
    /// A path that TOML cannot hold.
    pub(crate) fn files(&self) -> Result<Vec<(&'static str, String)>, ScaffoldError> {
        let manifest = include_str!("../../../../plugins/template/manifest.toml")
            .replace("{{rust_version}}", env!("CARGO_PKG_RUST_VERSION"))
            .replace("{{sdk}}", &self.sdk.dependency()?);
        let config = include_str!("../../../../plugins/template/cargo-config.toml")
            .replace("{{libtorch}}", &toml_path(&self.libtorch)?);
        Ok(vec![
            ("Cargo.toml", self.named(&manifest)),
            // Cargo drops what the plugin does not need of it, and keeps the versions of the rest.
            (
                "Cargo.lock",
                include_str!("../../../../Cargo.lock").to_owned(),
            ),
            (".cargo/config.toml", config),
            (
                "rust-toolchain.toml",
                include_str!("../../../../rust-toolchain.toml").to_owned(),
            ),
            (
                "build.rs",
                include_str!("../../../../plugins/link-libtorch.rs").to_owned(),
            ),
            (
                ".gitignore",
                include_str!("../../../../plugins/template/gitignore").to_owned(),
            ),
            (
                "README.md",
                self.named(include_str!("../../../../plugins/template/README.md")),
            ),
            (
                "pipeline.toml",
                self.named(include_str!("../../../../plugins/template/pipeline.toml")),
            ),
            (
                "src/lib.rs",
                self.named(include_str!("../../../../plugins/template/src/lib.rs")),
            ),
            (
                "src/tests.rs",
                self.named(include_str!("../../../../plugins/template/src/tests.rs")),
            ),
        ])
    }

    /// A template with the plugin's name in the place of its own.
    fn named(&self, template: &str) -> String {
        let mut pieces = template.split(TEMPLATE_NAME);
        let mut text = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            // In the name of a library, which takes no dashes.
            if text.ends_with("assay_") {
                text.push_str(&self.name.identifier());
            } else {
                text.push_str(self.name.as_str());
            }
            text.push_str(piece);
        }
        text
    }
}

/// The folder `given`, or the one that the sources of this program use, if it holds a libtorch.
///
/// # Errors
/// There is none.
pub(crate) fn find_libtorch(given: Option<&Path>) -> Result<PathBuf, ScaffoldError> {
    let folder = given.map_or_else(|| sources().join(".libtorch"), Path::to_owned);
    match fs::canonicalize(&folder) {
        Ok(found) if found.join("lib").is_dir() && found.join("include").is_dir() => Ok(found),
        _ => Err(ScaffoldError::NoLibtorch { folder }),
    }
}

/// Where the sources that this program was built from were then.
fn sources() -> &'static Path {
    // Two folders up from host/cli, without touching the disk.
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here)
}

/// A path as a TOML string. JSON's escapes are among TOML's.
fn toml_path(path: &Path) -> Result<String, ScaffoldError> {
    match path.to_str() {
        Some(text) if !text.contains('\u{7f}') => Ok(serde_json::Value::from(text).to_string()),
        _ => Err(ScaffoldError::Path {
            path: path.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests;
