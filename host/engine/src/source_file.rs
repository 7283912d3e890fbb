//! Reads the files that a person names: pipeline files, the files of networks that those name, and
//! arguments of commands. It owns what is accepted as a file; what it says is read elsewhere.

use std::path::{Path, PathBuf};

use assay_core::{Source, parse_networks, profile_overrides};
use assay_files::{NotRegular, TooLarge};
use assay_network::Network;

use crate::error::EngineError;
use crate::plan::Plan;

/// A text that a person writes may not be larger.
const LARGEST_FILE: u64 = 16 << 20;

/// The networks that a pipeline file, or a file of networks alone, defines, in its order.
///
/// # Errors
/// A file that cannot be read, or anything wrong with its networks.
pub fn read_networks(path: &Path) -> Result<Vec<(String, Network)>, EngineError> {
    let text = read_text(path, "a pipeline file")?;
    let base = path.parent().unwrap_or(Path::new(""));
    let networks = parse_networks(&path.display().to_string(), &text, &load_beside(base))?;
    Ok(networks.into_iter().collect())
}

/// A pipeline file that was read and planned.
pub(crate) struct PlanFile {
    pub(crate) plan: Plan,
    /// The folder of the file.
    pub(crate) base: PathBuf,
    /// The text of the file, overrides not applied.
    pub(crate) text: String,
    /// The overrides that were applied: those of the profile, then the others.
    pub(crate) overrides: Vec<String>,
}

impl PlanFile {
    /// Reads and plans the pipeline file at `path`, with the overrides of a profile of its own and
    /// these `--set` overrides; with names in `only`, no more than the stages of these names.
    pub(crate) fn read(
        path: &Path,
        profile: Option<&str>,
        overrides: &[String],
        only: &[String],
    ) -> Result<Self, EngineError> {
        let text = read_text(path, "a pipeline file")?;
        let base = path.parent().unwrap_or(Path::new("")).to_owned();
        let name = path.display().to_string();
        let own = profile.map(|profile| profile_overrides(&name, &text, profile));
        let mut all = own.transpose()?.unwrap_or_default();
        all.extend_from_slice(overrides);
        let plan = Plan::parse(&name, &text, &all, only, &load_beside(&base))?.only(only)?;
        Ok(Self {
            plan,
            base,
            text,
            overrides: all,
        })
    }
}

/// Reads the files that a pipeline file in `base` names.
fn load_beside(base: &Path) -> impl Fn(&str) -> Result<Source, String> {
    move |name| {
        let path = base.join(name);
        let text = read_or_reason(&path, "a file of networks", LARGEST_FILE)?;
        Ok(Source {
            name: path.display().to_string(),
            text,
        })
    }
}

/// The text of a file that should be `what`, at most `limit` bytes of it, or the reason alone why
/// there is none, for a complaint that names the file itself.
pub(crate) fn read_or_reason(
    path: &Path,
    what: &'static str,
    limit: u64,
) -> Result<String, String> {
    read_text_within(path, what, limit).map_err(|error| match error {
        EngineError::File { source, .. } => source.to_string(),
        EngineError::Unfit { reason, .. } => reason,
        other => other.to_string(),
    })
}

/// The text of the file at `path`, which should be `what`.
pub(crate) fn read_text(path: &Path, what: &'static str) -> Result<String, EngineError> {
    read_text_within(path, what, LARGEST_FILE)
}

fn read_text_within(path: &Path, what: &'static str, limit: u64) -> Result<String, EngineError> {
    let bytes = read_file(path, what, limit)?;
    String::from_utf8(bytes).map_err(|error| {
        let sound = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..sound]
            .split(|byte| *byte == b'\n')
            .count();
        EngineError::Unfit {
            path: path.to_owned(),
            what,
            reason: format!("it is not UTF-8 text in line {line}, at byte {}", sound + 1),
        }
    })
}

/// The bytes of a file that should be `what`, at most `limit` of them.
pub(crate) fn read_file(
    path: &Path,
    what: &'static str,
    limit: u64,
) -> Result<Vec<u8>, EngineError> {
    assay_files::read(path, limit).map_err(|source| {
        let inner = source.get_ref();
        if inner.is_some_and(|inner| inner.is::<NotRegular>() || inner.is::<TooLarge>()) {
            return EngineError::Unfit {
                path: path.to_owned(),
                what,
                reason: source.to_string(),
            };
        }
        EngineError::File {
            what: "read",
            path: path.to_owned(),
            source,
        }
    })
}
