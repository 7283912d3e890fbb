//! `pipeline lineage`: what something rests on, or what rests on it.

mod dot;
mod step;
mod tree;
mod view;

use std::process::ExitCode;

use assay_audit::Subject;
use assay_audit::lineage::{Direction, Lineage, Maker, Row};
use assay_core::ActionKey;
use clap::Args;

use crate::arguments::{NAMES, StoreArguments, remembered_index};
use crate::error::CliError;
use crate::ui;
use crate::ui::terminal::say;
use dot::dot;
use tree::tree;
use view::LineageView;

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
    name: String,

    /// Show what was made from it, instead of what it was made from
    #[arg(long)]
    down: bool,

    /// Of a report, only what the rows with this method, network, dataset, seed or other parameter
    /// rest on; may be given many times
    #[arg(long = "row", value_name = "KEY=VALUE", conflicts_with = "down")]
    rows: Vec<Row>,

    /// Print a graph for Graphviz
    #[arg(long, conflicts_with = "json")]
    dot: bool,

    /// Print one JSON document instead of a tree
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    store: StoreArguments,
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

pub(crate) fn run(arguments: &LineageArguments) -> Result<ExitCode, CliError> {
    let store = arguments.store.open_existing()?;
    let index = remembered_index(&store)?;
    let subject = Subject::find(&store, index, &arguments.name)?;
    let direction = arguments.direction();
    let lineage = if arguments.rows.is_empty() {
        Lineage::of(&store, index, &subject, direction)
    } else {
        Lineage::of_rows(&store, index, &subject, &arguments.rows)?
    };
    let view = || LineageView::of(&subject, direction, &lineage, index);
    ui::print_either(arguments.json, view, || {
        if arguments.dot {
            dot(&lineage)
        } else {
            tree(&lineage, direction, index)
        }
    })?;
    let unread = lineage.steps.iter().filter_map(|step| match &step.maker {
        Maker::Action(execution) if execution.action.is_none() => Some(execution.key),
        _ => None,
    });
    let unread: Vec<_> = unread.collect();
    print_unread(&unread);
    Ok(if unread.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Says on standard error of which steps no more is known, since their documents cannot be read.
fn print_unread(actions: &[ActionKey]) {
    for action in actions {
        say(&format!(
            "DAMAGED: the document of action {action} is missing or damaged; what it reads is not known"
        ));
    }
}
