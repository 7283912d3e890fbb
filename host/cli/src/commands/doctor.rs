//! `pipeline doctor`: what this machine offers for training, and what is missing.

use std::fmt::Write as _;
use std::process::ExitCode;

use assay_core::{Containment, PluginHash};
use assay_engine::{
    Cancel, Card, Cuda, DeviceError, Driver, Examination, Health, LibraryVersions, ListedPlugin,
    Problem,
};
use clap::Args;
use serde::Serialize;

use crate::arguments::StoreArguments;
use crate::arguments::search::{SearchArguments, TrustArguments};
use crate::error::{CliError, STOPPED};
use crate::ui::words::{ShownPath, count, fields, plain, size};
use crate::ui::{self, containment};

const EXAMPLES: &str = "\
Examples:
  pipeline doctor
  pipeline doctor --store /data/experiments --plugin-dir ~/rules/target/release
  pipeline doctor --json | jq '.cuda.cards'

Every plugin is loaded once, in a worker, and the NVIDIA driver is asked in a process of its own. The
store is looked at and not made.

Exit codes: 0 this machine can train on its processor, 1 it cannot, and it is said what to do, 130
stopped by Ctrl-C.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DoctorArguments {
    #[command(flatten)]
    search: SearchArguments,

    #[command(flatten)]
    trust: TrustArguments,

    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    store: StoreArguments,
}

pub(crate) fn doctor(arguments: &DoctorArguments, cancel: &Cancel) -> Result<ExitCode, CliError> {
    let health = Examination {
        store: &arguments.store.path,
        search: &arguments.search.path(),
        trust: &arguments.trust.policy()?,
        cancel,
    }
    .examine();
    if cancel.is_requested() {
        return Ok(ExitCode::from(STOPPED));
    }
    ui::print_view(&HealthView::of(&health), arguments.json, text)?;
    Ok(if health.is_ready() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The health of a machine: its parts, and the problems with them.
#[derive(Serialize)]
struct HealthView<'a> {
    ready: bool,
    problems: Vec<ProblemView<'a>>,
    notices: Vec<ProblemView<'a>>,
    containment: Containment,
    processor: ProcessorView<'a>,
    libtorch: Option<LibtorchView<'a>>,
    cuda: CudaView<'a>,
    store: StoreView<'a>,
    plugins: Vec<PluginView<'a>>,
}

#[derive(Serialize)]
struct ProblemView<'a> {
    what: &'a str,
    help: &'a str,
}

#[derive(Serialize)]
struct ProcessorView<'a> {
    name: Option<&'a str>,
    threads: usize,
    instructions: &'a [&'static str],
    kernels: &'static str,
}

/// The libtorch of the plugins, or why it cannot be asked.
#[derive(Serialize)]
#[serde(untagged)]
enum LibtorchView<'a> {
    Found {
        file: ShownPath<'a>,
        version: Option<&'a str>,
    },
    Failed {
        reason: String,
    },
}

#[derive(Serialize)]
struct CudaView<'a> {
    module: Option<&'a str>,
    driver: Option<&'a str>,
    /// Why the driver cannot be asked.
    reason: Option<String>,
    libraries: Option<&'a LibraryVersions>,
    cards: &'a [Card],
    #[serde(skip)]
    asked: &'a Result<Driver, DeviceError>,
}

#[derive(Serialize)]
struct StoreView<'a> {
    path: ShownPath<'a>,
    exists: bool,
    file_system: Option<&'a str>,
    free: Option<u64>,
}

#[derive(Serialize)]
struct PluginView<'a> {
    name: &'a str,
    file: ShownPath<'a>,
    usable: bool,
    #[serde(flatten)]
    library: LibraryView<'a>,
}

/// A plugin's library, or why it cannot be used.
#[derive(Serialize)]
#[serde(untagged)]
enum LibraryView<'a> {
    Readable {
        /// None where the plugin may not be asked.
        version: Option<&'a str>,
        hash: PluginHash,
    },
    Unusable {
        reason: &'a str,
    },
}

impl<'a> HealthView<'a> {
    fn of(health: &'a Health) -> Self {
        let problems = |problems: &'a [Problem]| {
            let problems = problems.iter();
            let problems = problems.map(|Problem { what, help }| ProblemView { what, help });
            problems.collect()
        };
        let processor = &health.processor;
        Self {
            ready: health.is_ready(),
            problems: problems(&health.problems),
            notices: problems(&health.notices),
            containment: health.containment,
            processor: ProcessorView {
                name: processor.name.as_deref(),
                threads: processor.threads,
                instructions: &processor.instructions,
                kernels: processor.kernels,
            },
            libtorch: health.libtorch.as_ref().map(|libtorch| match libtorch {
                Ok(found) => LibtorchView::Found {
                    file: ShownPath(&found.file),
                    version: found.version.as_deref(),
                },
                Err(error) => LibtorchView::Failed {
                    reason: error.to_string(),
                },
            }),
            cuda: CudaView::of(&health.cuda),
            store: StoreView {
                path: ShownPath(&health.store.path),
                exists: health.store.exists,
                file_system: health.store.file_system.as_deref(),
                free: health.store.free,
            },
            plugins: health.plugins.iter().map(PluginView::of).collect(),
        }
    }
}

