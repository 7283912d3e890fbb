//! A new plugin's crate: its files, made of the templates in `plugins/template`, and how they come
//! to lie in a folder. It never builds anything, and knows nothing of what the rule computes.

mod error;
mod name;
mod paths;
mod sdk;
mod write;

use std::path::PathBuf;

pub(crate) use self::error::ScaffoldError;
pub(crate) use self::name::PluginName;
pub(crate) use self::paths::find_libtorch;
use self::paths::toml_path;
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

#[cfg(test)]
mod tests;
