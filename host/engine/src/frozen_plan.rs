//! A frozen plan as a document, for other engines than `pipeline run`: every stage with its action, as far as that
//! is known before anything has run, and the stages that it waits for. An engine executes stage after stage with
//! `pipeline exec`, in an order that the document allows, and needs to know nothing else of Assay.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use assay_core::{Action, ActionKey, Advice, ArtifactHash, CanonicalError, Limits, Resources};
use assay_files::{NewFile, READABLE};
use assay_store::{Store, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::Map;

use crate::cancel::Cancel;
use crate::error::EngineError;
use crate::freeze::FrozenStage;
use crate::resolve::{Resolved, configuration};
use crate::session::Session;

/// The version of the format.
const VERSION: u32 = 1;
/// The plan of a search of a million trials fits in it.
const LARGEST: u64 = 4 << 30;

/// A plan in which everything is decided that can be before anything has run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrozenPlan {
    /// The version of the format: 1.
    pub version: u32,
    /// The name of the pipeline.
    pub pipeline: String,
    /// The stages; each waits for earlier ones alone.
    pub stages: Vec<PlanStage>,
}

/// A stage of the document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanStage {
    /// Its name, such as `train/bp/seed=1`.
    pub name: String,
    /// The stages that must have results before its action is known.
    pub after: Vec<String>,
    /// The key of its action, if it was known; the store has the action then.
    pub key: Option<ActionKey>,
    /// Its artifact, if it had a result.
    pub artifact: Option<ArtifactHash>,
    /// Its action without inputs, and without the parameters that a ranking decides.
    pub action: Action,
    /// The stages whose artifacts it reads, by role.
    pub inputs: BTreeMap<String, String>,
    /// The ranking that decides the rest of its parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<PlanChoice>,
    /// Limits on its worker.
    pub limits: Limits,
    /// Resources that it asks for.
    pub resources: Resources,
    /// The folder of the user's files that a dataset is made of, where the pipeline file names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<PathBuf>,
}

/// A place in a ranking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanChoice {
    /// The stage that ranks.
    pub ranking: String,
    /// The place, counted from 0.
    pub rank: usize,
}

/// The reason that a plan's document is of no use.
#[derive(Debug, thiserror::Error)]
pub enum FrozenPlanError {
    /// It cannot be read or written.
    #[error("cannot {what} the plan {}", path.display())]
    File {
        /// The operation that failed, as a verb.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The underlying error.
        source: io::Error,
    },
    /// It is none.
    #[error("{} is no plan: {problem}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The fault.
        problem: String,
    },
    /// It has no such stage.
    #[error("the plan has no stage `{0}`")]
    Unknown(String),
    /// A stage that another waits for has no result.
    #[error("`{stage}` waits for `{after}`, which has no result in this store")]
    Waits {
        /// The stage.
        stage: String,
        /// The other one.
        after: String,
    },
    /// A parameter has no canonical JSON.
    #[error("the action of `{stage}` has no canonical form")]
    Canonical {
        /// The stage.
        stage: String,
        /// The underlying error.
        source: CanonicalError,
    },
    /// A ranking cannot be used.
    #[error(transparent)]
    Ranking(#[from] Box<EngineError>),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Advice for FrozenPlanError {
    fn help(&self) -> std::borrow::Cow<'_, str> {
        match self {
            Self::Malformed { .. } => "`pipeline plan FILE --write` writes one".into(),
            Self::Waits { after, .. } => format!("execute `{after}` first").into(),
            Self::Store(error) => error.help(),
            _ => "".into(),
        }
    }
}

impl Session {
    /// The plan as a document. The store has every action whose key is in it.
    ///
    /// # Errors
    /// The store cannot be read or written, or it was asked to stop.
    pub fn frozen_plan(&self, cancel: &Cancel) -> Result<FrozenPlan, EngineError> {
        let resolved = self.resolved(cancel)?;
        let mut stages = Vec::with_capacity(self.stages.len());
        for (stage, resolved) in self.stages.iter().zip(&resolved) {
            cancel.check()?;
            if let Some(resolved) = resolved {
                self.store.put_action(&resolved.action())?;
            }
            stages.push(self.plan_stage(stage, resolved.as_ref()));
        }
        Ok(FrozenPlan {
            version: VERSION,
            pipeline: self.name.clone(),
            stages,
        })
    }

