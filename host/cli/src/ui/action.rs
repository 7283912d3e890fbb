//! Actions in words that a researcher knows: their parameters, plugin and environment, and the
//! stages of runs that they are.

use std::fmt::Write as _;

use assay_audit::Index;
use assay_core::graph::StageUse;
use assay_core::{
    Action, ActionKey, ActionResult, Environment, ObjectHash, Outcomes, PluginPin, RunHash,
    StageKind, StageOutcome,
};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::ui::duration;
use crate::ui::words::{count, cut, moment, plain};

/// The most characters of one parameter's value.
const LONGEST_VALUE: usize = 80;

/// The stages of runs that are named.
const NAMED_USES: usize = 3;

/// The parameters as `key=value`, those of tables within under dotted names; hyper-parameters go by
/// their own.
pub(crate) fn parameters(action: &Action) -> String {
    let mut words = Vec::new();
    for (key, value) in &action.parameters {
        match (action.kind, key.as_str(), value) {
            // The entries of a report are told by its inputs.
            (StageKind::Report, "entries", Value::Array(entries)) => {
                words.push(format!(
                    "{} to report",
                    count(entries.len() as u64, "training")
                ));
            }
            (_, "hyperparameters", Value::Object(values)) => {
                values
                    .iter()
                    .for_each(|(key, value)| flatten(key, value, &mut words));
            }
            _ => flatten(key, value, &mut words),
        }
    }
    words.join(", ")
}

fn flatten(path: &str, value: &Value, words: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields
            .iter()
            .for_each(|(key, value)| flatten(&format!("{path}.{key}"), value, words)),
        Value::String(text) => words.push(word(path, text)),
        Value::Array(items) => {
            let items = items.iter().map(|item| match item {
                Value::String(text) => text.clone(),
                item => item.to_string(),
            });
            words.push(word(
                path,
                &format!("[{}]", items.collect::<Vec<_>>().join(", ")),
            ));
        }
        value => words.push(word(path, &value.to_string())),
    }
}

fn word(path: &str, value: &str) -> String {
    // Of a hash, as much as people read.
    let hash: Option<ObjectHash> = value.parse().ok();
    let value = hash.map_or_else(|| value.to_owned(), |hash| hash.short());
    format!("{}={}", plain(path), cut(&plain(&value), LONGEST_VALUE))
}

/// The few parameters that tell a step from those beside it.
pub(crate) fn headline(action: &Action) -> String {
    let words = action.kind.headline().iter().filter_map(|&key| {
        let value = action.parameters.get(key)?;
        source(value).or_else(|| Some(format!("{key} {}", value.as_u64()?)))
    });
    words.collect::<Vec<_>>().join(", ")
}

/// The name of a dataset's source: `"mnist"`, or `{"idx": {"name": "mine", …}}`.
pub(crate) fn source(source: &Value) -> Option<String> {
    let named = |fields: &Map<String, Value>| {
        let (kind, source) = fields.iter().next()?;
        let name = source.get("name").and_then(Value::as_str);
        Some(name.map_or(kind.clone(), |name| format!("{name} ({kind})")))
    };
    match source {
        Value::String(name) => Some(plain(name)),
        Value::Object(fields) => named(fields).map(|name| plain(&name)),
        _ => None,
    }
}

pub(crate) fn plugin(pin: &PluginPin) -> String {
    format!(
        "{} {} (ABI {})",
        plain(&pin.name),
        pin.hash.short(),
        plain(&pin.abi)
    )
}

