//! `pipeline plugin directions`: asks a plugin, in a worker, which way one batch would move every
//! parameter. The question is an action in a store that is thrown away afterwards.

use std::process::ExitCode;

use assay_core::{ArtifactHash, Limits};
use assay_engine::{
    Cancel, DIRECTIONS_FILE, DIRECTIONS_STATE_FILE, Execution, plan_directions, summarise,
};
use assay_files::TemporaryFolder;
use assay_store::Store;

use crate::arguments::DirectionsArguments;
use crate::error::CliError;
use crate::export::write;
use crate::show;

pub(super) fn directions(
    arguments: &DirectionsArguments,
    cancel: &Cancel,
) -> Result<ExitCode, CliError> {
    let trust = arguments.trust.policy()?;
    let request = arguments.request(&trust).map_err(CliError::Arguments)?;
    show::print_containment_notice();
    let settings = arguments.settings(cancel)?;
    let card = settings.device.cards().map(|cards| &cards.as_slice()[0]);
    let folder = TemporaryFolder::new().map_err(CliError::Temporary)?;
    let store = Store::open(folder.path().join("store"))?;
    let action = plan_directions(&store, &settings, &request, cancel)?;
    let execution = Execution {
        store: &store,
        data_dir: None,
        threads: 1,
        limits: Limits::default(),
        card,
        cancel,
        observe: &|_| {},
    };
    let artifact = execution
        .execute(action)
        .map_err(CliError::Action)?
        .result
        .artifact;
    let directions = read(&store, artifact, DIRECTIONS_FILE)?;
    if let Some(path) = &arguments.save_state {
        write(path, &read(&store, artifact, DIRECTIONS_STATE_FILE)?)?;
    }
    if let Some(path) = &arguments.out {
        write(path, &directions)?;
    }
    let tensors = summarise(&directions)?;
    if arguments.json {
        show::print(&show::json::directions(&tensors))?;
    } else if arguments.out.is_none() {
        show::print(&show::directions::text(&tensors))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn read(store: &Store, artifact: ArtifactHash, name: &str) -> Result<Vec<u8>, CliError> {
    let path = store.artifact_file_path(artifact, name)?;
    assay_files::read(&path, u64::MAX).map_err(|source| CliError::File {
        what: "read",
        path,
        source,
    })
}
