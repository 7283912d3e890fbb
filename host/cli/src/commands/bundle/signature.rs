//! Signatures of bundles: making one beside a bundle, and finding out whose one is.

use std::fs::File;
use std::io::Seek;
use std::path::{Path, PathBuf};
use std::{fs, io};

use assay_core::ObjectHash;
use assay_engine::{
    SignatureError, SigningKey, TrustedKey, read_signature, signature_path, verify_stream,
};
use clap::Args;
use minisign::SecretKey;

use crate::error::CliError;
use crate::export::write;
use crate::signing::{Signed, VerifyError, sign as make_signature, trusted_keys};

/// Whose signature must be there.
#[derive(Args, Debug)]
pub(super) struct SignatureArguments {
    /// Refuse it unless a key that you trust has signed it
    #[arg(long)]
    require_signature: bool,

    /// The public key of minisign that must have signed it, or the file that holds it
    #[arg(long, value_name = "PUB")]
    key: Option<String>,
}

impl SignatureArguments {
    /// Whether a bundle without a good signature is refused.
    fn is_required(&self) -> bool {
        self.require_signature || self.key.is_some()
    }
}

/// The outcome of checking a bundle's signature.
pub(crate) enum Signature {
    /// There is none.
    None,
    /// It is by none of the keys that count.
    Unknown,
    /// It is good: the key, and the comment that is signed too.
    Good(TrustedKey, String),
}

/// Signs a bundle; gives the file of the signature.
pub(crate) fn sign(key: &SecretKey, file: &Path, hash: ObjectHash) -> Result<PathBuf, CliError> {
    let content = assay_files::open(file).map_err(|source| CliError::File {
        what: "open",
        path: file.to_owned(),
        source,
    })?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let signed = Signed {
        what: "a run",
        name: &name,
        content,
        hash,
    };
    let signature = make_signature(key, signed)?;
    let path = signature_path(file);
    write(&path, signature.as_bytes())?;
    Ok(path)
}

/// Removes the signature beside a bundle, if there is one: it was another bundle's.
pub(crate) fn remove(file: &Path) -> Result<(), CliError> {
    let path = signature_path(file);
    match fs::remove_file(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(CliError::File {
            what: "remove",
            path,
            source,
        }),
        _ => Ok(()),
    }
}

/// Checks the signature beside the bundle, if there is one; `content` is the bundle.
///
/// # Errors
/// It is none of these bytes, or one was required and no key that counts has made one.
pub(crate) fn check(
    arguments: &SignatureArguments,
    file: &Path,
    mut content: &File,
) -> Result<Signature, CliError> {
    let required = arguments.is_required();
    let text = match read_signature(file) {
        Ok(text) => text,
        Err(SignatureError::Unreadable { source, .. })
            if source.kind() == io::ErrorKind::NotFound && !required =>
        {
            return Ok(Signature::None);
        }
        Err(error) => return Err(VerifyError::Signature(error).into()),
    };
    let keys = match &arguments.key {
        Some(key) => vec![TrustedKey {
            key: SigningKey::read(key)?,
            comment: String::new(),
        }],
        None => trusted_keys()?,
    };
    let mut refused = VerifyError::NoKey;
    for key in keys {
        content.rewind().map_err(|source| CliError::File {
            what: "read",
            path: file.to_owned(),
            source,
        })?;
        match verify_stream(file, content, &text, &key.key) {
            Ok(comment) => return Ok(Signature::Good(key, comment)),
            Err(error @ SignatureError::OtherKey { .. }) => refused = VerifyError::Signature(error),
            Err(error) => return Err(VerifyError::Signature(error).into()),
        }
    }
    if required {
        Err(refused.into())
    } else {
        Ok(Signature::Unknown)
    }
}
