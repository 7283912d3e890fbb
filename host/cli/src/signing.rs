//! Makes keys and signatures in minisign's format. The only place that holds a secret key or a
//! password: neither is printed, and a password comes from the terminal alone.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use std::{fs, io};

use assay_core::{Advice, Ending, ObjectHash};
use assay_engine::{SignatureError, SigningKey, TrustError, TrustStore, TrustedKey};
use minisign::{KeyPair, PError, PublicKey, SecretKey, SecretKeyBox};

use crate::arguments::user::{signing_key_file, trust_file};
use crate::error::CliError;

/// The beginning of the line of an encrypted key: `EdScB2`, an Ed25519 key under scrypt, in base64.
const ENCRYPTED: &str = "RWRTY0Iy";
/// A key file is a few lines.
const LARGEST: u64 = 64 << 10;
const COMMENT: &str = "minisign secret key, for plugins of Assay";

/// Why there is no key or no signature.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SigningError {
    /// The file of the key cannot be read.
    #[error("cannot read the secret key {}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    /// A key without a password is protected by its file's permissions, or not at all.
    #[error(
        "the secret key {} has no password, and others can read it: if that is still safe, chmod 600",
        path.display()
    )]
    TooOpen { path: PathBuf },
    /// The file holds no secret key, or the password is wrong.
    #[error("the secret key {} cannot be used", path.display())]
    Unusable { path: PathBuf, source: PError },
    /// There is no terminal to ask at, or it was closed.
    #[error("cannot ask for the password of the secret key")]
    NoTerminal(#[source] io::Error),
    /// The second password was not the first.
    #[error("the passwords differ; nothing was written")]
    PasswordsDiffer,
    /// An empty password protects nothing.
    #[error("the password is empty; --no-password makes a key without one")]
    EmptyPassword,
    /// The key could not be made, or the signature.
    #[error("cannot {what}")]
    Failed { what: &'static str, source: PError },
    /// There is nowhere to look for a key.
    #[error("there is no place for your key: name one with --key, or set HOME")]
    NoHome,
}

impl Advice for SigningError {}

/// A new key pair as the texts of its two files: the secret key, the public key.
pub(crate) fn generate(with_password: bool) -> Result<(String, String), SigningError> {
    let failed = |source| SigningError::Failed {
        what: "make a key",
        source,
    };
    let pair = if with_password {
        let password = new_password()?;
        KeyPair::generate_encrypted_keypair(Some(password))
    } else {
        KeyPair::generate_unencrypted_keypair()
    };
    let KeyPair { pk, sk } = pair.map_err(failed)?;
    let secret = sk.to_box(Some(COMMENT)).map_err(failed)?;
    let public = pk.to_box().map_err(failed)?;
    Ok((secret.to_string(), public.to_string()))
}

/// A file to be signed.
pub(crate) struct Signed<'a, R> {
    /// Its kind, such as `a plugin`.
    pub(crate) what: &'static str,
    /// Its file's name.
    pub(crate) name: &'a str,
    pub(crate) content: R,
    pub(crate) hash: ObjectHash,
}

/// The text of a signature.
pub(crate) fn sign<R: Read>(
    key: &SecretKey,
    signed: Signed<'_, R>,
) -> Result<String, SigningError> {
    let failed = |source| SigningError::Failed {
        what: "make the signature",
        source,
    };
    let public = PublicKey::from_secret_key(key).map_err(failed)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let timestamp = now.map_or(0, |now| now.as_secs());
    // The form of minisign's own comments, whose verifiers print it. A name cannot end the line.
    let name = signed.name.chars().filter(|char| !char.is_control());
    let name: String = name.collect();
    let hash = signed.hash;
    let comment = format!("timestamp:{timestamp}\tfile:{name}\tblake3:{hash}\thashed");
    let untrusted = format!("signature of {} of Assay", signed.what);
    let signature = minisign::sign(
        Some(&public),
        key,
        signed.content,
        Some(&comment),
        Some(&untrusted),
    );
    Ok(signature.map_err(failed)?.into_string())
}

/// The public key that belongs to the secret one, as text.
pub(crate) fn public_key(key: &SecretKey) -> Result<String, SigningError> {
    let public = PublicKey::from_secret_key(key).map_err(|source| SigningError::Failed {
        what: "find the public key",
        source,
    })?;
    Ok(public.to_base64())
}

/// The user's own public key, which lies beside the secret one.
pub(crate) fn own_public_key() -> Result<SigningKey, CliError> {
    let file = signing_key_file().ok_or(SigningError::NoHome)?;
    Ok(SigningKey::read(
        &file.with_extension("pub").to_string_lossy(),
    )?)
}

/// The secret key that is named, or else the user's own.
pub(crate) fn key_file(named: Option<&Path>) -> Result<PathBuf, SigningError> {
    let file = named.map(Path::to_owned).or_else(signing_key_file);
    file.ok_or(SigningError::NoHome)
}

/// Reads a secret key, and asks for its password if it has one.
pub(crate) fn read_key(path: &Path) -> Result<SecretKey, SigningError> {
    let unreadable = |source| SigningError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let unusable = |source| SigningError::Unusable {
        path: path.to_owned(),
        source,
    };
    let text = assay_files::read_text(path, LARGEST).map_err(unreadable)?;
    let boxed = SecretKeyBox::from_string(&text).map_err(unusable)?;
    let encrypted = text.lines().nth(1);
    if encrypted.is_some_and(|key| key.starts_with(ENCRYPTED)) {
        let password = ask("Password of the secret key: ")?;
        return boxed.into_secret_key(Some(password)).map_err(unusable);
    }
    let key = boxed.into_unencrypted_secret_key().map_err(unusable)?;
    let mode = fs::metadata(path).map_err(unreadable)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(SigningError::TooOpen {
            path: path.to_owned(),
        });
    }
    Ok(key)
}

fn new_password() -> Result<String, SigningError> {
    let password = ask("Password of the new key: ")?;
    if password.is_empty() {
        return Err(SigningError::EmptyPassword);
    }
    if ask("The same again: ")? != password {
        return Err(SigningError::PasswordsDiffer);
    }
    Ok(password)
}

fn ask(prompt: &str) -> Result<String, SigningError> {
    rpassword::prompt_password(prompt).map_err(SigningError::NoTerminal)
}

/// Why a library or a bundle does not count as signed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VerifyError {
    /// No key was named, and none is trusted.
    #[error("there is no key to check the signature with: name one with --key, or trust one")]
    NoKey,
    /// The signature is not good.
    #[error(transparent)]
    Signature(SignatureError),
}

impl Advice for VerifyError {
    fn ending(&self) -> Ending {
        Ending::Failed
    }
}

/// The keys that the user trusts.
pub(crate) fn trusted_keys() -> Result<Vec<TrustedKey>, TrustError> {
    let Some(file) = trust_file() else {
        return Ok(Vec::new());
    };
    Ok(TrustStore::read(&file)?.keys().collect())
}
