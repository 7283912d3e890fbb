//! What can be typed after `pipeline plugin info`.

use std::path::PathBuf;

use clap::Args;

use super::{SearchArguments, TrustArguments};

const EXAMPLES: &str = "\
Examples:
  pipeline plugin info dtp
  pipeline plugin info ./target/release/libassay_mine.so
  pipeline plugin info bp@f43c8e1a --json

A plugin is named as in a pipeline file: by name, by path (with a slash), or by either with `@` and at
least 8 digits of its hash. A whole hash is found in the store too. The plugin is asked in a worker,
never loaded into this program.

Exit codes: 0 shown, 2 there is no such plugin, it may not run, or it cannot say what it offers, 130
stopped by Ctrl-C.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct InfoArguments {
    /// The plugin: NAME, PATH, NAME@HASH or PATH@HASH
    pub(crate) plugin: String,

    /// Find whole hashes in this store too [default: a store that is thrown away]
    #[arg(long, value_name = "DIR", env = "ASSAY_STORE")]
    pub(crate) store: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) search: SearchArguments,

    #[command(flatten)]
    pub(crate) trust: TrustArguments,

    /// Print one JSON document instead of text and tables
    #[arg(long)]
    pub(crate) json: bool,
}
