//! The device and the threads that a learner computes on.

use std::path::Path;
use std::rc::Rc;
use std::sync::Once;

use assay_abi::{ErrorCode, PluginError};
use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
use tch::{Cuda, Device};

use crate::card::Card;
use crate::determinism;

/// Name of the processor.
pub(crate) const CPU: &str = "cpu";
/// Name of a card on which kernels of the SDK give the bits of a processor.
pub(crate) const CUDA_PORTABLE: &str = "cuda-portable";

/// Begins the name of a card that is emulated; the path of its library follows. It is for tests.
const EMULATED: &str = "emulated:";

/// Names such a library for a whole process, in the place of the card that a host asks for; or [`DRIVER`].
const EMULATED_CARD: &str = "ASSAY_EMULATED_CARD";

/// The card is that of a driver which is emulated itself, in main memory.
const DRIVER: &str = "driver";

/// File name of libtorch's CUDA half; the CPU half does not load it.
pub(crate) const CUDA_LIBRARY: &str = "libtorch_cuda.so";

/// A device that is ready: where tensors are, and the SDK's kernels for it where libtorch's are not wanted.
pub(crate) struct Opened {
    pub(crate) device: Device,
    pub(crate) card: Option<Rc<Card>>,
}

/// Gets the device of a create request ready.
///
/// # Errors
/// [`ErrorCode::DEVICE`]: no such device, or it cannot be used here.
pub(crate) fn open(name: &str) -> Result<Opened, PluginError> {
    let with = |card: Rc<Card>| Opened {
        device: card.device(),
        card: Some(card),
    };
    match name {
        CPU => Ok(Opened {
            device: Device::Cpu,
            card: None,
        }),
        "cuda" => Ok(Opened {
            device: open_cuda()?,
            card: None,
        }),
        CUDA_PORTABLE => Ok(with(match std::env::var_os(EMULATED_CARD) {
            Some(name) if name == DRIVER => Card::nvidia(Device::Cpu)?,
            Some(library) => Card::emulated(Path::new(&library))?,
            None => Card::nvidia(open_cuda()?)?,
        })),
        other => match other.strip_prefix(EMULATED) {
            Some(library) => Ok(with(Card::emulated(Path::new(library))?)),
            None => Err(PluginError::new(
                ErrorCode::DEVICE,
                format!("there is no device `{other}`"),
            )
            .with_help("use `cpu`, `cuda` or `cuda-portable`")),
        },
    }
}

static INTEROP: Once = Once::new();

/// Sets how many threads one operation may use. Operations never run side by side.
///
/// # Errors
/// [`ErrorCode::DEVICE`] for a count that libtorch cannot take.
pub(crate) fn set_threads(threads: u32) -> Result<(), PluginError> {
    let count = i32::try_from(threads).ok().filter(|&count| count > 0);
    let count = count.ok_or_else(|| {
        PluginError::new(
            ErrorCode::DEVICE,
            format!("{threads} threads were asked for, expected at least 1"),
        )
    })?;
    tch::set_num_threads(count);
    // libtorch lets this be set once in a process, and panics at a second time.
    INTEROP.call_once(|| {
        if tch::get_num_interop_threads() != 1 {
            tch::set_num_interop_threads(1);
        }
    });
    Ok(())
}

fn open_cuda() -> Result<Device, PluginError> {
    // SAFETY: the constructors of libtorch register its CUDA kernels and nothing else.
    match unsafe { Library::open(Some(CUDA_LIBRARY), RTLD_NOW | RTLD_GLOBAL) } {
        // Kernels were registered from it, so it must stay.
        Ok(library) => std::mem::forget(library),
        Err(cause) => {
            let mut error = PluginError::new(
                ErrorCode::DEVICE,
                format!("{CUDA_LIBRARY} could not be opened, so there is no device `cuda`"),
            )
            .with_help(
                "install libtorch with CUDA (`ASSAY_LIBTORCH=cuda scripts/setup`) and rebuild the \
                 plugins, or name its folders with LD_LIBRARY_PATH, or use device `cpu`",
            );
            // The loader's own words come last.
            let causes =
                std::iter::successors(Some(&cause as &dyn std::error::Error), |it| it.source());
            error
                .chain
                .extend(causes.map(|cause| cause.to_string().into()));
            return Err(error);
        }
    }
    if !Cuda::is_available() {
        return Err(
            PluginError::new(ErrorCode::DEVICE, "libtorch finds no usable NVIDIA GPU")
                .with_help("check that `nvidia-smi` lists a GPU, or use device `cpu`"),
        );
    }
    determinism::enforce()?;
    Ok(Device::Cuda(0))
}
