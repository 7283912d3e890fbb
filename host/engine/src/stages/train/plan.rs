//! Plans trainings: one for each point of a train stage's matrix.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use assay_core::settings::{
    Node, Reader, boolean, integer, json_and_places, one_of, placed, string,
};
use assay_core::{
    Complaints, Diagnostic, Hyperparameters, Instance, Limits, Method, Places, Resources,
    StageKind, StageTable, settings,
};
use assay_data::augment::{Augmentation, Flip};
use serde_json::{Map, Value};

use super::TrainingParameters;
use super::fit::check_fit;
use crate::plan::{Completion, Labels, PlannedStage, Planner, PluginUse, StageInPlan, Work};
use crate::stages::{LARGEST_SEED, object};

pub(super) fn plan(stage: &StageTable, planner: &mut Planner<'_>) {
    for instance in stage.instances(planner.complaints) {
        let read = read_training(&instance, planner, |_, _| ());
        if let Some((training, ())) = read {
            planner.push(training.stage(instance.name));
        }
    }
}

/// A training as its settings say.
pub(in crate::stages) struct TrainingSettings {
    pub(in crate::stages) parameters: TrainingParameters,
    /// The datasets that it names: one.
    pub(in crate::stages) datasets: Vec<usize>,
    pub(in crate::stages) plugin: PluginUse,
    pub(in crate::stages) limits: Limits,
    pub(in crate::stages) resources: Resources,
    pub(in crate::stages) labels: Labels,
    pub(in crate::stages) places: Arc<Places>,
    /// The ranges that the method gives for a search.
    pub(in crate::stages) space: Hyperparameters,
}

impl TrainingSettings {
    /// The stage of that name.
    pub(in crate::stages) fn stage(self, name: String) -> PlannedStage {
        PlannedStage {
            inputs: self.inputs(),
            name,
            work: Box::new(self.parameters),
            plugin: Some(self.plugin),
            limits: self.limits,
            resources: self.resources,
            labels: Some(self.labels),
            places: self.places,
            search: None,
        }
    }

    /// The stages that a training reads, by role.
    pub(in crate::stages) fn inputs(&self) -> BTreeMap<String, usize> {
        let datasets = self.datasets.iter();
        datasets.map(|&at| (DATASET.to_owned(), at)).collect()
    }
}

/// The role of the dataset among the inputs of a training.
pub(crate) const DATASET: &str = "dataset";

