//! What can be typed after `pipeline plugin keygen`, `sign` and `verify`.

use std::path::PathBuf;

use clap::Args;

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
    pub(crate) key: Option<PathBuf>,

    /// Protect the secret key by its file's permissions alone, for machines that sign unattended
    #[arg(long)]
    pub(crate) no_password: bool,
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
    pub(crate) library: PathBuf,

    /// The secret key [default: signing.key beside your trust store]
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
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
    pub(crate) library: PathBuf,

    /// A public key of minisign, or the file that holds it [default: the keys that you trust]
    #[arg(long, value_name = "PUB")]
    pub(crate) key: Option<String>,
}
