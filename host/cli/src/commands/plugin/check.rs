//! `pipeline plugin check`: has every promise of the boundary checked, each in a worker, in a store
//! that is thrown away afterwards.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::process::ExitCode;

use assay_core::PluginHash;
use assay_engine::{
    CHECKS, Cancel, CheckReport, CheckRequest, Checked, Outcome, Settings, TrustPolicy,
    check_plugin,
};
use assay_files::TemporaryFolder;
use assay_store::Store;
use clap::Args;
use clap::builder::PossibleValuesParser;
use serde::Serialize;

use crate::arguments::compute::ComputeArguments;
use crate::arguments::search::{SearchArguments, TrustArguments};
use crate::error::CliError;
use crate::ui::words::{ShownPath, plain};
use crate::ui::{self, duration};

const EXAMPLES: &str = "\
Examples:
  pipeline plugin check bp
  pipeline plugin check ./target/release/libassay_mine.so --algorithm mine
  pipeline plugin check dtp --only learns --only directions --seed 7
  pipeline plugin check ./libassay_mine.so --json > checks.json
  pipeline plugin check --list

Every check of every algorithm runs in a process of its own, so one that crashes or hangs fails and
the others are still made. docs/conformance.md says what each promises and how to read a failure.

Exit codes: 0 every check passed or does not apply, 1 some failed, 2 the plugin cannot be asked, 130
stopped by Ctrl-C.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CheckArguments {
    /// The plugin: NAME, PATH with a slash, NAME@HASH or PATH@HASH
    #[arg(required_unless_present = "list")]
    plugin: Option<String>,

    /// Check this algorithm of the plugin; may be given many times [default: all]
    #[arg(long = "algorithm", value_name = "NAME")]
    algorithms: Vec<String>,

    /// Make this check only; may be given many times
    #[arg(long, value_name = "CHECK", hide_possible_values = true,
        value_parser = PossibleValuesParser::new(CHECKS.iter().map(|check| check.name)))]
    only: Vec<String>,

    /// Decides the learners, and the samples that they are given
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// Seconds that one check may take
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..))]
    time_limit: u32,

    /// Print what every check promises, and make none
    #[arg(long, conflicts_with_all = ["plugin", "algorithms", "only"])]
    list: bool,

    /// Print one JSON document instead of a line for each check
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    compute: ComputeArguments,

    #[command(flatten)]
    search: SearchArguments,

    #[command(flatten)]
    trust: TrustArguments,
}

impl CheckArguments {
    fn request<'a>(&'a self, trust: &'a TrustPolicy) -> CheckRequest<'a> {
        CheckRequest {
            plugin: self.plugin.as_deref().unwrap_or_default(),
            algorithms: &self.algorithms,
            search: self.search.path(),
            trust,
            only: &self.only,
            seed: self.seed,
            time_limit: self.time_limit,
        }
    }
}

pub(crate) fn check(arguments: &CheckArguments, cancel: &Cancel) -> Result<ExitCode, CliError> {
    if arguments.list {
        ui::print_view(&ChecksView::all(), arguments.json, list)?;
        return Ok(ExitCode::SUCCESS);
    }
    let trust = arguments.trust.policy()?;
    let settings = arguments.compute.settings(true, cancel)?;
    let report = make_checks(
        &arguments.request(&trust),
        &settings,
        !arguments.json,
        cancel,
    )?;
    ui::print_view(&ReportView::of(&report), arguments.json, summary)?;
    if report.stopped {
        return Err(CliError::Stopped);
    }
    Ok(ExitCode::from(u8::from(report.count(Outcome::Failed) > 0)))
}

