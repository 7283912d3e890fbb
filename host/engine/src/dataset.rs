//! One dataset by itself: the action that a pipeline file's stage or a dataset's name stands for,
//! and the tables that it left, opened. Nothing is trained and no plugin is needed.

use std::path::{Path, PathBuf};

use assay_core::{
    ActionKey, ArtifactHash, Complaints, Diagnostic, Limits, Place, Plan, PlannedStage, Source,
    SourceError, Spec, StageKind, choices,
};
use assay_data::prepare::{DESCRIPTION_FILE, Description, SplitDescription};
use assay_data::table::ImageTable;
use assay_store::Store;
use serde_json::{Map, Value};

use crate::error::EngineError;
use crate::source_file::{load_beside, read_text};
use crate::stages::{Planning, complete_datasets};

/// A dataset that is asked for.
#[derive(Clone, Copy, Debug)]
pub enum DatasetArgument<'a> {
    /// By the name of a known dataset, with every setting at its default.
    Known(&'a str),
    /// As a stage of a pipeline file.
    File {
        /// The file.
        path: &'a Path,
        /// The dataset stage; may be left out where the file has one.
        stage: Option<&'a str>,
        /// The `--set` overrides, in order.
        overrides: &'a [String],
    },
}

/// A dataset whose action is in the store.
#[derive(Clone, Debug)]
pub struct PlannedDataset {
    /// The stage's name, or that of the known dataset.
    pub name: String,
    /// The action.
    pub key: ActionKey,
    /// Where the pipeline file says that the files are.
    pub data_dir: Option<PathBuf>,
    /// Resource limits of its worker.
    pub limits: Limits,
}

/// Decides everything about a dataset and stores its action; `data_dir` is where the user keeps
/// datasets.
///
/// # Errors
/// Anything wrong with the name or the file.
pub fn plan_dataset(
    store: &Store,
    argument: DatasetArgument<'_>,
    data_dir: Option<&Path>,
) -> Result<PlannedDataset, EngineError> {
    let (stage, base, sources) = match argument {
        DatasetArgument::Known(name) => known(name),
        DatasetArgument::File {
            path,
            stage,
            overrides,
        } => of_file(path, stage, overrides)?,
    };
    let mut complaints = Complaints::default();
    let mut planning = Planning {
        base: &base,
        data_dir,
        sources: &mut store.source_hashes(),
    };
    let stages = complete_datasets(vec![stage], &mut planning, &mut complaints);
    planning.sources.save()?;
    let Some(stage) = stages.into_iter().next().filter(|_| complaints.is_empty()) else {
        return Err(SourceError::new(sources, complaints).into());
    };
    let data_dir = stage.data_path.as_ref().map(|path| base.join(path));
    let action = stage.action([].into(), None, None);
    Ok(PlannedDataset {
        key: store.put_action(&action)?,
        name: stage.name,
        data_dir,
        limits: stage.limits,
    })
}

/// The stage that a pipeline file would have for a known dataset and its defaults.
fn known(name: &str) -> (PlannedStage, PathBuf, Vec<Source>) {
    let place = Place {
        source: 0,
        bytes: 0..name.len(),
    };
    let parameters = Map::from_iter([("source".to_owned(), Value::from(name))]);
    let stage = PlannedStage {
        name: name.to_owned(),
        kind: StageKind::Dataset,
        parameters,
        inputs: [].into(),
        plugin: None,
        data_path: None,
        limits: Limits::default(),
        labels: None,
        places: std::iter::once((String::new(), place)).collect(),
    };
    (stage, PathBuf::new(), vec![argument("DATASET", name)])
}

fn argument(name: &str, text: &str) -> Source {
    Source {
        name: name.to_owned(),
        text: text.to_owned(),
    }
}

