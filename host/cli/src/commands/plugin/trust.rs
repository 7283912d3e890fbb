//! `pipeline plugin trust` and `pipeline plugin untrust`: what the user's trust store says. Nothing
//! of a plugin is executed.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use assay_core::{Advice, Limits, PluginHash};
use assay_engine::{
    Cancel, Catalogue, EngineError, HashPrefix, SigningKey, TrustPolicy, TrustStore, TrustedKey,
    TrustedPlugin,
};
use clap::Args;

use crate::arguments::search::SearchArguments;
use crate::arguments::user::trust_file;
use crate::error::CliError;
use crate::ui;
use crate::ui::words::{path, plain};

const TRUST_EXAMPLES: &str = "\
Examples:
  pipeline plugin trust ./libassay_mine.so
  pipeline plugin trust f43c8e1a…                     # all 64 digits
  pipeline plugin trust --key lab.pub --comment 'the lab'
  pipeline plugin trust

To trust a plugin is to trust these very bytes: built again, it is another library. To trust a key is to
trust every library that it signs, now and later. What trust does, and what it does not, is written in
docs/trust.md.

Exit codes: 0 done, 2 there is no such plugin or key, or the trust store cannot be used.";

#[derive(Args, Debug)]
#[command(after_help = TRUST_EXAMPLES)]
pub(crate) struct TrustVerbArguments {
    /// The plugin: a whole hash, or as a pipeline file names it
    #[arg(value_name = "PLUGIN|HASH", conflicts_with = "key")]
    plugin: Option<String>,

    /// A public key of minisign, or the file that holds it
    #[arg(long, value_name = "PUB")]
    key: Option<String>,

    /// Whose key it is, in your words
    #[arg(long, value_name = "TEXT", requires = "key", default_value = "")]
    comment: String,

    #[command(flatten)]
    search: SearchArguments,
}

const UNTRUST_EXAMPLES: &str = "\
Examples:
  pipeline plugin untrust ./libassay_mine.so
  pipeline plugin untrust f43c8e1a
  pipeline plugin untrust --key lab.pub

Exit codes: 0 done, 2 it was not trusted, or the trust store cannot be used.";

#[derive(Args, Debug)]
#[command(after_help = UNTRUST_EXAMPLES)]
pub(crate) struct UntrustArguments {
    /// The plugin: at least 8 digits of a hash that you trust, or as a pipeline file names it
    #[arg(
        value_name = "PLUGIN|HASH",
        required_unless_present = "key",
        conflicts_with = "key"
    )]
    plugin: Option<String>,

    /// A public key of minisign, or the file that holds it
    #[arg(long, value_name = "PUB")]
    key: Option<String>,

    #[command(flatten)]
    search: SearchArguments,
}

/// Something that cannot be trusted, or trusted no more.
#[derive(Debug, thiserror::Error)]
enum TrustVerbError {
    /// There is nowhere to keep what is trusted.
    #[error("there is no place for a trust store: set HOME or XDG_CONFIG_HOME")]
    NoHome,
    /// The key or library to withdraw trust from is not trusted.
    #[error("{0} is not among what you trust; `pipeline plugin trust` shows that")]
    NotTrusted(String),
    /// Several trusted libraries have a hash that begins so.
    #[error("{0} of the libraries that you trust begin with {1}; give more digits")]
    Ambiguous(usize, String),
}

impl Advice for TrustVerbError {}

pub(crate) fn trust(arguments: &TrustVerbArguments) -> Result<ExitCode, CliError> {
    let mut store = open()?;
    let said = match (&arguments.plugin, &arguments.key) {
        (None, None) => all(&store),
        (_, Some(key)) => {
            let key = SigningKey::read(key)?;
            let new = store.add_key(TrustedKey {
                key: key.clone(),
                comment: arguments.comment.clone(),
            });
            store.write()?;
            added_key(&key, new)
        }
        (Some(plugin), None) => {
            let found = Found::of(plugin, &arguments.search)?;
            let new = store.add_plugin(TrustedPlugin {
                hash: found.hash,
                name: found.name.clone(),
            });
            store.write()?;
            added_plugin(&found, new)
        }
    };
    ui::print(&said)?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn untrust(arguments: &UntrustArguments) -> Result<ExitCode, CliError> {
    let mut store = open()?;
    if let Some(key) = &arguments.key {
        let key = SigningKey::read(key)?;
        if !store.remove_key(&key) {
            return Err(TrustVerbError::NotTrusted(format!("the key {}", key.as_str())).into());
        }
        store.write()?;
        ui::print(&removed_key(&key))?;
        return Ok(ExitCode::SUCCESS);
    }
    let plugin = arguments.plugin.as_deref().unwrap_or_default();
    let hash = trusted_hash(&store, plugin, &arguments.search)?;
    if !store.remove_plugin(hash) {
        return Err(TrustVerbError::NotTrusted(format!("the library {hash}")).into());
    }
    store.write()?;
    ui::print(&removed_plugin(hash))?;
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
struct Found {
    /// The plugin's name; empty where only a hash is known.
    name: String,
    hash: PluginHash,
    file: Option<PathBuf>,
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

fn all(store: &TrustStore) -> String {
    let mut text = String::new();
    for plugin in store.plugins() {
        let _ = writeln!(text, "plugin  {}  {}", plugin.hash, plain(&plugin.name));
    }
    for key in store.keys() {
        let _ = writeln!(
            text,
            "key     {}  {}",
            key.key.as_str(),
            plain(&key.comment)
        );
    }
    if text.is_empty() {
        text.push_str("nothing but the plugins that come with this program\n");
    }
    let _ = writeln!(text, "from {}", path(store.path()));
    text
}

fn added_plugin(found: &Found, new: bool) -> String {
    let again = if new { "" } else { ", as before" };
    match &found.file {
        Some(file) => format!(
            "trusted: {} {}{again} ({})\n",
            plain(&found.name),
            found.hash,
            path(file)
        ),
        None => format!("trusted: {}{again}\n", found.hash),
    }
}

fn added_key(key: &SigningKey, new: bool) -> String {
    let again = if new { "" } else { ", as before" };
    format!("trusted{again}: whatever is signed by {}\n", key.as_str())
}

fn removed_plugin(hash: PluginHash) -> String {
    format!("no longer trusted: {hash}\n")
}

fn removed_key(key: &SigningKey) -> String {
    format!("no longer trusted: what is signed by {}\n", key.as_str())
}
