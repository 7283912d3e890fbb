//! The numerical environment: what the action records, and how a worker is made to have it.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use assay_core::{Action, CudaEnvironment, Environment};
use serde_json::Value;

use crate::device::{CPU, CUBLAS_WORKSPACE, CUDA, Card, CardPool, Device};
use crate::sharing::PerCard;

/// The version of libtorch that a plugin must have been built for, unless it uses none: one for
/// all, so that what a table compares was computed by the same kernels.
pub(crate) const LIBTORCH: &str = "2.11.0";

/// The element type of parameters and activations.
const DTYPE: &str = "float32";

/// How a run is carried out. Only `device` and `threads` can change what comes out, and so are
/// part of every action that computes.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Actions at a time.
    pub jobs: usize,
    /// Share the jobs evenly among the cards, instead of one action at a time on each.
    pub share_cards: bool,
    /// Actions that one worker executes at once on a card.
    pub per_card: PerCard,
    /// Threads of one action.
    pub threads: u32,
    /// Where plugins compute.
    pub device: Device,
    /// On cards, portable algorithms compute as on a processor, and their actions are those of one.
    pub portable: bool,
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

    /// The cards, and how many actions compute on each at a time.
    pub(crate) fn card_pool(&self) -> CardPool {
        let shared = self.share_cards.then_some(self.jobs);
        CardPool::new(self.device.cards(), shared)
    }
}

/// The environment of an action that computes with so many threads: on a card, if what decides bits
/// there is given, else on the processor.
pub fn environment(threads: u32, libtorch: String, cuda: Option<CudaEnvironment>) -> Environment {
    let device = if cuda.is_some() { CUDA } else { CPU };
    Environment {
        libtorch,
        device: device.to_owned(),
        dtype: DTYPE.to_owned(),
        threads: Some(threads),
        cpu_capability: Some(cpu_capability().to_owned()),
        cuda,
    }
}

/// The environment of a portable algorithm, of which threads and instructions decide no bit on a processor.
/// On a card nothing is known of that.
pub(crate) fn portable(environment: &Environment) -> Environment {
    let mut portable = environment.clone();
    if portable.cuda.is_none() {
        portable.threads = None;
        portable.cpu_capability = None;
    }
    portable
}

/// True for the environment of an action that gives the same bits wherever it computes.
pub(crate) fn is_portable(environment: Option<&Environment>) -> bool {
    environment.is_some_and(|it| it.device == CPU && it.threads.is_none())
}

/// True for the environment of an action that can only compute on a card.
pub(crate) fn is_on_card(environment: Option<&Environment>) -> bool {
    environment.is_some_and(|it| it.device == CUDA)
}

/// The vector instructions that every processor has, as libtorch calls them.
pub(crate) const BASE: &str = "default";

/// The vector instructions that kernels are held to: AVX2 gives the same bits on every processor
/// that has it, at no cost in speed, where the default may pick AVX-512 on one and not the other.
pub(crate) fn cpu_capability() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
        return "avx2";
    }
    BASE
}

/// A requirement of an action that this program on this machine does not meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet {
    /// The field of the action, such as `environment.cpu_capability`.
    pub field: String,
    /// Value that the action records.
    pub recorded: String,
    /// Value of this program and machine.
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

/// Every field of the action's environment, and the revision of its stage, that differs here, but for
/// those of its card ([`unmet_by_card`]). The number of threads can be had everywhere.
pub fn unmet(action: &Action) -> Vec<Unmet> {
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
            cuda: _,
        } = environment.clone();
        // A plugin that uses no libtorch runs with any.
        let here = if libtorch.is_empty() { "" } else { LIBTORCH };
        fields.push(("environment.libtorch", libtorch, here.to_owned()));
        fields.push(("environment.dtype", dtype, DTYPE.to_owned()));
        if let Some(capability) = capability {
            let here = cpu_capability().to_owned();
            fields.push(("environment.cpu_capability", capability, here));
        }
        if ![CPU, CUDA].contains(&device.as_str()) {
            fields.push(("environment.device", device, format!("{CPU} or {CUDA}")));
        }
    }
    let fields = fields.into_iter();
    fields
        .filter(|(_, recorded, here)| recorded != here)
        .map(|(field, recorded, here)| Unmet {
            field: field.to_owned(),
            recorded,
            here,
        })
        .collect()
}

