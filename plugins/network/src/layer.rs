//! One layer and its notation: `fc 256`, `lc 5x5 64 s2`, `conv 3x3 32 s1 relu`, `softmax 10`.

use std::fmt;
use std::iter::Peekable;
use std::str::{FromStr, SplitWhitespace};

use crate::error::LayerError;

type Words<'a> = Peekable<SplitWhitespace<'a>>;

const KINDS: [&str; 4] = ["fc", "lc", "conv", "softmax"];

/// A layer of a network, as the paper's Table 3 writes it, with an [`Activation`] if it is no softmax.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layer {
    /// Fully connected: `fc N`.
    Dense {
        /// Number of units.
        units: usize,
        /// Their activation.
        activation: Activation,
    },
    /// Fully connected with softmax outputs: `softmax N`.
    Softmax {
        /// Number of classes.
        classes: usize,
    },
    /// Locally connected, a convolution without weight sharing: `lc KxK O sS`.
    Local(Window, Activation),
    /// Convolution: `conv KxK O sS`.
    Convolution(Window, Activation),
}

/// The way from the sums of a layer's units to what the layer above is given. The default, tanh, is
/// the paper's and is not written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Activation {
    /// The function of every unit.
    pub function: UnitFunction,
    /// True if the function's values are then normalised (`norm`): each sample's have the mean 0 and
    /// the variance 1 over the layer's units (Ba, Kiros & Hinton 2016, without gain and bias).
    pub normalised: bool,
}

/// The function of a unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum UnitFunction {
    /// The hyperbolic tangent.
    #[default]
    Tanh,
    /// The positive part, `relu`.
    Relu,
}

/// The window of a locally connected or convolution layer on its input: with zero padding of
/// `kernel / 2` on every side, so that the output has ceil(input / stride) rows and columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// Rows and columns of the kernel; odd.
    pub kernel: usize,
    /// Number of output channels.
    pub channels: usize,
    /// Step between neighbouring output positions.
    pub stride: usize,
}

impl Layer {
    /// The activation of its units; `None` for a softmax.
    pub fn activation(self) -> Option<Activation> {
        match self {
            Self::Softmax { .. } => None,
            Self::Dense { activation, .. }
            | Self::Local(_, activation)
            | Self::Convolution(_, activation) => Some(activation),
        }
    }

    /// Refuses sizes that no layer has, however the value was made.
    pub(crate) fn check(self) -> Result<(), LayerError> {
        let at_least_one = |what, size| match size {
            0 => Err(LayerError::Zero { what }),
            _ => Ok(()),
        };
        match self {
            Self::Dense { units, .. } => at_least_one("number of units", units),
            Self::Softmax { classes } => at_least_one("number of classes", classes),
            Self::Local(window, _) | Self::Convolution(window, _) => {
                at_least_one("kernel", window.kernel)?;
                at_least_one("number of channels", window.channels)?;
                at_least_one("stride", window.stride)?;
                match window.kernel % 2 {
                    0 => Err(LayerError::EvenKernel {
                        kernel: window.kernel,
                    }),
                    _ => Ok(()),
                }
            }
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dense { units, activation } => write!(f, "fc {units}{activation}"),
            Self::Softmax { classes } => write!(f, "softmax {classes}"),
            Self::Local(window, activation) => write!(f, "lc {window}{activation}"),
            Self::Convolution(window, activation) => write!(f, "conv {window}{activation}"),
        }
    }
}

impl fmt::Display for Activation {
    /// The words after the sizes, each with a space before it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.function {
            UnitFunction::Tanh => {}
            UnitFunction::Relu => f.write_str(" relu")?,
        }
        if self.normalised {
            f.write_str(" norm")?;
        }
        Ok(())
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kernel,
            channels,
            stride,
        } = self;
        write!(f, "{kernel}x{kernel} {channels} s{stride}")
    }
}

impl FromStr for Layer {
    type Err = LayerError;

    fn from_str(text: &str) -> Result<Self, LayerError> {
        let mut words = text.split_whitespace().peekable();
        let kind = words.next().ok_or(LayerError::Empty)?;
        let (layer, form) = match kind {
            "fc" => {
                let form = "fc N [relu] [norm]";
                let units = number(words.next(), "number of units", form)?;
                let activation = activation(&mut words, form)?;
                (Self::Dense { units, activation }, form)
            }
            "softmax" => {
                let form = "softmax N";
                let classes = number(words.next(), "number of classes", form)?;
                (Self::Softmax { classes }, form)
            }
            "lc" => {
                let form = "lc KxK O sS [relu] [norm]";
                let window = window(&mut words, form)?;
                (Self::Local(window, activation(&mut words, form)?), form)
            }
            "conv" => {
                let form = "conv KxK O sS [relu] [norm]";
                let window = window(&mut words, form)?;
                (
                    Self::Convolution(window, activation(&mut words, form)?),
                    form,
                )
            }
            other => return Err(unknown_kind(other)),
        };
        if let Some(word) = words.next() {
            return Err(LayerError::Trailing {
                found: word.to_owned(),
                form,
            });
        }
        layer.check()?;
        Ok(layer)
    }
}

fn window(words: &mut Words<'_>, form: &'static str) -> Result<Window, LayerError> {
    let text = words.next().ok_or(LayerError::Missing {
        what: "kernel",
        form,
    })?;
    let kernel = match text.split_once('x') {
        Some((rows, columns)) if rows == columns => number(Some(rows), "kernel", form)?,
        _ => {
            return Err(LayerError::Kernel {
                found: text.to_owned(),
                form,
            });
        }
    };
    let channels = number(words.next(), "number of channels", form)?;
    let stride = match words.next_if(|word| word.starts_with('s')) {
        None => 1,
        Some(text) => number(text.strip_prefix('s'), "stride", form)?,
    };
    Ok(Window {
        kernel,
        channels,
        stride,
    })
}

/// The words of an activation, in any order; nothing else is taken.
fn activation(words: &mut Words<'_>, form: &'static str) -> Result<Activation, LayerError> {
    let (mut function, mut normalised) = (None, false);
    while let Some(word) = words.next_if(|word| ["tanh", "relu", "norm"].contains(word)) {
        let repeated = match word {
            "norm" => std::mem::replace(&mut normalised, true),
            "relu" => function.replace(UnitFunction::Relu).is_some(),
            _ => function.replace(UnitFunction::Tanh).is_some(),
        };
        if repeated {
            let found = word.to_owned();
            return Err(LayerError::Trailing { found, form });
        }
    }
    Ok(Activation {
        function: function.unwrap_or_default(),
        normalised,
    })
}

fn number(word: Option<&str>, what: &'static str, form: &'static str) -> Result<usize, LayerError> {
    let word = word.ok_or(LayerError::Missing { what, form })?;
    // `usize::from_str` takes a plus sign, which the notation does not have.
    let digits = word.bytes().all(|byte| byte.is_ascii_digit());
    match word.parse() {
        Ok(number) if digits && number > 0 => Ok(number),
        _ => Err(LayerError::Number {
            what,
            found: word.to_owned(),
            form,
        }),
    }
}

fn unknown_kind(found: &str) -> LayerError {
    let lower = found.to_lowercase();
    let suggestion = match lower.as_str() {
        "dense" | "linear" => Some("fc"),
        "local" => Some("lc"),
        "conv2d" | "convolution" => Some("conv"),
        _ => KINDS
            .into_iter()
            .find(|kind| lower.starts_with(kind) || (lower.len() > 2 && kind.starts_with(&lower))),
    };
    LayerError::UnknownKind {
        found: found.to_owned(),
        suggestion,
    }
}
