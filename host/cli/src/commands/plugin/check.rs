//! `pipeline plugin check`: has every promise of the boundary checked, each in a worker, in a store
//! that is thrown away afterwards.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::process::ExitCode;

use assay_engine::{
    CHECKS, Cancel, CheckReport, CheckRequest, Checked, Device, DeviceError, DeviceRequest,
    Outcome, Settings, TrustPolicy, check_plugin,
};
use assay_files::TemporaryFolder;
use assay_store::Store;
use clap::Args;
use clap::builder::PossibleValuesParser;
use serde_json::json;

use crate::arguments::search::{SearchArguments, TrustArguments};
use crate::error::CliError;
use crate::ui::json::document;
use crate::ui::words::{path, plain};
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

    /// Threads of an operation
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: u32,

    /// Where to compute: cpu, cuda (the first card) or cuda:N
    #[arg(long, value_name = "DEVICE", default_value_t = DeviceRequest::Cpu,
        value_parser = DeviceRequest::single)]
    device: DeviceRequest,

    #[command(flatten)]
    search: SearchArguments,

    #[command(flatten)]
    trust: TrustArguments,
}

impl CheckArguments {
    /// # Errors
    /// The device is not there.
    pub(crate) fn settings(&self, cancel: &Cancel) -> Result<Settings, DeviceError> {
        Ok(Settings {
            jobs: 1,
            share_cards: false,
            threads: self.threads,
            device: Device::open(&self.device, cancel)?,
            keep_going: true,
            data_dir: None,
        })
    }

    pub(crate) fn request<'a>(&'a self, trust: &'a TrustPolicy) -> CheckRequest<'a> {
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
        ui::print(&if arguments.json { list_json() } else { list() })?;
        return Ok(ExitCode::SUCCESS);
    }
    let trust = arguments.trust.policy()?;
    let settings = arguments.settings(cancel)?;
    let folder = TemporaryFolder::new().map_err(CliError::Temporary)?;
    let store = Store::open(folder.path().join("store"))?;
    let printed = RefCell::new(Ok(()));
    let report = check_plugin(
        &store,
        &settings,
        &arguments.request(&trust),
        cancel,
        &|checked| {
            if !arguments.json && printed.borrow().is_ok() {
                *printed.borrow_mut() = ui::print(&line(checked));
            }
        },
    )?;
    printed.into_inner()?;
    ui::print(&if arguments.json {
        json(&report)
    } else {
        summary(&report)
    })?;
    if report.stopped {
        return Err(CliError::Stopped);
    }
    Ok(ExitCode::from(u8::from(report.count(Outcome::Failed) > 0)))
}

/// The width of `algorithm/check`: longer names push the reason aside.
const NAME: usize = 34;

/// One check that was made; of one that failed, also what was promised.
fn line(checked: &Checked) -> String {
    let name = match &checked.algorithm {
        Some(algorithm) => format!("{}/{}", plain(algorithm), checked.check.name),
        None => checked.check.name.to_owned(),
    };
    let outcome = match checked.verdict.outcome {
        Outcome::Passed => "pass",
        Outcome::Failed => "FAIL",
        Outcome::Skipped => "skip",
    };
    let mut text = format!(
        "{outcome}  {name:<NAME$}  {}\n",
        plain(&checked.verdict.reason)
    );
    if checked.verdict.outcome == Outcome::Failed {
        let _ = writeln!(text, "      promised: {}", checked.check.promise);
    }
    text
}

/// The number of checks by outcome, and their time in all.
fn summary(report: &CheckReport) -> String {
    let time = report.checks.iter().map(|it| it.duration_ms).sum();
    format!(
        "{}: {} passed, {} failed, {} skipped in {}\n",
        path(&report.path),
        report.count(Outcome::Passed),
        report.count(Outcome::Failed),
        report.count(Outcome::Skipped),
        duration(time)
    )
}

/// Every check with its promise.
fn list() -> String {
    let entries = CHECKS.iter().map(|check| {
        let of = if check.is_of_algorithm() {
            "each algorithm"
        } else {
            "the library"
        };
        format!(
            "{} (of {of})\n  {}\n  {}\n",
            check.name, check.promise, check.why
        )
    });
    entries.collect()
}

fn json(report: &CheckReport) -> String {
    let checks: Vec<_> = report
        .checks
        .iter()
        .map(|checked| {
            json!({
                "check": checked.check.name,
                "algorithm": checked.algorithm,
                "outcome": checked.verdict.outcome,
                "reason": checked.verdict.reason,
                "duration_ms": checked.duration_ms,
            })
        })
        .collect();
    document(&json!({
        "plugin": report.path,
        "library": report.library,
        "complete": !report.stopped,
        "passed": report.count(Outcome::Passed),
        "failed": report.count(Outcome::Failed),
        "skipped": report.count(Outcome::Skipped),
        "checks": checks,
    }))
}

fn list_json() -> String {
    let checks: Vec<_> = CHECKS
        .iter()
        .map(|check| {
            json!({
                "check": check.name,
                "of": if check.is_of_algorithm() { "algorithm" } else { "library" },
                "promise": check.promise,
                "why": check.why,
            })
        })
        .collect();
    document(&json!({ "checks": checks }))
}
