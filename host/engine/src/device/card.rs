//! Cards of one kind, and what of them decides bits.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use assay_core::CudaEnvironment;
use serde::{Deserialize, Serialize};

use super::driver::{Driver, ask_driver};
use super::error::DeviceError;
use super::libraries::{LibraryVersions, ask_libraries, folders};
use super::request::CardRequest;
use crate::cancel::Cancel;

/// The workspace of cuBLAS with which its sums are the same in every run: eight buffers of 4 MiB.
pub(crate) const CUBLAS_WORKSPACE: &str = ":4096:8";

/// A card, as its driver describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// Its number among those that the driver shows to this process.
    pub number: u32,
    /// The name of its kind.
    pub name: String,
    /// Its identifier, the same whatever its number, as `CUDA_VISIBLE_DEVICES` takes it.
    pub uuid: String,
    /// Its memory in bytes.
    pub memory: u64,
    /// Its compute capability, such as `9.0`.
    pub compute_capability: String,
    /// Its number of multiprocessors.
    pub multiprocessors: u32,
}

impl Card {
    /// Whether it computes the same bits as another, as far as is known.
    fn is_like(&self, other: &Self) -> bool {
        let kind = |card: &Self| {
            let Self {
                name,
                compute_capability,
                multiprocessors,
                ..
            } = card.clone();
            (name, compute_capability, multiprocessors)
        };
        kind(self) == kind(other)
    }
}

impl fmt::Display for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gibibytes = self.memory as f64 / f64::from(1 << 30);
        let Self { number, name, .. } = self;
        write!(f, "card {number}, {name} with {gibibytes:.1} GiB")
    }
}

/// One or more cards of one kind, which the driver has shown.
#[derive(Clone, Debug)]
pub struct Cards {
    /// Never empty.
    all: Vec<Card>,
    /// The newest CUDA that the driver serves.
    driver: String,
    /// Known versions of the libraries in some folders, so that plugins which share them share the
    /// answer.
    libraries: Arc<Mutex<BTreeMap<Vec<PathBuf>, LibraryVersions>>>,
}

impl Cards {
    /// Finds the cards that are asked for.
    ///
    /// # Errors
    /// They are not there, or not of one kind, or the driver cannot be asked.
    pub fn open(request: &CardRequest, cancel: &Cancel) -> Result<Self, DeviceError> {
        Self::choose(request, ask_driver(cancel)?)
    }

    fn choose(request: &CardRequest, driver: Driver) -> Result<Self, DeviceError> {
        let missing = |number| DeviceError::NoCard {
            number,
            cards: driver.cards.clone(),
            visible: visible(),
        };
        let find = |&number: &u32| {
            let found = driver.cards.iter().find(|card| card.number == number);
            found.cloned().ok_or_else(|| missing(number))
        };
        let cards: Vec<Card> = match request {
            CardRequest::All if driver.cards.is_empty() => return Err(missing(0)),
            CardRequest::All => driver.cards.clone(),
            CardRequest::Numbers(numbers) => numbers.iter().map(find).collect::<Result<_, _>>()?,
        };
        if let Some(other) = cards.iter().find(|card| !card.is_like(&cards[0])) {
            let cards = Box::new((cards[0].clone(), other.clone()));
            return Err(DeviceError::Unlike { cards });
        }
        Ok(Self {
            all: cards,
            driver: driver.cuda,
            libraries: Arc::default(),
        })
    }

    /// The cards.
    pub fn as_slice(&self) -> &[Card] {
        &self.all
    }

    /// Settings and versions that decide bits where the plugin whose library is given computes on
    /// one of these cards.
    pub(crate) fn environment(
        &self,
        library: &Path,
        libtorch: &str,
        cancel: &Cancel,
    ) -> Result<CudaEnvironment, DeviceError> {
        let LibraryVersions {
            runtime,
            cublas,
            cudnn,
        } = if libtorch.is_empty() {
            LibraryVersions::default()
        } else {
            self.libraries(library, cancel)?
        };
        if is_older(&self.driver, &runtime) {
            let driver = self.driver.clone();
            return Err(DeviceError::OldDriver { driver, runtime });
        }
        let card = &self.all[0];
        Ok(CudaEnvironment {
            card: card.name.clone(),
            compute_capability: card.compute_capability.clone(),
            multiprocessors: card.multiprocessors,
            runtime,
            cublas,
            cudnn,
            tf32: false,
            deterministic_algorithms: true,
            cublas_workspace: CUBLAS_WORKSPACE.to_owned(),
        })
    }

    fn libraries(&self, library: &Path, cancel: &Cancel) -> Result<LibraryVersions, DeviceError> {
        let mut known = self
            .libraries
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let folders = folders(library);
        if let Some(versions) = known.get(&folders) {
            return Ok(versions.clone());
        }
        let versions = ask_libraries(library, cancel)?;
        known.insert(folders, versions.clone());
        Ok(versions)
    }
}

/// `CUDA_VISIBLE_DEVICES`, by which a user hides cards.
fn visible() -> Option<String> {
    let visible = std::env::var_os("CUDA_VISIBLE_DEVICES")?;
    let visible = visible.to_string_lossy();
    Some(
        visible
            .chars()
            .filter(|it| !it.is_control())
            .take(200)
            .collect(),
    )
}

/// Whether a driver for CUDA `driver` is too old for a runtime of CUDA `runtime`: of one major version,
/// each serves the other.
fn is_older(driver: &str, runtime: &str) -> bool {
    let major = |version: &str| version.split('.').next()?.parse::<u32>().ok();
    match (major(driver), major(runtime)) {
        (Some(driver), Some(runtime)) => driver < runtime,
        _ => false,
    }
}
