//! The pipeline file of a bundle under a name of its own, with its file of networks where it looks
//! for that, so that it can be run. Names come from the bundle, and none leads out of the folder.

use std::path::{Component, Path, PathBuf};

use assay_bundle::Checked;
use assay_store::{DOCUMENT_LIMIT, Store};

use crate::error::CliError;
use crate::export::write_new;

/// Writes the files into `folder` and gives their paths. A file that is there and has these bytes is
/// left alone.
///
/// # Errors
/// Another file is there, or the pipeline file looks for its networks elsewhere.
pub(crate) fn write_files(
    store: &Store,
    bundle: &Checked,
    folder: &Path,
) -> Result<Vec<PathBuf>, CliError> {
    let pipeline = store.read_limited(bundle.file, DOCUMENT_LIMIT)?;
    let path = folder.join(file_name(&bundle.pipeline));
    let mut files = vec![(path, pipeline)];
    if let Some(networks) = bundle.networks {
        let bytes = store.read_limited(networks, DOCUMENT_LIMIT)?;
        let name = files.first().and_then(|(_, file)| networks_name(file));
        let name = name.ok_or_else(|| {
            CliError::Arguments(format!(
                "the pipeline file looks for its networks outside its folder; `pipeline cat \
                 {networks}` prints them, and `pipeline cat {}` the pipeline file",
                bundle.file
            ))
        })?;
        files.push((folder.join(name), bytes));
    }
    let mut written = Vec::new();
    for (path, bytes) in files {
        if !assay_files::holds(&path, &bytes) {
            write_new(&path, &bytes, 0o644)?;
        }
        written.push(path);
    }
    Ok(written)
}

/// The pipeline's name as that of a file: a name in a pipeline file may be any text.
fn file_name(pipeline: &str) -> String {
    let plain = |char: char| {
        if char.is_alphanumeric() || "-_".contains(char) {
            char
        } else {
            '-'
        }
    };
    let name: String = pipeline.chars().take(64).map(plain).collect();
    format!("{name}.toml")
}

/// Where a pipeline file looks for its networks, if that is in its own folder or below.
fn networks_name(pipeline: &[u8]) -> Option<PathBuf> {
    let text = std::str::from_utf8(pipeline).ok()?;
    let table: toml::Table = text.parse().ok()?;
    let path = PathBuf::from(table.get("networks")?.as_str()?);
    let within = |component| matches!(component, Component::Normal(_) | Component::CurDir);
    path.components().all(within).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_the_folder() {
        assert_eq!(file_name("quick start"), "quick-start.toml");
        assert_eq!(file_name("../../x"), "------x.toml");
        let name = |path: &str| networks_name(format!("networks = \"{path}\"").as_bytes());
        assert_eq!(name("networks.toml"), Some("networks.toml".into()));
        assert_eq!(name("./below/n.toml"), Some("./below/n.toml".into()));
        for path in ["../n.toml", "/etc/n.toml", "a/../../n.toml"] {
            assert_eq!(name(path), None, "{path}");
        }
    }
}
