//! One plugin as text and tables for people and as a document for scripts.

use std::fmt::Write as _;

use assay_engine::{AlgorithmDescription, PluginInfo, Trust};
use serde_json::{Value, json};

use super::schema::hyperparameters;
use super::{plain, prose_table};
use crate::show::json::document;

pub(crate) fn text(info: &PluginInfo) -> String {
    let described = &info.description;
    let (name, version) = (plain(&described.name), plain(&described.version));
    let file = match &info.file {
        Some(file) => super::path(file),
        None => "none: its hash found it in the store".to_owned(),
    };
    let libtorch = match info.libtorch.as_str() {
        "" => "none".to_owned(),
        version => plain(version),
    };
    let facts = [
        ("file", file),
        ("hash", info.pin.hash.to_string()),
        ("trust", trust(&info.trust)),
        ("ABI", plain(&info.pin.abi)),
        ("target", plain(&info.target)),
        ("libtorch", libtorch),
    ];
    let mut text = format!("{name} {version}: {}\n", plain(&described.description));
    for (title, fact) in facts {
        let _ = writeln!(text, "  {title:8}  {fact}");
    }
    for described in &described.algorithms {
        text.push_str(&algorithm(described));
    }
    text
}

fn trust(trust: &Trust) -> String {
    match trust {
        Trust::Program => "own: it comes with this program".to_owned(),
        Trust::Hash => "trusted: you trust this hash".to_owned(),
        Trust::Key(signer) => format!("signed by a key that you trust: {}", plain(signer)),
        Trust::Nobody => "untrusted".to_owned(),
    }
}

fn algorithm(algorithm: &AlgorithmDescription) -> String {
    let mut text = format!(
        "\nalgorithm {}: {}\n",
        plain(&algorithm.name),
        plain(&algorithm.summary)
    );
    if !algorithm.reference.is_empty() {
        let _ = writeln!(text, "  {}", plain(&algorithm.reference));
    }
    let rows = hyperparameters(&algorithm.hyperparameters);
    if rows.is_empty() {
        text.push_str("no hyper-parameters\n");
    } else {
        let mut table = prose_table(&[
            "hyper-parameter",
            "type",
            "range",
            "default",
            "documentation",
        ]);
        for row in rows {
            table.add_row([
                row.name,
                row.kind,
                row.range,
                row.default,
                row.documentation,
            ]);
        }
        let _ = writeln!(text, "{table}");
    }
    if !algorithm.metrics.is_empty() {
        let mut table = prose_table(&["metric", "what it measures"]);
        for metric in &algorithm.metrics {
            table.add_row([plain(&metric.name), plain(&metric.description)]);
        }
        let _ = writeln!(text, "{table}");
    }
    text
}

pub(crate) fn json(info: &PluginInfo) -> String {
    let described = &info.description;
    let algorithms: Vec<_> = described
        .algorithms
        .iter()
        .map(algorithm_document)
        .collect();
    document(&json!({
        "name": described.name,
        "version": described.version,
        "description": described.description,
        "file": info.file.as_ref().map(|file| file.display().to_string()),
        "hash": info.pin.hash,
        "trust": info.trust.name(),
        "abi": info.pin.abi,
        "target": info.target,
        "libtorch": info.libtorch,
        "algorithms": algorithms,
    }))
}

fn algorithm_document(algorithm: &AlgorithmDescription) -> Value {
    let metrics: Vec<_> = algorithm
        .metrics
        .iter()
        .map(|metric| json!({ "name": metric.name, "description": metric.description }))
        .collect();
    json!({
        "name": algorithm.name,
        "summary": algorithm.summary,
        "reference": algorithm.reference,
        "hyperparameters": algorithm.hyperparameters,
        "metrics": metrics,
    })
}
