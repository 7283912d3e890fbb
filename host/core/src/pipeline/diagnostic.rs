//! Complaints about a pipeline file and the places they point at.

use std::fmt;
use std::ops::Range;

use indexmap::IndexMap;

/// A text that a value can come from: the pipeline file, one `--set` override, or another argument
/// of a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What to call it: the file's path, or the argument's name.
    pub name: String,
    /// Its whole text.
    pub text: String,
}

impl Source {
    /// The line and column of a place in it, both from 1; columns count characters.
    pub fn line_and_column(&self, place: &Place) -> (usize, usize) {
        let before = self.text.get(..place.bytes.start).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.matches('\n').count() + 1;
        (line, before[line_start..].chars().count() + 1)
    }
}

/// A stretch of one of the sources.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Which source.
    pub source: usize,
    /// Which bytes of it.
    pub bytes: Range<usize>,
}

/// Where the settings of a stage stand, by dotted name; `""` is the stage itself.
pub type Places = IndexMap<String, Place>;

/// One complaint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What is wrong.
    pub message: String,
    /// Where.
    pub place: Place,
    /// What was expected there; may be empty.
    pub label: String,
    /// What to do next.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A complaint about `place`.
    pub fn new(message: impl Into<String>, place: &Place) -> Self {
        Self {
            message: message.into(),
            place: place.clone(),
            label: String::new(),
            help: None,
        }
    }

    /// Says at the place what was expected.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Says what to do next, if there is something to say.
    #[must_use]
    pub fn help(mut self, help: impl Into<Option<String>>) -> Self {
        self.help = help.into();
        self
    }
}

/// Everything that is wrong with a pipeline file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipelineError {
    /// The texts that the diagnostics point into.
    pub sources: Vec<Source>,
    /// The complaints; never empty.
    pub diagnostics: Vec<Diagnostic>,
}

impl PipelineError {
    /// The complaints, each once: every point of a matrix repeats what is wrong with its stage or
    /// method as a whole.
    pub fn new(sources: Vec<Source>, complaints: Vec<Diagnostic>) -> Self {
        let mut diagnostics = Vec::new();
        for complaint in complaints {
            if !diagnostics.contains(&complaint) {
                diagnostics.push(complaint);
            }
        }
        Self {
            sources,
            diagnostics,
        }
    }

    /// The line and column of a place, as [`Source::line_and_column`].
    pub fn line_and_column(&self, place: &Place) -> (usize, usize) {
        let source = self.sources.get(place.source);
        source.map_or((1, 1), |source| source.line_and_column(place))
    }
}

impl fmt::Display for PipelineError {
    /// One line for each complaint: `file:line:column: message`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, diagnostic) in self.diagnostics.iter().enumerate() {
            let (line, column) = self.line_and_column(&diagnostic.place);
            let name = self
                .sources
                .get(diagnostic.place.source)
                .map_or("?", |source| &source.name);
            let end = if number == 0 { "" } else { "\n" };
            write!(f, "{end}{name}:{line}:{column}: {}", diagnostic.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for PipelineError {}