/// Makes the checks of `request`, in a store that is thrown away; each is printed once it is made if
/// they are `shown`.
pub(super) fn make_checks(
    request: &CheckRequest<'_>,
    settings: &Settings,
    shown: bool,
    cancel: &Cancel,
) -> Result<CheckReport, CliError> {
    let folder = TemporaryFolder::new().map_err(CliError::Temporary)?;
    let store = Store::open(folder.path().join("store"))?;
    let printed = RefCell::new(Ok(()));
    let report = check_plugin(&store, settings, request, cancel, &|checked| {
        if shown && printed.borrow().is_ok() {
            *printed.borrow_mut() = ui::print(&line(&CheckedView::of(checked)));
        }
    })?;
    printed.into_inner()?;
    Ok(report)
}

/// The outcome of every check that was made.
#[derive(Serialize)]
struct ReportView<'a> {
    plugin: ShownPath<'a>,
    library: Option<PluginHash>,
    complete: bool,
    passed: usize,
    failed: usize,
    skipped: usize,
    checks: Vec<CheckedView<'a>>,
}

#[derive(Serialize)]
struct CheckedView<'a> {
    check: &'static str,
    algorithm: Option<&'a str>,
    outcome: Outcome,
    reason: &'a str,
    duration_ms: u64,
    #[serde(skip)]
    promise: &'static str,
}

/// Every check that can be made.
#[derive(Serialize)]
struct ChecksView {
    checks: Vec<CheckView>,
}

#[derive(Serialize)]
struct CheckView {
    check: &'static str,
    of: Part,
    promise: &'static str,
    why: &'static str,
}

/// The part of a plugin that a check is of.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
enum Part {
    Algorithm,
    Library,
}

impl<'a> ReportView<'a> {
    fn of(report: &'a CheckReport) -> Self {
        Self {
            plugin: ShownPath(&report.path),
            library: report.library,
            complete: !report.stopped,
            passed: report.count(Outcome::Passed),
            failed: report.count(Outcome::Failed),
            skipped: report.count(Outcome::Skipped),
            checks: report.checks.iter().map(CheckedView::of).collect(),
        }
    }
}

impl<'a> CheckedView<'a> {
    fn of(checked: &'a Checked) -> Self {
        Self {
            check: checked.check.name,
            algorithm: checked.algorithm.as_deref(),
            outcome: checked.verdict.outcome,
            reason: &checked.verdict.reason,
            duration_ms: checked.duration_ms,
            promise: checked.check.promise,
        }
    }
}

impl ChecksView {
    fn all() -> Self {
        let checks = CHECKS.iter().map(|check| CheckView {
            check: check.name,
            of: if check.is_of_algorithm() {
                Part::Algorithm
            } else {
                Part::Library
            },
            promise: check.promise,
            why: check.why,
        });
        Self {
            checks: checks.collect(),
        }
    }
}

/// The width of `algorithm/check`: longer names push the reason aside.
const NAME: usize = 34;

/// One check that was made; of one that failed, also its promise.
fn line(checked: &CheckedView<'_>) -> String {
    let name = match checked.algorithm {
        Some(algorithm) => format!("{}/{}", plain(algorithm), checked.check),
        None => checked.check.to_owned(),
    };
    let outcome = match checked.outcome {
        Outcome::Passed => "pass",
        Outcome::Failed => "FAIL",
        Outcome::Skipped => "skip",
    };
    let mut text = format!("{outcome}  {name:<NAME$}  {}\n", plain(checked.reason));
    if checked.outcome == Outcome::Failed {
        let _ = writeln!(text, "      promised: {}", checked.promise);
    }
    text
}

/// The number of checks by outcome, and their time in all.
fn summary(report: &ReportView<'_>) -> String {
    let time = report.checks.iter().map(|it| it.duration_ms).sum();
    format!(
        "{}: {} passed, {} failed, {} skipped in {}\n",
        report.plugin,
        report.passed,
        report.failed,
        report.skipped,
        duration(time)
    )
}

/// Every check with its promise.
fn list(view: &ChecksView) -> String {
    let entries = view.checks.iter().map(|check| {
        let of = match check.of {
            Part::Algorithm => "each algorithm",
            Part::Library => "the library",
        };
        format!(
            "{} (of {of})\n  {}\n  {}\n",
            check.check, check.promise, check.why
        )
    });
    entries.collect()
}
