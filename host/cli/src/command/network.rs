//! `pipeline network show`: the sizes of networks, worked out without training or data.

use std::process::ExitCode;

use assay_core::choices;
use assay_engine::read_networks;
use assay_network::{Network, NetworkError};

use crate::arguments::{NetworkShowArguments, NetworkVerb};
use crate::error::CliError;
use crate::show;

/// A network that cannot be shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ShowNetworkError {
    /// The file has no such network.
    #[error("there is no network `{name}` in {file}")]
    Unknown {
        /// The name.
        name: String,
        /// The file.
        file: String,
        /// What there is.
        help: String,
    },
    /// The network of the command line is not valid.
    #[error("the network of --input and --layer is not valid")]
    Invalid(#[from] NetworkError),
}

pub(crate) fn run(verb: &NetworkVerb) -> Result<ExitCode, CliError> {
    let NetworkVerb::Show(arguments) = verb;
    let networks = networks(arguments)?;
    show::print(&if arguments.json {
        show::network::json(&networks)
    } else {
        show::network::text(&networks)
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The networks asked for with their names, those of the file before that of the command line,
/// which has none.
fn networks(arguments: &NetworkShowArguments) -> Result<Vec<(String, Network)>, CliError> {
    let mut chosen = Vec::new();
    if let Some(file) = &arguments.file {
        let found = read_networks(file)?;
        if arguments.names.is_empty() {
            chosen.clone_from(&found);
        }
        for name in &arguments.names {
            let network = found.iter().find(|(own, _)| own == name);
            chosen.push(network.cloned().ok_or_else(|| {
                let known = found.iter().map(|(own, _)| own.as_str());
                ShowNetworkError::Unknown {
                    name: name.clone(),
                    file: file.display().to_string(),
                    help: choices(name, known).unwrap_or_default(),
                }
            })?);
        }
    }
    if let Some(input) = arguments.input {
        let network = Network::parse(input.into(), &arguments.layers);
        chosen.push((String::new(), network.map_err(ShowNetworkError::from)?));
    }
    Ok(chosen)
}
