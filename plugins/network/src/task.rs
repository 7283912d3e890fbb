//! The task of a network, which follows from its last layer.

use std::fmt;

/// The task of a network, which decides its loss, its outputs and what is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Task {
    /// To say which class a sample belongs to: the last layer is `softmax N`, the loss the
    /// cross-entropy.
    Classification,
    /// To give its input back, through however few units: the last layer is any other, with as
    /// many units as the input has values and tanh like every layer; the loss is the squared
    /// error.
    Reconstruction,
}

impl Task {
    /// Its name in tables and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Classification => "classification",
            Self::Reconstruction => "reconstruction",
        }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
