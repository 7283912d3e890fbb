//! Faults of a card, recognised in a worker's messages. CUDA, cuBLAS, cuDNN, libtorch and the
//! driver each have messages of their own, and none of them says what to do.

/// A fault of a card, recognised in a worker's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CardTrouble {
    /// Its memory was not enough.
    OutOfMemory,
    /// The driver lost it, or it broke.
    Lost,
    /// Somebody else has it for himself.
    Busy,
    /// A computation on it went astray, and with it all that the process had there.
    Crashed,
    /// The driver is older than the CUDA runtime allows.
    OldDriver,
    /// Libtorch was built for other kinds of card.
    NoKernels,
    /// Libtorch was built for none.
    NoCuda,
}

use CardTrouble::{Busy, Crashed, Lost, NoCuda, NoKernels, OldDriver, OutOfMemory};

/// Messages by which each fault is recognised. The first match counts: an old driver, say, is also
/// reported as a failed start.
const SIGNS: &[(&str, CardTrouble)] = &[
    (
        "CUDA driver version is insufficient for CUDA runtime version",
        OldDriver,
    ),
    ("The NVIDIA driver on your system is too old", OldDriver),
    (
        "no kernel image is available for execution on the device",
        NoKernels,
    ),
    ("CUDA out of memory", OutOfMemory),
    ("CUDA error: out of memory", OutOfMemory),
    ("CUDA driver error: out of memory", OutOfMemory),
    ("cannot run on the card: out of memory", OutOfMemory),
    // What libtorch dies of where it was about to say how full the card is, and a contained worker may not ask.
    ("NVML_SUCCESS ==", OutOfMemory),
    ("CUBLAS_STATUS_ALLOC_FAILED", OutOfMemory),
    ("CUDNN_STATUS_ALLOC_FAILED", OutOfMemory),
    (
        "CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED",
        OutOfMemory,
    ),
    ("fallen off the bus", Lost),
    ("GPU is lost", Lost),
    ("uncorrectable ECC error", Lost),
    ("uncorrectable NVLink error", Lost),
    ("hardware stack error", Lost),
    ("CUDA-capable device(s) is/are busy or unavailable", Busy),
    ("exclusive (this process) device already in use", Busy),
    ("an illegal memory access was encountered", Crashed),
    ("unspecified launch failure", Crashed),
    ("the launch timed out and was terminated", Crashed),
    ("an illegal instruction was encountered", Crashed),
    ("misaligned address", Crashed),
    ("invalid program counter", Crashed),
    ("device-side assert triggered", Crashed),
    ("Torch not compiled with CUDA enabled", NoCuda),
    ("Cannot initialize CUDA without ATen_cuda library", NoCuda),
    ("libtorch_cuda.so could not be opened", NoCuda),
];

/// Messages of whatever computes on a card, among them errors that have no sign of their own.
const OF_CARD: &[&str] = &[
    "cannot run on the card",
    "CUDA error",
    "CUDA driver error",
    "CUBLAS_STATUS_",
    "CUDNN_STATUS_",
];

/// True if a worker's messages are about its card, whichever fault it has.
pub(super) fn is_of_card(words: &[&str]) -> bool {
    let said = |sign: &&str| words.iter().any(|text| text.contains(sign));
    CardTrouble::of(words).is_some() || OF_CARD.iter().any(said)
}

impl CardTrouble {
    /// The fault that a worker's messages report, if they are about its card.
    pub(super) fn of(words: &[&str]) -> Option<Self> {
        let said = |sign: &str| words.iter().any(|text| text.contains(sign));
        let found = SIGNS.iter().find(|(sign, _)| said(sign));
        found.map(|(_, trouble)| *trouble)
    }

