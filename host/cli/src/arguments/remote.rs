//! The remote that a verb is about, by its name or its place.

use assay_core::Advice;
use assay_core::RunHash;
use assay_remote::{Place, RemoteNames};

use super::user::remotes_file;
use crate::error::CliError;

/// Help for an argument that names a remote.
pub(crate) const REMOTE_HELP: &str = "The remote: its name (`pipeline remote add`), s3://BUCKET/PREFIX, https://HOST/PATH, or a folder as /PATH or ./PATH";

/// Help for an option that names a hub.
pub(crate) const HUB_HELP: &str = "The remote that a run shares with its jobs on other machines: a name, s3://BUCKET/PREFIX or a folder";

/// There is no home, and so no file of remotes.
#[derive(Debug, thiserror::Error)]
#[error("there is no HOME or XDG_CONFIG_HOME to keep the names of remotes in")]
struct NoHome;

impl Advice for NoHome {}

/// The user's names of remotes.
pub(crate) fn names() -> Result<RemoteNames, CliError> {
    let path = remotes_file().ok_or(NoHome)?;
    Ok(RemoteNames::read(&path)?)
}

/// The place that a verb's argument means, and the run that it names if it is the URL of one.
pub(crate) fn place_or_run(text: &str) -> Result<(Place, Option<RunHash>), CliError> {
    match Place::parse_run_url(text) {
        Some((place, run)) => Ok((place, Some(run))),
        None => Ok((place(text)?, None)),
    }
}

/// The place that a verb's argument means.
pub(crate) fn place(text: &str) -> Result<Place, CliError> {
    match remotes_file() {
        Some(path) => Ok(RemoteNames::read(&path)?.find(text)?),
        None => Ok(Place::parse(text)?),
    }
}

/// The place below whose URL anybody can read the remote that a verb's argument means, if it is known.
pub(crate) fn public(text: &str) -> Result<Option<Place>, CliError> {
    match remotes_file() {
        Some(path) => Ok(RemoteNames::read(&path)?.public(text)?),
        None => Ok(None),
    }
}
