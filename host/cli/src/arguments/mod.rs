//! What can be typed: the verbs, their options and their help.

mod audit;
mod bundle;
mod cat;
mod command_line;
mod data;
mod diff;
mod doctor;
mod keep;
mod lineage;
mod ls;
mod plan;
mod plugin;
mod rerun;
mod run;
mod search;
mod show;
mod status;
mod user;
mod why;

use std::path::PathBuf;
use std::thread;

use assay_core::{ActionKey, Limits, parse_memory, parse_time};
use assay_engine::CardRequest;
use assay_network::Shape;
use assay_store::{Store, StoreError};
use clap::{Args, Parser, Subcommand};

pub(crate) use self::command_line::Parsed;

pub(crate) use self::audit::AuditArguments;
pub(crate) use self::bundle::{BundleArguments, SignatureArguments, UnbundleArguments};
pub(crate) use self::cat::CatArguments;
pub(crate) use self::data::{DataShowArguments, DataVerb};
pub(crate) use self::diff::DiffArguments;
pub(crate) use self::doctor::DoctorArguments;
pub(crate) use self::keep::{GcArguments, PinArguments, UnpinArguments};
pub(crate) use self::lineage::LineageArguments;
pub(crate) use self::ls::{Listed, LsArguments};
pub(crate) use self::plugin::{
    CheckArguments, DirectionsArguments, InfoArguments, KeygenArguments, ListArguments,
    NewArguments, PluginVerb, SignArguments, TrustVerbArguments, UntrustArguments, VerifyArguments,
};
pub(crate) use self::rerun::RerunArguments;
pub(crate) use self::run::RunArguments;
pub(crate) use self::search::{SearchArguments, TrustArguments};
pub(crate) use self::show::ShowArguments;
pub(crate) use self::status::StatusArguments;
pub(crate) use self::user::{descriptions_folder, signing_key_file, trust_file};
pub(crate) use self::why::WhyArguments;

/// Runs the experiments of learning without backpropagation, and remembers what came out.
#[derive(Debug, Parser)]
#[command(
    name = "pipeline",
    version,
    propagate_version = true,
    max_term_width = 100
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Run a pipeline file: train what is new, take the rest from the store, print the table.
    Run(RunArguments),
    /// Say which stages of a pipeline file are up to date; exit code 1 if any is not.
    Status(StatusArguments),
    /// Say why a stage is cached or not, back to the line that made it so.
    Why(WhyArguments),
    /// Execute one stored action, as a job of its own.
    Exec(ExecArguments),
    /// Ask the driver or its libraries, as a child of this program.
    #[command(hide = true, subcommand)]
    Probe(ProbeVerb),
    /// Say what differs between two runs: parameters, plugins, environments, metrics.
    Diff(DiffArguments),
    /// Show what a hash or a name stands for: a run, a stage, a table, a network's weights.
    Show(ShowArguments),
    /// Write the bytes of something to standard output.
    Cat(CatArguments),
    /// List what the store holds: runs, what stages gave, plugins, and what takes space.
    Ls(LsArguments),
    /// Show what something was made from, down to the files that were downloaded, or into what.
    Lineage(LineageArguments),
    /// Check that everything in the store is what its name says, and what any damage affects.
    Audit(AuditArguments),
    /// Remove what no run, no pin and nobody at work needs any more.
    Gc(GcArguments),
    /// Keep something, whatever `pipeline gc` is told; list what is kept.
    Pin(PinArguments),
    /// Remove a pin.
    Unpin(UnpinArguments),
    /// Look at datasets.
    #[command(subcommand)]
    Data(DataVerb),
    /// Write a plugin, and look at one's algorithms.
    #[command(subcommand)]
    Plugin(PluginVerb),
    /// Look at networks, without training anything.
    #[command(subcommand)]
    Network(NetworkVerb),
    /// Say what this machine offers for training, and what is missing.
    Doctor(DoctorArguments),
    /// Write a run, with everything that it rests on, to one file for someone else.
    Bundle(BundleArguments),
    /// Verify someone's bundle of a run, and take it into the store.
    Unbundle(UnbundleArguments),
}

