//! Identifiers, actions, the pipeline file and the plan of Assay.
//!
//! Everything here is a value or a pure function of values: no file, clock, network or process
//! is touched. An auditor needs this crate and the store, nothing else.

mod action;
mod artifact;
mod canonical;
mod difference;
pub mod graph;
mod hash;
mod limits;
mod pipeline;
mod plan;
mod printable;
mod result;
mod run;

pub use action::{Action, CudaEnvironment, Environment, PluginPin, StageKind};
pub use artifact::{Artifact, ArtifactFile, InvalidFileName};
pub use canonical::{CanonicalError, canonical_json};
pub use difference::{Difference, Fields};
pub use hash::{ActionKey, ArtifactHash, HashError, ObjectHash, PluginHash, RunHash};
pub use limits::{InvalidLimit, Limit, Limits, parse_memory, parse_time};
pub use pipeline::{
    AugmentationSettings, Complaints, DatasetStage, Diagnostic, EvaluateStage, Hyperparameters,
    Load, PipelineError, Place, Placed, Places, ReportStage, Source, Spec, Stage, StageWork,
    TrainStage, choices, parse_hyperparameters, parse_layers, parse_networks, settings,
};
pub use plan::{Labels, Plan, PlannedStage, PluginUse, UnknownStage};
pub use printable::{printable, printable_line, steers_terminal};
pub use result::{ActionResult, Containment, Record};
pub use run::{Run, RunStage, StageOutcome};