    /// Description of the fault, as a sentence goes on after the name of the card.
    pub(super) const fn text(self) -> &'static str {
        match self {
            OutOfMemory => "ran out of memory",
            Lost => "was lost or is defective",
            Busy => "is in the hands of another process",
            Crashed => "stopped the computation with an error",
            OldDriver => "needs a newer NVIDIA driver for the plugin's CUDA",
            NoKernels => "is of a kind that the plugin's libtorch was not built for",
            NoCuda => "cannot be used by the plugin's libtorch, which has no CUDA",
        }
    }

    /// Advice on the next step.
    pub(super) const fn help(self) -> &'static str {
        match self {
            OutOfMemory => {
                "make `batch_size` or the network smaller, compute one stage at a time on each card \
                 (leave out --jobs), or end what else uses it (`nvidia-smi` shows that); what has \
                 finished is kept, and an interrupted training goes on from its last epoch"
            }
            Lost => {
                "`dmesg` says why; `nvidia-smi -r` resets the cards, else restart the machine; then run \
                 the same command again: it goes on from the last epoch. On another card of the kind it \
                 goes on at once, with --device cuda:N"
            }
            Busy => {
                "`nvidia-smi` shows the process and the card's compute mode: wait for it, end it, or \
                 name another card with --device cuda:N"
            }
            Crashed => {
                "run the same command again: it goes on from the last epoch. If it happens again on \
                 another card too, the fault is the plugin's; if only on this one, the card's \
                 (`dmesg` has what the driver says)"
            }
            OldDriver => {
                "`nvidia-smi` shows the newest CUDA that the driver serves: install a newer driver, or \
                 use --device cpu"
            }
            NoKernels => "use another card, another libtorch, or --device cpu",
            NoCuda => {
                "install libtorch with CUDA (ASSAY_LIBTORCH=cuda scripts/setup), or name its folders \
                 with LD_LIBRARY_PATH (docs/gpu.md), or use --device cpu"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As CUDA 13, its driver and libtorch 2.11 put it.
    const SAID: &[(&str, CardTrouble)] = &[
        (
            "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 79.18 GiB \
             of which 11.06 GiB is free.",
            OutOfMemory,
        ),
        ("CUDA error: out of memory", OutOfMemory),
        (
            "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
            OutOfMemory,
        ),
        (
            "the SDK's kernels cannot run on the card: out of memory",
            OutOfMemory,
        ),
        (
            "NVML_SUCCESS == DriverAPI::get()->nvmlInit_v2_() INTERNAL ASSERT FAILED at \
             \"/pytorch/c10/cuda/CUDACachingAllocator.cpp\":1200",
            OutOfMemory,
        ),
        ("CUDA error: uncorrectable ECC error encountered", Lost),
        (
            "Unable to determine the device handle for GPU 0000:3B:00.0: GPU is lost.",
            Lost,
        ),
        (
            "NVRM: GPU at PCI:0000:3b:00: GPU has fallen off the bus.",
            Lost,
        ),
        (
            "CUDA error: CUDA-capable device(s) is/are busy or unavailable",
            Busy,
        ),
        (
            "CUDA error: an illegal memory access was encountered",
            Crashed,
        ),
        ("CUDA error: unspecified launch failure", Crashed),
        (
            "CUDA error: the launch timed out and was terminated",
            Crashed,
        ),
        ("CUDA error: device-side assert triggered", Crashed),
        (
            "CUDA driver version is insufficient for CUDA runtime version",
            OldDriver,
        ),
        (
            "The NVIDIA driver on your system is too old (found version 12040). Please update your GPU \
             driver",
            OldDriver,
        ),
        (
            "CUDA error: no kernel image is available for execution on the device",
            NoKernels,
        ),
        (
            "PyTorch was compiled without CUDA: Torch not compiled with CUDA enabled",
            NoCuda,
        ),
    ];

    #[test]
    fn what_libtorch_and_the_driver_say_is_understood() {
        for (words, trouble) in SAID {
            let words = format!("the plugin `bp` failed: {words}\nException raised from here");
            assert_eq!(
                CardTrouble::of(&[words.as_str()]),
                Some(*trouble),
                "{words}"
            );
        }
    }

    #[test]
    fn other_words_are_not_about_the_card() {
        for words in [
            "the loss is NaN",
            "DefaultCPUAllocator: can't allocate memory",
            "",
        ] {
            assert_eq!(CardTrouble::of(&[words]), None);
            assert!(!is_of_card(&[words]));
        }
    }

    #[test]
    fn an_error_that_nothing_is_known_of_is_still_of_the_card() {
        for words in [
            "the SDK's kernels cannot run on the card: unknown error",
            "CUDA error: context is destroyed",
            "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`",
        ] {
            assert_eq!(CardTrouble::of(&[words]), None);
            assert!(is_of_card(&[words]), "{words}");
        }
    }

    #[test]
    fn an_old_driver_is_named_though_other_errors_follow_from_it() {
        let words = [
            "CUDA error: CUBLAS_STATUS_ALLOC_FAILED",
            "CUDA driver version is insufficient for CUDA runtime version",
        ];
        assert_eq!(CardTrouble::of(&words), Some(OldDriver));
    }
}
