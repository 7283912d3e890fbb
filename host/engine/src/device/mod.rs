//! Where plugins compute: what `--device` asks for, the cards that this machine has for it, and what
//! of them decides bits. The driver and its libraries are never loaded into this process: a child
//! asks them ([`driver`], [`libraries`]), for a bounded time.

mod card;
mod child;
mod driver;
mod error;
mod libraries;
mod pool;
mod request;
mod when_needed;

use assay_core::{CudaEnvironment, PluginPin};
use assay_store::Store;

pub(crate) use self::card::CUBLAS_WORKSPACE;
pub use self::card::{Card, Cards};
pub(crate) use self::child::ask as ask_child;
pub use self::child::{ProbeQuestion, answer_probe};
pub use self::driver::{Driver, ask_driver};
pub(crate) use self::driver::{clean, loader_words};
pub use self::error::DeviceError;
pub use self::libraries::{LibraryVersions, ask_libraries};
pub(crate) use self::pool::{CardPool, HeldCard};
pub use self::request::{CardRequest, DeviceRequest, InvalidDevice};
pub use self::when_needed::CardsWhenNeeded;

use crate::cancel::Cancel;

/// Name of the processor in an action's environment.
pub(crate) const CPU: &str = "cpu";
/// Name of a card in an action's environment, whichever of its kind it is.
pub(crate) const CUDA: &str = "cuda";
/// Name under which a plugin computes on a card with the bits of a processor.
pub(crate) const CUDA_PORTABLE: &str = "cuda-portable";

/// Where plugins compute: what was asked for, found on this machine.
#[derive(Clone, Debug, Default)]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// CUDA cards of one kind.
    Cuda(Cards),
}

impl Device {
    /// Finds what is asked for. Only for CUDA is anybody asked.
    ///
    /// # Errors
    /// It is not there, or cannot be used.
    pub fn open(request: &DeviceRequest, cancel: &Cancel) -> Result<Self, DeviceError> {
        match request {
            DeviceRequest::Cpu => Ok(Self::Cpu),
            DeviceRequest::Cuda(cards) => Ok(Self::Cuda(Cards::open(cards, cancel)?)),
        }
    }

    /// The cards, of which the processor has none.
    pub fn cards(&self) -> Option<&Cards> {
        match self {
            Self::Cpu => None,
            Self::Cuda(cards) => Some(cards),
        }
    }

    /// Settings and versions that decide bits on this device for a plugin whose library lies in the
    /// store; none on the processor.
    ///
    /// # Errors
    /// The plugin's CUDA libraries cannot be asked, or need a newer driver.
    pub(crate) fn environment(
        &self,
        store: &Store,
        pin: &PluginPin,
        libtorch: &str,
        cancel: &Cancel,
    ) -> Result<Option<CudaEnvironment>, DeviceError> {
        let Self::Cuda(cards) = self else {
            return Ok(None);
        };
        let library = store.object_path(pin.hash.into());
        cards.environment(&library, libtorch, cancel).map(Some)
    }
}
