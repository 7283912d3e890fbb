//! Completes the parameters of a dataset stage when a pipeline is planned: names its source,
//! finds and hashes the user's own files, fills in defaults, and complains where the pipeline
//! file asks for what there is not.

use std::path::Path;

use assay_core::{Complaints, Diagnostic, PlannedStage, StageKind, choices};
use assay_data::image::{DEFAULT_SIZE, Geometry};
use assay_data::imagenet;
use assay_data::known::{CIFAR10, FASHION_MNIST, MNIST};
use assay_data::parquet_images::find;
use assay_data::prepare::{
    BadImagePolicy, DatasetParameters, DatasetSource, IdxSource, ImagenetSource, ParquetFile,
    ParquetSource, ScalingChoice,
};
use assay_data::source::hash_directory;
use assay_store::SourceHashes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::sources::{hash_file, hash_imagenet};

/// The sources that read the user's own files, beside ImageNet.
const IDX: &str = "idx";
const PARQUET: &str = "parquet";

/// Labels are single bytes in IDX files.
const MOST_IDX_CLASSES: u16 = 256;

/// The settings of some sources, and which sources take them.
const SETTINGS: [(&str, &[&str]); 11] = [
    ("path", &[IDX, imagenet::NAME, PARQUET]),
    ("classes", &[IDX, PARQUET]),
    ("test", &[imagenet::NAME, PARQUET]),
    ("size", &[imagenet::NAME, PARQUET]),
    ("geometry", &[imagenet::NAME, PARQUET]),
    ("on_bad_image", &[imagenet::NAME, PARQUET]),
    ("train", &[PARQUET]),
    ("image_column", &[PARQUET]),
    ("label_column", &[PARQUET]),
    ("class_names", &[IDX, PARQUET]),
    ("channels", &[PARQUET]),
];

/// Context for completing dataset stages.
pub(crate) struct Planning<'a> {
    /// The folder of the pipeline file.
    pub(crate) base: &'a Path,
    /// Where the user keeps datasets.
    pub(crate) data_dir: Option<&'a Path>,
    pub(crate) sources: &'a mut SourceHashes,
}

/// A complaint, where there is a place to complain at.
type Complaint = Option<Diagnostic>;

/// Completes the parameters of each dataset stage.
pub(crate) fn complete_datasets(
    mut stages: Vec<PlannedStage>,
    planning: &mut Planning<'_>,
    complaints: &mut Complaints,
) -> Vec<PlannedStage> {
    for stage in &mut stages {
        if stage.kind == StageKind::Dataset
            && let Err(complaint) = complete(stage, planning)
        {
            complaints.extend(complaint);
        }
    }
    stages
}

fn complete(stage: &mut PlannedStage, planning: &mut Planning<'_>) -> Result<(), Complaint> {
    let mut given = Given {
        parameters: stage.parameters.clone(),
        stage,
    };
    let name: String = given.take("source")?.unwrap_or_default();
    given.check_settings(&name)?;
    // A file that says nothing of the kind is looked for beside the pipeline file.
    let mut data_path = stage.data_path.clone();
    let source = match name.as_str() {
        IDX => DatasetSource::Idx(given.idx(planning.base)?),
        imagenet::NAME => DatasetSource::Imagenet(given.imagenet(planning)?),
        PARQUET => {
            let path = data_path.get_or_insert_with(|| ".".to_owned());
            let folder = planning.base.join(path);
            DatasetSource::Parquet(given.parquet(&folder, planning.sources)?)
        }
        known => serde_json::from_value(known.into()).map_err(|_| None)?,
    };
    let parameters = given.finish(source)?;
    stage.parameters = parameters;
    stage.data_path = data_path;
    Ok(())
}

/// A dataset stage and those of its settings in the pipeline file that are not used yet.
struct Given<'a> {
    stage: &'a PlannedStage,
    parameters: Map<String, Value>,
}