pub(crate) fn environment(environment: &Environment) -> String {
    let mut text = format!(
        "libtorch {}, {}, {}",
        plain(&environment.libtorch),
        plain(&environment.device),
        plain(&environment.dtype),
    );
    match environment.threads {
        Some(threads) => text.extend([", ", &count(threads.into(), "thread")]),
        None => text.push_str(", any number of threads"),
    }
    match &environment.cpu_capability {
        Some(capability) => text.extend([", ", &plain(capability)]),
        None => text.push_str(", any vector instructions"),
    }
    if let Some(cuda) = &environment.cuda {
        let _ = write!(
            text,
            "; {} ({}, {}), CUDA {}, cuBLAS {}, cuDNN {}, TF32 {}, deterministic algorithms {}, \
             cuBLAS workspace {}",
            plain(&cuda.card),
            plain(&cuda.compute_capability),
            count(cuda.multiprocessors.into(), "multiprocessor"),
            plain(&cuda.runtime),
            plain(&cuda.cublas),
            plain(&cuda.cudnn),
            on_or_off(cuda.tf32),
            on_or_off(cuda.deterministic_algorithms),
            plain(&cuda.cublas_workspace)
        );
    }
    text
}

const fn on_or_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

/// When, where and how long an execution was.
pub(crate) fn execution(result: &ActionResult) -> String {
    format!(
        "{} UTC on {}, {}, assay {}",
        moment(result.started_ms),
        machine(result),
        duration(result.duration_ms),
        plain(&result.version)
    )
}

/// The machine of an execution, with the card that computed in brackets, and how many actions its worker executed at
/// once there.
pub(crate) fn machine(result: &ActionResult) -> String {
    let host = plain(&result.host);
    let card = result.card.as_ref().map(|card| plain(card));
    match (card, result.at_once) {
        (None, _) => host,
        (Some(card), None) => format!("{host} ({card})"),
        (Some(card), Some(count)) => format!("{host} ({card}, {count} at once)"),
    }
}

/// The stages of runs that an action is: the newest of them by name.
pub(crate) fn uses(index: &Index, uses: &[StageUse]) -> String {
    let began = |at: &&StageUse| index.run_heads().get(&at.run).map(|head| head.started_ms);
    let mut newest: Vec<_> = uses.iter().collect();
    newest.sort_by_key(|at| std::cmp::Reverse(began(at)));
    let named = newest.iter().take(NAMED_USES).map(|at| {
        let head = index.run_heads().get(&at.run);
        let pipeline = head.map_or_else(String::new, |head| plain(&head.pipeline));
        format!("{pipeline} {}:{}", at.run.short(), plain(&at.stage))
    });
    let named = named.collect::<Vec<_>>().join(", ");
    match newest.len().saturating_sub(NAMED_USES) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

pub(crate) const fn outcome(outcome: StageOutcome) -> &'static str {
    match outcome {
        StageOutcome::Cached => "cached",
        StageOutcome::Ran => "ran",
        StageOutcome::Failed => "failed",
        StageOutcome::Skipped => "skipped",
    }
}

/// The end of a run with these outcomes of its stages.
pub(crate) const fn ending(outcomes: &Outcomes) -> &'static str {
    if outcomes.failed > 0 {
        "failed"
    } else if outcomes.skipped > 0 {
        "stopped"
    } else {
        "complete"
    }
}

/// The number of stages by outcome: `3 ran, 8 cached`.
pub(crate) fn outcomes(outcomes: &Outcomes) -> String {
    let counts = [
        (outcomes.ran, StageOutcome::Ran),
        (outcomes.cached, StageOutcome::Cached),
        (outcomes.failed, StageOutcome::Failed),
        (outcomes.skipped, StageOutcome::Skipped),
    ];
    let counts = counts.into_iter().filter(|(count, _)| *count > 0);
    let words = counts.map(|(count, outcome)| format!("{count} {}", self::outcome(outcome)));
    words.collect::<Vec<_>>().join(", ")
}

/// A stage of a run that an action is, for scripts.
#[derive(Serialize)]
pub(crate) struct UseView<'a> {
    run: RunHash,
    stage: String,
    pipeline: Option<&'a str>,
}

/// The stages of runs that an action is: all of them.
pub(crate) fn use_views(index: &Index, key: ActionKey) -> Vec<UseView<'_>> {
    let uses = index.stages(key).into_owned().into_iter();
    uses.map(|at| {
        let head = index.run_heads().get(&at.run);
        UseView {
            run: at.run,
            stage: at.stage,
            pipeline: head.map(|head| head.pipeline.as_str()),
        }
    })
    .collect()
}
