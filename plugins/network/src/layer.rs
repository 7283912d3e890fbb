//! One layer and its notation: `fc 256`, `lc 5x5 64 s2`, `conv 3x3 32 s1`, `softmax 10`.

use std::fmt;
use std::str::{FromStr, SplitWhitespace};

use crate::error::LayerError;

const KINDS: [&str; 4] = ["fc", "lc", "conv", "softmax"];

/// A layer of a network, as the paper's Table 3 writes it. Every layer but a softmax applies tanh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layer {
    /// Fully connected: `fc N`.
    Dense {
        /// Number of units.
        units: usize,
    },
    /// Fully connected with softmax outputs: `softmax N`.
    Softmax {
        /// Number of classes.
        classes: usize,
    },
    /// Locally connected, a convolution without weight sharing: `lc KxK O sS`.
    Local(Window),
    /// Convolution: `conv KxK O sS`.
    Convolution(Window),
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
    /// Refuses sizes that no layer has, however the value was made.
    pub(crate) fn check(self) -> Result<(), LayerError> {
        let at_least_one = |what, size| match size {
            0 => Err(LayerError::Zero { what }),
            _ => Ok(()),
        };
        match self {
            Self::Dense { units } => at_least_one("number of units", units),
            Self::Softmax { classes } => at_least_one("number of classes", classes),
            Self::Local(window) | Self::Convolution(window) => {
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
            Self::Dense { units } => write!(f, "fc {units}"),
            Self::Softmax { classes } => write!(f, "softmax {classes}"),
            Self::Local(window) => write!(f, "lc {window}"),
            Self::Convolution(window) => write!(f, "conv {window}"),
        }
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
        let mut words = text.split_whitespace();
        let kind = words.next().ok_or(LayerError::Empty)?;
        let (layer, form) = match kind {
            "fc" => {
                let form = "fc N";
                let units = number(words.next(), "number of units", form)?;
                (Self::Dense { units }, form)
            }
            "softmax" => {
                let form = "softmax N";
                let classes = number(words.next(), "number of classes", form)?;
                (Self::Softmax { classes }, form)
            }
            "lc" => {
                let form = "lc KxK O sS";
                (Self::Local(window(&mut words, form)?), form)
            }
            "conv" => {
                let form = "conv KxK O sS";
                (Self::Convolution(window(&mut words, form)?), form)
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

fn window(words: &mut SplitWhitespace<'_>, form: &'static str) -> Result<Window, LayerError> {
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
    let stride = match words.next() {
        None => 1,
        Some(text) => match text.strip_prefix('s') {
            Some(stride) => number(Some(stride), "stride", form)?,
            None => {
                return Err(LayerError::Trailing {
                    found: text.to_owned(),
                    form,
                });
            }
        },
    };
    Ok(Window {
        kernel,
        channels,
        stride,
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
