//! The check stage: has one promise of the boundary checked of a library or of one of its
//! algorithms. What the plugin does to this process meanwhile is part of what is found out.

use std::fs::File;
use std::process;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use assay_abi::LoadedPlugin;
use assay_core::ObjectHash;
use assay_testkit::{Check, DESCRIBES, Loading, Outcome, Subject, Verdict, find};
use rustix::stdio::dup2_stdout;
use serde::{Deserialize, Serialize};

use super::{Context, JSON, Kind, Outputs, StageError, TEXT, write_document};
use crate::error::causes;
use crate::event::Report;
use crate::plugin::LoadFailure;

/// The file with the [`CheckDocument`].
pub(crate) const CHECKED: &str = "check.json";
/// The file with what the process printed on standard output up to its end.
pub(crate) const PRINTED: &str = "stdout.txt";

/// How often a check looks whether it is to stop.
const INTERVAL: Duration = Duration::from_millis(20);

/// Parameters that decide a check, beside the plugin.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckParameters {
    pub(crate) check: String,
    /// Absent for a check of the library as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) algorithm: Option<String>,
    pub(crate) seed: u64,
}

/// Result of a check, as the stage writes it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckDocument {
    pub(crate) verdict: Verdict,
    /// Algorithms that the library offers, where it was asked and answered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) algorithms: Vec<String>,
    /// The hash of the outputs of a check that compares environments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) outputs: Option<ObjectHash>,
}

pub(super) const KIND: Kind = Kind::of_commands(run);

fn run(context: &Context) -> Result<Outputs, StageError> {
    let parameters: CheckParameters = context.parameters()?;
    let check = find(&parameters.check)
        .ok_or_else(|| StageError::Incomplete(format!("known check `{}`", parameters.check)))?;
    keep_output(context)?;
    end_when_cancelled(context);
    let loaded = context.try_load_plugin()?;
    let document = match &parameters.algorithm {
        None => of_library(check, &loading(loaded)),
        Some(algorithm) => of_algorithm(context, check, loaded?, algorithm, parameters.seed)?,
    };
    write_document(&context.out.join(CHECKED), &document)?;
    let mut outputs = Outputs::default();
    outputs.add(CHECKED, JSON);
    outputs.add(PRINTED, TEXT);
    Ok(outputs)
}

/// Sends standard output to [`PRINTED`]: C's streams are flushed when the process ends, which is
/// before the supervisor takes the file.
fn keep_output(context: &Context) -> Result<(), StageError> {
    let path = context.out.join(PRINTED);
    let file = File::create(&path).and_then(|file| Ok(dup2_stdout(file)?));
    file.map_err(|source| StageError::File {
        what: "write",
        path,
        source,
    })
}

/// Ends the process when the check is to stop: a plugin that hangs hears nothing.
fn end_when_cancelled(context: &Context) {
    let reporter = Arc::clone(&context.reporter);
    let cancelled = Arc::clone(&context.cancelled);
    thread::spawn(move || {
        while !cancelled.load(Ordering::Relaxed) {
            thread::sleep(INTERVAL);
        }
        reporter.send(&Report::Cancelled);
        process::exit(1);
    });
}

fn loading(loaded: Result<LoadedPlugin, LoadFailure>) -> Loading {
    match loaded {
        Ok(plugin) => Loading::Loaded(plugin),
        Err(failure @ LoadFailure::Interface(_)) => Loading::Layout(in_words(&failure)),
        Err(failure) => Loading::Refused(in_words(&failure)),
    }
}

/// A failure with its causes, in one line.
fn in_words(failure: &LoadFailure) -> String {
    let causes = causes(failure).map(|cause| format!(": {cause}"));
    failure.to_string() + &causes.collect::<String>()
}

fn of_library(check: &Check, loading: &Loading) -> CheckDocument {
    let algorithms = match loading {
        Loading::Loaded(plugin) if check.name == DESCRIBES => plugin.algorithms(),
        _ => Ok(Vec::new()),
    };
    // Why they are not known is what the verdict says.
    let algorithms = algorithms.unwrap_or_default().into_iter();
    CheckDocument {
        verdict: check.of_library(loading),
        algorithms: algorithms.map(|it| it.name.into_string()).collect(),
        outputs: None,
    }
}

fn of_algorithm(
    context: &Context,
    check: &Check,
    plugin: LoadedPlugin,
    name: &str,
    seed: u64,
) -> Result<CheckDocument, StageError> {
    let document = |verdict, outputs| CheckDocument {
        verdict,
        algorithms: Vec::new(),
        outputs,
    };
    let environment = context.action.environment.as_ref();
    let environment =
        environment.ok_or_else(|| StageError::Incomplete("environment".to_owned()))?;
    let algorithms = plugin.algorithms();
    let algorithms =
        algorithms.map_err(|error| context.plugin_error("say what it offers", error))?;
    let Some(algorithm) = algorithms.into_iter().find(|it| it.name == name) else {
        let verdict = Verdict {
            outcome: Outcome::Failed,
            reason: "it was offered a moment ago, and is not any more".to_owned(),
        };
        return Ok(document(verdict, None));
    };
    let subject = Subject {
        plugin,
        algorithm,
        seed,
        device: context.computes_on(environment),
        threads: context.compute_threads(environment),
    };
    if !check.is_compared() {
        return Ok(document(check.of_algorithm(&subject), None));
    }
    Ok(match check.outputs(&subject) {
        Ok(outputs) => {
            let verdict = Verdict {
                outcome: Outcome::Passed,
                reason: "it gave outputs".to_owned(),
            };
            document(verdict, Some(ObjectHash::of(&outputs)))
        }
        Err(verdict) => document(verdict, None),
    })
}
