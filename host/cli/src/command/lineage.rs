//! `pipeline lineage`: what something rests on, or what rests on it.

use std::process::ExitCode;

use assay_audit::Subject;
use assay_audit::lineage::{Lineage, Maker};

use super::remembered_index;
use crate::arguments::LineageArguments;
use crate::error::CliError;
use crate::show;

pub(crate) fn run(arguments: &LineageArguments) -> Result<ExitCode, CliError> {
    let store = arguments.store.open_existing()?;
    let index = remembered_index(&store)?;
    let subject = Subject::find(&store, index, &arguments.name)?;
    let direction = arguments.direction();
    let lineage = if arguments.rows.is_empty() {
        Lineage::of(&store, index, &subject, direction)?
    } else {
        Lineage::of_rows(&store, index, &subject, &arguments.rows)?
    };
    show::print(&if arguments.json {
        show::lineage::json(&subject, direction, &lineage, index)
    } else if arguments.dot {
        show::lineage::dot(&lineage)
    } else {
        show::lineage::tree(&lineage, direction, index)
    })?;
    let unread = lineage.steps.iter().filter_map(|step| match &step.maker {
        Maker::Action(execution) if execution.action.is_none() => Some(execution.key),
        _ => None,
    });
    let unread: Vec<_> = unread.collect();
    show::lineage::print_unread(&unread);
    Ok(if unread.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
