//! Executes recorded actions again, of the user's store or of a bundle, and says what came out.

use std::borrow::Cow;
use std::collections::hash_map::RandomState;
use std::error::Error;
use std::fmt::Write as _;
use std::hash::{BuildHasher, Hasher};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use assay_audit::{FileDifference, Index, Subject};
use assay_bundle::{Limits, Watch, unbundle};
use assay_core::{ActionKey, Advice as _, ArtifactHash, StageKind};
use assay_engine::{
    Cancel, CardRequest, CardsWhenNeeded, Reexecution, Rerun, RerunOutcome, Rerunning, Sample,
    Target,
};
use assay_files::TemporaryFolder;
use assay_store::Store;
use clap::Args;
use serde::Serialize;

use crate::arguments::compute::PORTABLE_HELP;
use crate::arguments::search::TrustArguments;
use crate::arguments::{MOST_JOBS, processors};
use crate::error::{CliError, STOPPED};
use crate::ui::bytes::BytesView;
use crate::ui::progress::ProgressView;
use crate::ui::terminal::say;
use crate::ui::words::{path, plain};
use crate::ui::{self, compare, duration, error};

/// Actions to execute again, and how.
#[derive(Args, Debug)]
#[group(id = "again", args = ["sample", "against"], multiple = true)]
pub(crate) struct RerunArguments {
    /// Execute actions again from their beginning and compare what comes out: all of them, a number
    /// such as 5, or a percentage such as 10%
    #[arg(
        long = "rerun",
        value_name = "SAMPLE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "100%"
    )]
    sample: Option<Sample>,

    /// Draw from parts of trainings instead of whole ones: a training that kept states (`keep_state_every`) is
    /// as many parts, and each is executed from the state before it to the state at its end
    #[arg(long, requires = "again")]
    by_epochs: bool,

    /// Take somebody's bundle into a store of its own, execute there what it says was executed, and
    /// compare; --rerun=SAMPLE chooses how much of it. The store is thrown away, unless something
    /// differs
    #[arg(long, value_name = "BUNDLE", conflicts_with = "names")]
    pub(super) against: Option<PathBuf>,

    /// Draw the sample from this seed; the same seed draws the same actions [default: a new one,
    /// which is printed]
    #[arg(long, value_name = "N", requires = "again")]
    seed: Option<u32>,

    /// Execute also what was executed in an environment that this machine has not; what comes out is
    /// compared, and not recorded
    #[arg(long, requires = "again")]
    anyway: bool,

    /// Actions to execute at a time; on cards, shared evenly among them [default: processors, and one at
    /// a time on each card]
    #[arg(long, short, value_name = "N", requires = "again",
          value_parser = clap::value_parser!(u32).range(1..=MOST_JOBS))]
    jobs: Option<u32>,

    /// The cards for actions that were executed on one: cuda, cuda:1, cuda:0,cuda:1 or cuda:all; where
    /// others compute is part of them [default: cuda]
    #[arg(long, value_name = "DEVICE", requires = "again")]
    device: Option<CardRequest>,

    #[arg(long, requires = "device", help = PORTABLE_HELP)]
    portable: bool,

    /// A folder with datasets, tried before anything is downloaded
    #[arg(long, value_name = "DIR", env = "ASSAY_DATA_DIR")]
    data_dir: Option<PathBuf>,

    #[command(flatten)]
    trust: TrustArguments,
}

impl RerunArguments {
    /// Whether anything is to be executed.
    pub(crate) fn is_asked(&self) -> bool {
        self.sample.is_some() || self.against.is_some()
    }

    /// How much is to be executed.
    pub(crate) fn sample(&self) -> Sample {
        self.sample.unwrap_or(Sample::Percent(100.0))
    }

    /// The seed of the sample: the one given, or else a new one at random.
    pub(crate) fn seed(&self) -> u64 {
        // The keys of a new hasher come from the system's source of random numbers.
        let random = || RandomState::new().build_hasher().finish() as u32;
        self.seed.unwrap_or_else(random).into()
    }

    /// Whether jobs are shared among cards, instead of one action at a time on each.
    fn shares_cards(&self) -> bool {
        self.jobs.is_some()
    }

    pub(crate) fn jobs(&self) -> usize {
        self.jobs.map_or_else(processors, |jobs| jobs as usize)
    }
}

/// The run whose actions are executed again where nothing is named.
const LATEST: &str = "latest";

