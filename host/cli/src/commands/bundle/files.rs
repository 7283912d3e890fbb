//! The pipeline file of a bundle under a name of its own, with its file of networks and those of
//! published figures where it looks for them, so that it can be run; and the reports of the run. Names
//! come from the bundle, and none leads out of the folder.

use std::path::{Component, Path, PathBuf};

use assay_bundle::Checked;
use assay_core::{ObjectHash, StageKind};
use assay_store::{DOCUMENT_LIMIT, Store};

use crate::error::CliError;
use crate::export::write_new;

/// Writes the files into `folder` and gives their paths. A file that is there and has these bytes is
/// left alone.
///
/// # Errors
/// Another file is there, or the pipeline file looks for its networks or published figures elsewhere.
pub(crate) fn write_files(
    store: &Store,
    bundle: &Checked,
    folder: &Path,
) -> Result<Vec<PathBuf>, CliError> {
    let pipeline = store.read_limited(bundle.file, DOCUMENT_LIMIT)?;
    let path = folder.join(file_name(&bundle.pipeline));
    let mut files = vec![(path, pipeline)];
    let networks = bundle.networks.map(|networks| {
        let name = files.first().and_then(|(_, file)| networks_name(file));
        ("its networks", name, networks)
    });
    let figures = bundle.figures.iter();
    let figures = figures.map(|(name, object)| ("published figures", within(name), *object));
    for (what, name, object) in networks.into_iter().chain(figures) {
        let name = name.ok_or_else(|| {
            CliError::Arguments(format!(
                "the pipeline file looks for {what} outside its folder; `pipeline cat {object}` \
                 prints them, and `pipeline cat {}` the pipeline file",
                bundle.file
            ))
        })?;
        files.push((
            folder.join(name),
            store.read_limited(object, DOCUMENT_LIMIT)?,
        ));
    }
    let reports = report_files(store, bundle, &folder.join("reports"))?;
    let mut written = Vec::new();
    let mut write = |path: PathBuf, bytes: &[u8]| -> Result<(), CliError> {
        if !assay_files::holds(&path, bytes) {
            write_new(&path, bytes, 0o644)?;
        }
        written.push(path);
        Ok(())
    };
    for (path, bytes) in files {
        write(path, &bytes)?;
    }
    for (path, object) in reports {
        write(path, &store.read(object)?)?;
    }
    Ok(written)
}

/// The files of the run's reports, in a folder for each below `folder`.
fn report_files(
    store: &Store,
    bundle: &Checked,
    folder: &Path,
) -> Result<Vec<(PathBuf, ObjectHash)>, CliError> {
    let mut files = Vec::new();
    for stage in store.run(bundle.run)?.stages {
        let (Some(key), Some(artifact)) = (stage.action, stage.artifact) else {
            continue;
        };
        if store.action(key)?.kind == StageKind::Report {
            let folder = folder.join(file_stem(&stage.name));
            let own = store.artifact(artifact)?.files.into_iter();
            files.extend(own.map(|(name, file)| (folder.join(name), file.object)));
        }
    }
    Ok(files)
}

/// The name of the pipeline's file.
fn file_name(pipeline: &str) -> String {
    format!("{}.toml", file_stem(pipeline))
}

/// The name of a pipeline or a stage as that of a file: it may be any text.
fn file_stem(name: &str) -> String {
    let plain = |char: char| {
        if char.is_alphanumeric() || "-_".contains(char) {
            char
        } else {
            '-'
        }
    };
    name.chars().take(64).map(plain).collect()
}

/// Where a pipeline file looks for its networks, if that is in its own folder or below.
fn networks_name(pipeline: &[u8]) -> Option<PathBuf> {
    let text = std::str::from_utf8(pipeline).ok()?;
    let table: toml::Table = text.parse().ok()?;
    within(table.get("networks")?.as_str()?)
}

/// The path, unless it leads out of the folder that it is relative to.
fn within(path: &str) -> Option<PathBuf> {
    let path = PathBuf::from(path);
    let stays = |component| matches!(component, Component::Normal(_) | Component::CurDir);
    path.components().all(stays).then_some(path)
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
