//! A run: one execution of a pipeline file. Runs are the roots of the store.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::canonical::{CanonicalError, canonical_json};
use crate::hash::{ActionKey, ArtifactHash, ObjectHash, RunHash};

/// The outcome of a stage in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StageOutcome {
    /// Its result was already there.
    Cached,
    /// It ran and gave its artifact.
    Ran,
    /// It ran and failed.
    Failed,
    /// It never ran, since something it depends on gave no artifact, or the run was stopped.
    Skipped,
}

/// The number of stages of a run with each outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcomes {
    /// They ran and gave their artifacts.
    pub ran: usize,
    /// Their results were already there.
    pub cached: usize,
    /// They ran and failed.
    pub failed: usize,
    /// They never ran.
    pub skipped: usize,
}

impl FromIterator<StageOutcome> for Outcomes {
    fn from_iter<I: IntoIterator<Item = StageOutcome>>(outcomes: I) -> Self {
        let mut counts = Self::default();
        for outcome in outcomes {
            *match outcome {
                StageOutcome::Cached => &mut counts.cached,
                StageOutcome::Ran => &mut counts.ran,
                StageOutcome::Failed => &mut counts.failed,
                StageOutcome::Skipped => &mut counts.skipped,
            } += 1;
        }
        counts
    }
}

/// One stage of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunStage {
    /// Its name in the plan.
    pub name: String,
    /// Its outcome.
    pub outcome: StageOutcome,
    /// Its action, once the artifacts it reads were known.
    pub action: Option<ActionKey>,
    /// The artifact that it gave.
    pub artifact: Option<ArtifactHash>,
}

/// The manifest of a run: its canonical JSON is an object, whose hash names the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The name of the pipeline.
    pub pipeline: String,
    /// The object with the pipeline file as it was, overrides not applied.
    pub file: ObjectHash,
    /// The object with the file of networks that it names, if it names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub networks: Option<ObjectHash>,
    /// The objects with the files of published figures that its reports name, by their paths there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub figures: BTreeMap<String, ObjectHash>,
    /// The `--set` overrides, in order.
    pub overrides: Vec<String>,
    /// When it began, in milliseconds since 1970 (UTC).
    pub started_ms: u64,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The machine it ran on.
    pub host: String,
    /// The version of Assay.
    pub version: String,
    /// Every stage in the plan's order.
    pub stages: Vec<RunStage>,
}

impl Run {
    /// The outcomes of its stages.
    pub fn outcomes(&self) -> Outcomes {
        self.stages.iter().map(|stage| stage.outcome).collect()
    }

    /// The manifest and its hash.
    ///
    /// # Errors
    /// A number beyond 2^53.
    pub fn document(&self) -> Result<(RunHash, Vec<u8>), CanonicalError> {
        let bytes = canonical_json(self)?;
        Ok((RunHash::of(&bytes), bytes))
    }
}