impl<'a> CudaView<'a> {
    fn of(cuda: &'a Cuda) -> Self {
        let driver = cuda.driver.as_ref();
        Self {
            module: cuda.module.as_deref(),
            driver: driver.map(|driver| driver.cuda.as_str()).ok(),
            reason: driver.map_err(ToString::to_string).err(),
            libraries: cuda.libraries.as_ref(),
            cards: driver.map_or(&[], |driver| &driver.cards),
            asked: &cuda.driver,
        }
    }
}

impl<'a> PluginView<'a> {
    fn of(plugin: &'a ListedPlugin) -> Self {
        let library = match &plugin.library {
            Ok(library) => LibraryView::Readable {
                version: library.version.as_deref(),
                hash: library.hash,
            },
            Err(reason) => LibraryView::Unusable { reason },
        };
        Self {
            name: &plugin.name,
            file: ShownPath(&plugin.file),
            usable: matches!(
                library,
                LibraryView::Readable {
                    version: Some(_),
                    ..
                }
            ),
            library,
        }
    }
}

fn text(health: &HealthView<'_>) -> String {
    let mut text = fields(&[
        ("containment", contained(health)),
        ("processor", processor(health)),
        ("libtorch", libtorch(health)),
        ("CUDA", cuda(&health.cuda)),
        ("store", store(&health.store)),
        ("plugins", plugins(&health.plugins)),
    ]);
    for (word, problems) in [("notice", &health.notices), ("problem", &health.problems)] {
        for ProblemView { what, help } in problems {
            let _ = write!(text, "\n{word}: {}\n", plain(what));
            if !help.is_empty() {
                let _ = writeln!(text, "  help: {}", plain(help));
            }
        }
    }
    let verdict = match (health.ready, health.cuda.cards.len()) {
        (false, _) => "this machine cannot train yet".to_owned(),
        (true, 0) => "this machine can train on its processor".to_owned(),
        (true, cards) => format!(
            "this machine can train on its processor, and has {}",
            count(cards as u64, "card")
        ),
    };
    let _ = writeln!(text, "\n{verdict}");
    text
}

fn contained(health: &HealthView<'_>) -> String {
    let level = health.containment;
    let mut words = vec![match level.landlock {
        0 => "no Landlock".to_owned(),
        version => format!("Landlock {version}"),
    }];
    words.push(
        if level.seccomp {
            "seccomp"
        } else {
            "no seccomp"
        }
        .to_owned(),
    );
    if !level.no_new_privileges {
        words.push("privileges can be gained".to_owned());
    }
    if let Some(notice) = containment::notice(level) {
        words.push(notice.trim_start_matches("notice: ").to_owned());
    }
    words.join(", ")
}

fn processor(health: &HealthView<'_>) -> String {
    let processor = &health.processor;
    let name = processor.name.unwrap_or("of unknown name");
    let instructions = match processor.instructions {
        [] => "no vector instructions that matter".to_owned(),
        there => there.join(" "),
    };
    format!(
        "{}, {}; {instructions}; computes with {}",
        plain(name),
        count(processor.threads as u64, "thread"),
        processor.kernels
    )
}

fn libtorch(health: &HealthView<'_>) -> String {
    match &health.libtorch {
        None => "no plugin uses one".to_owned(),
        Some(LibtorchView::Failed { reason }) => plain(reason),
        Some(LibtorchView::Found { file, version }) => {
            let version = version.unwrap_or("of unknown version");
            format!("{}, {file}", plain(version))
        }
    }
}

fn cuda(cuda: &CudaView<'_>) -> String {
    let mut words = vec![match cuda.asked {
        Err(error) => plain(&error.to_string()),
        Ok(driver) => {
            let module = cuda.module.map_or(String::new(), |it| format!(" {it}"));
            format!("driver{} for CUDA {}", plain(&module), plain(&driver.cuda))
        }
    }];
    if let Some(LibraryVersions {
        runtime,
        cublas,
        cudnn,
    }) = cuda.libraries
    {
        words.push(format!(
            "runtime {}, cuBLAS {}, cuDNN {}",
            plain(runtime),
            plain(cublas),
            plain(cudnn)
        ));
    }
    for card in cuda.cards {
        words.push(format!(
            "{}, compute capability {}, {}",
            plain(&card.to_string()),
            plain(&card.compute_capability),
            count(card.multiprocessors.into(), "multiprocessor")
        ));
    }
    words.join("\n")
}

fn store(store: &StoreView<'_>) -> String {
    let mut words = vec![store.path.to_string()];
    if !store.exists {
        words.push("not there yet".to_owned());
    }
    words.extend(store.file_system.map(plain));
    words.extend(store.free.map(|free| format!("{} left", size(free))));
    words.join(", ")
}

fn plugins(plugins: &[PluginView<'_>]) -> String {
    if plugins.is_empty() {
        return "none".to_owned();
    }
    let words = plugins.iter().map(|plugin| {
        let name = plain(plugin.name);
        match plugin.library {
            LibraryView::Unusable { .. } => format!("{name} (cannot be used)"),
            LibraryView::Readable { version: None, .. } => format!("{name} (not trusted)"),
            LibraryView::Readable {
                version: Some(version),
                ..
            } => format!("{name} {}", plain(version)),
        }
    });
    words.collect::<Vec<_>>().join(", ")
}
