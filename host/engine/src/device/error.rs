//! Why a device that was asked for cannot be used, with what there is instead.

use std::borrow::Cow;

use assay_core::{Advice, Ending};

use super::card::Card;

/// Who is asked which cards there are.
pub(super) const DRIVER: &str = "the NVIDIA driver";

/// Why a device cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DeviceError {
    /// Asking was stopped.
    #[error("stopped")]
    Stopped,
    /// There is no driver to ask.
    #[error("this machine has no NVIDIA driver: {reason}")]
    NoDriver {
        /// The loader's message.
        reason: String,
    },
    /// The driver is there and refuses to start.
    #[error("the NVIDIA driver does not start: {words} (CUDA error {code})")]
    Driver {
        /// The number of the error.
        code: i32,
        /// The driver's text for the error.
        words: String,
    },
    /// A card was asked for that is not there.
    #[error("there is no card {number}: {}", has(cards, visible.as_deref()))]
    NoCard {
        /// The card.
        number: u32,
        /// Those that are there.
        cards: Vec<Card>,
        /// `CUDA_VISIBLE_DEVICES`, which hides the others.
        visible: Option<String>,
    },
    /// The cards of a run are not of one kind.
    #[error("the cards are not of one kind: {}; {}", cards.0, cards.1)]
    Unlike {
        /// Two that differ.
        cards: Box<(Card, Card)>,
    },
    /// The driver is too old for the libraries of a plugin.
    #[error(
        "the NVIDIA driver is too old: it serves CUDA {driver}, and the plugins use CUDA {runtime}"
    )]
    OldDriver {
        /// The newest CUDA that the driver serves.
        driver: String,
        /// The CUDA of the plugin's libraries.
        runtime: String,
    },
    /// No answer came in time.
    #[error("{whom} did not answer within {seconds} s")]
    Silent {
        /// Who was asked.
        whom: &'static str,
        /// How long the answer was waited for.
        seconds: u64,
    },
    /// The process that asked could not be started, or ended without a usable answer.
    #[error("{whom} could not be asked: {reason}")]
    Failed {
        /// Who was asked.
        whom: &'static str,
        /// How the process failed.
        reason: String,
    },
}

impl Advice for DeviceError {
    fn help(&self) -> Cow<'_, str> {
        let advice = match self {
            Self::Stopped => "",
            Self::NoDriver { .. } => {
                "install it, or start the container with its cards (`--gpus all`); \
                 use --device cpu where there is no card"
            }
            // The numbers are those of `CUresult` in cuda.h.
            Self::Driver {
                code: 803 | 804, ..
            } => {
                "the driver's library and its kernel module are of different versions: restart the \
                 machine, or the container, after an update of the driver"
            }
            Self::Driver { code: 802, .. } => {
                "cards that are linked need NVIDIA's fabric manager: start it, and try again"
            }
            Self::Driver { .. } => "`nvidia-smi` says more; `dmesg` has what the kernel says",
            Self::NoCard { cards, visible, .. } => match (cards.is_empty(), visible) {
                (true, Some(_)) => "change or unset CUDA_VISIBLE_DEVICES, or use --device cpu",
                (true, None) => {
                    "`nvidia-smi` lists the cards that the driver finds; use --device cpu"
                }
                (false, _) => "name one that is there, or cuda:all",
            },
            Self::Unlike { .. } => {
                "what one kind computes is another action on the other: name cards of one kind, and \
                 run again with the others"
            }
            Self::OldDriver { .. } => {
                "install a newer driver (`nvidia-smi` shows the newest CUDA it serves), or plugins \
                 with an older libtorch; --device cpu needs none"
            }
            Self::Silent { whom, .. } if *whom != DRIVER => {
                "the disk that has them may be slow: try again"
            }
            Self::Silent { .. } => {
                "if `nvidia-smi` does not answer either, restart the machine; if it is merely slow, \
                 set ASSAY_DRIVER_PATIENCE to more seconds"
            }
            Self::Failed { .. } => "`nvidia-smi` and `pipeline doctor` may say more",
        };
        advice.into()
    }

    fn ending(&self) -> Ending {
        match self {
            Self::Stopped => Ending::Stopped,
            _ => Ending::Refused,
        }
    }
}

/// The cards of this machine, in words.
fn has(cards: &[Card], visible: Option<&str>) -> String {
    let cards: Vec<_> = cards.iter().map(ToString::to_string).collect();
    let mut text = if cards.is_empty() {
        "this machine has a driver and no card".to_owned()
    } else {
        format!("this machine has {}", cards.join("; "))
    };
    if let Some(visible) = visible {
        text.push_str(" that CUDA_VISIBLE_DEVICES=");
        text.push_str(visible);
        text.push_str(" lets be seen");
    }
    text
}
