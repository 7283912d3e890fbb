//! The network of a request: written out, or one of a pipeline file's.

use std::path::Path;

use assay_core::{Diagnostic, Place, choices, parse_layers};
use assay_network::{Network, Shape};

use super::Texts;
use crate::error::EngineError;
use crate::source_file::read_networks;

/// Where a network is written.
#[derive(Clone, Copy, Debug)]
pub enum NetworkArgument<'a> {
    /// On the command line.
    Inline {
        /// The layers with commas between them: `fc 32, fc 16, softmax 10`.
        layers: &'a str,
        /// The shape (C, H, W) of a sample.
        input: Shape,
    },
    /// In a pipeline file, or a file of networks alone.
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
                parse_layers(input.into(), layers, source)
                    .map_err(|complaint| texts.refused(complaint.into()))
            }
            Self::File { path, name } => {
                let networks = read_networks(path)?;
                let found = match (name, &networks[..]) {
                    (Some(name), _) => networks.iter().find(|(own, _)| own == name),
                    (None, [only]) => Some(only),
                    (None, _) => None,
                };
                let found = found.map(|(_, network)| network);
                found.cloned().ok_or_else(|| {
                    let complaint = no_network(texts, path, name, &networks);
                    texts.refused(complaint.into())
                })
            }
        }
    }
}

/// The complaint about a name that is not there, or about one that is needed.
fn no_network(
    texts: &mut Texts,
    path: &Path,
    name: Option<&str>,
    networks: &[(String, Network)],
) -> Diagnostic {
    let names = networks.iter().map(|(name, _)| name.as_str());
    let path = path.display();
    let (argument, message, help) = match name {
        Some(name) => (
            format!("{path}#{name}"),
            format!("there is no network `{name}` in {path}"),
            choices(name, names),
        ),
        None => (
            path.to_string(),
            format!("{path} has {} networks", networks.len()),
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
