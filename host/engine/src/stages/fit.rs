//! Whether a network fits the dataset that it is trained on: checked before anything runs as far as
//! a dataset is known then, and again when its images are there.

use assay_core::{Complaints, Diagnostic, PlannedStage, StageKind};
use assay_data::sources::DatasetParameters;
use assay_network::{Network, Shape, Task};
use serde::Deserialize as _;
use serde_json::Value;

/// Refuses a network whose inputs are no images of shape `image`, or whose classes are not the
/// dataset's.
pub(super) fn check_fit(
    network: &Network,
    image: Option<Shape>,
    classes: Option<u32>,
) -> Result<(), String> {
    let input = network.input();
    if let Some(image) = image.filter(|&image| image != input) {
        return Err(format!(
            "the network takes inputs of {input}, but the dataset's images are {image} \
             (channels, height, width)"
        ));
    }
    let outputs = network.outputs();
    match classes {
        Some(classes) if network.task() == Task::Classification && outputs != classes as usize => {
            Err(format!(
                "the network has {outputs} outputs, but the dataset has {classes} classes"
            ))
        }
        _ => Ok(()),
    }
}

/// Complains about every training of a plan whose network cannot fit its dataset. What the
/// parameters of a dataset do not say is left to the training.
pub(crate) fn check_networks(stages: &[PlannedStage], complaints: &mut Complaints) {
    let trainings = stages.iter().filter(|it| it.kind == StageKind::Train);
    for training in trainings {
        let dataset = training.inputs.get("dataset");
        let dataset = dataset.and_then(|&at| dataset_parameters(stages.get(at)?));
        let network = training.parameters.get("network");
        let network = network.and_then(|network| Network::deserialize(network).ok());
        let (Some(dataset), Some(network)) = (dataset, network) else {
            continue; // Whatever is wrong with them is complained about where they stand.
        };
        let (image, classes) = (dataset.source.image(), dataset.source.classes());
        let checked = check_fit(&network, image.map(Shape::from), classes.map(u32::from));
        if let (Err(message), Some(place)) = (checked, training.place("network")) {
            complaints.push(Diagnostic::new(message, place));
        }
    }
}

fn dataset_parameters(stage: &PlannedStage) -> Option<DatasetParameters> {
    DatasetParameters::deserialize(&Value::Object(stage.parameters.clone())).ok()
}
