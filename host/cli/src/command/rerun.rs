//! Executes recorded actions again, of the user's store or of a bundle, and says what came out.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use assay_audit::{Index, Subject};
use assay_bundle::{Limits, Watch, unbundle};
use assay_engine::{Cancel, CardsWhenNeeded, Rerun, RerunOutcome, Rerunning, Target};
use assay_files::TemporaryFolder;
use assay_store::Store;

use crate::arguments::{RerunArguments, processors};
use crate::error::{CliError, STOPPED};
use crate::show;
use crate::show::bytes::BytesView;
use crate::show::progress::ProgressView;

/// What is executed again where nothing is named.
const LATEST: &str = "latest";

/// What was executed again, and what came of it.
pub(crate) struct ShownReruns {
    pub(crate) reruns: Vec<Rerun>,
    /// How many actions it was drawn from.
    pub(crate) all: usize,
    /// What it was drawn from.
    pub(crate) seed: u64,
    /// The store with both results, if it is not the user's own.
    pub(crate) kept: Option<PathBuf>,
}

impl ShownReruns {
    pub(crate) fn count(&self, is: impl Fn(&RerunOutcome) -> bool) -> usize {
        self.reruns.iter().filter(|it| is(&it.outcome)).count()
    }

    /// Whether something differs, and its store has both results.
    pub(crate) fn has_kept(&self) -> bool {
        let kept =
            |it: &RerunOutcome| matches!(it, RerunOutcome::Differs { again, .. } if again.recorded);
        self.count(kept) > 0
    }
}

/// Executes again what a bundle says was executed, in a store of its own. It is thrown away, unless
/// it has two results to look at.
pub(super) fn against(
    arguments: &RerunArguments,
    bundle: &Path,
    json: bool,
    cancel: &Cancel,
) -> Result<ExitCode, CliError> {
    let folder = TemporaryFolder::new().map_err(CliError::Temporary)?;
    let store = Store::open(folder.path())?;
    let view = BytesView::new("unbundling");
    let watch = Watch {
        progress: &|done, total| view.advance(done, total),
        stopped: &|| cancel.is_requested(),
    };
    let unbundled = unbundle(bundle, &store, &Limits::default(), watch);
    view.finish();
    let name = unbundled?.run.to_string();
    let mut shown = rerun(arguments, &store, &[name], cancel)?;
    if shown.has_kept() {
        shown.kept = Some(folder.keep());
    }
    print(&shown, json)
}

/// Executes again what `names` stand for in the store; without names, the latest run.
pub(super) fn again(
    arguments: &RerunArguments,
    store: &Store,
    names: &[String],
    json: bool,
    cancel: &Cancel,
) -> Result<ExitCode, CliError> {
    let latest = [LATEST.to_owned()];
    let names = if names.is_empty() { &latest } else { names };
    print(&rerun(arguments, store, names, cancel)?, json)
}

fn rerun(
    arguments: &RerunArguments,
    store: &Store,
    names: &[String],
    cancel: &Cancel,
) -> Result<ShownReruns, CliError> {
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
    rerun_targets(arguments, store, targets, cancel)
}

fn rerun_targets(
    arguments: &RerunArguments,
    store: &Store,
    targets: Vec<Target>,
    cancel: &Cancel,
) -> Result<ShownReruns, CliError> {
    let trust = arguments.trust.policy()?;
    let cards = CardsWhenNeeded::new(arguments.device.as_ref(), cancel)?;
    show::print_containment_notice();
    let (all, seed) = (targets.len(), arguments.seed());
    let targets = arguments.sample().draw(targets, seed);
    show::rerun::print_start(targets.len(), all, seed);
    let view = ProgressView::new(targets.iter().map(|it| it.name.as_str()));
    let rerunning = Rerunning {
        store,
        data_dir: arguments.data_dir.as_deref(),
        jobs: arguments.jobs(),
        share_cards: arguments.shares_cards(),
        cards: &cards,
        threads: processors(),
        anyway: arguments.anyway,
        trust: &trust,
        cancel,
    };
    let reruns = rerunning.rerun(&targets, &view);
    view.finish();
    Ok(ShownReruns {
        reruns: reruns?,
        all,
        seed,
        kept: None,
    })
}

fn print(shown: &ShownReruns, json: bool) -> Result<ExitCode, CliError> {
    show::print(&if json {
        show::rerun::json(shown)
    } else {
        show::rerun::text(shown)
    })?;
    Ok(exit_code(shown))
}

fn exit_code(shown: &ShownReruns) -> ExitCode {
    let any = |is: fn(&RerunOutcome) -> bool| shown.count(is) > 0;
    if any(|it| matches!(it, RerunOutcome::Stopped)) {
        ExitCode::from(STOPPED)
    } else if any(|it| matches!(it, RerunOutcome::Differs { .. })) {
        ExitCode::FAILURE
    } else if any(|it| !matches!(it, RerunOutcome::Same(_))) {
        ExitCode::from(2)
    } else {
        ExitCode::SUCCESS
    }
}
