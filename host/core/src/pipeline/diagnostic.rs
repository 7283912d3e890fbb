//! Complaints about a pipeline file or an argument, and the places they point at.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::ops::Range;

use indexmap::IndexMap;

/// A text that a value can come from: the pipeline file, one `--set` override, or another argument
/// of a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name in messages: the file's path, or the argument's name.
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
    /// The fault.
    pub message: String,
    /// Where.
    pub place: Place,
    /// Text at the place, such as the value expected there; may be empty.
    pub label: String,
    /// Advice on the next step.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A complaint about `place`. A long message, which quotes a long value, keeps its two ends.
    pub fn new(message: impl Into<String>, place: &Place) -> Self {
        Self {
            message: without_middle(message.into()),
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

/// The characters that are left of each end of a long message.
const END_CHARACTERS: usize = 250;

fn without_middle(message: String) -> String {
    let start = message.char_indices().nth(END_CHARACTERS);
    let end = message.char_indices().rev().nth(END_CHARACTERS - 1);
    match (start, end) {
        (Some((start, _)), Some((end, _))) if start < end => {
            format!("{}…{}", &message[..start], &message[end..])
        }
        _ => message,
    }
}

/// The most complaints that are kept; more are counted.
const MOST_KEPT: usize = 20;

/// Complaints as they are found, each once: every point of a matrix repeats what is wrong with its
/// stage or method as a whole.
#[derive(Debug, Default)]
pub struct Complaints {
    kept: Vec<Diagnostic>,
    /// How many there are beside those.
    more: usize,
    made: usize,
    /// The hashes of all of them.
    seen: HashSet<u64>,
    hasher: RandomState,
}

impl Complaints {
    /// Whether there are no complaints.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// How many complaints were pushed, repeated ones included: it grows whenever something is found
    /// wrong.
    pub fn made(&self) -> usize {
        self.made
    }

    /// Adds a complaint.
    pub fn push(&mut self, complaint: Diagnostic) {
        self.made += 1;
        let Diagnostic {
            message,
            place,
            label,
            help: _,
        } = &complaint;
        if !self
            .seen
            .insert(self.hasher.hash_one((message, place, label)))
        {
            return;
        }
        if self.is_full() {
            self.more += 1;
        } else {
            self.kept.push(complaint);
        }
    }

    /// An empty list, to [`Complaints::append`] to this one.
    #[must_use]
    pub fn sibling(&self) -> Self {
        Self {
            hasher: self.hasher.clone(),
            ..Self::default()
        }
    }

    /// Adds the complaints of a [`Complaints::sibling`], in its order.
    pub fn append(&mut self, sibling: Self) {
        self.made += sibling.made - sibling.kept.len();
        self.extend(sibling.kept);
        for unkept in sibling.seen {
            self.more += usize::from(self.seen.insert(unkept));
        }
    }

    /// Whether further complaints are only counted, so that help with them is lost labour.
    pub(super) fn is_full(&self) -> bool {
        self.kept.len() == MOST_KEPT
    }
}

impl Extend<Diagnostic> for Complaints {
    fn extend<T: IntoIterator<Item = Diagnostic>>(&mut self, complaints: T) {
        complaints.into_iter().for_each(|it| self.push(it));
    }
}

impl From<Diagnostic> for Complaints {
    fn from(complaint: Diagnostic) -> Self {
        let mut complaints = Self::default();
        complaints.push(complaint);
        complaints
    }
}

/// The faults of texts that a person wrote: a pipeline file, or the arguments of a command, each with its
/// place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceError {
    /// The texts that the diagnostics point into.
    pub sources: Vec<Source>,
    /// The first complaints; never empty.
    pub diagnostics: Vec<Diagnostic>,
    /// How many complaints there are beside them.
    pub more: usize,
}

impl SourceError {
    /// An error with these complaints about these files, in the order of their places.
    pub fn new(sources: Vec<Source>, complaints: Complaints) -> Self {
        let mut diagnostics = complaints.kept;
        diagnostics.sort_by_key(|it| (it.place.source, it.place.bytes.start));
        Self {
            sources,
            diagnostics,
            more: complaints.more,
        }
    }

    /// The line and column of a place, as [`Source::line_and_column`].
    pub fn line_and_column(&self, place: &Place) -> (usize, usize) {
        let source = self.sources.get(place.source);
        source.map_or((1, 1), |source| source.line_and_column(place))
    }
}

impl fmt::Display for SourceError {
    /// One line for each complaint, `file:line:column: message`, and one for the rest of them.
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
        match self.more {
            0 => Ok(()),
            1 => f.write_str("\nand 1 more error"),
            more => write!(f, "\nand {more} more errors"),
        }
    }
}

impl std::error::Error for SourceError {}
