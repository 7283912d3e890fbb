//! The typed pipeline file: names resolved, ranges checked, defaults filled in, matrices expanded.
//!
//! Settings that only a plugin understands (its hyper-parameters), or only the data crate (its
//! sources), are kept with their places, to be checked there.

use assay_network::Network;
use indexmap::IndexMap;
use serde_json::{Map, Value as Json};

use super::diagnostic::{Complaints, Place, Places, Source, SourceError};
use super::networks::{Load, include};
use super::read::read_spec;
use super::tree::{apply_override, parse};
use crate::limits::Limits;

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

/// Hyper-parameters by name, as written: the algorithm's schema decides what they mean.
pub type Hyperparameters = IndexMap<String, Placed<Json>>;

/// A whole pipeline file.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The texts that places point into: the file, then each override, then the file of networks
    /// that it names.
    pub sources: Vec<Source>,
    /// Which source is the file of networks.
    pub networks_file: Option<usize>,
    /// The pipeline's name.
    pub name: String,
    /// Folders to look for plugins in, relative to the file.
    pub plugin_dirs: Vec<String>,
    /// Limits on every stage, for each that it does not set itself.
    pub limits: Limits,
    /// The stages, in the order of the file.
    pub stages: Vec<Stage>,
}

/// One stage.
#[derive(Clone, Debug)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// Its work, with the settings.
    pub work: StageWork,
}

/// The work of a stage, with its settings.
#[derive(Clone, Debug)]
pub enum StageWork {
    /// Obtains, checks and splits a dataset.
    Dataset(Box<DatasetStage>),
    /// Trains: one instance for each point of its matrix.
    Train(Vec<TrainStage>),
    /// Measures every instance of a train stage.
    Evaluate(EvaluateStage),
    /// Gathers evaluations into a table.
    Report(ReportStage),
}

/// The settings of a dataset stage.
#[derive(Clone, Debug)]
pub struct DatasetStage {
    /// The name of a known dataset, or of a format.
    pub source: String,
    /// Where the files of a format are, relative to the pipeline file.
    pub path: Option<String>,
    /// The number of classes, for a format that does not say.
    pub classes: Option<u16>,
    /// The classes' names by label, for a format that does not say.
    pub class_names: Option<Vec<String>>,
    /// Samples held out of the training set, if the file says.
    pub validation: Option<u32>,
    /// Decides which samples are held out.
    pub split_seed: u64,
    /// How pixels become numbers, if the file says.
    pub scaling: Option<String>,
    /// At most so many training samples.
    pub limit_train: Option<u32>,
    /// At most so many test samples.
    pub limit_test: Option<u32>,
    /// Settings of image files, as JSON, each of the right type. Which of them a source takes is
    /// for those to say who know sources.
    pub images: IndexMap<&'static str, Json>,
    /// Where its settings stand.
    pub places: Places,
    /// Limits on its worker.
    pub limits: Limits,
}

/// The settings of one training.
#[derive(Clone, Debug)]
pub struct TrainStage {
    /// The point of the matrix, such as `bp/seed=1`; empty without a matrix.
    pub instance: String,
    /// The dataset stage.
    pub dataset: Placed<String>,
    /// The network's name and shape, which stands where its layers do.
    pub network: (Placed<String>, Placed<Network>),
    /// The method's name.
    pub method: String,
    /// The algorithm.
    pub algorithm: Placed<String>,
    /// The plugin that has it.
    pub plugin: Placed<String>,
    /// The hyper-parameters: the method's, then the network's, then the stage's.
    pub hyperparameters: Hyperparameters,
    /// Decides weights, batch order and noise.
    pub seed: u64,
    /// Passes over the training set.
    pub epochs: u32,
    /// Samples in a batch; the last one may be smaller.
    pub batch_size: u32,
    /// The augmentation of training images.
    pub augmentation: AugmentationSettings,
    /// Where its settings stand, those of its method too.
    pub places: Places,
    /// Limits on its worker.
    pub limits: Limits,
}

/// The augmentation of training images; by default none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AugmentationSettings {
    /// Zeros added on every side before a crop is drawn; 0 for no crop.
    pub crop_padding: u32,
    /// The mirroring of half the images: `horizontal` or `vertical`.
    pub flip: Option<String>,
}

/// The settings of an evaluate stage.
#[derive(Clone, Debug)]
pub struct EvaluateStage {
    /// The train stage.
    pub training: Placed<String>,
    /// Count a sample as right if its class is among the k best, for each of these k, if the file
    /// says.
    pub top_k: Option<Placed<Vec<u32>>>,
    /// Where its settings stand.
    pub places: Places,
    /// Limits on its workers.
    pub limits: Limits,
}

/// The settings of a report stage.
#[derive(Clone, Debug)]
pub struct ReportStage {
    /// The evaluate stages, or parts of one such as `evaluate/bp`, in the order of the table.
    pub evaluations: Vec<Placed<String>>,
    /// The report's title.
    pub title: String,
    /// The file of published figures, relative to the pipeline file.
    pub reference: Option<String>,
    /// Where its settings stand.
    pub places: Places,
    /// Limits on its worker.
    pub limits: Limits,
}

impl Spec {
    /// Reads a pipeline file; `overrides` are the `--set` arguments, in order, and `load` gives
    /// the file of networks, if one is named.
    ///
    /// # Errors
    /// Every complaint about the file, each with its place.
    pub fn parse(
        name: &str,
        text: &str,
        overrides: &[String],
        load: Load<'_>,
    ) -> Result<Self, SourceError> {
        let file = Source {
            name: name.to_owned(),
            text: text.to_owned(),
        };
        let mut sources: Vec<_> = std::iter::once(file)
            .chain(overrides.iter().map(|text| Source {
                name: "--set".to_owned(),
                text: text.clone(),
            }))
            .collect();
        let mut complaints = Complaints::default();
        let mut root = parse(text, 0, &mut complaints);
        let mut spec = None;
        if complaints.is_empty() {
            for number in 1..sources.len() {
                apply_override(&mut root, &sources, number, &mut complaints);
            }
            let networks = include(&mut root, &mut sources, load, &mut complaints);
            spec = Some(read_spec(&root, sources.clone(), networks, &mut complaints));
        }
        match spec {
            Some(spec) if complaints.is_empty() => Ok(spec),
            _ => Err(SourceError::new(sources, complaints)),
        }
    }
}

impl TrainStage {
    /// The hyper-parameters as a JSON object.
    pub fn hyperparameters_json(&self) -> Map<String, Json> {
        let values = self.hyperparameters.iter();
        values
            .map(|(name, placed)| (name.clone(), placed.value.clone()))
            .collect()
    }
}

impl AugmentationSettings {
    /// The settings as a JSON object, without what is not done: empty where nothing is.
    pub fn json(&self) -> Map<String, Json> {
        let padding = (self.crop_padding > 0).then(|| ("crop_padding", self.crop_padding.into()));
        let flip = self.flip.clone().map(|flip| ("flip", flip.into()));
        let settings = padding.into_iter().chain(flip);
        settings
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}
