//! The network of a request: written out, or one of a pipeline file's.

use std::path::Path;

use assay_core::{Diagnostic, Place, Spec, choices, parse_layers};
use assay_network::Network;

use super::Texts;
use crate::session::{EngineError, read_text};

/// Where a network is written.
#[derive(Clone, Copy, Debug)]
pub enum NetworkArgument<'a> {
    /// On the command line.
    Inline {
        /// The layers with commas between them: `fc 32, fc 16, softmax 10`.
        layers: &'a str,
        /// The shape (C, H, W) of a sample.
        input: [usize; 3],
    },
    /// In a pipeline file.
    File {
        /// The file.
        path: &'a Path,
        /// The network's name in it; may be left out where the file has one network.
        name: Option<&'a str>,
    },
}

impl NetworkArgument<'_> {
    pub(super) fn read(self, texts: &mut Texts) -> Result<Network, EngineError> {
        match self {
            Self::Inline { layers, input } => {
                let source = texts.add("--network", layers);
                parse_layers(input, layers, source)
                    .map_err(|complaint| texts.refused(vec![complaint]))
            }
            Self::File { path, name } => {
                let text = read_text(path, "a pipeline file")?;
                let spec = Spec::parse(&path.display().to_string(), &text, &[])?;
                let found = match (name, spec.networks.len()) {
                    (Some(name), _) => spec.networks.get(name),
                    (None, 1) => spec.networks.values().next(),
                    (None, _) => None,
                };
                found.cloned().ok_or_else(|| {
                    let complaint = no_network(texts, path, name, &spec);
                    texts.refused(vec![complaint])
                })
            }
        }
    }
}

/// The complaint about a name that is not there, or about one that is needed.
fn no_network(texts: &mut Texts, path: &Path, name: Option<&str>, spec: &Spec) -> Diagnostic {
    let names = spec.networks.keys().map(String::as_str);
    let path = path.display();
    let (argument, message, help) = match name {
        Some(name) => (
            format!("{path}#{name}"),
            format!("there is no network `{name}` in {path}"),
            choices(name, names),
        ),
        None => (
            path.to_string(),
            format!("{path} has {} networks", spec.networks.len()),
            Some(format!(
                "name one of them: {}",
                names
                    .map(|name| format!("{path}#{name}"))
                    .collect::<Vec<_>>()
                    .join(", ")
            )),
        ),
    };
    let place = Place {
        source: texts.add("--network", &argument),
        bytes: 0..argument.len(),
    };
    Diagnostic::new(message, &place).help(help)
}
