//! Has the promises of the boundary checked of one plugin. Every check of every algorithm is an
//! action with a worker of its own, so that a plugin which crashes in one fails that one and is
//! still asked all others; in a store that is thrown away afterwards, nothing of it stays.

mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

use assay_core::{
    Action, ActionKey, Diagnostic, Environment, Limits, ObjectHash, Place, PluginHash, PluginPin,
    Source, SourceError, StageKind, choices,
};
use assay_store::Store;
use assay_testkit::{CHECKS, Check, DESCRIBES, LOADS, Outcome, Verdict};

use self::verdict::{Found, found};
use crate::cancel::Cancel;
use crate::device::Card;
use crate::environment::{BASE, Settings, environment, portable};
use crate::error::EngineError;
use crate::plugin::{Libraries, PluginError, SearchPath};
use crate::stages::{CheckParameters, object};
use crate::supervise::Execution;
use crate::trust::TrustPolicy;

/// A request to check a plugin.
#[derive(Clone, Debug)]
pub struct CheckRequest<'a> {
    /// The plugin, by name or path.
    pub plugin: &'a str,
    /// The algorithms to check; none means all.
    pub algorithms: &'a [String],
    /// Where plugins are looked for.
    pub search: SearchPath,
    /// Whom the user trusts.
    pub trust: &'a TrustPolicy,
    /// The names of the checks to make; none means all.
    pub only: &'a [String],
    /// Decides the learners, and the samples that they are given.
    pub seed: u64,
    /// Seconds that one check may take.
    pub time_limit: u32,
}

/// One check that was made.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The check.
    pub check: &'static Check,
    /// The algorithm that was checked; `None` for the library as a whole.
    pub algorithm: Option<String>,
    /// Its verdict.
    pub verdict: Verdict,
    /// The time that it took.
    pub duration_ms: u64,
}

/// Every check that was made.
#[derive(Clone, Debug)]
pub struct CheckReport {
    /// The library.
    pub path: PathBuf,
    /// The hash of the library that was checked; absent where it was not even opened.
    pub library: Option<PluginHash>,
    /// In the order in which they were made.
    pub checks: Vec<Checked>,
    /// Whether it was asked to stop before all were made.
    pub stopped: bool,
}

impl CheckReport {
    /// The number of checks that ended so.
    pub fn count(&self, outcome: Outcome) -> usize {
        let checks = self.checks.iter();
        checks.filter(|it| it.verdict.outcome == outcome).count()
    }
}

/// Makes the checks, in a store that the caller throws away, and tells `observe` of each.
///
/// # Errors
/// The library cannot be read or is no plugin, there is no such algorithm, or a worker could not be
/// started. What the plugin does wrong is no error but a verdict.
pub fn check_plugin(
    store: &Store,
    settings: &Settings,
    request: &CheckRequest<'_>,
    cancel: &Cancel,
    observe: &dyn Fn(&Checked),
) -> Result<CheckReport, EngineError> {
    let mut libraries = Libraries {
        store,
        sources: &mut store.source_hashes(),
        search: &request.search,
        base: Path::new(""),
    };
    let mut report = CheckReport {
        path: PathBuf::new(),
        library: None,
        checks: Vec::new(),
        stopped: false,
    };
    // A copy in the store, so that every check is of the same bytes.
    let library = match libraries.obtain(request.plugin) {
        Ok(library) => library,
        Err(EngineError::Plugin(PluginError::Mismatch { path, source })) => {
            let verdict = Verdict {
                outcome: Outcome::Failed,
                reason: source.to_string(),
            };
            let checks = CHECKS.iter().filter(|check| check.name == LOADS);
            report.checks.extend(checks.map(|check| Checked {
                check,
                algorithm: None,
                verdict: verdict.clone(),
                duration_ms: 0,
            }));
            report.path = path;
            report.checks.iter().for_each(observe);
            return Ok(report);
        }
        Err(error) => return Err(error),
    };
    request.trust.admit(store, &library)?;
    let pin = library.pin();
    let libtorch = library.handshake.libtorch();
    report.library = Some(pin.hash);
    let cuda = settings
        .device
        .environment(store, &pin, &libtorch, cancel)?;
    let stored = || store.object_path(pin.hash.into());
    report.path = library.file.unwrap_or_else(stored);
    let mut checker = Checker {
        store,
        request,
        cancel,
        observe,
        pin,
        processor: environment(settings.threads, libtorch.clone(), None),
        environment: environment(settings.threads, libtorch, cuda),
        card: settings.device.cards().map(|cards| &cards.as_slice()[0]),
        report,
    };
    checker.run()?;
    Ok(checker.report)
}

