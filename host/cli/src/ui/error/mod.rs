//! Errors on standard error: a pipeline file's with the lines they are about, all others with
//! their causes and what to do next. A message may hold a stranger's name or words, so each stays
//! on its line; where it is known to have several, the others are set in.

mod diagnostics;
mod excerpt;

use std::error::Error;
use std::fmt::Write as _;

use assay_bundle::BundleError;
use assay_core::{Advice as _, printable_line};
use assay_engine::{EngineError, Failure};

use crate::error::CliError;
use crate::ui::terminal::{has_colours, say, say_coloured};

/// Last line of a command that was stopped.
pub(crate) const STOPPED: &str = "stopped; run the same command again to go on";

pub(crate) fn print(error: &CliError) {
    match error.advised() {
        Some(EngineError::Source(error)) => {
            say_coloured(&diagnostics::text(error, has_colours()));
        }
        _ => say(&text(error)),
    }
}

fn text(error: &CliError) -> String {
    if error.is_stop() {
        // That of a bundle says what was left.
        let stopped = error.advised().map(BundleError::to_string);
        return stopped.unwrap_or_else(|| STOPPED.to_owned());
    }
    let failure = match (error, error.advised()) {
        (CliError::Action(failure), _) | (_, Some(EngineError::Describe { failure, .. })) => {
            Some(failure)
        }
        _ => None,
    };
    if let Some(failure) = failure {
        return format!("error: {}{}", message(error), causes(failure));
    }
    let mut text = format!("error: {}{}", message(error), chain(error));
    push_help(&mut text, &error.help());
    text
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
