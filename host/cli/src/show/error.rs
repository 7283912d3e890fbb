//! Errors on standard error: a pipeline file's with the lines they are about, all others with
//! their causes and what to do next.

use std::error::Error;
use std::fmt::Write as _;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use assay_audit::AuditError;
use assay_core::{Diagnostic, PipelineError};
use assay_engine::{EngineError, Failure};
use assay_store::room_advice;

use super::colour;
use crate::command::network::ShowNetworkError;
use crate::error::CliError;

pub(crate) fn print(error: &CliError) {
    eprintln!("{}", text(error));
}

fn text(error: &CliError) -> String {
    match error {
        CliError::Engine(EngineError::Pipeline(error)) => pipeline(error),
        CliError::Action(failure) | CliError::Engine(EngineError::Describe { failure, .. }) => {
            let mut text = format!("error: {error}");
            text.push_str(&causes(failure));
            text
        }
        CliError::Engine(EngineError::UnknownStage(unknown)) => {
            format!("error: {unknown}\n  help: {}", unknown.help)
        }
        CliError::Network(unknown @ ShowNetworkError::Unknown { help, .. }) => {
            format!("error: {unknown}\n  help: {help}")
        }
        CliError::Trust(trust) => {
            format!("error: {trust}{}\n  help: {}", chain(trust), trust.help())
        }
        CliError::Engine(EngineError::Lock(lock)) => {
            format!("error: {lock}{}\n  help: {}", chain(lock), lock.help())
        }
        CliError::Engine(EngineError::Untrusted(untrusted)) => {
            format!("error: {untrusted}\n  help: {}", untrusted.help())
        }
        CliError::Scaffold(refused) => {
            format!(
                "error: {refused}{}\n  help: {}",
                chain(refused),
                refused.help()
            )
        }
        CliError::Engine(EngineError::Plugin(plugin)) => {
            format!(
                "error: {plugin}{}\n  help: {}",
                chain(plugin),
                plugin.help()
            )
        }
        CliError::Store(store)
        | CliError::Audit(AuditError::Store(store))
        | CliError::Engine(EngineError::Store(store)) => advised(error, store.help()),
        CliError::File { source, .. } | CliError::Engine(EngineError::File { source, .. }) => {
            advised(error, room_advice(source))
        }
        _ => advised(error, ""),
    }
}

/// An error, its causes and what to do next, which may be empty.
fn advised(error: &CliError, help: &str) -> String {
    let mut text = format!("error: {error}{}", chain(error));
    if !help.is_empty() {
        let _ = write!(text, "\n  help: {help}");
    }
    text
}

/// A failed stage, as a run's summary shows it.
pub(crate) fn stage(name: &str, failure: &Failure) -> String {
    format!("error: `{name}` failed{}", causes(failure))
}

/// Why an execution failed: the error, its causes, what to do next, and the end of the log.
pub(super) fn causes(failure: &Failure) -> String {
    let mut text = format!(": {failure}");
    for cause in failure.reported_causes() {
        let _ = write!(text, "\n  caused by: {cause}");
    }
    text.push_str(&chain(failure));
    let (help, log) = (failure.help(), failure.log());
    if !help.is_empty() {
        let _ = write!(text, "\n  help: {help}");
    }
    if !log.is_empty() {
        text.push_str("\n  its last words:");
        for line in log {
            let _ = write!(text, "\n    {line}");
        }
    }
    text
}

pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = String::new();
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(text, "\n  caused by: {cause}");
        source = cause.source();
    }
    text
}

fn pipeline(error: &PipelineError) -> String {
    let renderer = if colour() {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let snippets: Vec<_> = error
        .diagnostics
        .iter()
        .map(|diagnostic| snippet(error, diagnostic, &renderer))
        .collect();
    snippets.join("\n\n")
}

fn snippet(error: &PipelineError, diagnostic: &Diagnostic, renderer: &Renderer) -> String {
    let title = Level::ERROR.primary_title(diagnostic.message.as_str());
    let Some(source) = error.sources.get(diagnostic.place.source) else {
        return format!("error: {}", diagnostic.message);
    };
    let annotation = AnnotationKind::Primary
        .span(diagnostic.place.bytes.clone())
        .label(diagnostic.label.as_str());
    let snippet = Snippet::source(source.text.as_str())
        .path(source.name.as_str())
        .annotation(annotation);
    let mut group = title.element(snippet);
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    renderer.render(&[group])
}
