//! `pipeline network show`: the sizes of networks, worked out without training or data.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use assay_core::{Advice, choices};
use assay_engine::read_networks;
use assay_network::{LayerSummary, Network, NetworkError, Shape};
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::error::CliError;
use crate::ui;
use crate::ui::words::{digits, plain, right, table};

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

A layer is written as in a pipeline file: `fc N`, `lc KxK O sS`, `conv KxK O sS`,
`softmax N`; all but the last may end with `relu`, `norm`, or both.
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
    file: Option<PathBuf>,

    /// Networks of the file [default: all of them]
    #[arg(value_name = "NAME")]
    names: Vec<String>,

    /// Show a network with inputs of this shape: channels, height, width
    #[arg(long, value_name = "CxHxW", requires = "layers")]
    input: Option<Shape>,

    /// A layer of that network, first to last; may be given many times
    #[arg(long = "layer", value_name = "LAYER", requires = "input")]
    layers: Vec<String>,

    /// Print one JSON document instead of tables
    #[arg(long)]
    json: bool,
}

/// A network that cannot be shown.
#[derive(Debug, thiserror::Error)]
enum ShowNetworkError {
    /// The file has no such network.
    #[error("there is no network `{name}` in {file}")]
    Unknown {
        /// The name.
        name: String,
        /// The file.
        file: String,
        /// Advice: the name that was probably meant, or the networks that there are.
        help: String,
    },
    /// The network of the command line is not valid.
    #[error("the network of --input and --layer is not valid")]
    Invalid(#[from] NetworkError),
}

impl Advice for ShowNetworkError {
    fn help(&self) -> Cow<'_, str> {
        match self {
            Self::Unknown { help, .. } => help.into(),
            Self::Invalid(_) => "".into(),
        }
    }
}

pub(crate) fn run(verb: &NetworkVerb) -> Result<ExitCode, CliError> {
    let NetworkVerb::Show(arguments) = verb;
    let networks = networks(arguments)?;
    let view = NetworksView {
        networks: networks.iter().map(NetworkView::of).collect(),
    };
    ui::print_view(&view, arguments.json, text)?;
    Ok(ExitCode::SUCCESS)
}

/// The networks asked for with their names, those of the file before that of the command line,
/// which has none.
fn networks(arguments: &NetworkShowArguments) -> Result<Vec<(String, Network)>, CliError> {
    let mut chosen = Vec::new();
    if let Some(file) = &arguments.file {
        let found = read_networks(file)?;
        if arguments.names.is_empty() {
            chosen.clone_from(&found);
        }
        for name in &arguments.names {
            let network = found.iter().find(|(own, _)| own == name);
            chosen.push(network.cloned().ok_or_else(|| {
                let known = found.iter().map(|(own, _)| own.as_str());
                ShowNetworkError::Unknown {
                    name: name.clone(),
                    file: file.display().to_string(),
                    help: choices(name, known).unwrap_or_default(),
                }
            })?);
        }
    }
    if let Some(input) = arguments.input {
        let network = Network::parse(input.into(), &arguments.layers);
        chosen.push((String::new(), network.map_err(ShowNetworkError::from)?));
    }
    Ok(chosen)
}

/// Bytes of a 32-bit float.
const FLOAT: u64 = 4;

/// The memory that the parameters of a network take, in bytes.
#[derive(Clone, Copy, Serialize)]
struct Memory {
    /// The weights and biases.
    parameters: u64,
    /// Those with Adam's two moments, as a state is saved.
    saved: u64,
    /// Those with the gradients besides, as they are trained.
    trained: u64,
}

#[derive(Serialize)]
struct NetworksView<'a> {
    networks: Vec<NetworkView<'a>>,
}

#[derive(Serialize)]
struct NetworkView<'a> {
    /// None for the network of the command line.
    name: Option<&'a str>,
    task: &'static str,
    /// Channels, rows and columns.
    input: [usize; 3],
    layers: Vec<LayerView>,
    parameters: u64,
    multiply_adds: u64,
    bytes: Memory,
}

#[derive(Serialize)]
struct LayerView {
    layer: usize,
    notation: String,
    /// Channels, rows and columns.
    output: [usize; 3],
    fan_in: u64,
    parameters: u64,
    multiply_adds: u64,
}

impl<'a> NetworkView<'a> {
    fn of((name, network): &'a (String, Network)) -> Self {
        // At most 2^32 parameters, so nothing overflows.
        let parameters = FLOAT * network.parameters();
        Self {
            name: Some(name.as_str()).filter(|name| !name.is_empty()),
            task: network.task().name(),
            input: network.input().into(),
            layers: network.summary().iter().map(LayerView::of).collect(),
            parameters: network.parameters(),
            multiply_adds: network.multiply_adds(),
            bytes: Memory {
                parameters,
                saved: 3 * parameters,
                trained: 4 * parameters,
            },
        }
    }
}

impl LayerView {
    fn of(layer: &LayerSummary) -> Self {
        Self {
            layer: layer.index,
            notation: layer.layer.to_string(),
            output: layer.output.into(),
            fan_in: layer.fan_in,
            parameters: layer.parameters,
            multiply_adds: layer.multiply_adds,
        }
    }
}

fn text(view: &NetworksView<'_>) -> String {
    let blocks: Vec<_> = view.networks.iter().map(block).collect();
    blocks.join("\n")
}

fn block(network: &NetworkView<'_>) -> String {
    let name = network.name.map(|name| format!("{}: ", plain(name)));
    let mut text = name.unwrap_or_default();
    let _ = writeln!(
        text,
        "{}, input {}",
        network.task,
        Shape::from(network.input)
    );
    let _ = writeln!(text, "{}", layers(network));
    let Memory {
        parameters,
        saved,
        trained,
    } = network.bytes;
    let [parameters, saved, trained] = [parameters, saved, trained].map(megabytes);
    let _ = writeln!(
        text,
        "memory: {parameters} of parameters; {saved} with Adam's moments, as saved; {trained} with \
         gradients too, as trained"
    );
    text
}

fn layers(network: &NetworkView<'_>) -> String {
    let mut shown = table(&["", "layer", "output", "parameters", "multiply-adds"]);
    for layer in &network.layers {
        shown.add_row([
            layer.layer.to_string(),
            layer.notation.clone(),
            shape(layer.output),
            digits(layer.parameters),
            digits(layer.multiply_adds),
        ]);
    }
    let totals = [network.parameters, network.multiply_adds].map(digits);
    let [parameters, multiply_adds] = totals;
    shown.add_row(["", "total", "", &parameters, &multiply_adds]);
    right(&mut shown, &[2, 3, 4]);
    shown.to_string()
}

/// An image as channels, rows and columns, a vector as its units.
fn shape(shape: [usize; 3]) -> String {
    match shape {
        [units, 1, 1] => digits(units as u64),
        image => Shape::from(image).to_string(),
    }
}

/// Millions of bytes, with a digit after the point.
fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