/// Every field of what decides bits on a card that differs from `here`.
pub(crate) fn unmet_by_card(action: &Action, here: &CudaEnvironment) -> Vec<Unmet> {
    let recorded = action.environment.as_ref();
    let recorded = recorded.and_then(|environment| environment.cuda.as_ref());
    let fields = |cuda: Option<&CudaEnvironment>| match serde_json::to_value(cuda) {
        Ok(Value::Object(fields)) => fields,
        // The settings that decided its bits were not recorded.
        _ => serde_json::Map::new(),
    };
    let (recorded, here) = (fields(recorded), fields(Some(here)));
    let word = |value: Option<&Value>| match value {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => "not recorded".to_owned(),
    };
    let differing = here
        .iter()
        .filter(|(name, value)| recorded.get(*name) != Some(value));
    differing
        .map(|(name, value)| Unmet {
            field: format!("environment.cuda.{name}"),
            recorded: word(recorded.get(name)),
            here: word(Some(value)),
        })
        .collect()
}

/// The variables that make a worker compute in `environment`, with so many `threads` where it does not say.
/// They are set before the worker starts, since MKL, `OpenMP` and `ATen` read them when they are loaded.
pub fn variables(environment: &Environment, threads: usize) -> Vec<(&'static str, String)> {
    let threads = (environment.threads).map_or_else(|| threads.to_string(), |it| it.to_string());
    let capability = environment.cpu_capability.as_deref();
    let capability = capability.unwrap_or_else(|| cpu_capability());
    let mut variables = vec![
        ("OMP_NUM_THREADS", threads.clone()),
        ("MKL_NUM_THREADS", threads),
        ("MKL_DYNAMIC", "FALSE".to_owned()),
        ("OMP_DYNAMIC", "FALSE".to_owned()),
        ("ATEN_CPU_CAPABILITY", capability.to_owned()),
        // Large tensors on large pages, where the system has them, which decides no bit.
        ("THP_MEM_ALLOC_ENABLE", "1".to_owned()),
    ];
    if capability == "avx2" {
        variables.push(("MKL_CBWR", "AVX2".to_owned()));
    }
    if let Some(cuda) = &environment.cuda {
        variables.extend(of_cuda(cuda.tf32, &cuda.cublas_workspace));
    }
    variables
}

/// The variables that decide how the libraries of CUDA compute.
fn of_cuda(tf32: bool, cublas_workspace: &str) -> [(&'static str, String); 4] {
    let tf32 = u8::from(tf32).to_string();
    [
        ("CUBLAS_WORKSPACE_CONFIG", cublas_workspace.to_owned()),
        // The plugin sets libtorch's own switches (assay-sdk does it); these two hold for
        // NVIDIA's libraries and for libtorch's matrix products whatever a plugin sets.
        ("NVIDIA_TF32_OVERRIDE", tf32.clone()),
        ("TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", tf32),
        // Else a user's own setting would choose other kernels.
        ("TORCH_BLAS_PREFER_CUBLASLT", "0".to_owned()),
    ]
}

/// The variables of a worker on a card: one leaves it that card, which it then calls `cuda` like any other.
pub(crate) fn card_variables(
    card: &Card,
    environment: Option<&Environment>,
) -> Vec<(&'static str, String)> {
    let mut variables = vec![("CUDA_VISIBLE_DEVICES", card.uuid.clone())];
    if is_portable(environment) {
        variables.extend(of_cuda(false, CUBLAS_WORKSPACE));
        // As many queues as a card has, for the streams of trainings that share it; which launch takes which decides no bit.
        variables.push(("CUDA_DEVICE_MAX_CONNECTIONS", "32".to_owned()));
        // A worker compiles its kernels itself, or is lent those that another has compiled.
        variables.push(("CUDA_CACHE_DISABLE", "1".to_owned()));
    }
    variables
}

/// Prefixes of the variables that a worker with a plugin inherits: those that tell the loader,
/// libtorch, its libraries and the runtimes how to work. All others are withheld, above all those
/// that hold a password.
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
            library_folders(&value).join(OsStr::new(":"))
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
    let value = std::env::var_os(LIBRARY_PATH);
    let folders = value.as_deref().map(library_folders);
    folders.into_iter().flatten().map(PathBuf::from).collect()
}

fn library_folders(value: &OsStr) -> Vec<&OsStr> {
    let folders = value.as_bytes().split(|byte| b":;".contains(byte));
    let folders = folders.map(OsStr::from_bytes);
    folders
        .filter(|folder| Path::new(folder).is_absolute())
        .collect()
}
