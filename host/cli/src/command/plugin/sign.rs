//! `pipeline plugin keygen`, `sign` and `verify`: signatures of libraries. Nothing of a plugin is
//! executed.

use std::process::ExitCode;

use assay_engine::{
    LibraryFile, PluginError, SignatureError, SigningKey, TrustStore, TrustedKey, read_library,
    read_signature, signature_path, verify_signature,
};

use crate::arguments::{KeygenArguments, SignArguments, VerifyArguments, trust_file};
use crate::error::CliError;
use crate::export::{write, write_new};
use crate::show;
use crate::signing::{Signed, generate, key_file, read_key, sign as make_signature};

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

pub(super) fn keygen(arguments: &KeygenArguments) -> Result<ExitCode, CliError> {
    let secret_file = key_file(arguments.key.as_deref())?;
    let public_file = secret_file.with_extension("pub");
    // Before a password is asked for; writing looks again.
    for file in [&secret_file, &public_file] {
        if file.exists() {
            return Err(CliError::Arguments(format!(
                "{} is there already, and is not written over; name another file with --key",
                file.display()
            )));
        }
    }
    let (secret, public) = generate(!arguments.no_password)?;
    write_new(&secret_file, secret.as_bytes(), 0o600)?;
    write_new(&public_file, public.as_bytes(), 0o644)?;
    show::print(&show::plugin::sign::made(
        &secret_file,
        &public_file,
        &public,
    ))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn sign(arguments: &SignArguments) -> Result<ExitCode, CliError> {
    let library = &arguments.library;
    let LibraryFile { bytes, hash, .. } = read_library(library).map_err(engine)?;
    let key = read_key(&key_file(arguments.key.as_deref())?)?;
    let name = library.file_name().unwrap_or_default().to_string_lossy();
    let signed = Signed {
        what: "a plugin",
        name: &name,
        content: bytes.as_slice(),
        hash: hash.into(),
    };
    let signature = make_signature(&key, signed)?;
    let file = signature_path(library);
    write(&file, signature.as_bytes())?;
    show::print(&show::plugin::sign::signed(library, &file, hash))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn verify(arguments: &VerifyArguments) -> Result<ExitCode, CliError> {
    let library = &arguments.library;
    let LibraryFile { bytes, hash, .. } = read_library(library).map_err(engine)?;
    let keys = match &arguments.key {
        Some(key) => vec![TrustedKey {
            key: SigningKey::read(key)?,
            comment: String::new(),
        }],
        None => trusted_keys()?,
    };
    let signature = read_signature(library).map_err(VerifyError::Signature)?;
    let mut refused = None;
    for key in keys {
        match verify_signature(library, &bytes, &signature, &key.key) {
            Ok(comment) => {
                show::print(&show::plugin::sign::verified(library, hash, &key, &comment))?;
                return Ok(ExitCode::SUCCESS);
            }
            // Says less than what the key says that made it.
            Err(SignatureError::OtherKey { .. }) if refused.is_some() => {}
            Err(error) => refused = Some(error),
        }
    }
    Err(refused
        .map_or(VerifyError::NoKey, VerifyError::Signature)
        .into())
}

fn engine(error: PluginError) -> CliError {
    CliError::Engine(error.into())
}

/// The keys that the user trusts.
pub(crate) fn trusted_keys() -> Result<Vec<TrustedKey>, CliError> {
    let Some(file) = trust_file() else {
        return Ok(Vec::new());
    };
    Ok(TrustStore::read(&file)?.keys().collect())
}