impl Given<'_> {
    fn complain(&self, key: &str, message: impl Into<String>, help: Option<String>) -> Complaint {
        Some(Diagnostic::new(message, self.stage.place(key)?).help(help))
    }

    /// The setting `key`, if it is given.
    fn take<T: DeserializeOwned>(&mut self, key: &str) -> Result<Option<T>, Complaint> {
        let value = self.parameters.remove(key);
        let typed = value.map(serde_json::from_value).transpose();
        typed.map_err(|error| self.complain(key, error.to_string(), None))
    }

    fn require<T: DeserializeOwned>(&mut self, key: &str, what: &str) -> Result<T, Complaint> {
        let message = format!("a dataset in {what} needs `{key}`");
        self.take(key)?
            .ok_or_else(|| self.complain("", message, None))
    }

    /// The source exists and takes every setting that is given.
    fn check_settings(&self, source: &str) -> Result<(), Complaint> {
        let known = [
            MNIST.name,
            FASHION_MNIST.name,
            CIFAR10.name,
            IDX,
            imagenet::NAME,
            PARQUET,
        ];
        if !known.contains(&source) {
            let help = choices(source, known.into_iter());
            let message = format!("there is no dataset `{source}`");
            return Err(self.complain("source", message, help));
        }
        for (key, takers) in SETTINGS {
            let given = match key {
                "path" => self.stage.data_path.is_some(),
                key => self.parameters.contains_key(key),
            };
            if given && !takers.contains(&source) {
                let takers: Vec<_> = takers.iter().map(|name| format!("`{name}`")).collect();
                let takers = takers.join(" or ");
                let message = format!("`{key}` is for a dataset from {takers}, not for `{source}`");
                let help = (key == "path")
                    .then(|| "a folder with its files is named with --data-dir".to_owned());
                return Err(self.complain(key, message, help));
            }
        }
        Ok(())
    }

    fn idx(&mut self, base: &Path) -> Result<IdxSource, Complaint> {
        let path = self.stage.data_path.as_ref();
        let no_path = "a dataset in IDX format needs `path`";
        let path = path.ok_or_else(|| self.complain("", no_path, None))?;
        let class_names: Vec<String> = self.take("class_names")?.unwrap_or_default();
        let classes = match self.take("classes")? {
            Some(classes) => classes,
            None if class_names.is_empty() => {
                let message = "a dataset in IDX format needs `classes`";
                return Err(self.complain("", message, None));
            }
            None => class_names.len() as u16,
        };
        if !class_names.is_empty() && class_names.len() != usize::from(classes) {
            let message = format!("{} names for {classes} classes", class_names.len());
            return Err(self.complain("class_names", message, None));
        }
        if classes > MOST_IDX_CLASSES {
            let message = format!("`classes` is {classes}, and labels in IDX format are bytes");
            return Err(self.complain("classes", message, None));
        }
        let files = hash_directory(&base.join(path))
            .map_err(|error| self.complain("path", error.to_string(), None))?;
        Ok(IdxSource {
            name: self.stage.name.clone(),
            classes,
            class_names,
            files,
        })
    }

    fn imagenet(&mut self, planning: &mut Planning<'_>) -> Result<ImagenetSource, Complaint> {
        let own = self.stage.data_path.as_ref();
        let own = own.map(|path| planning.base.join(path));
        let directory = own.as_deref().or(planning.data_dir);
        let test = match self.take("test")? {
            None | Some(Value::Null) => None,
            Some(count) => Some(u32::deserialize(count).map_err(|_| {
                let message = "the test set of ImageNet is in its own files: `test` can only be \
                               a number of images to draw from the training set";
                self.complain("test", message, None)
            })?),
        };
        Ok(ImagenetSource {
            size: self.take("size")?.unwrap_or(DEFAULT_SIZE),
            geometry: self.geometry()?,
            on_bad_image: self.policy()?,
            test,
            files: hash_imagenet(planning.sources, directory)
                .map_err(|error| self.complain("path", error.to_string(), None))?,
        })
    }

    fn parquet(
        &mut self,
        folder: &Path,
        sources: &mut SourceHashes,
    ) -> Result<ParquetSource, Complaint> {
        let train: Vec<String> = self.require("train", "Parquet files")?;
        let (test_files, test) = match self.take::<TestSet>("test")? {
            Some(TestSet::Files(patterns)) => (patterns, None),
            Some(TestSet::Drawn(count)) => (Vec::new(), Some(count)),
            None => {
                let message = "a dataset in Parquet files needs `test`: its files, or a number \
                               of images to draw from the training set";
                return Err(self.complain("", message, None));
            }
        };
        Ok(ParquetSource {
            name: self.stage.name.clone(),
            train: self.files("train", &train, folder, sources)?,
            test_files: self.files("test", &test_files, folder, sources)?,
            test,
            image_column: self.take("image_column")?.unwrap_or("image".to_owned()),
            label_column: self.take("label_column")?.unwrap_or("label".to_owned()),
            class_names: self.take("class_names")?,
            classes: self.take("classes")?,
            channels: self.take("channels")?.unwrap_or(3),
            size: self.take("size")?,
            geometry: self.geometry()?,
            on_bad_image: self.policy()?,
        })
    }

    /// The files that the patterns under `key` match, hashed.
    fn files(
        &self,
        key: &str,
        patterns: &[String],
        folder: &Path,
        sources: &mut SourceHashes,
    ) -> Result<Vec<ParquetFile>, Complaint> {
        let mut files = Vec::new();
        for pattern in patterns {
            let paths = find(folder, pattern)
                .map_err(|error| self.complain(key, error.to_string(), None))?;
            for path in paths {
                let hash = hash_file(sources, folder, &path)
                    .map_err(|error| self.complain(key, error.to_string(), None))?;
                files.push(ParquetFile { path, hash });
            }
        }
        Ok(files)
    }

    fn geometry(&mut self) -> Result<Geometry, Complaint> {
        Ok(self.take("geometry")?.unwrap_or_default())
    }

    fn policy(&mut self) -> Result<BadImagePolicy, Complaint> {
        Ok(self.take("on_bad_image")?.unwrap_or_default())
    }

    /// All parameters, with `source` and the defaults filled in.
    fn finish(mut self, source: DatasetSource) -> Result<Map<String, Value>, Complaint> {
        if let Some(scaling) = self.parameters.get("scaling") {
            ScalingChoice::deserialize(scaling)
                .map_err(|error| self.complain("scaling", error.to_string(), None))?;
        }
        let source = serde_json::to_value(source).map_err(|_| None)?;
        self.parameters.insert("source".to_owned(), source);
        let parameters = Value::Object(std::mem::take(&mut self.parameters));
        let typed: Result<DatasetParameters, _> = serde_json::from_value(parameters);
        match typed.and_then(serde_json::to_value) {
            Ok(Value::Object(parameters)) => Ok(parameters),
            Ok(_) => Err(None),
            Err(error) => Err(self.complain("", error.to_string(), None)),
        }
    }
}

/// The setting `test`.
#[derive(Deserialize)]
#[serde(untagged)]
enum TestSet {
    Files(Vec<String>),
    Drawn(u32),
}
