//! What can be typed after `pipeline cat`.

use clap::Args;

use super::StoreArguments;
use super::show::NAMES;

const EXAMPLES: &str = "\
Examples:
  pipeline cat quickstart:report:table.md
  pipeline cat quickstart:train/bp/seed=1:final.safetensors > final.safetensors
  pipeline cat 8e74f371 | jq .parameters

Of a run, a stage, an action or an artifact these are the bytes of its document, which is JSON.
Up to 64 MiB are checked against their hash before the first byte is written. More are checked while
they are written: exit code 1 then means that what was written is not what was asked for.

Exit codes: 0 written, 1 it is damaged or missing, 2 nothing or several things have that name, it would
write bytes to a terminal, or the store cannot be read.";

#[derive(Args, Debug)]
#[command(after_help = format!("{NAMES}\n\n{EXAMPLES}"))]
pub(crate) struct CatArguments {
    /// A hash, the beginning of one, or a name
    pub(crate) name: String,

    /// Write what is not text to a terminal too
    #[arg(long)]
    pub(crate) force: bool,

    #[command(flatten)]
    pub(crate) store: StoreArguments,
}
