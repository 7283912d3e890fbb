//! A whole network: the one place where the shapes of its layers are worked out and checked.

use serde::{Deserialize, Serialize};

use crate::error::{LayerError, NetworkError};
use crate::layer::{Activation, Layer, Window};
use crate::shape::Shape;
use crate::task::Task;

/// The most layers a network may have.
pub const MAX_LAYERS: usize = 1024;
/// The most units a layer, and parameters a network, may have: 16 GiB of 32-bit floats. Products
/// of such a size with a batch or an element size stay far from overflow.
pub const MAX_SIZE: u64 = 1 << 32;

/// A feed-forward network whose shapes fit.
///
/// As JSON: `{"input": [1, 28, 28], "layers": ["fc 256", "softmax 10"]}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Notation", into = "Notation")]
pub struct Network {
    input: Shape,
    layers: Vec<Layer>,
}

/// The sizes of one layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerSummary {
    /// l, from 1.
    pub index: usize,
    /// The layer itself.
    pub layer: Layer,
    /// The shape of one sample of `h_{l-1}`.
    pub input: Shape,
    /// The shape of one sample of `h_l`.
    pub output: Shape,
    /// Number of inputs that one output unit sees, padding included.
    pub fan_in: u64,
    /// Number of weights and biases of the layer.
    pub parameters: u64,
    /// Multiplications (each with its addition) that one sample costs in the forward pass,
    /// padding included.
    pub multiply_adds: u64,
}

impl Network {
    /// A network from its layers.
    ///
    /// # Errors
    /// The first layer that does not fit, with what was expected.
    pub fn new(input: [usize; 3], layers: Vec<Layer>) -> Result<Self, NetworkError> {
        let network = Self {
            input: checked_input(input.into())?,
            layers,
        };
        network.check_places()?;
        let mut parameters = 0_u64;
        let mut shape = network.input;
        for (at, &found) in network.layers.iter().enumerate() {
            let layer = at + 1;
            found
                .check()
                .map_err(|source| NetworkError::Layer { layer, source })?;
            let after_dense = at > 0 && network.layers[at - 1].is_dense();
            if after_dense && !found.is_dense() {
                return Err(NetworkError::NoImage { layer, found });
            }
            let sizes = sizes(found, shape).ok_or(NetworkError::TooLarge { layer, found })?;
            parameters = parameters.saturating_add(sizes.parameters);
            if parameters > MAX_SIZE {
                return Err(NetworkError::TooLarge { layer, found });
            }
            shape = sizes.output;
        }
        network.check_task(shape)?;
        Ok(network)
    }

    /// A network from its notation.
    ///
    /// # Errors
    /// See [`Network::new`].
    pub fn parse<S: AsRef<str>>(input: [usize; 3], layers: &[S]) -> Result<Self, NetworkError> {
        // Before the layers are parsed, so that a hostile list is refused without work.
        check_count(layers.len())?;
        let layers = layers
            .iter()
            .enumerate()
            .map(|(at, text)| {
                let layer = at + 1;
                text.as_ref()
                    .parse()
                    .map_err(|source: LayerError| NetworkError::Layer { layer, source })
            })
            .collect::<Result<_, _>>()?;
        Self::new(input, layers)
    }

    /// The shape of one sample of `h_0`.
    pub fn input(&self) -> Shape {
        self.input
    }

    /// The layers, first to last: `layers()[l - 1]` is layer l of the paper.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Task of the network.
    pub fn task(&self) -> Task {
        match self.layers.last() {
            Some(Layer::Softmax { .. }) => Task::Classification,
            _ => Task::Reconstruction,
        }
    }

    /// Number of outputs: of the classes, or of the values of an input.
    pub fn outputs(&self) -> usize {
        self.summary()
            .last()
            .map_or(0, |summary| summary.output.units())
    }

    /// Number of weights and biases of the network.
    pub fn parameters(&self) -> u64 {
        self.summary().iter().map(|layer| layer.parameters).sum()
    }

    /// Multiplications (each with its addition) of one sample's forward pass.
    pub fn multiply_adds(&self) -> u64 {
        let layers = self.summary();
        layers
            .iter()
            .fold(0, |sum, layer| sum.saturating_add(layer.multiply_adds))
    }

    /// The sizes of every layer, first to last.
    pub fn summary(&self) -> Vec<LayerSummary> {
        let mut input = self.input;
        self.layers
            .iter()
            .enumerate()
            .map_while(|(at, &layer)| {
                // `new` found every size to be in range, so this never ends early.
                let sizes = sizes(layer, input)?;
                let summary = LayerSummary {
                    index: at + 1,
                    layer,
                    input,
                    output: sizes.output,
                    fan_in: sizes.fan_in,
                    parameters: sizes.parameters,
                    multiply_adds: sizes.multiply_adds,
                };
                input = sizes.output;
                Some(summary)
            })
            .collect()
    }

