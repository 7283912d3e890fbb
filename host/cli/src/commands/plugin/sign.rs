//! `pipeline plugin keygen`, `sign` and `verify`: signatures of libraries. Nothing of a plugin is
//! executed.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use assay_core::PluginHash;
use assay_engine::{
    LibraryFile, SignatureError, SigningKey, TrustedKey, read_library, read_signature,
    signature_path, verify_signature,
};
use clap::Args;

use crate::error::CliError;
use crate::export::{write, write_new};
use crate::signing::{
    Signed, VerifyError, generate, key_file, read_key, sign as make_signature, trusted_keys,
};
use crate::ui;
use crate::ui::words::{path, plain};

const KEYGEN_EXAMPLES: &str = "\
Examples:
  pipeline plugin keygen
  pipeline plugin keygen --key ~/keys/lab.key

Writes the secret key to FILE and the public key beside it, with `.pub` in place of FILE's extension. Keys
are minisign's: its own tool can use them, and keys that it made can be used here. An existing file is
never written over.

Exit codes: 0 done, 2 a file is there already or cannot be written, or no password can be read.";

#[derive(Args, Debug)]
#[command(after_help = KEYGEN_EXAMPLES)]
pub(crate) struct KeygenArguments {
    /// Where the secret key goes [default: signing.key beside your trust store]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,

    /// Protect the secret key by its file's permissions alone, for machines that sign unattended
    #[arg(long)]
    no_password: bool,
}

const SIGN_EXAMPLES: &str = "\
Examples:
  pipeline plugin sign target/release/libassay_mine.so
  pipeline plugin sign libassay_mine.so --key ~/keys/lab.key

Writes LIBRARY.minisig, to be shipped beside the library. A password is asked for at the terminal, and only
there. `minisign -S -m LIBRARY` does the same.

Exit codes: 0 done, 2 the library is no plugin, the key cannot be used, or the signature cannot be written.";

#[derive(Args, Debug)]
#[command(after_help = SIGN_EXAMPLES)]
pub(crate) struct SignArguments {
    /// The library
    library: PathBuf,

    /// The secret key [default: signing.key beside your trust store]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

const VERIFY_EXAMPLES: &str = "\
Examples:
  pipeline plugin verify libassay_mine.so
  pipeline plugin verify libassay_mine.so --key lab.pub
  pipeline plugin verify libassay_mine.so --key RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3

Checks LIBRARY.minisig with this key, or else with the keys that you trust. `minisign -V -m LIBRARY` does
the same.

Exit codes: 0 the signature is good, 1 it is not, or there is none, 2 the library or the key cannot be read.";

#[derive(Args, Debug)]
#[command(after_help = VERIFY_EXAMPLES)]
pub(crate) struct VerifyArguments {
    /// The library
    library: PathBuf,

    /// A public key of minisign, or the file that holds it [default: the keys that you trust]
    #[arg(long, value_name = "PUB")]
    key: Option<String>,
}

pub(crate) fn keygen(arguments: &KeygenArguments) -> Result<ExitCode, CliError> {
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
    ui::print(&made(&secret_file, &public_file, &public))?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn sign(arguments: &SignArguments) -> Result<ExitCode, CliError> {
    let library = &arguments.library;
    let LibraryFile { bytes, hash, .. } = read_library(library)?;
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
    ui::print(&signed_text(library, &file, hash))?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn verify(arguments: &VerifyArguments) -> Result<ExitCode, CliError> {
    let library = &arguments.library;
    let LibraryFile { bytes, hash, .. } = read_library(library)?;
    let keys = match &arguments.key {
        Some(key) => vec![TrustedKey {
            key: SigningKey::read(key)?,
            comment: String::new(),
        }],
        None => trusted_keys()?,
    };
    let (key, comment) = signer(library, &bytes, keys)?;
    ui::print(&verified(library, hash, &key, &comment))?;
    Ok(ExitCode::SUCCESS)
}

/// The key of `keys` that made the signature beside `library`, whose content is `bytes`, and the comment
/// that is signed too.
///
/// # Errors
/// There is no signature, or none by these keys.
pub(super) fn signer(
    library: &Path,
    bytes: &[u8],
    keys: Vec<TrustedKey>,
) -> Result<(TrustedKey, String), CliError> {
    let signature = read_signature(library).map_err(VerifyError::Signature)?;
    let mut refused = None;
    for key in keys {
        match verify_signature(library, bytes, &signature, &key.key) {
            Ok(comment) => return Ok((key, comment)),
            // Says less than what the key says that made it.
            Err(SignatureError::OtherKey { .. }) if refused.is_some() => {}
            Err(error) => refused = Some(error),
        }
    }
    Err(refused
        .map_or(VerifyError::NoKey, VerifyError::Signature)
        .into())
}

fn made(secret: &Path, public: &Path, key: &str) -> String {
    let key = key.lines().nth(1).unwrap_or_default();
    format!(
        "secret key: {} (keep it to yourself)\npublic key: {}\n{key}\n",
        path(secret),
        path(public)
    )
}

fn signed_text(library: &Path, signature: &Path, hash: PluginHash) -> String {
    format!("signed {}: {}\n{hash}\n", path(library), path(signature))
}

fn verified(library: &Path, hash: PluginHash, key: &TrustedKey, comment: &str) -> String {
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
