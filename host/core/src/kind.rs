//! The kinds of stages, and the facts of each that a reader of its actions needs. How a kind is
//! planned and executed is the engine's.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Declares the kinds and their list from one table, so that neither can lack one. Caches of
/// the store know kinds by their position here: a new one raises the version of their form.
macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $kind:ident = $facts:expr,)+) => {
        /// The kind of a stage's work.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum StageKind {
            $($(#[doc = $doc])+ $kind,)+
        }

        impl StageKind {
            /// Every kind, each after the kinds that it reads.
            pub const ALL: &'static [Self] = &[$(Self::$kind),+];

            const fn facts(self) -> Facts {
                match self {
                    $(Self::$kind => $facts,)+
                }
            }
        }
    };
}

/// Facts of a kind.
struct Facts {
    name: &'static str,
    revision: u32,
    /// The parameters that tell one action of the kind from others, the most telling first.
    headline: &'static [&'static str],
}

kinds! {
    /// Asks a plugin what it offers.
    Describe = Facts { name: "describe", revision: 1, headline: &[] },
    /// Obtains, checks and splits a dataset.
    Dataset = Facts { name: "dataset", revision: 1, headline: &["source"] },
    /// Trains a network with an algorithm.
    Train = Facts {
        name: "train",
        revision: 1,
        headline: &["algorithm", "epochs", "seed"],
    },
    /// Ranks the trainings of a search.
    Search = Facts {
        name: "search",
        revision: 1,
        headline: &["chosen_on"],
    },
    /// Measures a trained network.
    Evaluate = Facts {
        name: "evaluate",
        revision: 4,
        headline: &[],
    },
    /// Gathers trainings into a table.
    Report = Facts {
        name: "report",
        revision: 7,
        headline: &["title"],
    },
    /// Asks a learner for the update directions of one batch.
    Directions = Facts { name: "directions", revision: 1, headline: &["algorithm"] },
    /// Checks that a plugin keeps one promise of the boundary.
    Check = Facts { name: "check", revision: 2, headline: &["algorithm", "check"] },
    /// Takes a training's parameters out of its saved state.
    Export = Facts { name: "export", revision: 2, headline: &["state"] },
}

impl StageKind {
    /// The revision of the code behind the kind: raised whenever the same parameters and inputs
    /// would give other bytes, so that old results are not taken for new ones.
    pub const fn revision(self) -> u32 {
        self.facts().revision
    }

    /// The kind as a pipeline file spells it.
    pub const fn name(self) -> &'static str {
        self.facts().name
    }

    /// The parameters that tell one action of the kind from others, the most telling first.
    pub const fn headline(self) -> &'static [&'static str] {
        self.facts().headline
    }
}

impl fmt::Display for StageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_spelled_alike_in_documents_and_in_messages() {
        for &kind in StageKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
    }
}
