//! The pipeline file: TOML text → [`Tree`](tree) (values that know where they stand, overrides
//! applied) → [`PipelineFile`] (networks and methods read, one table for each stage). Settings are
//! read by a [`Reader`](settings::Reader), and every complaint points at its place in the text.
//! Arguments that a command line gives instead of a file are read by the same rules ([`inline`]).

mod diagnostic;
mod file;
mod inline;
mod limits;
mod matrix;
mod networks;
mod outline;
mod profile;
mod reader;
mod tree;

pub use diagnostic::{Complaints, Diagnostic, Place, Places, Source, SourceError};
pub use file::{Hyperparameters, Instance, Method, PipelineFile, Placed, StageTable};
pub use inline::{parse_hyperparameters, parse_layers};
pub use networks::{Load, parse_networks};
pub use profile::profile_overrides;
pub use reader::{choices, suggestion};

/// Tables of settings whose every value knows where it stands, read key by key.
pub mod settings {
    pub use super::file::{hyperparameters, json_and_places};
    pub use super::limits::{read_limits as limits, read_resources as resources};
    pub use super::outline::Outline;
    pub use super::reader::{
        Reader, array, array_or, boolean, choices, integer, one_of, placed, shortened, string,
        strings, table,
    };
    pub use super::tree::{Entry, Node, Table, Value, parse};
}
