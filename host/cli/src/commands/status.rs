//! `pipeline status`: which stages are up to date.

use std::process::ExitCode;

use assay_engine::{Cancel, LockMode, Session, runs_under_way};
use assay_store::Store;
use clap::Args;

use crate::arguments::plan::PlanArguments;
use crate::error::CliError;
use crate::ui;
use crate::ui::preview::PlanView;

const EXAMPLES: &str = "\
Examples:
  pipeline status pipelines/quickstart.toml
  pipeline status pipelines/quickstart.toml --only train/bp
  pipeline status pipelines/mnist.toml && echo 'the table is up to date'

Nothing runs, but a plugin that this store has not seen is asked what it offers. `pipeline why`
says more of one stage.

Exit codes: 0 everything is up to date, 1 a stage would run, 2 the pipeline or the store cannot be
used.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct StatusArguments {
    #[command(flatten)]
    plan: PlanArguments,

    /// Look only at these stages and what they need
    #[arg(long, value_name = "STAGE")]
    only: Vec<String>,

    /// Print one JSON document instead of a table
    #[arg(long)]
    json: bool,
}

pub(crate) fn status(arguments: &StatusArguments, cancel: &Cancel) -> Result<ExitCode, CliError> {
    let plan = &arguments.plan;
    let trust = plan.trust.policy()?;
    let request = plan.request(&arguments.only, &trust, LockMode::Remark);
    let settings = plan.settings(None, true, cancel)?;
    let store = Store::open(&plan.places.store.path)?;
    let session = Session::open(store, settings, request, cancel)?;
    let previews = session.preview(cancel)?;
    let under_way = runs_under_way(session.store())?;
    let mut view = PlanView::of(&previews);
    view.note_running(session.name(), &under_way);
    ui::print_view(&view, arguments.json, ui::preview::status)?;
    let is_current = view.is_current();
    Ok(if is_current {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
