//! A new plugin's crate: its files, made of the templates in `plugins/template` and `plugins/template-cpp`, and
//! how they come to lie in a folder. It never builds anything, and knows nothing of what the rule computes.

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

/// A rule to start from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Template {
    /// In Rust, on the SDK
    Rust,
    /// In C++, on libtorch
    Cpp,
}

/// Everything that decides a new crate's files.
pub(crate) struct Scaffold {
    pub(crate) name: PluginName,
    pub(crate) template: Template,
    pub(crate) sdk: Sdk,
    /// The folder with `lib` and `include`, absolute.
    pub(crate) libtorch: PathBuf,
}

/// A template, by the folder that holds it.
macro_rules! template {
    ($path:literal) => {
        include_str!(concat!("../../../../plugins/", $path))
    };
}

/// Files of the template in Rust, by their paths in the crate.
const RUST_FILES: [(&str, &str); 4] = [
    ("build.rs", template!("link-libtorch.rs")),
    ("README.md", template!("template/README.md")),
    ("src/lib.rs", template!("template/src/lib.rs")),
    ("src/tests.rs", template!("template/src/tests.rs")),
];

/// Files of the template in C++, by their paths in the crate.
const CPP_FILES: [(&str, &str); 11] = [
    ("build.rs", template!("template-cpp/build.rs")),
    ("README.md", template!("template-cpp/README.md")),
    ("src/rule.cpp", template!("template-cpp/src/rule.cpp")),
    ("src/rule.hpp", template!("template-cpp/src/rule.hpp")),
    ("src/learner.cpp", template!("template-cpp/src/learner.cpp")),
    ("src/learner.hpp", template!("template-cpp/src/learner.hpp")),
    ("src/glue.cpp", template!("template-cpp/src/glue.cpp")),
    ("src/glue.rs", template!("template-cpp/src/glue.rs")),
    ("src/lib.rs", template!("template-cpp/src/lib.rs")),
    ("src/request.rs", template!("template-cpp/src/request.rs")),
    ("src/tests.rs", template!("template-cpp/src/tests.rs")),
];

impl Scaffold {
    /// The files, by their paths in the crate.
    ///
    /// # Errors
    /// A path that TOML cannot hold.
    pub(crate) fn files(&self) -> Result<Vec<(&'static str, String)>, ScaffoldError> {
        let (manifest, files) = match self.template {
            Template::Rust => (template!("template/manifest.toml"), &RUST_FILES[..]),
            Template::Cpp => (template!("template-cpp/manifest.toml"), &CPP_FILES[..]),
        };
        let manifest = manifest
            .replace("{{rust_version}}", env!("CARGO_PKG_RUST_VERSION"))
            .replace("{{sdk}}", &self.sdk.dependency("sdk")?)
            .replace("{{abi}}", &self.sdk.dependency("abi")?);
        let config = template!("template/cargo-config.toml")
            .replace("{{libtorch}}", &toml_path(&self.libtorch)?);
        let common = [
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
            (".gitignore", template!("template/gitignore").to_owned()),
            (
                "pipeline.toml",
                self.named(template!("template/pipeline.toml")),
            ),
        ];
        let files = files.iter().map(|(path, text)| (*path, self.named(text)));
        Ok(common.into_iter().chain(files).collect())
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
