//! Examination of this machine: what it has for the work of this program, and what is missing.
//! A question that could hang or crash is asked in a child process or a thread that is abandoned after a
//! time limit, and nothing is created.

mod libtorch;
mod processor;
mod store;

use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::thread;

use assay_core::{Advice, Containment, Limits};

pub use self::libtorch::Libtorch;
pub(crate) use self::libtorch::look as look_at_libtorch;
pub use self::processor::Processor;
pub use self::store::{StorePlace, shared_file_system};

use crate::cancel::Cancel;
use crate::catalogue::{Catalogue, ListedPlugin};
use crate::containment::kernel_support;
use crate::device::{DeviceError, Driver, LibraryVersions, ask_driver, ask_libraries};
use crate::error::EngineError;
use crate::plugin::SearchPath;
use crate::trust::TrustPolicy;

/// The time that a plugin may take to say what it offers.
const LONGEST_MS: u64 = 60 * 1000;
/// Less than this is worth a word: a training on images fills it.
const LITTLE_DISK: u64 = 1 << 30;

/// Inputs to the examination of a machine.
pub struct Examination<'a> {
    /// The store's folder, whether or not it is there.
    pub store: &'a Path,
    /// Where plugins are looked for.
    pub search: &'a SearchPath,
    /// Whom the user trusts.
    pub trust: &'a TrustPolicy,
    /// Asks it to stop.
    pub cancel: &'a Cancel,
}

/// Result of the examination of a machine.
#[derive(Debug)]
pub struct Health {
    /// The means of the kernel to contain workers.
    pub containment: Containment,
    /// The processor.
    pub processor: Processor,
    /// The libtorch of the plugins; none where no plugin that uses one can be used.
    pub libtorch: Option<Result<Libtorch, DeviceError>>,
    /// NVIDIA driver, runtime and cards.
    pub cuda: Cuda,
    /// The store's place.
    pub store: StorePlace,
    /// Every file that is named like a plugin.
    pub plugins: Vec<ListedPlugin>,
    /// Problems that keep this machine from training on its processor.
    pub problems: Vec<Problem>,
    /// Problems that do not, and are worth knowing.
    pub notices: Vec<Problem>,
}

/// NVIDIA driver, runtime and cards.
#[derive(Debug)]
pub struct Cuda {
    /// The version of the driver's kernel module, such as `580.159`.
    pub module: Option<String>,
    /// The driver, or why it cannot be asked.
    pub driver: Result<Driver, DeviceError>,
    /// The libraries of the plugins' libtorch.
    pub libraries: Option<LibraryVersions>,
}

/// Something that is missing or wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Description of the problem.
    pub what: String,
    /// Advice on the next step; may be empty.
    pub help: String,
}

impl Problem {
    fn new(what: impl Into<String>, help: impl Into<String>) -> Self {
        let (what, help) = (what.into(), help.into());
        Self { what, help }
    }
}

impl Examination<'_> {
    /// Looks at everything. What is wrong is part of the answer.
    pub fn examine(&self) -> Health {
        let mut problems = Vec::new();
        let mut notices = Vec::new();
        let store = StorePlace::look(self.store);
        problems.extend(store.problem.clone());
        notices.extend(store.notice());
        let plugins = self.plugins(&mut problems, &mut notices);
        let libtorch = plugin_with_libtorch(&plugins);
        let cuda = Cuda {
            module: read_line("/sys/module/nvidia/version"),
            driver: ask_driver(self.cancel),
            libraries: libtorch.and_then(|plugin| ask_libraries(plugin, self.cancel).ok()),
        };
        let libtorch = libtorch.map(|plugin| Libtorch::ask(plugin, self.cancel));
        if let Some(Err(error)) = &libtorch {
            problems.push(Problem::new(error.to_string(), LIBTORCH_HELP));
        }
        let health = Health {
            containment: kernel_support(),
            processor: Processor::look(),
            libtorch,
            cuda,
            store,
            plugins,
            problems,
            notices,
        };
        health.with_notices()
    }

    /// Every file that is named like a plugin, each asked what it offers.
    fn plugins(
        &self,
        problems: &mut Vec<Problem>,
        notices: &mut Vec<Problem>,
    ) -> Vec<ListedPlugin> {
        let catalogue = Catalogue {
            search: self.search,
            trust: self.trust,
            // A remembered answer does not show that a plugin loads today.
            remember: None,
            jobs: thread::available_parallelism().map_or(1, NonZero::get),
            limits: Limits {
                time_ms: Some(LONGEST_MS),
                ..Limits::default()
            },
            cancel: self.cancel,
        };
        let plugins = match catalogue.list() {
            Ok(plugins) => plugins,
            Err(error) => {
                problems.push(unlisted(&error));
                return Vec::new();
            }
        };
        let broken = plugins
            .iter()
            .filter_map(|plugin| Some((plugin, plugin.library.as_ref().err()?)));
        let broken: Vec<_> = broken
            .map(|(plugin, reason)| {
                let file = plugin.file.display();
                let help =
                    "build it again, or move it away; `pipeline plugin check FILE` says more";
                Problem::new(format!("the plugin {file} cannot be used: {reason}"), help)
            })
            .collect();
        if is_any_usable(&plugins) {
            notices.extend(broken);
        } else {
            let folders = self.search.folders().iter();
            let folders: Vec<_> = folders.map(|it| it.path.display().to_string()).collect();
            problems.push(Problem::new(
                format!("no plugin can be used; looked in {}", folders.join(", ")),
                "build them (`cargo build --workspace` in a checkout), or name the folder that has \
                 them with --plugin-dir or ASSAY_PLUGIN_PATH",
            ));
            problems.extend(broken);
        }
        plugins
    }
}

