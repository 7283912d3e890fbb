//! What can be typed after `pipeline bundle` and `pipeline unbundle`.

use std::path::PathBuf;

use assay_core::parse_memory;
use clap::Args;

use super::StoreArguments;

const BUNDLE_EXAMPLES: &str = "\
Examples:
  pipeline bundle latest -o run.tar.zst
  pipeline bundle quickstart -o run.tar.zst --author 'Ada Lovelace' --license CC-BY-4.0
  pipeline bundle 1165ccfa -o run.tar.zst --sign
  pipeline bundle latest -o run.tar.zst --without-libraries

The file has everything that the run rests on: its manifest, the pipeline file, each stage's
action and records, logs, every artifact, and the plugins' libraries. It is a tar archive under
zstd; unpacked it is a store of its own, and a Workflow Run RO-Crate. The same run gives the same
bytes.

Exit codes: 0 done, 2 the run is not whole in the store, or the file cannot be written, 130 stopped
by Ctrl-C.";

#[derive(Args, Debug)]
#[command(after_help = BUNDLE_EXAMPLES)]
pub(crate) struct BundleArguments {
    /// The run: its hash or the beginning of it, the name of a pipeline (its latest run), or `latest`
    pub(crate) name: String,

    /// The file to write
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: PathBuf,

    /// Write over the file if it is there, and remove its signature unless a new one is made
    #[arg(long)]
    pub(crate) force: bool,

    /// Leave out the plugins' libraries: the run can be verified then, but not executed again
    #[arg(long)]
    pub(crate) without_libraries: bool,

    /// What others may do with it: an SPDX identifier, or the address of a licence
    #[arg(long, value_name = "LICENSE", value_parser = license)]
    pub(crate) license: Option<String>,

    /// The name of who ran it
    #[arg(long, value_name = "NAME")]
    pub(crate) author: Option<String>,

    /// The organisation that publishes it, and that the author belongs to
    #[arg(long, value_name = "NAME")]
    pub(crate) organization: Option<String>,

    #[command(flatten)]
    pub(crate) signing: SigningArguments,

    /// Print one JSON document instead of text
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) store: StoreArguments,
}

/// Whether to sign, and with which key.
#[derive(Args, Debug)]
pub(crate) struct SigningArguments {
    /// Sign the bundle, in FILE.minisig beside it (see `pipeline plugin keygen`)
    #[arg(long)]
    pub(crate) sign: bool,

    /// The secret key to sign with [default: signing.key beside your trust store]
    #[arg(long, value_name = "FILE", requires = "sign")]
    pub(crate) key: Option<PathBuf>,
}

/// An identifier of SPDX or an address: either is part of an address in the crate.
fn license(text: &str) -> Result<String, String> {
    let address = text.starts_with("https://") || text.starts_with("http://");
    let allowed = |char: char| {
        char.is_ascii_alphanumeric()
            || "-.+".contains(char)
            || (address && "/:_~%#?=&".contains(char))
    };
    if !text.is_empty() && text.chars().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err("expected an SPDX identifier such as CC-BY-4.0 or MIT, or an address".to_owned())
    }
}

const UNBUNDLE_EXAMPLES: &str = "\
Examples:
  pipeline unbundle run.tar.zst --check
  pipeline unbundle run.tar.zst --list
  pipeline unbundle run.tar.zst --store theirs
  pipeline unbundle run.tar.zst --key lab.pub --files from-them

Nothing enters the store before the whole bundle has been read, and every hash, document and
reference found right; nothing in it is executed. FILE.minisig is checked if it is there, with the
keys that you trust (`pipeline plugin trust --key`) or the one that you name.

Exit codes: 0 done, 1 the bundle is refused, 2 it cannot be read or the store cannot be written,
130 stopped by Ctrl-C.";

#[derive(Args, Debug)]
#[command(after_help = UNBUNDLE_EXAMPLES)]
pub(crate) struct UnbundleArguments {
    /// The bundle
    pub(crate) file: PathBuf,

    /// Verify it, and write nothing
    #[arg(long, conflicts_with = "files")]
    pub(crate) check: bool,

    /// Verify it and list its files, and write nothing
    #[arg(long, conflicts_with = "files")]
    pub(crate) list: bool,

    #[command(flatten)]
    pub(crate) signature: SignatureArguments,

    /// The most that it may unpack to
    #[arg(long, value_name = "SIZE", value_parser = parse_memory, default_value = "64 GiB")]
    pub(crate) max_size: u64,

    /// Write the pipeline file and its file of networks into this folder too
    #[arg(long, value_name = "DIR")]
    pub(crate) files: Option<PathBuf>,

    /// Print one JSON document instead of text
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) store: StoreArguments,
}

/// Whose signature must be there.
#[derive(Args, Debug)]
pub(crate) struct SignatureArguments {
    /// Refuse it unless a key that you trust has signed it
    #[arg(long)]
    require_signature: bool,

    /// The public key of minisign that must have signed it, or the file that holds it
    #[arg(long, value_name = "PUB")]
    pub(crate) key: Option<String>,
}

impl SignatureArguments {
    /// Whether a bundle without a good signature is refused.
    pub(crate) fn is_required(&self) -> bool {
        self.require_signature || self.key.is_some()
    }
}