    fn plan_stage(&self, stage: &FrozenStage, resolved: Option<&Resolved<'_>>) -> PlanStage {
        let planned = &stage.planned;
        let name = |at: usize| self.stages[at].planned.name.clone();
        let mut after: Vec<_> = planned.waits_for().map(name).collect();
        after.sort();
        after.dedup();
        let inputs = planned.inputs.iter();
        let data_dir = planned.work.data_path().map(|path| self.base.join(path));
        PlanStage {
            name: planned.name.clone(),
            after,
            key: resolved.map(|resolved| resolved.key),
            artifact: resolved.and_then(Resolved::artifact),
            action: stage.action_without_inputs(),
            inputs: inputs.map(|(role, &at)| (role.clone(), name(at))).collect(),
            chosen: planned.chosen().map(|chosen| PlanChoice {
                ranking: name(chosen.ranking),
                rank: chosen.rank,
            }),
            limits: planned.limits,
            resources: stage.resources(),
            data_dir: data_dir.map(|path| std::path::absolute(&path).unwrap_or(path)),
        }
    }
}

impl FrozenPlan {
    /// Reads the document.
    ///
    /// # Errors
    /// It cannot be read, or is none of this version.
    pub fn read(path: &Path) -> Result<Self, FrozenPlanError> {
        let bytes = assay_files::read(path, LARGEST).map_err(|source| FrozenPlanError::File {
            what: "read",
            path: path.to_owned(),
            source,
        })?;
        let malformed = |problem: String| FrozenPlanError::Malformed {
            path: path.to_owned(),
            problem,
        };
        let plan: Self =
            serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?;
        if plan.version == VERSION {
            Ok(plan)
        } else {
            Err(malformed(format!("it has version {}", plan.version)))
        }
    }

    /// Writes the document, in the place of another.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), FrozenPlanError> {
        let failed = |source| FrozenPlanError::File {
            what: "write",
            path: path.to_owned(),
            source,
        };
        let mut file = NewFile::create(path, READABLE).map_err(failed)?;
        serde_json::to_writer_pretty(io::BufWriter::new(&mut file), self)
            .map_err(|error| failed(error.into()))?;
        file.write_all(b"\n").map_err(failed)?;
        file.replace().map_err(failed)
    }

    /// The stage of this name with its action, which the store has from then on.
    ///
    /// # Errors
    /// There is no such stage, or one that it waits for has no result.
    pub fn resolve(
        &self,
        store: &Store,
        name: &str,
    ) -> Result<(&PlanStage, ActionKey), FrozenPlanError> {
        let known: BTreeMap<_, _> = self
            .stages
            .iter()
            .map(|it| (it.name.as_str(), it))
            .collect();
        let mut artifacts = BTreeMap::new();
        // Whatever it needs stands before it, so that one pass finds all.
        let wanted = wanted(&known, name)?;
        for stage in self
            .stages
            .iter()
            .filter(|it| wanted.contains(it.name.as_str()))
        {
            let action = stage.complete(store, &artifacts)?;
            if stage.name == name {
                return Ok((stage, store.put_action(&action)?));
            }
            let (key, _) = action
                .document()
                .map_err(|source| FrozenPlanError::Canonical {
                    stage: stage.name.clone(),
                    source,
                })?;
            if let Some(result) = store.cached(key)? {
                artifacts.insert(stage.name.as_str(), result.artifact);
            }
        }
        Err(FrozenPlanError::Unknown(name.to_owned()))
    }
}

/// The stage and all that it rests on.
fn wanted<'a>(
    known: &BTreeMap<&'a str, &'a PlanStage>,
    name: &str,
) -> Result<BTreeSet<&'a str>, FrozenPlanError> {
    let mut wanted = BTreeSet::new();
    let mut open = vec![name];
    while let Some(name) = open.pop() {
        let found = known.get_key_value(name);
        let (&name, stage) = found.ok_or_else(|| FrozenPlanError::Unknown(name.to_owned()))?;
        if wanted.insert(name) {
            open.extend(stage.after.iter().map(String::as_str));
        }
    }
    Ok(wanted)
}

impl PlanStage {
    /// Its action, given the artifacts of the stages before it.
    fn complete(
        &self,
        store: &Store,
        artifacts: &BTreeMap<&str, ArtifactHash>,
    ) -> Result<Action, FrozenPlanError> {
        let artifact = |name: &str| {
            let artifact = artifacts.get(name).copied();
            artifact.ok_or_else(|| FrozenPlanError::Waits {
                stage: self.name.clone(),
                after: name.to_owned(),
            })
        };
        let mut action = self.action.clone();
        for (role, name) in &self.inputs {
            action.inputs.insert(role.clone(), artifact(name)?);
        }
        let mut parameters = match &self.chosen {
            None => Map::new(),
            Some(PlanChoice { ranking, rank }) => {
                configuration(store, artifact(ranking)?, *rank).map_err(Box::new)?
            }
        };
        parameters.extend(action.parameters);
        action.parameters = parameters;
        Ok(action)
    }
}
