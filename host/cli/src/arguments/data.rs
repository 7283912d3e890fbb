//! What can be typed after `pipeline data`.

use std::path::{Path, PathBuf};

use assay_engine::DatasetArgument;
use clap::{Args, Subcommand, ValueEnum};

use super::Places;

#[derive(Debug, Subcommand)]
pub(crate) enum DataVerb {
    /// Show what a dataset holds, in figures and as a contact sheet; prepares it if it is new.
    Show(DataShowArguments),
}

const SHOW_EXAMPLES: &str = "\
Examples:
  pipeline data show mnist
  pipeline data show cifar10 --sheet cifar10.png
  pipeline data show pipelines/cifar10.toml --sheet test.png --split test --per-class 20
  pipeline data show mine.toml digits --set digits.limit.train=1000 --json

The whole of each split is read for its figures: seconds for MNIST and CIFAR-10.

Exit codes: 0 done, 1 the dataset could not be prepared, 2 the request or the store cannot be used,
130 stopped by Ctrl-C.";

#[derive(Args, Debug)]
#[command(after_help = SHOW_EXAMPLES)]
pub(crate) struct DataShowArguments {
    /// A known dataset (mnist, fashion-mnist, cifar10), or a pipeline file: a path that ends in
    /// .toml or has a slash
    dataset: String,

    /// The dataset stage of the pipeline file [default: its only one]
    stage: Option<String>,

    /// Override a value of the pipeline file, as `pipeline run` does
    #[arg(long = "set", value_name = "NAME.KEY=VALUE")]
    overrides: Vec<String>,

    /// Write a contact sheet to this file (PNG): the first images of each class, a row for each
    #[arg(long, value_name = "FILE.png")]
    pub(crate) sheet: Option<PathBuf>,

    /// The split on the sheet
    #[arg(long, value_enum, default_value_t = SheetSplit::Train, requires = "sheet")]
    pub(crate) split: SheetSplit,

    /// Images of each class on the sheet
    #[arg(long, value_name = "N", default_value_t = 10, requires = "sheet",
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) per_class: u32,

    /// Print one JSON document instead of tables
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) places: Places,
}

/// A split by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SheetSplit {
    Train,
    Validation,
    Test,
}

impl SheetSplit {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

impl DataShowArguments {
    /// # Errors
    /// A known dataset has neither stages nor a file to override.
    pub(crate) fn argument(&self) -> Result<DatasetArgument<'_>, String> {
        let path = Path::new(&self.dataset);
        let in_file =
            self.dataset.contains('/') || path.extension().is_some_and(|end| end == "toml");
        if in_file {
            return Ok(DatasetArgument::File {
                path,
                stage: self.stage.as_deref(),
                overrides: &self.overrides,
            });
        }
        if self.stage.is_some() || !self.overrides.is_empty() {
            return Err(format!(
                "a stage and --set are for a pipeline file; `{}` is taken as a dataset's name",
                self.dataset
            ));
        }
        Ok(DatasetArgument::Known(&self.dataset))
    }
}
