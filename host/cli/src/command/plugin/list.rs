//! `pipeline plugin list`: every plugin that a name can find, and what is hidden or broken.

use std::process::ExitCode;

use assay_core::Limits;
use assay_engine::{Cancel, Catalogue, pipeline_plugin_dirs};

use crate::arguments::{ListArguments, descriptions_folder, processors};
use crate::error::CliError;
use crate::show;

pub(super) fn list(arguments: &ListArguments, cancel: &Cancel) -> Result<ExitCode, CliError> {
    let mut search = arguments.search.path();
    if let Some(pipeline) = &arguments.pipeline {
        search.extend(pipeline_plugin_dirs(pipeline)?);
    }
    let catalogue = Catalogue {
        search: &search,
        trust: &arguments.trust.policy()?,
        remember: descriptions_folder(),
        jobs: processors(),
        limits: Limits::default(),
        cancel,
    };
    let plugins = catalogue.list()?;
    show::print(&if arguments.json {
        show::plugin::list::json(&plugins)
    } else {
        show::plugin::list::text(&plugins, &search)
    })?;
    Ok(ExitCode::SUCCESS)
}
