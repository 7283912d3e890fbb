//! Runs the actions of Assay.
//!
//! [`Session`] turns a pipeline file into a frozen plan and runs it: results that are intact are
//! taken from the store, everything else is executed by worker processes. The
//! engine never prints: what happens is announced to an observer, what fails is a value.

mod ask;
mod cancel;
mod catalogue;
mod check;
mod containment;
mod dataset;
mod device;
mod directions;
mod doctor;
mod elf;
mod elsewhere;
mod environment;
mod error;
mod event;
mod explain;
mod freeze;
mod frozen_plan;
mod handover;
mod lock;
mod log;
mod notice;
mod plan;
mod plugin;
mod preview;
mod records;
mod report_times;
mod rerun;
mod resolve;
mod run;
mod session;
mod sharing;
mod source_file;
mod stages;
mod stored_training;
mod stream;
mod supervise;
mod trust;
mod worker;

pub use assay_testkit::{CHECKS, Check, Outcome, Verdict};
pub use cancel::{Cancel, Work};
pub use catalogue::{Catalogue, ListedLibrary, ListedPlugin, PluginInfo};
pub use check::{CheckReport, CheckRequest, Checked, check_plugin};
pub use containment::kernel_support;
pub use dataset::{
    DatasetArgument, PlannedDataset, StoredDataset, StoredSplit, open_dataset, plan_dataset,
};
pub use device::{
    Card, CardRequest, Cards, CardsWhenNeeded, Device, DeviceError, DeviceRequest, Driver,
    InvalidDevice, LibraryVersions, ProbeQuestion, answer_probe, ask_driver, ask_libraries,
};
pub use directions::{
    DIRECTIONS_FILE, DIRECTIONS_STATE_FILE, DirectionsRequest, InvalidTensors, NetworkArgument,
    TensorSummary, plan_directions, summarise,
};
pub use doctor::{
    Cuda, Examination, Health, Libtorch, Problem, Processor, StorePlace, shared_file_system,
};
pub use elsewhere::{Client, Elsewhere, Executor, ResultSource, Task};
pub use environment::{Settings, Unmet, environment, unmet, variables};
pub use error::EngineError;
pub use event::{BestEpoch, Epoch, News, Progress, Unit};
pub use explain::{Cause, Change, Comparison, Earlier, Location, Reason, StageChange, Why};
pub use frozen_plan::{FrozenPlan, FrozenPlanError, PlanChoice, PlanStage};
pub use lock::{LockDifference, LockError, LockMode, lock_path};
pub use notice::{FirstUse, Notice};
pub use plan::{Labels, Plan, PlannedStage, PluginUse, UnknownStage, pipeline_schema};
pub use plugin::{
    AlgorithmDescription, Candidate, HashPrefix, InvalidHashPrefix, InvalidReference, LibraryFile,
    LoadFailure, MetricDescription, Origin, PluginDescription, PluginError, PluginReference,
    SearchFolder, SearchPath, handshake_of, load, read_library,
};
pub use records::{RecordsError, training_records};
pub use report_times::{ReportTimesError, write_report_times};
pub use rerun::{
    InvalidSample, NoAction, Obstacle, Part, Reexecution, Rerun, RerunOutcome, Rerunning, Sample,
    Target,
};
pub use run::{RunOutcome, RunReport, StageReport};
pub use session::{Request, Session, pipeline_plugin_dirs};
pub use sharing::{MOST_PER_CARD, PerCard};
pub use source_file::read_networks;
pub use stages::{
    PREDICTIONS, REPORT_METRICS, REPORT_TABLE, TrainingParameters, newest_checkpoint,
};
pub use stored_training::StoredTrainingError;
pub use stream::{
    Announcer, EVENT_VERSION, Event, EventFile, EventReader, FollowError, FollowedRun, Following,
    Observer, RunEvent, RunState, StageCounts, StageOutline, StageState, StageStatus,
    TensorBoardFolder, runs_under_way, stored_curve, write_scalars,
};
pub use supervise::{CardTrouble, Completed, Execution, Failure, failed_log, host_name};
pub use trust::{
    InvalidKey, SignatureError, SigningKey, Trust, TrustError, TrustPolicy, TrustStore, TrustedKey,
    TrustedPlugin, Untrusted, read_signature, signature_path, verify_signature, verify_stream,
};
pub use worker::{WorkerArguments, run_worker};
