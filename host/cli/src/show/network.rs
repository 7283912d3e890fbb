//! A network's sizes as a table for people and as a document for scripts.

use std::fmt::Write as _;

use assay_network::{LayerSummary, Network, Shape};
use comfy_table::{CellAlignment, Table};
use serde_json::{Value, json};

use super::RULES;
use super::words::plain;

/// Bytes of a 32-bit float.
const FLOAT: u64 = 4;

/// The memory that the parameters of a network take, in bytes.
struct Memory {
    /// The weights and biases.
    parameters: u64,
    /// Those with Adam's two moments, as a state is saved.
    saved: u64,
    /// Those with the gradients besides, as they are trained.
    trained: u64,
}

impl Memory {
    fn of(network: &Network) -> Self {
        // At most 2^32 parameters, so nothing overflows.
        let parameters = FLOAT * network.parameters();
        Self {
            parameters,
            saved: 3 * parameters,
            trained: 4 * parameters,
        }
    }
}

pub(crate) fn text(networks: &[(String, Network)]) -> String {
    let blocks: Vec<_> = networks.iter().map(|(name, it)| block(name, it)).collect();
    blocks.join("\n")
}

fn block(name: &str, network: &Network) -> String {
    let (task, input) = (network.task(), network.input());
    let mut text = match name {
        "" => format!("{task}, input {input}\n"),
        name => format!("{}: {task}, input {input}\n", plain(name)),
    };
    let _ = writeln!(text, "{}", table(network));
    let memory = Memory::of(network);
    let [parameters, saved, trained] =
        [memory.parameters, memory.saved, memory.trained].map(megabytes);
    let _ = writeln!(
        text,
        "memory: {parameters} of parameters; {saved} with Adam's moments, as saved; {trained} with \
         gradients too, as trained"
    );
    text
}

fn table(network: &Network) -> String {
    let mut table = Table::new();
    table
        .load_style(RULES)
        .set_header(["", "layer", "output", "parameters", "multiply-adds"]);
    for layer in network.summary() {
        table.add_row([
            layer.index.to_string(),
            layer.layer.to_string(),
            shape(layer.output),
            grouped(layer.parameters),
            grouped(layer.multiply_adds),
        ]);
    }
    let totals = [network.parameters(), network.multiply_adds()].map(grouped);
    let [parameters, multiply_adds] = totals;
    table.add_row(["", "total", "", &parameters, &multiply_adds]);
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

/// An image as channels, rows and columns, a vector as its units.
fn shape(shape: Shape) -> String {
    if shape.height == 1 && shape.width == 1 {
        return grouped(shape.channels as u64);
    }
    shape.to_string()
}

/// `1,234,567`
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Millions of bytes, with a digit after the point.
fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

pub(crate) fn json(networks: &[(String, Network)]) -> String {
    let networks: Vec<_> = networks
        .iter()
        .map(|(name, network)| document(name, network))
        .collect();
    super::json::document(&json!({ "networks": networks }))
}

fn document(name: &str, network: &Network) -> Value {
    let memory = Memory::of(network);
    json!({
        "name": Some(name).filter(|name| !name.is_empty()),
        "task": network.task().name(),
        "input": sizes(network.input()),
        "layers": network.summary().iter().map(layer).collect::<Vec<_>>(),
        "parameters": network.parameters(),
        "multiply_adds": network.multiply_adds(),
        "bytes": {
            "parameters": memory.parameters,
            "saved": memory.saved,
            "trained": memory.trained,
        },
    })
}

fn layer(layer: &LayerSummary) -> Value {
    json!({
        "layer": layer.index,
        "notation": layer.layer.to_string(),
        "output": sizes(layer.output),
        "fan_in": layer.fan_in,
        "parameters": layer.parameters,
        "multiply_adds": layer.multiply_adds,
    })
}

/// Channels, rows and columns.
fn sizes(shape: Shape) -> [usize; 3] {
    shape.into()
}
