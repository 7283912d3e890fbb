//! What can be typed after `pipeline plugin trust` and `pipeline plugin untrust`.

use clap::Args;

use super::SearchArguments;

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
    pub(crate) plugin: Option<String>,

    /// A public key of minisign, or the file that holds it
    #[arg(long, value_name = "PUB")]
    pub(crate) key: Option<String>,

    /// Whose key it is, in your words
    #[arg(long, value_name = "TEXT", requires = "key", default_value = "")]
    pub(crate) comment: String,

    #[command(flatten)]
    pub(crate) search: SearchArguments,
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
    pub(crate) plugin: Option<String>,

    /// A public key of minisign, or the file that holds it
    #[arg(long, value_name = "PUB")]
    pub(crate) key: Option<String>,

    #[command(flatten)]
    pub(crate) search: SearchArguments,
}
