//! Errors of questions about a store, in words that name the next step.

use std::borrow::Cow;
use std::fmt;

use assay_core::{Advice, Ending, ObjectHash};
use assay_store::StoreError;

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing in the store has that name.
    #[error("nothing in the store is called `{0}`; `pipeline ls` lists what there is")]
    Unknown(String),
    /// The name stands for something other than the run that is needed.
    #[error("`{name}` is not a run but the {what} {}; `pipeline ls` lists the runs", .object.short())]
    NotARun {
        /// Name that was asked for.
        name: String,
        /// Kind of thing that the name stands for.
        what: &'static str,
        /// Its hash.
        object: ObjectHash,
    },
    /// A prefix of hashes is too short to search for.
    #[error("`{0}` is too short for a prefix of a hash: give at least 4 digits")]
    TooShort(String),
    /// A pin could not be looked up by that name.
    #[error(
        "`{label}` cannot be the name of a pin: it stands for {meaning}; choose another name with --as"
    )]
    TakenLabel {
        /// The name.
        label: String,
        /// Meaning of the reserved name.
        meaning: &'static str,
    },
    /// Several things have that name.
    #[error("`{name}` stands for several things; give more digits: {}", list(.matches))]
    Ambiguous {
        /// Name that was asked for.
        name: String,
        /// Things that it may stand for.
        matches: Vec<Match>,
    },
}

impl Advice for AuditError {
    fn help(&self) -> Cow<'_, str> {
        match self {
            Self::Store(error) => error.help(),
            _ => "".into(),
        }
    }

    fn ending(&self) -> Ending {
        match self {
            Self::Store(error) if error.is_damage() => Ending::Failed,
            _ => Ending::Refused,
        }
    }
}

/// One of the things that a name may stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// Kind of the thing, in one word.
    pub what: &'static str,
    /// The hash of its bytes.
    pub object: ObjectHash,
}

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.what, self.object)
    }
}

fn list(matches: &[Match]) -> String {
    let words: Vec<_> = matches.iter().map(Match::to_string).collect();
    words.join(", ")
}
