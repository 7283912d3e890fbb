//! What can be typed: the verbs, their options and their help.

mod data;
mod keep;
mod plugin;
mod search;
mod user;

use std::path::PathBuf;
use std::thread;

use assay_core::{ActionKey, Limits, parse_memory, parse_time};
use assay_engine::{Device, LockMode, SearchPath, Settings};
use assay_network::Shape;
use assay_store::{Store, StoreError};
use clap::{Args, Parser, Subcommand};

pub(crate) use self::data::{DataShowArguments, DataVerb};
pub(crate) use self::keep::{GcArguments, PinArguments, UnpinArguments};
pub(crate) use self::plugin::{
    CheckArguments, DirectionsArguments, InfoArguments, KeygenArguments, ListArguments,
    NewArguments, PluginVerb, SignArguments, TrustVerbArguments, UntrustArguments, VerifyArguments,
};
pub(crate) use self::search::{SearchArguments, TrustArguments};
pub(crate) use self::user::{descriptions_folder, signing_key_file, trust_file};

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
    /// Execute one stored action, as a job of its own.
    Exec(ExecArguments),
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
}

const RUN_EXAMPLES: &str = "\
Examples:
  pipeline run pipelines/quickstart.toml
  pipeline run pipelines/quickstart.toml --dry-run
  pipeline run pipelines/quickstart.toml --set train.epochs=10 --jobs 4
  pipeline run pipelines/quickstart.toml --only train/bp
  pipeline run pipelines/quickstart.toml --lock
  pipeline run pipelines/quickstart.toml --locked --trusted-only
  pipeline run pipelines/quickstart.toml --set method.bp.hyperparameters.learning_rate=0.001

Exit codes: 0 done (or, with --dry-run, planned), 1 a stage failed, 2 the pipeline or the store
cannot be used, 130 stopped by Ctrl-C.";

#[derive(Args, Debug)]
#[command(after_help = RUN_EXAMPLES)]
pub(crate) struct RunArguments {
    /// The pipeline file (TOML)
    pub(crate) file: PathBuf,

    /// Override a value: NAME.KEY=VALUE, where NAME is a stage, or `method.M`, `network.N`
    #[arg(long = "set", value_name = "NAME.KEY=VALUE")]
    pub(crate) overrides: Vec<String>,

    /// Run only these stages and what they need; `train/bp` stands for everything below it
    #[arg(long, value_name = "STAGE")]
    pub(crate) only: Vec<String>,

    /// Say what would run and why, and run nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Stages to run at a time [default: processors / threads]
    #[arg(long, short, value_name = "N")]
    pub(crate) jobs: Option<usize>,

    /// Threads of one stage; part of its identity, since they can change the last bits
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) threads: u32,

    /// Where to train: cpu or cuda
    #[arg(long, default_value_t = Device::Cpu)]
    pub(crate) device: Device,

    /// After a failure, go on with the stages that do not depend on it
    #[arg(long, short)]
    pub(crate) keep_going: bool,

    #[command(flatten)]
    search: SearchArguments,

    #[command(flatten)]
    pub(crate) trust: TrustArguments,

    #[command(flatten)]
    pub(crate) lock: LockArguments,

    /// Where to lay out reports [default: STORE/reports/PIPELINE]
    #[arg(long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,

    /// Print one JSON document instead of tables
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) places: Places,
}

/// What the pipeline file's lock is to a run.
#[derive(Args, Debug)]
pub(crate) struct LockArguments {
    /// Write what the run uses to the lock beside the file: NAME.lock, for version control
    #[arg(long, conflicts_with = "locked")]
    pub(crate) lock: bool,

    /// Run nothing whose plugin or dataset is not as the lock has it
    #[arg(long)]
    locked: bool,
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
    #[arg(long, value_name = "N")]
    threads: Option<usize>,

    /// Memory that the action's worker may hold, such as `8 GiB`
    #[arg(long, value_name = "SIZE", value_parser = parse_memory)]
    memory: Option<u64>,

    /// How long it may take, such as `2h`
    #[arg(long, value_name = "DURATION", value_parser = parse_time)]
    time: Option<u64>,

    #[command(flatten)]
    pub(crate) trust: TrustArguments,

    #[command(flatten)]
    pub(crate) places: Places,
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

pub(crate) fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

impl ExecArguments {
    pub(crate) fn threads(&self) -> usize {
        self.threads.unwrap_or_else(processors)
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits {
            memory: self.memory,
            time_ms: self.time,
        }
    }
}

impl RunArguments {
    pub(crate) fn settings(&self) -> Settings {
        let jobs = self.jobs.unwrap_or(processors() / self.threads as usize);
        Settings {
            jobs: jobs.max(1),
            threads: self.threads,
            device: self.device,
            keep_going: self.keep_going,
            data_dir: self.places.data_dir.clone(),
        }
    }

    pub(crate) fn lock_mode(&self) -> LockMode {
        match (self.lock.lock, self.lock.locked) {
            (true, _) => LockMode::Write,
            (false, true) => LockMode::Enforce,
            (false, false) => LockMode::Remark,
        }
    }

    pub(crate) fn search_path(&self) -> SearchPath {
        self.search.path()
    }
}