const LIBTORCH_HELP: &str = "scripts/setup fetches it, and a build after that finds it; for a program that was \
     carried here, name the folders with LD_LIBRARY_PATH (docs/gpu.md)";

impl Health {
    /// Whether this machine can train on its processor.
    pub fn is_ready(&self) -> bool {
        self.problems.is_empty()
    }

    /// Adds what no part of it could see alone.
    fn with_notices(mut self) -> Self {
        if let Some(free) = self.store.free.filter(|free| *free < LITTLE_DISK) {
            self.notices.push(Problem::new(
                format!("the store's file system has {} MiB left", free >> 20),
                "make room: `pipeline gc --dry-run` says what a store can do without",
            ));
        }
        if self.processor.kernels == "default" {
            self.notices.push(Problem::new(
                "the processor has no AVX2 and FMA: its results are other actions than those of most \
                 machines",
                "",
            ));
        }
        match &self.cuda.driver {
            // A machine without a card is an ordinary one.
            Err(DeviceError::NoDriver { .. }) => {}
            Err(error) => self
                .notices
                .push(Problem::new(error.to_string(), error.help())),
            Ok(driver) => {
                let runtime = self.cuda.libraries.as_ref().map(|it| it.runtime.as_str());
                if !driver.cards.is_empty() && runtime == Some("none") {
                    self.notices.push(Problem::new(
                        "there are cards, and the plugins' libtorch has no CUDA",
                        "ASSAY_LIBTORCH=cuda scripts/setup fetches one that has; build again after it",
                    ));
                }
            }
        }
        self
    }
}

/// Why there is no list.
fn unlisted(error: &EngineError) -> Problem {
    let mut text = error.to_string();
    for cause in crate::error::causes(error) {
        text.push_str(": ");
        text.push_str(&cause.to_string());
    }
    let help = match error {
        EngineError::File { .. } => "set TMPDIR to a folder that can be written".into(),
        error => error.help(),
    };
    Problem::new(format!("plugins cannot be asked: {text}"), help)
}

fn is_any_usable(plugins: &[ListedPlugin]) -> bool {
    let usable = |plugin: &ListedPlugin| {
        let library = plugin.library.as_ref();
        library.is_ok_and(|library| library.version.is_some())
    };
    plugins.iter().any(usable)
}

/// The first plugin that was built for a libtorch, whether or not it loads.
fn plugin_with_libtorch(plugins: &[ListedPlugin]) -> Option<&Path> {
    let with_libtorch = plugins.iter().find(|plugin| match &plugin.library {
        Ok(library) => !library.libtorch.is_empty(),
        // One that does not load may lack just that.
        Err(_) => crate::plugin::handshake_of(&plugin.file)
            .is_ok_and(|handshake| !handshake.libtorch().is_empty()),
    });
    with_libtorch.map(|plugin| plugin.file.as_path())
}

/// The first line of a small file of the system's.
fn read_line(path: &str) -> Option<String> {
    let text = fs::read_to_string(PathBuf::from(path)).ok()?;
    Some(text.lines().next()?.trim().to_owned())
}