/// The actions that were executed again, with their outcomes.
struct ShownReruns {
    reruns: Vec<Rerun>,
    /// Number of targets that the sample was drawn from.
    all: usize,
    /// The kind of these targets, in words.
    drawn_from: &'static str,
    /// The seed that the sample was drawn with.
    seed: u64,
    /// The store with both results, if it is not the user's own.
    kept: Option<PathBuf>,
}

impl ShownReruns {
    pub(crate) fn count(&self, is: impl Fn(&RerunOutcome) -> bool) -> usize {
        self.reruns.iter().filter(|it| is(&it.outcome)).count()
    }

    /// Whether something differs, and its store has both results.
    fn has_kept(&self) -> bool {
        let kept =
            |it: &RerunOutcome| matches!(it, RerunOutcome::Differs { again, .. } if again.recorded);
        self.count(kept) > 0
    }
}

/// Executes again what a bundle says was executed, in a store of its own. It is thrown away, unless
/// it has two results to look at.
pub(crate) fn against(
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
pub(crate) fn again(
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
    if arguments.by_epochs {
        let parts = targets.into_iter().flat_map(|target| target.parts(store));
        targets = parts.collect();
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
    let cards = CardsWhenNeeded::new(arguments.device.as_ref(), arguments.portable, cancel)?;
    ui::print_containment_notice();
    let (all, seed) = (targets.len(), arguments.seed());
    let drawn_from = if targets.iter().any(|target| target.part.is_some()) {
        "actions and parts of trainings"
    } else {
        "actions"
    };
    let targets = arguments.sample().draw(targets, seed);
    print_start(targets.len(), all, drawn_from, seed);
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
        drawn_from,
        seed,
        kept: None,
    })
}

fn print(shown: &ShownReruns, as_json: bool) -> Result<ExitCode, CliError> {
    ui::print_either(as_json, || RerunsView::of(shown), || text(shown))?;
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

/// The widest that the names of stages are made.
const WIDEST_NAME: usize = 50;

/// Says what is about to be executed, and how the sample can be drawn again.
fn print_start(count: usize, all: usize, drawn_from: &str, seed: u64) {
    if count == all {
        say(&format!("executing {count} {drawn_from} again"));
    } else {
        say(&format!(
            "executing {count} of {all} {drawn_from} again, drawn from seed {seed}"
        ));
    }
}

fn text(shown: &ShownReruns) -> String {
    let names = shown.reruns.iter().map(|it| it.target.name.len());
    let width = names.max().unwrap_or(0).min(WIDEST_NAME);
    let mut text = String::new();
    for rerun in &shown.reruns {
        let (name, word) = (plain(&rerun.target.name), word(&rerun.outcome));
        let _ = write!(text, "{word:8} {name:width$}");
        match &rerun.outcome {
            RerunOutcome::Same(again) | RerunOutcome::Differs { again, .. } => {
                let _ = write!(text, "  {}", duration(again.result.duration_ms));
                if !again.recorded && rerun.target.part.is_none() {
                    text.push_str("  (in another environment, not recorded)");
                }
            }
            RerunOutcome::Failed(failure) => text.push_str(&error::causes(failure)),
            RerunOutcome::Cannot(obstacle) => {
                let causes = error::chain(obstacle);
                let _ = write!(text, "  {}", plain(&obstacle.to_string()));
                let help = format!("\n  help: {}", obstacle.help());
                for line in causes
                    .lines()
                    .chain(help.lines())
                    .filter(|it| !it.is_empty())
                {
                    let _ = write!(text, "\n    {}", line.trim_start());
                }
            }
            RerunOutcome::Stopped => {}
        }
        text.push('\n');
        if let RerunOutcome::Differs { again, differences } = &rerun.outcome {
            text.push_str(&compare::files(differences, 2));
            let (before, now) = (again.expected, again.result.artifact);
            let _ = writeln!(text, "  recorded: {before}\n  now:      {now}");
        }
    }
    text.push_str(&summary(shown));
    text
}

fn summary(shown: &ShownReruns) -> String {
    let counts = counts(shown)
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(what, count)| format!("{count} {what}"));
    let counts: Vec<_> = counts.collect();
    let mut text = format!("\n{}", counts.join(", "));
    if shown.reruns.len() < shown.all {
        let _ = write!(
            text,
            "; a sample of {} {}, drawn from seed {}",
            shown.all, shown.drawn_from, shown.seed
        );
    }
    text.push('\n');
    if shown.has_kept() {
        let place = match &shown.kept {
            Some(store) => format!(" in the store {}", path(store)),
            None => String::new(),
        };
        let _ = writeln!(
            text,
            "Both results of what differs are kept{place}; the first is still the one that is used."
        );
    }
    text
}

