//! What can be typed after `pipeline lineage`.

use assay_audit::lineage::{Direction, Row};
use clap::Args;

use super::StoreArguments;
use super::show::NAMES;

const EXAMPLES: &str = "\
Examples:
  pipeline lineage quickstart:report
  pipeline lineage quickstart:report --row method=bp --row seed=1
  pipeline lineage quickstart:mnist --down
  pipeline lineage latest --dot | dot -Tsvg > lineage.svg
  pipeline lineage 42a5db94 --json

The steps are told by the documents of the store, whose hashes are checked while they are read;
`pipeline audit` checks the files too.

Exit codes: 0 shown, 1 a document of a step is damaged or missing, 2 nothing or several things have
that name, the table has no such row, or the store cannot be read.";

#[derive(Args, Debug)]
#[command(after_help = format!("{NAMES}\n\n{EXAMPLES}"))]
pub(crate) struct LineageArguments {
    /// A hash, the beginning of one, or a name
    pub(crate) name: String,

    /// Show what was made from it, instead of what it was made from
    #[arg(long)]
    down: bool,

    /// Of a report, only what the rows with this method, network, dataset, seed or other parameter
    /// rest on; may be given many times
    #[arg(long = "row", value_name = "KEY=VALUE", conflicts_with = "down")]
    pub(crate) rows: Vec<Row>,

    /// Print a graph for Graphviz
    #[arg(long, conflicts_with = "json")]
    pub(crate) dot: bool,

    /// Print one JSON document instead of a tree
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) store: StoreArguments,
}

impl LineageArguments {
    pub(crate) fn direction(&self) -> Direction {
        if self.down {
            Direction::Down
        } else {
            Direction::Up
        }
    }
}
