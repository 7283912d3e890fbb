//! `pipeline why`: why stages are cached or not.

use std::fmt::Write as _;
use std::process::ExitCode;

use assay_engine::{
    Cancel, Cause, Change, Comparison, Location, LockMode, Reason, Session, StageChange, Why,
};
use assay_store::Store;
use clap::Args;
use serde::Serialize;

use crate::arguments::plan::PlanArguments;
use crate::error::CliError;
use crate::ui::preview::{MOST_DIFFERENCES, value};
use crate::ui::words::{moment, path, plain};
use crate::ui::{self, duration};

const EXAMPLES: &str = "\
Examples:
  pipeline why pipelines/quickstart.toml train/bp/seed=1
  pipeline why pipelines/quickstart.toml train/bp --set train.epochs=10
  pipeline why pipelines/quickstart.toml
  pipeline why pipelines/quickstart.toml report --json

A stage is compared with the nearest of the actions that it had in earlier runs of the pipeline; if
it had none, with the nearest of its kind in the store.

Exit codes: 0 explained, 2 the pipeline or the store cannot be used.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct WhyArguments {
    #[command(flatten)]
    plan: PlanArguments,

    /// The stages; `train/bp` stands for everything below it [default: all that would run]
    #[arg(value_name = "STAGE")]
    stages: Vec<String>,

    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,
}

pub(crate) fn why(arguments: &WhyArguments, cancel: &Cancel) -> Result<ExitCode, CliError> {
    let plan = &arguments.plan;
    let trust = plan.trust.policy()?;
    let request = plan.request(&arguments.stages, &trust, LockMode::Remark);
    let settings = plan.settings(None, true, cancel)?;
    let store = Store::open(&plan.places.store.path)?;
    let session = Session::open(store, settings, request, cancel)?;
    let whys = session.why(&arguments.stages, cancel)?;
    ui::print_view(&WhyView { stages: &whys }, arguments.json, text)?;
    Ok(ExitCode::SUCCESS)
}

/// The stages that were asked about.
#[derive(Serialize)]
struct WhyView<'a> {
    stages: &'a [Why],
}

fn text(view: &WhyView<'_>) -> String {
    if view.stages.is_empty() {
        return "every stage is cached; name one to see its result\n".to_owned();
    }
    let texts: Vec<_> = view.stages.iter().map(stage).collect();
    texts.join("\n")
}

fn stage(why: &Why) -> String {
    let name = plain(&why.stage);
    let mut text = String::new();
    let _ = match &why.reason {
        Reason::Cached { result } => writeln!(
            text,
            "{name} is cached: its action {} gave artifact {}\n  on {} UTC, in {}, on the machine {:?}",
            result.action.short(),
            result.artifact.short(),
            moment(result.started_ms),
            duration(result.duration_ms),
            result.host,
        ),
        Reason::FirstOfItsKind => writeln!(
            text,
            "{name} would run: no {} has run in this store",
            why.kind
        ),
        Reason::Failed { run } => writeln!(
            text,
            "{name} would run: it failed when it last ran, in run {}",
            run.short()
        ),
        Reason::Damaged { problems } => {
            let _ = writeln!(
                text,
                "{name} would run: it has a result that cannot be used"
            );
            for problem in problems {
                let _ = writeln!(text, "  {}", plain(problem));
            }
            Ok(())
        }
        Reason::Refused { why } => writeln!(text, "{name} would fail: {}", plain(why)),
        Reason::Differs { comparison } => {
            let _ = writeln!(
                text,
                "{name} would run: it differs from {} in",
                earlier(comparison)
            );
            changes(&mut text, &comparison.changes, 1);
            Ok(())
        }
        Reason::Waits { stages, comparison } => {
            let _ = writeln!(text, "{name} waits for {}", plain(&stages.join(", ")));
            if let Some(comparison) = comparison.as_ref().filter(|it| !it.changes.is_empty()) {
                let earlier = earlier(comparison);
                let _ = writeln!(text, "  and already differs from {earlier} in");
                changes(&mut text, &comparison.changes, 1);
            }
            Ok(())
        }
    };
    text
}

fn earlier(comparison: &Comparison) -> String {
    let action = comparison.earlier.action.short();
    match comparison.earlier.run {
        Some(run) => format!("what it was in run {} (action {action})", run.short()),
        None => format!("the nearest result in this store (action {action})"),
    }
}

fn changes(text: &mut String, changes: &[Change], depth: usize) {
    let indent = "  ".repeat(depth);
    for (number, change) in changes.iter().take(MOST_DIFFERENCES).enumerate() {
        let difference = &change.difference;
        let (before, now) = (
            value(difference.before.as_ref()),
            value(difference.now.as_ref()),
        );
        let _ = writeln!(
            text,
            "{indent}{}: {before} → {now}",
            plain(&difference.field)
        );
        // A cause that successive fields share, such as one line, is told once, under the last of
        // them.
        let next = changes.get(number + 1).map(|next| &next.cause);
        if next != Some(&change.cause) || number + 1 == MOST_DIFFERENCES {
            cause(text, &change.cause, depth + 1);
        }
    }
    if let Some(more @ 1..) = changes.len().checked_sub(MOST_DIFFERENCES) {
        let _ = writeln!(text, "{indent}and {more} more (--json has them all)");
    }
}

fn cause(text: &mut String, cause: &Cause, depth: usize) {
    let indent = "  ".repeat(depth);
    let _ = match cause {
        Cause::Written(there) => writeln!(text, "{indent}{}", location(there)),
        Cause::NoLongerGiven(there) => {
            writeln!(text, "{indent}no longer given in {}", location(there))
        }
        Cause::Default => writeln!(text, "{indent}nothing gives it: the default"),
        Cause::Data(there) => writeln!(text, "{indent}the files of {}", location(there)),
        Cause::Plugin { asked, library } => {
            let _ = writeln!(text, "{indent}{}", location(asked));
            match library {
                Some(library) => {
                    writeln!(text, "{indent}the library is {}", path(library))
                }
                None => Ok(()),
            }
        }
        Cause::Option { option } => writeln!(text, "{indent}the option {option}"),
        Cause::Machine => writeln!(text, "{indent}this machine, or what is installed on it"),
        Cause::Program => writeln!(text, "{indent}this version of pipeline"),
        Cause::Stage { stage, change } => {
            let stage = plain(stage);
            let _ = match change {
                StageChange::Differs(_) => {
                    writeln!(
                        text,
                        "{indent}`{stage}` gives another artifact, for it differs in"
                    )
                }
                StageChange::NotReproducible => writeln!(
                    text,
                    "{indent}`{stage}` gave two artifacts for one action: it is not reproducible"
                ),
                StageChange::Told => writeln!(text, "{indent}`{stage}`, as told above"),
                StageChange::Unknown => {
                    writeln!(text, "{indent}`{stage}`, and what it was then is not known")
                }
            };
            if let StageChange::Differs(comparison) = change {
                changes(text, &comparison.changes, depth + 1);
            }
            Ok(())
        }
    };
}

fn location(there: &Location) -> String {
    let Location {
        file, line, column, ..
    } = there;
    // An override is one line, and its argument says all.
    if file == "--set" {
        return format!("--set {}", plain(&there.text));
    }
    format!("{}:{line}:{column}: {}", plain(file), plain(&there.text))
}