fn word(outcome: &RerunOutcome) -> &'static str {
    match outcome {
        RerunOutcome::Same(_) => "same",
        RerunOutcome::Differs { .. } => "differs",
        RerunOutcome::Failed(_) => "failed",
        RerunOutcome::Cannot(_) => "cannot",
        RerunOutcome::Stopped => "stopped",
    }
}

fn counts(shown: &ShownReruns) -> [(&'static str, usize); 5] {
    let count = |name| shown.count(|outcome| word(outcome) == name);
    [
        ("the same", count("same")),
        ("other than recorded", count("differs")),
        ("failed", count("failed")),
        ("cannot be executed again here", count("cannot")),
        ("stopped", count("stopped")),
    ]
}

/// Actions that were executed again, with their outcomes.
#[derive(Serialize)]
struct RerunsView<'a> {
    seed: u64,
    drawn_from: usize,
    same: usize,
    differs: usize,
    failed: usize,
    cannot: usize,
    stopped: usize,
    store: Option<String>,
    actions: Vec<RerunView<'a>>,
}

#[derive(Serialize)]
struct RerunView<'a> {
    name: &'a str,
    action: ActionKey,
    kind: Option<StageKind>,
    /// The first and the last epoch, of a part of a training.
    #[serde(skip_serializing_if = "Option::is_none")]
    epochs: Option<[u32; 2]>,
    recorded_artifact: ArtifactHash,
    outcome: &'static str,
    #[serde(flatten)]
    details: DetailsView<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum DetailsView<'a> {
    Done {
        /// The artifact that was to come out of a part of a training.
        #[serde(skip_serializing_if = "Option::is_none")]
        expected_artifact: Option<ArtifactHash>,
        artifact: ArtifactHash,
        duration_ms: u64,
        recorded: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        differences: Option<&'a [FileDifference]>,
    },
    Failed {
        reason: String,
        help: Cow<'a, str>,
    },
    Cannot {
        reason: String,
        causes: Vec<String>,
        help: Cow<'a, str>,
    },
    Stopped {},
}

impl<'a> RerunsView<'a> {
    fn of(shown: &'a ShownReruns) -> Self {
        let count = |name| shown.count(|outcome| word(outcome) == name);
        Self {
            seed: shown.seed,
            drawn_from: shown.all,
            same: count("same"),
            differs: count("differs"),
            failed: count("failed"),
            cannot: count("cannot"),
            stopped: count("stopped"),
            store: shown.kept.as_ref().map(|path| path.display().to_string()),
            actions: shown.reruns.iter().map(RerunView::of).collect(),
        }
    }
}

impl<'a> RerunView<'a> {
    fn of(rerun: &'a Rerun) -> Self {
        let done = |again: &Reexecution, differences| DetailsView::Done {
            expected_artifact: rerun.target.part.map(|_| again.expected),
            artifact: again.result.artifact,
            duration_ms: again.result.duration_ms,
            recorded: again.recorded,
            differences,
        };
        Self {
            name: &rerun.target.name,
            action: rerun.target.action,
            kind: rerun.kind,
            epochs: rerun.target.part.map(|part| [part.after + 1, part.last]),
            recorded_artifact: rerun.target.recorded,
            outcome: word(&rerun.outcome),
            details: match &rerun.outcome {
                RerunOutcome::Same(again) => done(again, None),
                RerunOutcome::Differs { again, differences } => done(again, Some(differences)),
                RerunOutcome::Failed(failure) => DetailsView::Failed {
                    reason: failure.to_string(),
                    help: failure.help(),
                },
                RerunOutcome::Cannot(obstacle) => DetailsView::Cannot {
                    reason: obstacle.to_string(),
                    causes: causes(obstacle),
                    help: obstacle.help(),
                },
                RerunOutcome::Stopped => DetailsView::Stopped {},
            },
        }
    }
}

fn causes(error: &dyn Error) -> Vec<String> {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.map(ToString::to_string).collect()
}
