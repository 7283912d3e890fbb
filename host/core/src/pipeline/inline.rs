//! Definitions that stand on a command line or in a file of their own instead of in a pipeline
//! file: a network's layers and an algorithm's hyper-parameters. They are read by the same rules,
//! and complained about at their places in the same way.

use assay_network::Network;
use serde_json::{Map, Value as Json};

use super::diagnostic::{Complaints, Diagnostic, Place};
use super::file::{Hyperparameters, Placed, hyperparameters};
use super::tree::{self, Node, Value};

/// The network whose layers `text`, which is source number `source`, lists with commas:
/// `fc 32, fc 16, softmax 10`. `input` is the shape (C, H, W) of a sample.
///
/// # Errors
/// A complaint at the layer at fault.
pub fn parse_layers(input: [usize; 3], text: &str, source: usize) -> Result<Network, Diagnostic> {
    let mut layers = Vec::new();
    let mut start = 0;
    for piece in text.split(',') {
        let layer = piece.trim();
        let begin = start + (piece.len() - piece.trim_start().len());
        layers.push((layer, begin..begin + layer.len()));
        start += piece.len() + 1;
    }
    let notation: Vec<_> = layers.iter().map(|(layer, _)| layer).collect();
    Network::parse(input, &notation).map_err(|error| {
        let at_fault = error.layer_index().and_then(|layer| layers.get(layer));
        let bytes = at_fault.map_or(0..text.len(), |(_, bytes)| bytes.clone());
        Diagnostic::new(error.to_string(), &Place { source, bytes })
    })
}

/// The hyper-parameters in `text`, which is source number `source`: a JSON object, an inline
/// TOML table in braces, or a TOML document of `key = value` lines.
///
/// # Errors
/// Every complaint about the text.
pub fn parse_hyperparameters(text: &str, source: usize) -> Result<Hyperparameters, Complaints> {
    let inside = text.trim_start().strip_prefix('{').map(str::trim_start);
    if inside.is_some_and(|inside| inside.starts_with('"')) {
        return json_object(text, source).map_err(Complaints::from);
    }
    let mut complaints = Complaints::default();
    let node = if inside.is_some() {
        tree::parse_value(text, source, &mut complaints)
    } else {
        Some(document(text, source, &mut complaints))
    };
    match node {
        Some(node) if complaints.is_empty() => hyperparameters(&node).map_err(Complaints::from),
        _ => Err(complaints),
    }
}

fn document(text: &str, source: usize, complaints: &mut Complaints) -> Node {
    let table = tree::parse(text, source, complaints);
    Node {
        place: whole(text, source),
        value: Value::Table(table),
    }
}

/// A JSON object's values stand at their keys: the parser of JSON keeps no places.
fn json_object(text: &str, source: usize) -> Result<Hyperparameters, Diagnostic> {
    let object: Map<String, Json> = serde_json::from_str(text).map_err(|error| {
        Diagnostic::new(error.to_string(), &whole(text, source)).label("not valid JSON")
    })?;
    let placed = object.into_iter().map(|(key, value)| {
        let quoted = Json::from(key.as_str()).to_string();
        let place = match text.find(&quoted) {
            Some(at) => Place {
                source,
                bytes: at..at + quoted.len(),
            },
            None => whole(text, source),
        };
        (key, Placed { value, place })
    });
    Ok(placed.collect())
}

fn whole(text: &str, source: usize) -> Place {
    Place {
        source,
        bytes: 0..text.len(),
    }
}
