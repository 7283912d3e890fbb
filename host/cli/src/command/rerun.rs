//! Executes recorded actions again, of the user's store or of a bundle, and says what came out.

use std::process::ExitCode;

use assay_audit::{Index, Subject};
use assay_engine::{Rerun, RerunOutcome, Rerunning, Sample, Target};
use assay_store::Store;

use super::cancel_on_signals;
use crate::arguments::{RerunArguments, RerunVerbArguments, processors};
use crate::error::CliError;
use crate::show;
use crate::show::progress::ProgressView;

/// What was executed again, and what came of it.
pub(crate) struct ShownReruns {
    pub(crate) reruns: Vec<Rerun>,
    /// How many actions it was drawn from.
    pub(crate) all: usize,
    /// What it was drawn from.
    pub(crate) seed: u64,
}

impl ShownReruns {
    pub(crate) fn count(&self, is: impl Fn(&RerunOutcome) -> bool) -> usize {
        self.reruns.iter().filter(|it| is(&it.outcome)).count()
    }
}

pub(crate) fn run(arguments: &RerunVerbArguments) -> Result<ExitCode, CliError> {
    let store = arguments.store.open_existing()?;
    rerun(&arguments.rerun, &store, &arguments.names, arguments.json)
}

/// Executes again what `names` stand for in the store.
pub(crate) fn rerun(
    arguments: &RerunArguments,
    store: &Store,
    names: &[String],
    json: bool,
) -> Result<ExitCode, CliError> {
    let index = Index::read(store)?;
    let mut targets: Vec<Target> = Vec::new();
    for name in names {
        for target in Target::of(&index, &Subject::find(store, &index, name)?)? {
            let known = |it: &Target| it.action == target.action && it.recorded == target.recorded;
            if !targets.iter().any(known) {
                targets.push(target);
            }
        }
    }
    rerun_targets(arguments, store, targets, json)
}

fn rerun_targets(
    arguments: &RerunArguments,
    store: &Store,
    targets: Vec<Target>,
    json: bool,
) -> Result<ExitCode, CliError> {
    let cancel = cancel_on_signals()?;
    let trust = arguments.trust.policy()?;
    show::print_containment_notice();
    let (all, seed) = (targets.len(), arguments.seed());
    let sample = arguments.sample.unwrap_or(Sample::Percent(100.0));
    let targets = sample.draw(targets, seed);
    show::rerun::print_start(targets.len(), all, seed);
    let view = ProgressView::new(targets.iter().map(|it| it.name.as_str()));
    let rerunning = Rerunning {
        store,
        data_dir: arguments.data_dir.as_deref(),
        jobs: arguments.jobs(),
        threads: processors(),
        anyway: arguments.anyway,
        trust: &trust,
        cancel: &cancel,
    };
    let reruns = rerunning.rerun(&targets, &view);
    view.finish();
    let shown = ShownReruns {
        reruns: reruns?,
        all,
        seed,
    };
    show::print(&if json {
        show::rerun::json(&shown)
    } else {
        show::rerun::text(&shown)
    })?;
    Ok(exit_code(&shown))
}

fn exit_code(shown: &ShownReruns) -> ExitCode {
    let any = |is: fn(&RerunOutcome) -> bool| shown.count(is) > 0;
    if any(|it| matches!(it, RerunOutcome::Stopped)) {
        ExitCode::from(130)
    } else if any(|it| matches!(it, RerunOutcome::Differs { .. })) {
        ExitCode::FAILURE
    } else if any(|it| !matches!(it, RerunOutcome::Same(_))) {
        ExitCode::from(2)
    } else {
        ExitCode::SUCCESS
    }
}
