//! `pipeline plugin directions`: asks a plugin, in a worker, which way one batch would move every
//! parameter. The question is an action in a store that is thrown away afterwards.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use assay_core::{Advice, ArtifactHash, Limits};
use assay_engine::{
    Cancel, DIRECTIONS_FILE, DIRECTIONS_STATE_FILE, DirectionsRequest, Execution, InvalidTensors,
    NetworkArgument, TensorSummary, TrustPolicy, plan_directions, summarise,
};
use assay_files::TemporaryFolder;
use assay_network::Shape;
use assay_store::Store;
use clap::Args;
use serde::Serialize;

use crate::arguments::compute::ComputeArguments;
use crate::arguments::search::{SearchArguments, TrustArguments};
use crate::error::CliError;
use crate::export::write;
use crate::ui;
use crate::ui::words::{plain, right, table};

const EXAMPLES: &str = "\
Examples:
  pipeline plugin directions bp --network 'fc 32, fc 16, softmax 10' --input 1x28x28 \\
      --batch batch.safetensors
  pipeline plugin directions dtp --network pipelines/mnist.toml#mnist-fc \\
      --config '{ alpha = 0.1, sigma = 0.3 }' --state state.safetensors \\
      --batch batch.safetensors --out directions.safetensors
  pipeline plugin directions ./libassay_mine.so --algorithm mine --config mine.json \\
      --network 'conv 3x3 8 s2, softmax 4' --input 3x8x8 --seed 7 \\
      --batch batch.safetensors --save-state state.safetensors

The batch holds `inputs`, float32 (B, features) or (B, C, H, W), `labels`, int64 (B), and optionally
`noise.L`, float32 (B, units of layer L), which is added to that layer's activations where the
inverse above it is trained. A direction is the raw update before the optimiser: the parameter
moves against it. docs/checking-an-algorithm.md has a worked example.

Exit codes: 0 done, 1 the plugin, the state or the batch failed, 2 the request cannot be used, 130
stopped by Ctrl-C.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DirectionsArguments {
    /// The plugin: NAME, PATH with a slash, NAME@HASH or PATH@HASH
    plugin: String,

    /// The algorithm of the plugin [default: the one of the plugin's name, or its only one]
    #[arg(long, value_name = "NAME")]
    algorithm: Option<String>,

    /// The network: its layers with commas between them, or FILE.toml#NAME for one of a file's
    #[arg(long, value_name = "LAYERS|FILE.toml#NAME")]
    network: String,

    /// The shape of a sample, for a network given by its layers
    #[arg(long, value_name = "CxHxW")]
    input: Option<Shape>,

    /// The batch (safetensors)
    #[arg(long, value_name = "FILE")]
    batch: PathBuf,

    /// The learner's state (safetensors); tensors of `optimiser.` and `noise.` may be left out
    /// [default: the learner's initial state]
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,

    /// Hyper-parameters: JSON or a TOML table in braces, or the path of a file with either
    /// [default: the algorithm's defaults]
    #[arg(long, value_name = "TEXT|FILE")]
    config: Option<String>,

    /// Decides the initial state, and noise that the batch does not hold
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// Write the directions to this file (safetensors) instead of printing a table
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Write the state that the directions follow from to this file (safetensors)
    #[arg(long, value_name = "FILE")]
    save_state: Option<PathBuf>,

    /// Print the table as one JSON document
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    compute: ComputeArguments,

    #[command(flatten)]
    search: SearchArguments,

    #[command(flatten)]
    trust: TrustArguments,
}

impl DirectionsArguments {
    /// # Errors
    /// `--input` and the form of `--network` do not go together.
    fn request<'a>(&'a self, trust: &'a TrustPolicy) -> Result<DirectionsRequest<'a>, String> {
        Ok(DirectionsRequest {
            plugin: &self.plugin,
            algorithm: self.algorithm.as_deref(),
            search: self.search.path(),
            trust,
            network: self.network()?,
            hyperparameters: self.config.as_deref(),
            seed: self.seed,
            state: self.state.as_deref(),
            batch: &self.batch,
        })
    }

    fn network(&self) -> Result<NetworkArgument<'_>, String> {
        let text = self.network.as_str();
        let (path, name) = match text.rsplit_once('#') {
            Some((path, name)) => (path, Some(name)),
            None => (text, None),
        };
        let path = Path::new(path);
        let in_file = name.is_some() || path.extension().is_some_and(|end| end == "toml");
        match (in_file, self.input) {
            (true, None) => Ok(NetworkArgument::File { path, name }),
            (false, Some(input)) => Ok(NetworkArgument::Inline {
                layers: text,
                input,
            }),
            (true, Some(_)) => Err(format!(
                "--input is for a network given by its layers; `{text}` has its own"
            )),
            (false, None) => Err(
                "a network given by its layers needs --input CxHxW, such as --input 1x28x28"
                    .to_owned(),
            ),
        }
    }
}

/// The plugin's answer is not the tensors that it should be.
#[derive(Debug, thiserror::Error)]
#[error("the plugin's answer cannot be shown")]
struct UnreadableAnswer(#[source] InvalidTensors);

impl Advice for UnreadableAnswer {}

pub(crate) fn directions(
    arguments: &DirectionsArguments,
    cancel: &Cancel,
) -> Result<ExitCode, CliError> {
    let trust = arguments.trust.policy()?;
    let request = arguments.request(&trust).map_err(CliError::Arguments)?;
    ui::print_containment_notice();
    let settings = arguments.compute.settings(false, cancel)?;
    let card = settings.device.cards().map(|cards| &cards.as_slice()[0]);
    let folder = TemporaryFolder::new().map_err(CliError::Temporary)?;
    let store = Store::open(folder.path().join("store"))?;
    let action = plan_directions(&store, &settings, &request, cancel)?;
    let execution = Execution {
        store: &store,
        data_dir: None,
        threads: 1,
        limits: Limits::default(),
        card,
        cancel,
        observe: &|_| {},
    };
    let artifact = execution
        .execute(action)
        .map_err(CliError::Action)?
        .result
        .artifact;
    let directions = read(&store, artifact, DIRECTIONS_FILE)?;
    if let Some(path) = &arguments.save_state {
        write(path, &read(&store, artifact, DIRECTIONS_STATE_FILE)?)?;
    }
    if let Some(path) = &arguments.out {
        write(path, &directions)?;
    }
    let tensors = summarise(&store.artifact_file_path(artifact, DIRECTIONS_FILE)?);
    let view = DirectionsView {
        directions: tensors.map_err(UnreadableAnswer)?,
    };
    if arguments.json || arguments.out.is_none() {
        ui::print_view(&view, arguments.json, text)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn read(store: &Store, artifact: ArtifactHash, name: &str) -> Result<Vec<u8>, CliError> {
    let path = store.artifact_file_path(artifact, name)?;
    assay_files::read(&path, u64::MAX).map_err(|source| CliError::File {
        what: "read",
        path,
        source,
    })
}

/// The directions in figures.
#[derive(Serialize)]
struct DirectionsView {
    directions: Vec<TensorSummary>,
}

fn text(view: &DirectionsView) -> String {
    let mut shown = table(&["direction", "shape", "norm", "mean", "max |x|"]);
    for tensor in &view.directions {
        let sizes: Vec<_> = tensor.shape.iter().map(ToString::to_string).collect();
        let mut cells = vec![plain(&tensor.name), sizes.join(" × ")];
        cells.extend([tensor.norm, tensor.mean, tensor.max].map(|value| format!("{value:.4e}")));
        shown.add_row(cells);
    }
    right(&mut shown, &[2, 3, 4]);
    format!("{shown}\n")
}
