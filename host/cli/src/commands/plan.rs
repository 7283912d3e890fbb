//! `pipeline plan`: a plan as a document, for other engines.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use assay_engine::{Cancel, FrozenPlan, LockMode, PlanStage, Session};
use assay_store::Store;
use clap::Args;

use crate::arguments::plan::PlanArguments;
use crate::error::CliError;
use crate::ui;
use crate::ui::words::{count, path, plain};

const EXAMPLES: &str = "\
Examples:
  pipeline plan pipelines/quickstart.toml
  pipeline plan pipelines/mnist.toml --profile small --write
  pipeline plan pipelines/mnist.toml --write plan.json && pipeline exec --plan plan.json mnist

A plan has every stage with its action, as far as that is known before anything has run, the stages
that it waits for, and what it asks for. The store gets the actions and plugins. Any engine can then
execute `pipeline exec --plan PLAN STAGE` for one stage after the other, each after those that it
waits for; `pipeline run` finds their results.

Exit codes: 0 done, 2 the pipeline or the store cannot be used, 130 stopped.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PlanVerbArguments {
    #[command(flatten)]
    plan: PlanArguments,

    /// Plan only these stages and what they need; `train/bp` stands for everything below it
    #[arg(long, value_name = "STAGE")]
    only: Vec<String>,

    /// Write the plan to this file [default: beside the pipeline file, as NAME.plan.json]
    #[arg(long, value_name = "PLAN", num_args = 0..=1, default_missing_value = "")]
    write: Option<Target>,

    /// Print the plan as JSON instead of a list
    #[arg(long)]
    json: bool,
}

/// The file that a plan is written to.
#[derive(Clone, Debug)]
enum Target {
    /// The one beside the pipeline file.
    Beside,
    File(PathBuf),
}

impl From<&str> for Target {
    fn from(text: &str) -> Self {
        match text {
            "" => Self::Beside,
            path => Self::File(path.into()),
        }
    }
}

pub(crate) fn plan(arguments: &PlanVerbArguments, cancel: &Cancel) -> Result<ExitCode, CliError> {
    let plan = &arguments.plan;
    let trust = plan.trust.policy()?;
    let request = plan.request(&arguments.only, &trust, LockMode::Remark);
    let settings = plan.settings(None, false, cancel)?;
    let store = Store::open(&plan.places.store.path)?;
    let session = Session::open(store, settings, request, cancel)?;
    ui::notice::print(&session.notices());
    let frozen = session.frozen_plan(cancel)?;
    if let Some(file) = &arguments.write {
        let file = match file {
            Target::Beside => plan.file.with_extension("plan.json"),
            Target::File(file) => file.clone(),
        };
        frozen.write(&file)?;
        if !arguments.json {
            ui::print(&written(&frozen, &file))?;
            return Ok(ExitCode::SUCCESS);
        }
    }
    ui::print_view(&frozen, arguments.json, text)?;
    Ok(ExitCode::SUCCESS)
}

fn written(plan: &FrozenPlan, file: &Path) -> String {
    let stages = count(plan.stages.len() as u64, "stage");
    format!(
        "{stages} of `{}` in {}\n",
        plain(&plan.pipeline),
        path(file)
    )
}

fn text(plan: &FrozenPlan) -> String {
    let mut text = String::new();
    for stage in &plan.stages {
        let _ = writeln!(text, "{}  {}", key(stage), plain(&stage.name));
    }
    text
}

/// The short key of the stage's action, or that it waits.
fn key(stage: &PlanStage) -> String {
    match stage.key {
        Some(key) => key.short(),
        None => "waits       ".to_owned(),
    }
}
