//! What the user trusts, in words.

use std::fmt::Write as _;

use assay_core::PluginHash;
use assay_engine::{SigningKey, TrustStore};

use super::{path, plain};
use crate::command::plugin::trust::Found;

pub(crate) fn all(store: &TrustStore) -> String {
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

pub(crate) fn added_plugin(found: &Found, new: bool) -> String {
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

pub(crate) fn added_key(key: &SigningKey, new: bool) -> String {
    let again = if new { "" } else { ", as before" };
    format!("trusted{again}: whatever is signed by {}\n", key.as_str())
}

pub(crate) fn removed_plugin(hash: PluginHash) -> String {
    format!("no longer trusted: {hash}\n")
}

pub(crate) fn removed_key(key: &SigningKey) -> String {
    format!("no longer trusted: what is signed by {}\n", key.as_str())
}
