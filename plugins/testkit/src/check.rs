//! Checks and their outcomes. Nothing here decides where a check runs: the caller gives each a
//! process of its own.

use assay_abi::LoadedPlugin;
use serde::{Deserialize, Serialize};

use crate::subject::Subject;

/// One promise that a plugin has to keep, and the code that checks it.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// Its name, in kebab-case.
    pub name: &'static str,
    /// The promise that a passing plugin keeps, in one sentence.
    pub promise: &'static str,
    /// Consequence of breaking the promise, in one sentence.
    pub why: &'static str,
    pub(crate) body: Body,
}

/// Function of a check, on the library or on one algorithm.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Body {
    /// The library as a whole.
    Library(fn(&Loading) -> Evidence),
    /// One of its algorithms.
    Algorithm(fn(&Subject<'_>) -> Evidence),
    /// One of its algorithms: what has to be the same in all environments.
    Compared(fn(&Subject<'_>) -> Result<Vec<u8>, Problem>),
}

/// The outcome of loading a library, as its loader saw it.
pub enum Loading {
    /// It can be used.
    Loaded(LoadedPlugin),
    /// Its root module has another layout than this host's.
    Layout(String),
    /// It could not be loaded.
    Refused(String),
}

/// The outcome of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The promise is kept, as far as the check can see.
    Passed,
    /// It is broken.
    Failed,
    /// The check does not apply, or could not be made.
    Skipped,
}

/// The outcome of a check, with its reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The outcome.
    pub outcome: Outcome,
    /// Reason for the outcome: the evidence, the fault, or why the check does not apply.
    pub reason: String,
}

/// Evidence of a check that passes, in a few words; or why it does not pass.
pub(crate) type Evidence = Result<String, Problem>;

/// Why a check does not pass.
#[derive(Debug)]
pub(crate) enum Problem {
    Failed(String),
    Skipped(String),
}

/// A check that fails for the reason given.
pub(crate) fn failed<T>(reason: impl Into<String>) -> Result<T, Problem> {
    Err(Problem::Failed(reason.into()))
}

/// A check that does not apply for the reason given.
pub(crate) fn skipped<T>(reason: impl Into<String>) -> Result<T, Problem> {
    Err(Problem::Skipped(reason.into()))
}

impl From<Evidence> for Verdict {
    fn from(evidence: Evidence) -> Self {
        let (outcome, reason) = match evidence {
            Ok(seen) => (Outcome::Passed, seen),
            Err(Problem::Failed(reason)) => (Outcome::Failed, reason),
            Err(Problem::Skipped(reason)) => (Outcome::Skipped, reason),
        };
        Self { outcome, reason }
    }
}

impl Problem {
    /// The same of one part of what was checked: a failure names it.
    pub(crate) fn of(self, part: &str) -> Self {
        match self {
            Self::Failed(reason) => Self::Failed(format!("{part}: {reason}")),
            Self::Skipped(reason) => Self::Skipped(reason),
        }
    }
}

impl Check {
    /// True if it looks at each algorithm, false if at the library as a whole.
    pub fn is_of_algorithm(&self) -> bool {
        matches!(self.body, Body::Algorithm(_) | Body::Compared(_))
    }

    /// True if a caller has to make it in several environments, and to compare its
    /// [outputs](Self::outputs).
    pub fn is_compared(&self) -> bool {
        matches!(self.body, Body::Compared(_))
    }

    /// The bytes that a compared check of an algorithm gives in this process.
    ///
    /// # Errors
    /// The verdict where there are none.
    pub fn outputs(&self, subject: &Subject<'_>) -> Result<Vec<u8>, Verdict> {
        let outputs = match self.body {
            Body::Compared(body) => body(subject),
            Body::Library(_) | Body::Algorithm(_) => skipped("it compares nothing"),
        };
        outputs.map_err(|problem| Verdict::from(Err(problem)))
    }

    /// Looks at a library as a whole. A check of algorithms is skipped.
    pub fn of_library(&self, loading: &Loading) -> Verdict {
        match self.body {
            Body::Library(body) => body(loading).into(),
            Body::Algorithm(_) | Body::Compared(_) => {
                skipped("it is a check of an algorithm").into()
            }
        }
    }

    /// Looks at one algorithm. A check of libraries is skipped.
    pub fn of_algorithm(&self, subject: &Subject<'_>) -> Verdict {
        match self.body {
            Body::Library(_) => skipped("it is a check of a library").into(),
            Body::Algorithm(body) => body(subject).into(),
            Body::Compared(_) => skipped("it compares several processes").into(),
        }
    }
}