fn of_file(
    path: &Path,
    wanted: Option<&str>,
    overrides: &[String],
) -> Result<(PlannedStage, PathBuf, Vec<Source>), EngineError> {
    let text = read_text(path, "a pipeline file")?;
    let base = path.parent().unwrap_or(Path::new("")).to_owned();
    let name = path.display().to_string();
    let spec = Spec::parse(&name, &text, overrides, &load_beside(&base))?;
    let plan = Plan::new(&spec).stages.into_iter();
    let mut stages: Vec<_> = plan
        .filter(|stage| stage.kind == StageKind::Dataset)
        .collect();
    let at = match (wanted, stages.len()) {
        (Some(name), _) => stages.iter().position(|stage| stage.name == name),
        (None, 1) => Some(0),
        (None, _) => None,
    };
    match at {
        Some(at) => Ok((stages.swap_remove(at), base, spec.sources)),
        None => Err(no_stage(path, wanted, &stages).into()),
    }
}

/// The complaint about a stage that is not there, or about a name that is needed.
fn no_stage(path: &Path, wanted: Option<&str>, stages: &[PlannedStage]) -> SourceError {
    let path = path.display().to_string();
    let names = stages.iter().map(|stage| stage.name.as_str());
    let (source, message, help) = match wanted {
        Some(name) => (
            argument("STAGE", name),
            format!("there is no dataset stage `{name}` in {path}"),
            choices(name, names),
        ),
        None => (
            argument("DATASET", &path),
            format!("{path} has {} dataset stages", stages.len()),
            (!stages.is_empty())
                .then(|| format!("name one of them: {}", names.collect::<Vec<_>>().join(", "))),
        ),
    };
    let place = Place {
        source: 0,
        bytes: 0..source.text.len(),
    };
    let complaint = Diagnostic::new(message, &place).help(help);
    SourceError::new(vec![source], complaint.into())
}

/// A dataset that lies in the store.
#[derive(Clone, Debug)]
pub struct StoredDataset {
    /// Description of the dataset.
    pub description: Description,
    /// Its splits: train, validation if there is one, test.
    pub splits: Vec<StoredSplit>,
}

/// One split of a dataset.
#[derive(Clone, Debug)]
pub struct StoredSplit {
    /// Its name.
    pub name: &'static str,
    /// The size of its table, or of its shards together, in bytes.
    pub bytes: u64,
    /// Its images.
    pub table: ImageTable,
}

/// Opens the artifact of a dataset stage, every byte of it checked.
///
/// # Errors
/// A file is missing or damaged, or not of this version.
pub fn open_dataset(store: &Store, artifact: ArtifactHash) -> Result<StoredDataset, EngineError> {
    let files = store.artifact(artifact)?.files;
    let file = |name: &str| {
        let file = files.get(name);
        file.ok_or_else(|| assay_store::StoreError::NoSuchFile {
            artifact,
            name: name.to_owned(),
        })
    };
    let bytes = store.read(file(DESCRIPTION_FILE)?.object)?;
    let description: Description =
        serde_json::from_slice(&bytes).map_err(|source| EngineError::Dataset {
            artifact,
            source: Box::new(source),
        })?;
    let open = |(name, split): (&'static str, &SplitDescription)| {
        let mut size = 0;
        for name in split.files() {
            let file = file(name)?;
            store.verify(file.object)?;
            size += file.size;
        }
        let locate = |name: &str| Some(store.object_path(files.get(name)?.object));
        let table = description.open_split(split, locate);
        Ok(StoredSplit {
            name,
            bytes: size,
            table: table.map_err(|source| EngineError::Dataset {
                artifact,
                source: Box::new(source),
            })?,
        })
    };
    let splits = &description.splits;
    let named = [
        ("train", Some(&splits.train)),
        ("validation", splits.validation.as_ref()),
        ("test", Some(&splits.test)),
    ];
    let splits = named
        .into_iter()
        .filter_map(|(name, split)| Some((name, split?)))
        .map(open)
        .collect::<Result<_, EngineError>>()?;
    Ok(StoredDataset {
        description,
        splits,
    })
}