    /// The number of layers, and that a softmax stands at the end if there is one.
    fn check_places(&self) -> Result<(), NetworkError> {
        check_count(self.layers.len())?;
        let inside = self.layers.iter().rev().skip(1);
        match inside.rev().zip(1..).find(|(layer, _)| is_softmax(**layer)) {
            Some((&found, layer)) => Err(NetworkError::SoftmaxInside { layer, found }),
            None => Ok(()),
        }
    }

    /// That the last layer, whose output is `output`, classifies or reconstructs.
    fn check_task(&self, output: Shape) -> Result<(), NetworkError> {
        let (units, inputs) = (output.units(), self.input.units());
        match self.layers.last() {
            Some(&found) if !is_softmax(found) && units != inputs => Err(NetworkError::NoTask {
                layer: self.layers.len(),
                found,
                units,
                inputs,
            }),
            Some(&found)
                if found
                    .activation()
                    .is_some_and(|it| it != Activation::default()) =>
            {
                let layer = self.layers.len();
                Err(NetworkError::OutputActivation { layer, found })
            }
            _ => Ok(()),
        }
    }
}

impl Layer {
    fn is_dense(self) -> bool {
        matches!(self, Self::Dense { .. } | Self::Softmax { .. })
    }
}

fn is_softmax(layer: Layer) -> bool {
    matches!(layer, Layer::Softmax { .. })
}

fn check_count(layers: usize) -> Result<(), NetworkError> {
    match layers {
        0 => Err(NetworkError::NoLayers),
        1..=MAX_LAYERS => Ok(()),
        found => Err(NetworkError::TooManyLayers { found }),
    }
}

fn checked_input(shape: Shape) -> Result<Shape, NetworkError> {
    if shape.units() == 0 {
        return Err(NetworkError::EmptyInput { shape });
    }
    if units(shape).is_none() {
        return Err(NetworkError::InputTooLarge { shape });
    }
    Ok(shape)
}

struct Sizes {
    output: Shape,
    fan_in: u64,
    parameters: u64,
    multiply_adds: u64,
}

/// The sizes of `layer` on `input`; `None` if one is out of range.
fn sizes(layer: Layer, input: Shape) -> Option<Sizes> {
    let inputs = units(input)?;
    match layer {
        Layer::Dense { units: n, .. } | Layer::Softmax { classes: n } => {
            let output = Shape::vector(n);
            let outputs = units(output)?;
            let weights = outputs.checked_mul(inputs)?;
            Some(Sizes {
                output,
                fan_in: inputs,
                parameters: in_range(weights.checked_add(outputs)?)?,
                multiply_adds: weights,
            })
        }
        Layer::Local(window, _) => windowed(window, input, Sharing::None),
        Layer::Convolution(window, _) => windowed(window, input, Sharing::Positions),
    }
}

#[derive(Clone, Copy)]
enum Sharing {
    None,
    Positions,
}

fn windowed(window: Window, input: Shape, sharing: Sharing) -> Option<Sizes> {
    let output = Shape {
        channels: window.channels,
        height: input.height.div_ceil(window.stride),
        width: input.width.div_ceil(window.stride),
    };
    let outputs = units(output)?;
    let kernel = u64::try_from(window.kernel).ok()?;
    let fan_in = u64::try_from(input.channels)
        .ok()?
        .checked_mul(kernel.checked_mul(kernel)?)?;
    let multiply_adds = outputs.checked_mul(fan_in)?;
    let filters = match sharing {
        Sharing::None => outputs,
        Sharing::Positions => u64::try_from(window.channels).ok()?,
    };
    Some(Sizes {
        output,
        fan_in,
        parameters: in_range(filters.checked_mul(fan_in.checked_add(1)?)?)?,
        multiply_adds,
    })
}

fn units(shape: Shape) -> Option<u64> {
    let size = |size: usize| u64::try_from(size).ok();
    in_range(
        size(shape.channels)?
            .checked_mul(size(shape.height)?)?
            .checked_mul(size(shape.width)?)?,
    )
}

fn in_range(size: u64) -> Option<u64> {
    (size <= MAX_SIZE).then_some(size)
}

/// The JSON form.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Notation {
    input: [usize; 3],
    layers: Vec<String>,
}

impl TryFrom<Notation> for Network {
    type Error = NetworkError;

    fn try_from(notation: Notation) -> Result<Self, NetworkError> {
        Self::parse(notation.input, &notation.layers)
    }
}

impl From<Network> for Notation {
    fn from(network: Network) -> Self {
        Self {
            input: network.input.into(),
            layers: network.layers.iter().map(ToString::to_string).collect(),
        }
    }
}