/// Which store.
#[derive(Args, Clone, Debug)]
pub(crate) struct StoreArguments {
    /// The store of results
    #[arg(
        long = "store",
        value_name = "DIR",
        env = "ASSAY_STORE",
        default_value = "artifacts"
    )]
    pub(crate) path: PathBuf,
}

impl StoreArguments {
    /// Opens the store, which must be there already.
    pub(crate) fn open_existing(&self) -> Result<Store, StoreError> {
        Store::open_existing(&self.path)
    }
}

/// Where things are.
#[derive(Args, Clone, Debug)]
pub(crate) struct Places {
    #[command(flatten)]
    pub(crate) store: StoreArguments,

    /// A folder with datasets, tried before anything is downloaded
    #[arg(long, value_name = "DIR", env = "ASSAY_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct ExecArguments {
    /// The action's key (64 hexadecimal digits)
    pub(crate) key: ActionKey,

    /// Work in this folder as a worker and commit nothing; `pipeline run` uses this
    #[arg(long, value_name = "DIR", hide = true)]
    pub(crate) scratch: Option<PathBuf>,

    /// Processors for what decides nothing, such as decoding images [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    threads: Option<u32>,

    /// Memory that the action's worker may hold, such as `8 GiB`
    #[arg(long, value_name = "SIZE", value_parser = parse_memory)]
    memory: Option<u64>,

    /// How long it may take, such as `2h`
    #[arg(long, value_name = "DURATION", value_parser = parse_time)]
    time: Option<u64>,

    /// The card for an action that computes on one: cuda or cuda:N; where others compute is part of
    /// them [default: cuda]
    #[arg(long, value_name = "DEVICE", value_parser = CardRequest::single)]
    pub(crate) device: Option<CardRequest>,

    #[command(flatten)]
    pub(crate) trust: TrustArguments,

    #[command(flatten)]
    pub(crate) places: Places,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProbeVerb {
    /// Which cards the driver shows
    Driver,
    /// Which CUDA libraries a plugin would use
    Libraries { plugin: PathBuf },
    /// Which libtorch a plugin would use
    Libtorch { plugin: PathBuf },
}

#[derive(Debug, Subcommand)]
pub(crate) enum NetworkVerb {
    /// Show a network's task and each layer's output, parameters and multiply-adds for one sample.
    Show(NetworkShowArguments),
}

const NETWORK_SHOW_EXAMPLES: &str = "\
Examples:
  pipeline network show pipelines/networks.toml
  pipeline network show pipelines/networks.toml mnist-lc cifar-lc
  pipeline network show pipelines/quickstart.toml --json
  pipeline network show --input 3x32x32 --layer 'conv 3x3 32 s2' --layer 'softmax 10'

A layer is written as in a pipeline file: `fc N`, `lc KxK O sS`, `conv KxK O sS`, `softmax N`.
A network that ends with a softmax classifies; one that ends with as many units as it has inputs
reconstructs them.";

const NETWORK_SHOW_USAGE: &str = "\
pipeline network show [OPTIONS] <FILE> [NAME]...
       pipeline network show [OPTIONS] --input <CxHxW> --layer <LAYER>...";

#[derive(Args, Debug)]
#[command(override_usage = NETWORK_SHOW_USAGE, after_help = NETWORK_SHOW_EXAMPLES)]
pub(crate) struct NetworkShowArguments {
    /// A pipeline file, or a file of networks alone (TOML)
    #[arg(required_unless_present = "input")]
    pub(crate) file: Option<PathBuf>,

    /// Networks of the file [default: all of them]
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,

    /// Show a network with inputs of this shape: channels, height, width
    #[arg(long, value_name = "CxHxW", requires = "layers")]
    pub(crate) input: Option<Shape>,

    /// A layer of that network, first to last; may be given many times
    #[arg(long = "layer", value_name = "LAYER", requires = "input")]
    pub(crate) layers: Vec<String>,

    /// Print one JSON document instead of tables
    #[arg(long)]
    pub(crate) json: bool,
}

/// More jobs than anybody means.
const MOST_JOBS: i64 = 1024;

pub(crate) fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

impl ExecArguments {
    pub(crate) fn threads(&self) -> usize {
        self.threads
            .map_or_else(processors, |threads| threads as usize)
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits {
            memory: self.memory,
            time_ms: self.time,
        }
    }
}
