//! Reads pipeline files and the files of networks that they name. It owns what is accepted as a
//! text; what the text says is read in the core.

use std::fs;
use std::path::Path;

use assay_core::{Source, parse_networks};
use assay_network::Network;

use crate::session::EngineError;

/// A pipeline file may not be larger.
const LARGEST_FILE: u64 = 16 << 20;

/// The networks that a pipeline file, or a file of networks alone, defines, in its order.
///
/// # Errors
/// A file that cannot be read, or anything wrong with its networks.
pub fn read_networks(path: &Path) -> Result<Vec<(String, Network)>, EngineError> {
    let text = read_text(path)?;
    let base = path.parent().unwrap_or(Path::new(""));
    let networks = parse_networks(&path.display().to_string(), &text, &load_beside(base))?;
    Ok(networks.into_iter().collect())
}

/// Reads the files that a pipeline file in `base` names.
pub(crate) fn load_beside(base: &Path) -> impl Fn(&str) -> Result<Source, String> {
    move |name| {
        let path = base.join(name);
        let text = read_text(&path).map_err(|error| match error {
            EngineError::File { source, .. } => source.to_string(),
            EngineError::NotAPipeline { reason, .. } => reason.to_owned(),
            other => other.to_string(),
        })?;
        Ok(Source {
            name: path.display().to_string(),
            text,
        })
    }
}

/// The text of the file at `path`.
pub(crate) fn read_text(path: &Path) -> Result<String, EngineError> {
    let failed = |source| EngineError::File {
        what: "read",
        path: path.to_owned(),
        source,
    };
    let refused = |reason| EngineError::NotAPipeline {
        path: path.to_owned(),
        reason,
    };
    let metadata = fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        return Err(refused("it is not a file"));
    }
    if metadata.len() > LARGEST_FILE {
        return Err(refused("it is larger than 16 MiB"));
    }
    let bytes = fs::read(path).map_err(failed)?;
    String::from_utf8(bytes).map_err(|_| refused("it is not UTF-8 text"))
}
