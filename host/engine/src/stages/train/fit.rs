//! Whether a network fits the dataset that it is trained on: checked before anything runs as far as
//! a dataset is known then, and again when its images are there.

use assay_network::{Network, Shape, Task};

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
