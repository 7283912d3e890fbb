//! The command line of the benchmark.

use std::path::PathBuf;

use assay_engine::{Origin, SearchFolder, SearchPath};
use clap::{Parser, Subcommand, ValueEnum};

use crate::Failure;
use crate::networks::{NamedNetwork, all, find};

/// The options of `scripts/bench train`.
#[derive(Parser)]
#[command(
    bin_name = "scripts/bench train",
    about = "Times training steps on random data: every plugin, and PyTorch beside them"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Networks of the paper, separated by commas [default: all of them].
    #[arg(long, value_delimiter = ',', value_name = "NAMES", value_parser = find)]
    networks: Vec<NamedNetwork>,
    /// Algorithms, each the name of a plugin [default: those of `--rules`].
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    algorithms: Vec<String>,
    /// Those of the paper, or every rule of this repository.
    #[arg(long, value_enum, value_name = "WHICH", default_value_t = Rules::Paper)]
    rules: Rules,
    /// Numbers of threads to measure with.
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "COUNTS",
        default_value = "1,2"
    )]
    pub(crate) threads: Vec<u32>,
    /// How often everything is measured.
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// Three short rounds, and no `imagenet-lc` unless it is named.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Also write every number as Parquet.
    #[arg(long, value_name = "FILE.parquet")]
    pub(crate) out: Option<PathBuf>,
    /// Print the table as Markdown.
    #[arg(long)]
    pub(crate) markdown: bool,
    #[arg(
        long,
        value_name = "PROGRAM",
        help = "A Python with PyTorch; without it nothing is compared"
    )]
    pub(crate) python: Option<PathBuf>,
}

/// The algorithms that are measured where none is named.
#[derive(Clone, Copy, ValueEnum)]
enum Rules {
    Paper,
    All,
}

/// The algorithms of the paper.
const PAPER: [&str; 7] = ["bp", "fa", "dfa", "tp", "dtp", "sdtp", "ao-sdtp"];

#[derive(Subcommand)]
pub(crate) enum Command {
    /// What the benchmark starts for each thing that it measures.
    #[command(hide = true)]
    Worker {
        #[command(subcommand)]
        work: Work,
    },
}

/// Requests to a worker.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Work {
    /// Training steps of a plugin.
    Train {
        #[arg(value_parser = find)]
        network: NamedNetwork,
        algorithm: String,
        threads: u32,
    },
    /// Large matrix products.
    Multiply { threads: u32 },
}

impl Arguments {
    pub(crate) fn algorithms(&self) -> Vec<String> {
        if !self.algorithms.is_empty() {
            return self.algorithms.clone();
        }
        let mut names: Vec<_> = PAPER.map(str::to_owned).into();
        if let Rules::All = self.rules {
            let folder = SearchFolder {
                path: assay_tests::libraries(),
                origin: Origin::Program,
            };
            let found = SearchPath::new([folder]).candidates();
            let found = found.into_iter().map(|plugin| plugin.name);
            let others: Vec<_> = found.filter(|it| !PAPER.contains(&it.as_str())).collect();
            names.extend(others);
        }
        names
    }

    pub(crate) fn networks(&self) -> Result<Vec<NamedNetwork>, Failure> {
        if !self.networks.is_empty() {
            return Ok(self.networks.clone());
        }
        let mut networks = all()?;
        networks.retain(|network| !(self.quick && network.is_large()));
        Ok(networks)
    }
}
