//! Identifiers, actions and the pipeline file of Assay.
//!
//! Everything here is a value or a pure function of values: no file, clock, network or process
//! is touched. An auditor needs this crate and the store, nothing else.

mod action;
mod advice;
mod artifact;
mod canonical;
mod difference;
pub mod graph;
mod hash;
mod kind;
mod limits;
mod pipeline;
mod printable;
mod resources;
mod result;
mod run;

pub use action::{Action, ActionParts, CudaEnvironment, Environment, PluginPin};
pub use advice::{Advice, Ending};
pub use artifact::{Artifact, ArtifactFile, InvalidFileName};
pub use canonical::{CanonicalError, Spelled, canonical_json};
pub use difference::{Difference, Fields};
pub use hash::{ActionKey, ArtifactHash, HashError, ObjectHash, PluginHash, RunHash};
pub use kind::StageKind;
pub use limits::{InvalidLimit, Limit, Limits, parse_memory, parse_time};
pub use pipeline::{
    Complaints, Diagnostic, Hyperparameters, Instance, Load, Method, PipelineFile, Place, Placed,
    Places, Source, SourceError, StageTable, choices, parse_hyperparameters, parse_layers,
    parse_networks, profile_overrides, settings, suggestion,
};
pub use printable::{printable, printable_line, steers_terminal};
pub use resources::Resources;
pub use result::{ActionResult, Containment, Record};
pub use run::{Outcomes, Run, RunStage, StageOutcome};
