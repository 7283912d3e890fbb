//! Errors on standard error: a pipeline file's with the lines they are about, all others with
//! their causes and what to do next. A message may hold a stranger's name or words, so each stays
//! on its line; where it is known to have several, the others are set in.

mod diagnostics;
mod excerpt;

use std::error::Error;
use std::fmt::Write as _;

use assay_audit::AuditError;
use assay_core::printable_line;
use assay_engine::{EngineError, Failure};
use assay_store::room_advice;

use crate::error::CliError;
use crate::ui::terminal::{has_colours, say, say_coloured};

/// Last line of a command that was stopped.
pub(crate) const STOPPED: &str = "stopped; run the same command again to go on";

pub(crate) fn print(error: &CliError) {
    match error {
        CliError::Engine(EngineError::Source(error)) => {
            say_coloured(&diagnostics::text(error, has_colours()));
        }
        _ => say(&text(error)),
    }
}

fn text(error: &CliError) -> String {
    match error {
        // It says what was left.
        CliError::Bundle(stopped) if error.is_stop() => stopped.to_string(),
        _ if error.is_stop() => STOPPED.to_owned(),
        CliError::Action(failure) | CliError::Engine(EngineError::Describe { failure, .. }) => {
            format!("error: {}{}", message(error), causes(failure))
        }
        _ => {
            let mut text = format!("error: {}{}", message(error), chain(error));
            push_help(&mut text, &help(error));
            text
        }
    }
}

/// Advice on the next step; may be empty.
fn help(error: &CliError) -> String {
    match error {
        CliError::Engine(EngineError::UnknownStage(unknown)) => unknown.help.clone(),
        CliError::Device(device) | CliError::Engine(EngineError::Device(device)) => {
            device.help().to_owned()
        }
        CliError::Environment(_) => {
            "use such a machine, or execute it nevertheless with `pipeline audit --rerun --anyway`"
                .to_owned()
        }
        CliError::Verb(verb) => verb.help.clone(),
        CliError::Trust(trust) => trust.help().to_owned(),
        CliError::Engine(EngineError::Lock(lock)) => lock.help().to_owned(),
        CliError::Engine(EngineError::Untrusted(untrusted)) => untrusted.help(),
        CliError::Scaffold(refused) => refused.help().to_owned(),
        CliError::Engine(EngineError::Plugin(plugin)) => plugin.help(),
        CliError::Store(store)
        | CliError::Audit(AuditError::Store(store))
        | CliError::Engine(EngineError::Store(store)) => store.help().to_owned(),
        CliError::File { source, .. } | CliError::Engine(EngineError::File { source, .. }) => {
            room_advice(source).to_owned()
        }
        _ => String::new(),
    }
}

fn push_help(text: &mut String, help: &str) {
    if !help.is_empty() {
        let _ = write!(text, "\n  help: {}", printable_line(help));
    }
}

/// A failed stage, as a run's summary shows it.
pub(crate) fn stage(name: &str, failure: &Failure) -> String {
    format!(
        "error: `{}` failed{}",
        printable_line(name),
        causes(failure)
    )
}

/// Why an execution failed: the error, its causes, what to do next, and the end of the log.
pub(crate) fn causes(failure: &Failure) -> String {
    let own = failure.to_string();
    let mut text = format!(": {}", set_in(&own));
    let reported = failure.reported_causes();
    push_causes(
        &mut text,
        &set_in(&own),
        reported.iter().map(|it| set_in(it)),
    );
    text.push_str(&chain(failure));
    push_help(&mut text, &failure.help());
    if !failure.log().is_empty() {
        text.push_str("\n  its last words:");
        for line in failure.log() {
            let _ = write!(text, "\n    {}", printable_line(line));
        }
    }
    text
}

/// The causes of an error, each on its line.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    push_causes(&mut text, &message(error), causes.map(message));
    text
}

/// Adds `causes` of an error that says `above`; one that was said with it is not said again.
fn push_causes(text: &mut String, above: &str, causes: impl Iterator<Item = String>) {
    let mut above = above.to_owned();
    for cause in causes {
        if !above.ends_with(&cause) {
            let _ = write!(text, "\n  caused by: {cause}");
        }
        above = cause;
    }
}

/// An error on one line, or with its further lines set in where it is one that has several.
fn message(error: &(dyn Error + 'static)) -> String {
    let text = error.to_string();
    if error.is::<toml::de::Error>() {
        set_in(&text)
    } else {
        printable_line(&text).into_owned()
    }
}

/// A text of several lines, all but the first set in: none of them reads as a message of ours.
fn set_in(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(printable_line).collect();
    lines.join("\n    ")
}
