//! `pipeline plugin trust` and `pipeline plugin untrust`: what the user's trust store says. Nothing
//! of a plugin is executed.

use std::path::PathBuf;
use std::process::ExitCode;

use assay_core::{Limits, PluginHash};
use assay_engine::{
    Cancel, Catalogue, EngineError, HashPrefix, SigningKey, TrustPolicy, TrustStore, TrustedKey,
    TrustedPlugin,
};

use crate::arguments::{SearchArguments, TrustVerbArguments, UntrustArguments, trust_file};
use crate::error::CliError;
use crate::show;

/// Something that cannot be trusted, or trusted no more.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrustVerbError {
    /// There is nowhere to keep what is trusted.
    #[error("there is no place for a trust store: set HOME or XDG_CONFIG_HOME")]
    NoHome,
    /// What is to be trusted no more is not trusted.
    #[error("{0} is not among what you trust; `pipeline plugin trust` shows that")]
    NotTrusted(String),
    /// Several trusted libraries have a hash that begins so.
    #[error("{0} of the libraries that you trust begin with {1}; give more digits")]
    Ambiguous(usize, String),
}

pub(super) fn trust(arguments: &TrustVerbArguments) -> Result<ExitCode, CliError> {
    let mut store = open()?;
    let said = match (&arguments.plugin, &arguments.key) {
        (None, None) => show::plugin::trust::all(&store),
        (_, Some(key)) => {
            let key = SigningKey::read(key)?;
            let new = store.add_key(TrustedKey {
                key: key.clone(),
                comment: arguments.comment.clone(),
            });
            store.write()?;
            show::plugin::trust::added_key(&key, new)
        }
        (Some(plugin), None) => {
            let found = Found::of(plugin, &arguments.search)?;
            let new = store.add_plugin(TrustedPlugin {
                hash: found.hash,
                name: found.name.clone(),
            });
            store.write()?;
            show::plugin::trust::added_plugin(&found, new)
        }
    };
    show::print(&said)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn untrust(arguments: &UntrustArguments) -> Result<ExitCode, CliError> {
    let mut store = open()?;
    if let Some(key) = &arguments.key {
        let key = SigningKey::read(key)?;
        if !store.remove_key(&key) {
            return Err(TrustVerbError::NotTrusted(format!("the key {}", key.as_str())).into());
        }
        store.write()?;
        show::print(&show::plugin::trust::removed_key(&key))?;
        return Ok(ExitCode::SUCCESS);
    }
    let plugin = arguments.plugin.as_deref().unwrap_or_default();
    let hash = trusted_hash(&store, plugin, &arguments.search)?;
    if !store.remove_plugin(hash) {
        return Err(TrustVerbError::NotTrusted(format!("the library {hash}")).into());
    }
    store.write()?;
    show::print(&show::plugin::trust::removed_plugin(hash))?;
    Ok(ExitCode::SUCCESS)
}

/// The library that is meant: one that is trusted, by the beginning of its hash, or else a file.
fn trusted_hash(
    store: &TrustStore,
    plugin: &str,
    search: &SearchArguments,
) -> Result<PluginHash, CliError> {
    if let Ok(prefix) = plugin.parse::<HashPrefix>() {
        let hashes = store.plugins().map(|plugin| plugin.hash);
        let matching: Vec<_> = hashes.filter(|&hash| prefix.matches(hash)).collect();
        match matching[..] {
            [hash] => return Ok(hash),
            [] => {}
            _ => return Err(TrustVerbError::Ambiguous(matching.len(), plugin.to_owned()).into()),
        }
    }
    Ok(Found::of(plugin, search)?.hash)
}

/// A library that is to be trusted.
pub(crate) struct Found {
    /// The plugin's name; empty where only a hash is known.
    pub(crate) name: String,
    pub(crate) hash: PluginHash,
    pub(crate) file: Option<PathBuf>,
}

impl Found {
    fn of(plugin: &str, search: &SearchArguments) -> Result<Self, EngineError> {
        if let Ok(hash) = plugin.parse() {
            return Ok(Self {
                name: String::new(),
                hash,
                file: None,
            });
        }
        let catalogue = Catalogue {
            search: &search.path(),
            trust: &TrustPolicy::default(),
            remember: None,
            jobs: 1,
            limits: Limits::default(),
            cancel: &Cancel::default(),
        };
        let (pin, file) = catalogue.locate(plugin)?;
        Ok(Self {
            name: pin.name,
            hash: pin.hash,
            file,
        })
    }
}

fn open() -> Result<TrustStore, CliError> {
    let path = trust_file().ok_or(TrustVerbError::NoHome)?;
    Ok(TrustStore::read(&path)?)
}
