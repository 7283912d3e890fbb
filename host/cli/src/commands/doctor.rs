//! `pipeline doctor`: what this machine offers for training, and what is missing.

use std::fmt::Write as _;
use std::process::ExitCode;

use assay_engine::{
    Cancel, Card, Cuda, Examination, Health, LibraryVersions, ListedPlugin, Problem, StorePlace,
};
use clap::Args;
use serde_json::{Value, json};

use crate::arguments::StoreArguments;
use crate::arguments::search::{SearchArguments, TrustArguments};
use crate::error::{CliError, STOPPED};
use crate::ui::json::document;
use crate::ui::words::{count, fields, plain, size};
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
    ui::print(&if arguments.json {
        json(&health)
    } else {
        text(&health)
    })?;
    Ok(if health.is_ready() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn text(health: &Health) -> String {
    let mut text = fields(&[
        ("containment", contained(health)),
        ("processor", processor(health)),
        ("libtorch", libtorch(health)),
        ("CUDA", cuda(&health.cuda)),
        ("store", store(&health.store)),
        ("plugins", plugins(&health.plugins)),
    ]);
    for (word, problems) in [("notice", &health.notices), ("problem", &health.problems)] {
        for Problem { what, help } in problems {
            let _ = write!(text, "\n{word}: {}\n", plain(what));
            if !help.is_empty() {
                let _ = writeln!(text, "  help: {}", plain(help));
            }
        }
    }
    let verdict = match (health.is_ready(), cards(&health.cuda).len()) {
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

fn contained(health: &Health) -> String {
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

fn processor(health: &Health) -> String {
    let processor = &health.processor;
    let name = processor.name.as_deref().unwrap_or("of unknown name");
    let instructions = match &processor.instructions[..] {
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

fn libtorch(health: &Health) -> String {
    match &health.libtorch {
        None => "no plugin uses one".to_owned(),
        Some(Err(error)) => plain(&error.to_string()),
        Some(Ok(found)) => {
            let version = found.version.as_deref().unwrap_or("of unknown version");
            format!(
                "{}, {}",
                plain(version),
                plain(&found.file.display().to_string())
            )
        }
    }
}

fn cuda(cuda: &Cuda) -> String {
    let mut words = vec![match &cuda.driver {
        Err(error) => plain(&error.to_string()),
        Ok(driver) => {
            let module = cuda
                .module
                .as_deref()
                .map_or(String::new(), |it| format!(" {it}"));
            format!("driver{} for CUDA {}", plain(&module), plain(&driver.cuda))
        }
    }];
    if let Some(LibraryVersions {
        runtime,
        cublas,
        cudnn,
    }) = &cuda.libraries
    {
        words.push(format!(
            "runtime {}, cuBLAS {}, cuDNN {}",
            plain(runtime),
            plain(cublas),
            plain(cudnn)
        ));
    }
    for card in cards(cuda) {
        words.push(format!(
            "{}, compute capability {}, {}",
            plain(&card.to_string()),
            plain(&card.compute_capability),
            count(card.multiprocessors.into(), "multiprocessor")
        ));
    }
    words.join("\n")
}

fn cards(cuda: &Cuda) -> &[Card] {
    cuda.driver.as_ref().map_or(&[], |driver| &driver.cards)
}

fn store(store: &StorePlace) -> String {
    let mut words = vec![plain(&store.path.display().to_string())];
    if !store.exists {
        words.push("not there yet".to_owned());
    }
    words.extend(store.file_system.as_deref().map(plain));
    words.extend(store.free.map(|free| format!("{} left", size(free))));
    words.join(", ")
}

fn plugins(plugins: &[ListedPlugin]) -> String {
    if plugins.is_empty() {
        return "none".to_owned();
    }
    let words = plugins.iter().map(|plugin| {
        let name = plain(&plugin.name);
        match &plugin.library {
            Err(_) => format!("{name} (cannot be used)"),
            Ok(library) => match &library.version {
                Some(version) => format!("{name} {}", plain(version)),
                None => format!("{name} (not trusted)"),
            },
        }
    });
    words.collect::<Vec<_>>().join(", ")
}

fn json(health: &Health) -> String {
    let processor = &health.processor;
    let problems = |problems: &[Problem]| -> Vec<Value> {
        let problems = problems.iter();
        problems
            .map(|it| json!({ "what": it.what, "help": it.help }))
            .collect()
    };
    let libtorch = health.libtorch.as_ref().map(|libtorch| match libtorch {
        Ok(found) => json!({ "file": found.file, "version": found.version }),
        Err(error) => json!({ "reason": error.to_string() }),
    });
    let plugins = health.plugins.iter().map(|plugin| {
        let mut value = json!({
            "name": plugin.name,
            "file": plugin.file,
            "usable": false,
        });
        match &plugin.library {
            Ok(library) => {
                value["usable"] = json!(library.version.is_some());
                value["version"] = json!(library.version);
                value["hash"] = json!(library.hash);
            }
            Err(reason) => value["reason"] = json!(reason),
        }
        value
    });
    document(&json!({
        "ready": health.is_ready(),
        "problems": problems(&health.problems),
        "notices": problems(&health.notices),
        "containment": health.containment,
        "processor": {
            "name": processor.name,
            "threads": processor.threads,
            "instructions": processor.instructions,
            "kernels": processor.kernels,
        },
        "libtorch": libtorch,
        "cuda": {
            "module": health.cuda.module,
            "driver": health.cuda.driver.as_ref().map(|it| &it.cuda).ok(),
            "reason": health.cuda.driver.as_ref().map_err(ToString::to_string).err(),
            "libraries": health.cuda.libraries,
            "cards": cards(&health.cuda),
        },
        "store": {
            "path": health.store.path,
            "exists": health.store.exists,
            "file_system": health.store.file_system,
            "free": health.store.free,
        },
        "plugins": plugins.collect::<Vec<_>>(),
    }))
}
