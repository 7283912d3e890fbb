//! Why a network is refused: what was found, what was expected, and where.

use crate::layer::Layer;
use crate::network::{MAX_LAYERS, MAX_SIZE};
use crate::shape::Shape;

/// A network that cannot exist. Layers count from 1, as in the paper.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// The input has no pixels.
    #[error("the input {shape} is empty; expected channels, height and width of at least 1")]
    EmptyInput {
        /// The shape found.
        shape: Shape,
    },
    /// The input is larger than any that the program can handle.
    #[error("the input {shape} is too large; at most {MAX_SIZE} values are supported")]
    InputTooLarge {
        /// The shape found.
        shape: Shape,
    },
    /// There is no layer at all.
    #[error(
        "the network has no layers; a classifier ends with `softmax N`, an autoencoder with a layer of as many units as inputs"
    )]
    NoLayers,
    /// There are more layers than any sensible network has.
    #[error("the network has {found} layers; at most {MAX_LAYERS} are supported")]
    TooManyLayers {
        /// The number found.
        found: usize,
    },
    /// A layer's description cannot be understood.
    #[error("layer {layer}: {source}")]
    Layer {
        /// The layer, from 1.
        layer: usize,
        /// The fault of the layer.
        source: LayerError,
    },
    /// A softmax before the end.
    #[error(
        "layer {layer}: `{found}` is not the last layer; expected `fc`, `lc` or `conv`, and one softmax at the end"
    )]
    SoftmaxInside {
        /// The layer, from 1.
        layer: usize,
        /// The layer found.
        found: Layer,
    },
    /// The last layer neither classifies nor reconstructs.
    #[error(
        "layer {layer}: the network ends with `{found}` of {units} units; a classifier ends with `softmax N`, N being the number of classes, and an autoencoder with as many units as it has inputs, {inputs}"
    )]
    NoTask {
        /// The layer, from 1.
        layer: usize,
        /// The layer found.
        found: Layer,
        /// Its units.
        units: usize,
        /// The values of one input.
        inputs: usize,
    },
    /// The outputs of a reconstruction are given by anything but tanh.
    #[error(
        "layer {layer}: the network ends with `{found}`; the outputs of an autoencoder are given by tanh, without `relu` and `norm`"
    )]
    OutputActivation {
        /// The layer, from 1.
        layer: usize,
        /// The layer found.
        found: Layer,
    },
    /// A layer that needs an image follows one that has none left.
    #[error(
        "layer {layer}: `{found}` needs rows and columns, but the layer before it is fully connected; put it before every `fc`"
    )]
    NoImage {
        /// The layer, from 1.
        layer: usize,
        /// The layer found.
        found: Layer,
    },
    /// The units or the weights up to this layer are more than the program can handle.
    #[error(
        "layer {layer}: `{found}` makes the network too large; at most {MAX_SIZE} units per layer and parameters in all are supported"
    )]
    TooLarge {
        /// The layer, from 1.
        layer: usize,
        /// The layer found.
        found: Layer,
    },
}

impl NetworkError {
    /// The position of the layer at fault in the list of layers, from 0; `None` when the fault
    /// lies elsewhere.
    pub fn layer_index(&self) -> Option<usize> {
        match self {
            Self::Layer { layer, .. }
            | Self::SoftmaxInside { layer, .. }
            | Self::NoTask { layer, .. }
            | Self::OutputActivation { layer, .. }
            | Self::NoImage { layer, .. }
            | Self::TooLarge { layer, .. } => Some(layer - 1),
            _ => None,
        }
    }
}

/// One layer's description that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayerError {
    /// Nothing is written.
    #[error(
        "the description is empty; expected `fc N`, `lc KxK O sS`, `conv KxK O sS` or `softmax N`"
    )]
    Empty,
    /// The first word names no kind of layer.
    #[error(
        "`{found}` is no kind of layer; {}",
        match .suggestion {
            Some(kind) => format!("did you mean `{kind}`?"),
            None => "expected `fc`, `lc`, `conv` or `softmax`".to_owned(),
        }
    )]
    UnknownKind {
        /// The word found.
        found: String,
        /// A kind that may have been meant.
        suggestion: Option<&'static str>,
    },
    /// A part of the description is absent.
    #[error("the {what} is missing; expected `{form}`")]
    Missing {
        /// Name of the absent part.
        what: &'static str,
        /// The whole form of such a layer.
        form: &'static str,
    },
    /// A part of the description is not a number in range.
    #[error("the {what} `{found}` is not a whole number of at least 1; expected `{form}`")]
    Number {
        /// Name of the number.
        what: &'static str,
        /// The text found.
        found: String,
        /// The whole form of such a layer.
        form: &'static str,
    },
    /// The kernel is not written `KxK`.
    #[error("the kernel `{found}` is not square; expected `{form}` with one K, such as 3x3")]
    Kernel {
        /// The text found.
        found: String,
        /// The whole form of such a layer.
        form: &'static str,
    },
    /// An even kernel, which has no centre.
    #[error(
        "the kernel {kernel}x{kernel} is even; zero padding of K/2 keeps the size only for an odd K"
    )]
    EvenKernel {
        /// Its size.
        kernel: usize,
    },
    /// The description goes on.
    #[error("`{found}` is left over; expected `{form}`")]
    Trailing {
        /// The first word too many.
        found: String,
        /// The whole form of such a layer.
        form: &'static str,
    },
    /// A size of zero, in a layer that was not parsed.
    #[error("the {what} is 0; expected at least 1")]
    Zero {
        /// Name of the number.
        what: &'static str,
    },
}
