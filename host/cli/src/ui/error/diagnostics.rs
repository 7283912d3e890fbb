//! Complaints about a pipeline file or an argument, each with the lines that it is about.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use assay_core::{Diagnostic, SourceError, printable_line};

use crate::ui::error::excerpt::Excerpt;
use crate::ui::words::digits;

/// The complaints as they are printed: nothing in them steers a terminal but our own colours.
pub(crate) fn text(error: &SourceError, colours: bool) -> String {
    let renderer = if colours {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let complaints = error.diagnostics.iter();
    let mut texts: Vec<_> = complaints
        .map(|complaint| snippet(error, complaint, &renderer))
        .collect();
    match error.more {
        0 => {}
        1 => texts.push("and 1 more error".to_owned()),
        more => texts.push(format!("and {} more errors", digits(more as u64))),
    }
    texts.join("\n\n")
}

fn snippet(error: &SourceError, complaint: &Diagnostic, renderer: &Renderer) -> String {
    let message = printable_line(&complaint.message);
    let Some(source) = error.sources.get(complaint.place.source) else {
        return format!("error: {message}");
    };
    let excerpt = Excerpt::of(&source.text, &complaint.place.bytes);
    let annotation = AnnotationKind::Primary
        .span(excerpt.place)
        .label(printable_line(&complaint.label));
    let snippet = Snippet::source(excerpt.text)
        .line_start(excerpt.first_line)
        .path(printable_line(&source.name))
        .annotation(annotation);
    let mut group = Level::ERROR.primary_title(message).element(snippet);
    if let Some(help) = &complaint.help {
        group = group.element(Level::HELP.message(printable_line(help)));
    }
    renderer.render(&[group])
}
