//! The steps of a lineage.

use assay_core::graph::StageUse;
use assay_core::{Action, ActionKey, ArtifactHash, ObjectHash, Record};

use super::source::Source;

/// Which way to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To what it was made from.
    Up,
    /// To what was made from it.
    Down,
}

/// The steps to or from something.
#[derive(Debug, Default)]
pub struct Lineage {
    /// The steps that the walk began with.
    pub roots: Vec<usize>,
    /// All steps, in the order in which they were found.
    pub steps: Vec<Step>,
}

/// One step: something that was made, and how.
#[derive(Debug)]
pub struct Step {
    /// Origin of the artifact.
    pub maker: Maker,
    /// The artifact; nothing for an object, or for an action without a result.
    pub artifact: Option<ArtifactHash>,
    /// The steps that it was made from, or that were made from it, by role.
    pub next: Vec<Link>,
    /// The stages of runs that are this step.
    pub uses: Vec<StageUse>,
}

/// Origin of an artifact.
#[derive(Debug)]
pub enum Maker {
    /// An action.
    Action(Box<Execution>),
    /// Nothing that this store knows of.
    Unknown,
    /// No artifact: an object that actions or runs use, such as a plugin's library.
    Object(ObjectHash),
}

/// An action, and what is known of its executions that gave the artifact.
#[derive(Debug)]
pub struct Execution {
    /// The action's key.
    pub key: ActionKey,
    /// Its document; nothing if that is missing or damaged.
    pub action: Option<Action>,
    /// The records of these executions, the first one first.
    pub records: Vec<Record>,
    /// The files that it obtained, if it did.
    pub sources: Vec<Source>,
    /// How many other actions gave the same artifact.
    pub others: usize,
}

/// A link from one step to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Role of the artifact in the action that reads it.
    pub role: String,
    /// The place of the next step in [`Lineage::steps`].
    pub step: usize,
}
