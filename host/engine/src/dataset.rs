//! One dataset by itself: the action that a pipeline file's stage or a dataset's name stands for,
//! and the tables that it left, opened. Nothing is trained and no plugin is needed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use assay_core::{
    Action, ActionKey, ArtifactHash, Complaints, Diagnostic, Limits, Place, Resources, Source,
    SourceError, StageKind, choices,
};
use assay_data::prepare::{DESCRIPTION_FILE, Description, SplitDescription};
use assay_data::sources::DatasetSettings;
use assay_data::table::ImageTable;
use assay_store::Store;

use crate::error::EngineError;
use crate::plan::{Completion, PlannedStage};
use crate::source_file::PlanFile;
use crate::stages;

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
    let (mut stage, base, texts) = match argument {
        DatasetArgument::Known(name) => known(name)?,
        DatasetArgument::File {
            path,
            stage,
            overrides,
        } => of_file(path, stage, overrides)?,
    };
    let mut complaints = Complaints::default();
    let mut hashes = store.source_hashes();
    let mut completion = Completion {
        base: &base,
        data_dir,
        hashes: &mut hashes,
        lock: None,
    };
    stage.complete(&[], &mut completion, &mut complaints);
    hashes.save();
    if !complaints.is_empty() {
        return Err(SourceError::new(texts, complaints).into());
    }
    let (kind, parameters) = (stage.kind(), stage.parameters()?);
    let action = Action::new(kind, parameters, [].into(), None, None);
    Ok(PlannedDataset {
        key: store.put_action(&action)?,
        data_dir: stage.work.data_path().map(|path| base.join(path)),
        name: stage.name,
        limits: stage.limits,
    })
}

/// The stage that a pipeline file would have for a known dataset and its defaults.
fn known(name: &str) -> Result<(PlannedStage, PathBuf, Vec<Source>), EngineError> {
    let (texts, place) = argument("DATASET", name);
    let mut complaints = Complaints::default();
    let Some(settings) = DatasetSettings::known(name, &mut complaints) else {
        return Err(SourceError::new(texts, complaints).into());
    };
    let stage = PlannedStage {
        name: name.to_owned(),
        work: Box::new(stages::PlannedDataset::from(settings)),
        inputs: [].into(),
        plugin: None,
        limits: Limits::default(),
        resources: Resources::default(),
        labels: None,
        places: Arc::new(std::iter::once((String::new(), place)).collect()),
        search: None,
    };
    Ok((stage, PathBuf::new(), texts))
}

/// An argument of the command line as a text to complain about, and the whole of it.
fn argument(name: &str, text: &str) -> (Vec<Source>, Place) {
    let place = Place {
        source: 0,
        bytes: 0..text.len(),
    };
    let source = Source {
        name: name.to_owned(),
        text: text.to_owned(),
    };
    (vec![source], place)
}

fn of_file(
    path: &Path,
    wanted: Option<&str>,
    overrides: &[String],
) -> Result<(PlannedStage, PathBuf, Vec<Source>), EngineError> {
    let PlanFile { plan, base, .. } = PlanFile::read(path, None, overrides, &[])?;
    let stages = plan.stages.into_iter();
    let mut stages: Vec<_> = stages
        .filter(|stage| stage.kind() == StageKind::Dataset)
        .collect();
    let at = match (wanted, stages.len()) {
        (Some(name), _) => stages.iter().position(|stage| stage.name == name),
        (None, 1) => Some(0),
        (None, _) => None,
    };
    match at {
        Some(at) => Ok((stages.swap_remove(at), base, plan.sources)),
        None => Err(no_stage(path, wanted, &stages).into()),
    }
}

/// The complaint about a stage that is not there, or about a name that is needed.
fn no_stage(path: &Path, wanted: Option<&str>, stages: &[PlannedStage]) -> SourceError {
    let path = path.display().to_string();
    let names = stages.iter().map(|stage| stage.name.as_str());
    let ((texts, place), message, help) = match wanted {
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
    let complaint = Diagnostic::new(message, &place).help(help);
    SourceError::new(texts, complaint.into())
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
