//! What can be typed after `pipeline show`.

use clap::Args;

use super::StoreArguments;

pub(super) const NAMES: &str = "\
A NAME is a hash, the beginning of one (4 digits at least), the name of a pipeline, which stands for
its latest run, or `latest`. `:STAGE` names a stage of a run, `:FILE` a file of what it gave:
`quickstart:report:table.md`.";

const EXAMPLES: &str = "\
Examples:
  pipeline show latest
  pipeline show quickstart:train/bp/seed=1
  pipeline show quickstart:report:table.parquet
  pipeline show 42a5db94 --json

What is shown of a file was checked against its hash; the files of an artifact are looked at, not read:
`pipeline audit` reads them.

Exit codes: 0 shown, 1 it is damaged or missing, 2 nothing or several things have that name, or the
store cannot be read.";

#[derive(Args, Debug)]
#[command(after_help = format!("{NAMES}\n\n{EXAMPLES}"))]
pub(crate) struct ShowArguments {
    /// A hash, the beginning of one, or a name
    pub(crate) name: String,

    /// The most rows of a table, or lines of a text, that are shown
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) rows: u32,

    /// Print one JSON document instead of text and tables
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) store: StoreArguments,
}