struct Checker<'a> {
    store: &'a Store,
    request: &'a CheckRequest<'a>,
    cancel: &'a Cancel,
    observe: &'a dyn Fn(&Checked),
    pin: PluginPin,
    environment: Environment,
    /// The same on the processor.
    processor: Environment,
    card: Option<&'a Card>,
    report: CheckReport,
}

impl Checker<'_> {
    fn run(&mut self) -> Result<(), EngineError> {
        let algorithms = self.of_library()?;
        for algorithm in self.wanted(algorithms)? {
            for check in CHECKS.iter().filter(|check| check.is_of_algorithm()) {
                if self.is_wanted(check) {
                    self.check(check, Some(&algorithm))?;
                }
            }
        }
        Ok(())
    }

    /// Checks the library as a whole; what it offers.
    fn of_library(&mut self) -> Result<BTreeSet<String>, EngineError> {
        let mut algorithms = BTreeSet::new();
        let mut loads = true;
        for check in CHECKS.iter().filter(|check| !check.is_of_algorithm()) {
            // The library's algorithms have to be known whichever checks are asked for.
            if !self.is_wanted(check) && ![LOADS, DESCRIBES].contains(&check.name) {
                continue;
            }
            if !loads {
                let reason = "it does not load".to_owned();
                let outcome = Outcome::Skipped;
                self.report(check, None, Verdict { outcome, reason }, 0);
                continue;
            }
            if let Some(found) = self.check(check, None)? {
                loads = check.name != LOADS || found.verdict.outcome == Outcome::Passed;
                algorithms.extend(found.offered);
            }
        }
        Ok(algorithms)
    }

    /// Those of `algorithms` that are to be checked: none where none is known.
    fn wanted(&self, algorithms: BTreeSet<String>) -> Result<BTreeSet<String>, EngineError> {
        let wanted = self.request.algorithms;
        if wanted.is_empty() || algorithms.is_empty() {
            return Ok(algorithms);
        }
        match wanted.iter().find(|name| !algorithms.contains(*name)) {
            Some(name) => Err(self.no_algorithm(name, &algorithms)),
            None => Ok(wanted.iter().cloned().collect()),
        }
    }

    fn is_wanted(&self, check: &Check) -> bool {
        let only = self.request.only;
        only.is_empty() || only.iter().any(|name| name == check.name)
    }

    /// Makes one check and reports it; `None` where it was asked to stop.
    fn check(
        &mut self,
        check: &'static Check,
        algorithm: Option<&str>,
    ) -> Result<Option<Found>, EngineError> {
        if self.cancel.is_requested() {
            self.report.stopped = true;
            return Ok(None);
        }
        let begun = Instant::now();
        let first = if check.is_compared() {
            &self.processor
        } else {
            &self.environment
        };
        let mut found = self.execute(check, algorithm, first)?;
        if let Some(Found {
            outputs: Some(outputs),
            ..
        }) = found
        {
            found = self.compare(check, algorithm, outputs)?;
        }
        match &found {
            Some(found) => {
                let duration_ms = begun.elapsed().as_millis() as u64;
                self.report(check, algorithm, found.verdict.clone(), duration_ms);
            }
            None => self.report.stopped = true,
        }
        Ok(found)
    }

    /// Makes a check whose outputs have to be the same everywhere in other environments too; here it gave
    /// `outputs`.
    fn compare(
        &self,
        check: &'static Check,
        algorithm: Option<&str>,
        outputs: ObjectHash,
    ) -> Result<Option<Found>, EngineError> {
        let here = &self.processor;
        let threads = Environment {
            threads: Some(3),
            ..here.clone()
        };
        let instructions = Environment {
            cpu_capability: Some(BASE.to_owned()),
            ..here.clone()
        };
        let mut compared = vec![("3 threads", threads)];
        if instructions != *here {
            compared.push(("no vector instructions", instructions));
        }
        if self.card.is_some() {
            compared.push(("a card", portable(here)));
        }
        let mut names = Vec::new();
        for (name, environment) in &compared {
            let found = self.execute(check, algorithm, environment)?;
            match found {
                Some(Found {
                    outputs: Some(there),
                    ..
                }) if there == outputs => names.push(*name),
                // It promises nothing of such an environment.
                Some(found) if found.verdict.outcome == Outcome::Skipped => {}
                Some(mut found) => {
                    if found.outputs.is_some() {
                        found.verdict.reason = format!("with {name} it gave other bytes");
                    }
                    found.verdict.outcome = Outcome::Failed;
                    return Ok(Some(found));
                }
                None => return Ok(None),
            }
        }
        Ok(Some(Found {
            verdict: Verdict {
                outcome: Outcome::Passed,
                reason: format!("the same bytes with {}", names.join(", and with ")),
            },
            offered: Vec::new(),
            outputs: Some(outputs),
        }))
    }

    /// Makes one check in `environment`; `None` where it was asked to stop.
    fn execute(
        &self,
        check: &'static Check,
        algorithm: Option<&str>,
        environment: &Environment,
    ) -> Result<Option<Found>, EngineError> {
        let execution = Execution {
            store: self.store,
            data_dir: None,
            threads: 1,
            limits: Limits {
                time_ms: Some(1000 * u64::from(self.request.time_limit)),
                ..Limits::default()
            },
            card: self.card,
            cancel: self.cancel,
            observe: &|_| {},
        };
        let key = self.action(check, algorithm, environment)?;
        found(self.store, check, execution.execute(key))
    }

    /// Notes how a check ended. One that nobody asked for is noted if it did not pass, since
    /// nothing else can be understood without it.
    fn report(
        &mut self,
        check: &'static Check,
        algorithm: Option<&str>,
        verdict: Verdict,
        duration_ms: u64,
    ) {
        if self.is_wanted(check) || verdict.outcome == Outcome::Failed {
            let checked = Checked {
                check,
                algorithm: algorithm.map(str::to_owned),
                verdict,
                duration_ms,
            };
            (self.observe)(&checked);
            self.report.checks.push(checked);
        }
    }

    /// Stores the action of a check.
    fn action(
        &self,
        check: &Check,
        algorithm: Option<&str>,
        environment: &Environment,
    ) -> Result<ActionKey, EngineError> {
        let parameters = CheckParameters {
            check: check.name.to_owned(),
            algorithm: algorithm.map(str::to_owned),
            seed: self.request.seed,
        };
        let action = Action::new(
            StageKind::Check,
            object(&parameters)?,
            BTreeMap::new(),
            Some(self.pin.clone()),
            Some(environment.clone()),
        );
        Ok(self.store.put_action(&action)?)
    }

    fn no_algorithm(&self, wanted: &str, known: &BTreeSet<String>) -> EngineError {
        let plugin = self.request.plugin;
        let message = format!("the plugin `{plugin}` has no algorithm `{wanted}`");
        let place = Place {
            source: 0,
            bytes: 0..wanted.len(),
        };
        let help = choices(wanted, known.iter().map(String::as_str));
        let source = Source {
            name: "--algorithm".to_owned(),
            text: wanted.to_owned(),
        };
        let complaint = Diagnostic::new(message, &place).help(help);
        SourceError::new(vec![source], complaint.into()).into()
    }
}
