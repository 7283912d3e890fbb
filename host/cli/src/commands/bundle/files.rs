//! The pipeline file of a bundle under a name of its own, with its file of networks and those of
//! published figures where it looks for them, so that it can be run; and the reports of the run. Names
//! come from the bundle, and none leads out of the folder: a pipeline file that looks above its own folder
//! is put as many folders down.

use std::path::{Component, Path, PathBuf};

use assay_bundle::Checked;
use assay_core::{ActionResult, StageKind};
use assay_engine::write_report_times;
use assay_report::TIMES;
use assay_store::{DOCUMENT_LIMIT, Store};

use crate::error::CliError;
use crate::export::write_new;

/// Writes the files into `folder` and gives their paths. A file that is there and has these bytes is
/// left alone.
///
/// # Errors
/// Another file is there, or the pipeline file looks for its networks or published figures in a place that
/// is not relative to its own.
pub(crate) fn write_files(
    store: &Store,
    bundle: &Checked,
    folder: &Path,
) -> Result<Vec<PathBuf>, CliError> {
    let pipeline = store.read_limited(bundle.file, DOCUMENT_LIMIT)?;
    let networks = bundle.networks.map(|networks| {
        let name = networks_name(&pipeline);
        let place = name.as_deref().and_then(RelativePlace::of);
        ("its networks", place, networks)
    });
    let figures = bundle.figures.iter();
    let figures =
        figures.map(|(name, object)| ("published figures", RelativePlace::of(name), *object));
    let mut named = Vec::new();
    for (what, place, object) in networks.into_iter().chain(figures) {
        let place = place.ok_or_else(|| {
            CliError::Arguments(format!(
                "the pipeline file looks for {what} in a place that is not relative to its own; \
                 `pipeline cat {object}` prints them, and `pipeline cat {}` the pipeline file",
                bundle.file
            ))
        })?;
        named.push((place, object));
    }
    let above = named.iter().map(|(place, _)| place.above).max();
    let mut own = folder.to_owned();
    own.extend(std::iter::repeat_n("pipelines", above.unwrap_or(0)));
    let mut files = vec![(own.join(file_name(&bundle.pipeline)), pipeline)];
    for (place, object) in named {
        let path = place.seen_from(&own);
        files.push((path, store.read_limited(object, DOCUMENT_LIMIT)?));
    }
    let mut written = Vec::new();
    let write = |path: PathBuf, bytes: &[u8]| -> Result<PathBuf, CliError> {
        if !assay_files::holds(&path, bytes) {
            write_new(&path, bytes, 0o644)?;
        }
        Ok(path)
    };
    for (path, bytes) in files {
        written.push(write(path, &bytes)?);
    }
    let executed = executed(store, bundle)?;
    let reports = executed.iter().filter(|it| it.kind == StageKind::Report);
    for report in reports {
        let folder = folder.join("reports").join(file_stem(&report.stage));
        for (name, file) in store.artifact(report.result.artifact)?.files {
            written.push(write(folder.join(name), &store.read(file.object)?)?);
        }
        let times = folder.join(TIMES);
        let trainings = executed.iter().filter(|it| it.kind == StageKind::Train);
        let results = trainings.map(|it| &it.result);
        let report = (report.result.action, report.result.artifact);
        if times.is_file() || write_report_times(store, report, results, &folder)? {
            written.push(times);
        }
    }
    Ok(written)
}

/// A stage of the bundle's run with its result.
struct Executed {
    stage: String,
    kind: StageKind,
    result: ActionResult,
}

fn executed(store: &Store, bundle: &Checked) -> Result<Vec<Executed>, CliError> {
    let mut executed = Vec::new();
    for stage in store.run(bundle.run)?.stages {
        let (Some(key), Some(artifact)) = (stage.action, stage.artifact) else {
            continue;
        };
        let mut results = store.results(key)?.into_iter();
        let result = results.find(|result| result.artifact == artifact);
        if let Some(result) = result {
            executed.push(Executed {
                stage: stage.name,
                kind: store.action(key)?.kind,
                result,
            });
        }
    }
    Ok(executed)
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

/// The place in which a pipeline file looks for its networks, as it is written there.
fn networks_name(pipeline: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(pipeline).ok()?;
    let table: toml::Table = text.parse().ok()?;
    Some(table.get("networks")?.as_str()?.to_owned())
}

/// A place relative to a folder, in the folder or above it.
#[derive(Debug, PartialEq, Eq)]
struct RelativePlace {
    /// The number of folders up.
    above: usize,
    /// From there on, only down.
    path: PathBuf,
}

impl RelativePlace {
    /// A pipeline file is put into no more folders.
    const HIGHEST: usize = 8;

    fn of(path: &str) -> Option<Self> {
        let (mut above, mut below) = (0, PathBuf::new());
        for component in Path::new(path).components() {
            match component {
                Component::CurDir => {}
                Component::ParentDir if below.as_os_str().is_empty() && above < Self::HIGHEST => {
                    above += 1;
                }
                Component::Normal(name) => below.push(name),
                _ => return None,
            }
        }
        Some(Self { above, path: below })
    }

    /// The path for a `folder` that is deep enough.
    fn seen_from(&self, folder: &Path) -> PathBuf {
        let start = folder.ancestors().nth(self.above).unwrap_or(folder);
        start.join(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_the_folder() {
        assert_eq!(file_name("quick start"), "quick-start.toml");
        assert_eq!(file_name("../../x"), "------x.toml");
        let place = |above, path: &str| {
            let path = path.into();
            Some(RelativePlace { above, path })
        };
        for (path, expected) in [
            ("networks.toml", place(0, "networks.toml")),
            ("./below/n.toml", place(0, "below/n.toml")),
            ("../n.toml", place(1, "n.toml")),
            ("../.././a/n.toml", place(2, "a/n.toml")),
            ("/etc/n.toml", None),
            ("a/../../n.toml", None),
            ("a/../n.toml", None),
            ("../../../../../../../../../n.toml", None),
        ] {
            assert_eq!(RelativePlace::of(path), expected, "{path}");
        }
        let seen = |path| {
            RelativePlace::of(path)
                .unwrap()
                .seen_from(Path::new("to/p/p"))
        };
        assert_eq!(seen("../../a/n.toml"), Path::new("to/a/n.toml"));
        assert_eq!(seen("n.toml"), Path::new("to/p/p/n.toml"));
    }
}
