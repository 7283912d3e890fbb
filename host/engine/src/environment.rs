//! The numerical environment: what the action records, and how a worker is made to have it.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::str::FromStr;

use assay_core::{Action, Environment};

/// The version of libtorch that a plugin must have been built for, unless it uses none: one for
/// all, so that what a table compares was computed by the same kernels.
pub(crate) const LIBTORCH: &str = "2.11.0";

/// The element type of parameters and activations.
const DTYPE: &str = "float32";

/// Where a plugin computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// The first CUDA device.
    Cuda,
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
        })
    }
}

/// A text that names no device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no device `{0}`: expected `cpu` or `cuda`")]
pub struct UnknownDevice(String);

impl FromStr for Device {
    type Err = UnknownDevice;

    fn from_str(text: &str) -> Result<Self, UnknownDevice> {
        match text {
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda),
            other => Err(UnknownDevice(other.to_owned())),
        }
    }
}

/// How a run is carried out. Only `device` and `threads` can change what comes out, and so are
/// part of every action that computes.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Actions at a time.
    pub jobs: usize,
    /// Threads of one action.
    pub threads: u32,
    /// Where plugins compute.
    pub device: Device,
    /// Go on with independent stages after a failure.
    pub keep_going: bool,
    /// A folder with datasets, tried before anything is downloaded.
    pub data_dir: Option<PathBuf>,
}

impl Settings {
    /// All processors that the run may use. A dataset takes them, since everything else waits
    /// for it.
    pub(crate) fn processors(&self) -> usize {
        self.jobs.saturating_mul(self.threads as usize).max(1)
    }
}

/// The environment that an action with these settings runs in.
pub fn environment(settings: &Settings, libtorch: String) -> Environment {
    Environment {
        libtorch,
        device: settings.device.to_string(),
        dtype: DTYPE.to_owned(),
        threads: settings.threads,
        cpu_capability: cpu_capability().to_owned(),
    }
}

/// The vector instructions that kernels are held to: AVX2 gives the same bits on every processor
/// that has it, at no cost in speed, where the default may pick AVX-512 on one and not the other.
fn cpu_capability() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
        return "avx2";
    }
    "default"
}

/// What an action was to be executed with, and this program on this machine has not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet {
    /// The field of the action, such as `environment.cpu_capability`.
    pub field: &'static str,
    /// What the action says.
    pub recorded: String,
    /// What there is here.
    pub here: String,
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            field,
            recorded,
            here,
        } = self;
        write!(f, "{field} is `{recorded}`, and here it is `{here}`")
    }
}

/// Every field of the action's environment, and the revision of its stage, that differs here. The
/// number of threads can be had everywhere; whether there is a CUDA device, its worker will say.
pub(crate) fn unmet(action: &Action) -> Vec<Unmet> {
    let revision = action.kind.revision();
    let mut fields = vec![(
        "revision",
        action.revision.to_string(),
        revision.to_string(),
    )];
    if let Some(environment) = &action.environment {
        let Environment {
            libtorch,
            dtype,
            cpu_capability: capability,
            device,
            threads: _,
        } = environment.clone();
        // A plugin that uses no libtorch runs with any.
        let here = if libtorch.is_empty() { "" } else { LIBTORCH };
        fields.push(("environment.libtorch", libtorch, here.to_owned()));
        fields.push(("environment.dtype", dtype, DTYPE.to_owned()));
        fields.push((
            "environment.cpu_capability",
            capability,
            cpu_capability().to_owned(),
        ));
        if device.parse::<Device>().is_err() {
            let known = format!("{} or {}", Device::Cpu, Device::Cuda);
            fields.push(("environment.device", device, known));
        }
    }
    fields
        .into_iter()
        .filter(|(_, recorded, here)| recorded != here)
        .map(|(field, recorded, here)| Unmet {
            field,
            recorded,
            here,
        })
        .collect()
}

/// The variables that make a worker compute in `environment`. They are set before the worker
/// starts, since MKL, `OpenMP` and `ATen` read them when they are loaded.
pub fn variables(environment: &Environment) -> Vec<(&'static str, String)> {
    let threads = environment.threads.to_string();
    let mut variables = vec![
        ("OMP_NUM_THREADS", threads.clone()),
        ("MKL_NUM_THREADS", threads),
        ("MKL_DYNAMIC", "FALSE".to_owned()),
        ("OMP_DYNAMIC", "FALSE".to_owned()),
        ("ATEN_CPU_CAPABILITY", environment.cpu_capability.clone()),
    ];
    if environment.cpu_capability == "avx2" {
        variables.push(("MKL_CBWR", "AVX2".to_owned()));
    }
    variables
}

/// What the variables begin with that a worker with a plugin inherits: those that tell the
/// loader, libtorch, its libraries and the runtimes how to work. Others are none of a plugin's
/// business, above all those that hold a password.
const INHERITED: [&str; 16] = [
    "ASSAY_", "ATEN_", "CUDA_", "GLIBC_", "GOMP_", "KMP_", "LANG", "LC_", "LD_", "MALLOC_", "MKL_",
    "NVIDIA_", "OMP_", "PATH", "RUST_", "TORCH_",
];

/// Variables that begin so and are left out: `OpenMP` ends the process if it is told to bind its
/// threads to processors and cannot, and a contained worker cannot.
const LEFT_OUT: [&str; 3] = ["GOMP_CPU_AFFINITY", "OMP_PLACES", "OMP_PROC_BIND"];

/// The variables that a worker with a plugin inherits.
pub(crate) fn inherited() -> impl Iterator<Item = (OsString, OsString)> {
    let variables = std::env::vars_os().filter(|(name, _)| {
        let name = name.as_encoded_bytes();
        let begins = |start: &&str| name.starts_with(start.as_bytes());
        INHERITED.iter().any(begins) && !LEFT_OUT.iter().any(begins)
    });
    variables.map(|(name, value)| {
        let value = if name == LIBRARY_PATH {
            let folders = library_folders(&value);
            std::env::join_paths(folders).unwrap_or_default()
        } else {
            value
        };
        (name, value)
    })
}

const LIBRARY_PATH: &str = "LD_LIBRARY_PATH";

/// The folders of `LD_LIBRARY_PATH` in which a worker's loader may search. Relative ones mean
/// whatever folder the program was started in, as do empty ones, so they are left out.
pub(crate) fn library_path() -> Vec<PathBuf> {
    library_folders(&std::env::var_os(LIBRARY_PATH).unwrap_or_default())
}

fn library_folders(value: &OsStr) -> Vec<PathBuf> {
    let folders = value.as_bytes().split(|byte| b":;".contains(byte));
    let folders = folders.map(|folder| PathBuf::from(OsStr::from_bytes(folder)));
    folders.filter(|folder| folder.is_absolute()).collect()
}
