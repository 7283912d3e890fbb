//! Keys and signatures in words.

use std::path::Path;

use assay_core::PluginHash;
use assay_engine::TrustedKey;

use super::{path, plain};

pub(crate) fn made(secret: &Path, public: &Path, key: &str) -> String {
    let key = key.lines().nth(1).unwrap_or_default();
    format!(
        "secret key: {} (keep it to yourself)\npublic key: {}\n{key}\n",
        path(secret),
        path(public)
    )
}

pub(crate) fn signed(library: &Path, signature: &Path, hash: PluginHash) -> String {
    format!("signed {}: {}\n{hash}\n", path(library), path(signature))
}

pub(crate) fn verified(
    library: &Path,
    hash: PluginHash,
    key: &TrustedKey,
    comment: &str,
) -> String {
    let signer = match key.comment.as_str() {
        "" => String::new(),
        comment => format!(" ({})", plain(comment)),
    };
    format!(
        "{}: signed by {}{signer}\n{}\n{hash}\n",
        path(library),
        key.key.as_str(),
        plain(comment)
    )
}
