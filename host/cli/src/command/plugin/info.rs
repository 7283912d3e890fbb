//! `pipeline plugin info`: one plugin in full, as it describes itself to a worker.

use std::process::ExitCode;

use assay_core::Limits;
use assay_engine::{Cancel, Catalogue};
use assay_files::TemporaryFolder;
use assay_store::Store;

use crate::arguments::{InfoArguments, descriptions_folder};
use crate::error::CliError;
use crate::show;

pub(super) fn info(arguments: &InfoArguments, cancel: &Cancel) -> Result<ExitCode, CliError> {
    let folder = TemporaryFolder::new().map_err(CliError::Temporary)?;
    let store = match &arguments.store {
        Some(store) => Store::open(store)?,
        None => Store::open(folder.path().join("store"))?,
    };
    let catalogue = Catalogue {
        search: &arguments.search.path(),
        trust: &arguments.trust.policy()?,
        remember: descriptions_folder(),
        jobs: 1,
        limits: Limits::default(),
        cancel,
    };
    let info = catalogue.info(&store, &arguments.plugin)?;
    show::print(&if arguments.json {
        show::plugin::info::json(&info)
    } else {
        show::plugin::info::text(&info)
    })?;
    Ok(ExitCode::SUCCESS)
}