/// Reads the settings of a training, and with `more` those that a stage has beside them.
pub(in crate::stages) fn read_training<T>(
    instance: &Instance,
    planner: &mut Planner<'_>,
    more: impl FnOnce(&mut Reader<'_>, &mut Complaints) -> T,
) -> Option<(TrainingSettings, T)> {
    let out = &mut *planner.complaints;
    let mut reader = instance.reader();
    let place = reader.place.clone();
    let mut places = reader.places();
    let dataset = reader.required("dataset", out, placed(string));
    let network = reader.required("network", out, placed(string));
    let method = reader.optional("method", out, placed(string));
    let algorithm = reader.optional("algorithm", out, placed(string));
    let own = reader.optional("hyperparameters", out, settings::hyperparameters);
    let seed = reader.optional("seed", out, integer(0..=LARGEST_SEED));
    let epochs = reader.required("epochs", out, integer(1..=MOST_EPOCHS));
    let batch_size = reader.optional("batch_size", out, integer(1..=1 << 20));
    let augmentation = reader.optional("augmentation", out, Ok);
    let alignment = reader.optional("alignment", out, boolean);
    let keep = reader.optional("keep_state_every", out, integer(1..=MOST_EPOCHS));
    let limits = settings::limits(&mut reader, out);
    let resources = settings::resources(&mut reader, out);
    let more = more(&mut reader, out);
    reader.finish(out);
    let augmentation = augmentation.and_then(|node| read_augmentation(node, out));

    let layers = network
        .as_ref()
        .and_then(|name| planner.file.network(name, out));
    let (name, method) = match (method, algorithm) {
        (Some(method), None) => (method.value.clone(), planner.file.method(&method, out)),
        (None, Some(algorithm)) => (
            algorithm.value.clone(),
            Some(Method::of_algorithm(algorithm)),
        ),
        (method, _) => {
            let place = method.map_or(place, |method| method.place);
            out.push(
                Diagnostic::new("a training has either a `method` or an `algorithm`", &place).help(
                    "a method is an algorithm with its hyper-parameters: [method.NAME]".to_owned(),
                ),
            );
            (String::new(), None)
        }
    };
    let dataset = dataset?;
    let datasets = planner.whole(StageKind::Dataset, &dataset);
    let (network, layers, method, epochs) = (network?, layers?, method?, epochs?);
    let (algorithm, plugin) = (method.algorithm.clone(), method.plugin.clone());
    let space = method.space.clone();
    let mut hyperparameters = method.hyperparameters(&network.value);
    hyperparameters.extend(own.unwrap_or_default());
    let (hyperparameters, written) = json_and_places(hyperparameters);
    places.extend(written);
    places.insert("network.input".to_owned(), layers.place.clone());
    places.insert("network.layers".to_owned(), layers.place);
    places.insert("algorithm".to_owned(), algorithm.place.clone());
    let labels = Labels {
        method: name,
        network: network.value,
        dataset: dataset.value,
        task: layers.value.task(),
    };
    let parameters = TrainingParameters {
        algorithm: algorithm.value.clone(),
        network: layers.value,
        hyperparameters,
        seed: seed.unwrap_or(1) as u64,
        epochs: epochs as u32,
        batch_size: batch_size.unwrap_or(128) as u32,
        augmentation,
        alignment: alignment.unwrap_or(false),
        keep_state_every: keep.and_then(|every| NonZeroU32::new(every as u32)),
    };
    let settings = TrainingSettings {
        parameters,
        datasets,
        plugin: PluginUse {
            reference: plugin,
            algorithm,
        },
        limits,
        resources,
        labels,
        places: Arc::new(places),
        space,
    };
    Some((settings, more))
}

/// More epochs than any training has.
const MOST_EPOCHS: i64 = 1_000_000;

/// More padding than any image has pixels on a side.
const MOST_PADDING: i64 = 1 << 16;

/// The augmentation, or `None` where nothing is done to images, which must not decide a key.
fn read_augmentation(node: &Node, out: &mut Complaints) -> Option<Augmentation> {
    let mut reader = Reader::of(node, "`augmentation`", out)?;
    let crop_padding = reader.optional("crop_padding", out, integer(0..=MOST_PADDING));
    let flips = [
        ("horizontal", Flip::Horizontal),
        ("vertical", Flip::Vertical),
    ];
    let flip = reader.optional("flip", out, one_of(&flips));
    reader.finish(out);
    let augmentation = Augmentation {
        crop_padding: crop_padding.unwrap_or(0) as u32,
        flip,
    };
    Some(augmentation).filter(|it| *it != Augmentation::default())
}

impl Work for TrainingParameters {
    fn kind(&self) -> StageKind {
        StageKind::Train
    }

    fn parameters(&self) -> Result<Map<String, Value>, serde_json::Error> {
        object(self)
    }

    /// Complains about a network that cannot fit its dataset, as far as the parameters of the dataset
    /// say: the rest is left to the training.
    fn complete(
        &mut self,
        stage: &StageInPlan<'_>,
        _: &mut Completion<'_>,
        complaints: &mut Complaints,
    ) {
        let dataset = stage.input(DATASET);
        // A dataset that is not complete has been complained about where it stands.
        let Some(dataset) = dataset.and_then(|dataset| dataset.work.dataset()) else {
            return;
        };
        let (image, classes) = (dataset.source.image(), dataset.source.classes());
        let checked = check_fit(&self.network, image.map(Into::into), classes.map(u32::from));
        if let (Err(message), Some(place)) = (checked, stage.place("network")) {
            complaints.push(Diagnostic::new(message, place));
        }
    }

    fn training(&self) -> Option<&TrainingParameters> {
        Some(self)
    }

    fn training_mut(&mut self) -> Option<&mut TrainingParameters> {
        Some(self)
    }
}
