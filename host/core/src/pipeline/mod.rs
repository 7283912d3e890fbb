//! The pipeline file: TOML text → [`Tree`](tree) (values that know where they stand) → [`Spec`]
//! (typed, checked, defaults filled in). Every complaint points at its place in the text. What a
//! command line says instead of a file is read by the same rules ([`inline`]).

mod diagnostic;
mod inline;
mod limits;
mod matrix;
mod networks;
mod read;
mod reader;
mod references;
mod spec;
mod stage;
mod tree;

pub use diagnostic::{Complaints, Diagnostic, Place, Places, Source, SourceError};
pub use inline::{parse_hyperparameters, parse_layers};
pub use networks::{Load, parse_networks};
pub use reader::choices;
/// Tables of settings whose every value knows where it stands, read key by key.
pub mod settings {
    pub use super::reader::{
        Reader, array, choices, integer, one_of, shortened, string, strings, table,
    };
    pub use super::tree::{Entry, Node, Table, Value, parse};
}
pub use spec::{
    AugmentationSettings, DatasetStage, EvaluateStage, Hyperparameters, Placed, ReportStage, Spec,
    Stage, StageWork, TrainStage,
};
pub(crate) use stage::{instance_name, is_below, selectors};
