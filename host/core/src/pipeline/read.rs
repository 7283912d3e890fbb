//! Reads the tree of a pipeline file into a [`Spec`]: the methods here, the networks in
//! [`networks`](super::networks), the stages in [`stage`](super::stage).

use indexmap::IndexMap;

use super::diagnostic::{Complaints, Diagnostic, Place, Source};
use super::limits::read_limits;
use super::networks::{Networks, read_networks, start_of};
use super::reader::{Reader, shortened, string, strings, table};
use super::references::check_references;
use super::spec::{Hyperparameters, Placed, Spec};
use super::stage::read_stage;
use super::tree::{Node, Table};

/// A method of the comparison: an algorithm with its hyper-parameters.
#[derive(Clone, Debug)]
pub(super) struct Method {
    /// The algorithm.
    pub(super) algorithm: Placed<String>,
    /// The plugin that has it, by name or path; the algorithm's name unless said otherwise.
    pub(super) plugin: Placed<String>,
    /// The hyper-parameters on every network.
    pub(super) hyperparameters: Hyperparameters,
    /// The hyper-parameters that differ on a network, by its name.
    pub(super) on: IndexMap<String, Hyperparameters>,
}

/// Reads the tree whose networks are complete; `networks_file` is the source of those that the
/// file has from elsewhere.
pub(super) fn read_spec(
    root: &Table,
    sources: Vec<Source>,
    networks_file: Option<usize>,
    out: &mut Complaints,
) -> Spec {
    let mut reader = Reader::new(root, &start_of(0), "the pipeline file");
    reader.entry("networks");
    let name = reader.required("name", out, |node| {
        let name = string(node)?;
        check_name(&name, &node.place).map(|()| name)
    });
    let plugin_dirs = reader
        .optional("plugin_dirs", out, strings)
        .unwrap_or_default();
    let limits = read_limits(&mut reader, out);
    let networks = reader.optional("network", out, table);
    let methods = reader.optional("method", out, table);
    let stages = reader.required("stage", out, table);
    reader.finish(out);

    let networks = networks
        .map(|networks| read_networks(networks, out))
        .unwrap_or_default();
    let methods = methods
        .map(|methods| read_methods(methods, &networks, out))
        .unwrap_or_default();
    let names = Names { networks, methods };
    let stages: Vec<_> = stages
        .into_iter()
        .flatten()
        .filter_map(|(name, entry)| read_stage(name, &entry.key, &entry.node, &names, out))
        .collect();
    check_references(&stages, out);
    Spec {
        sources,
        networks_file,
        name: name.unwrap_or_default(),
        plugin_dirs,
        limits,
        stages,
    }
}

/// The networks and methods that stages may refer to. A definition that is itself wrong is `None`,
/// so that its users are not blamed too.
pub(super) struct Names {
    pub(super) networks: Networks,
    pub(super) methods: IndexMap<String, Option<Method>>,
}

fn read_methods(
    methods: &Table,
    networks: &Networks,
    out: &mut Complaints,
) -> IndexMap<String, Option<Method>> {
    let mut read_one = |name: &String, node: &Node| {
        let mut reader = Reader::of(node, format!("[method.{name}]"), out)?;
        let algorithm = reader.required("algorithm", out, placed_string);
        let plugin = reader.optional("plugin", out, placed_string);
        let hyperparameters = reader.optional("hyperparameters", out, hyperparameters);
        let on = reader.optional("on", out, table).into_iter().flatten();
        reader.finish(out);
        let mut per_network = IndexMap::new();
        for (network, entry) in on {
            if !networks.contains_key(network) {
                let message = format!("there is no network `{}`", shortened(network));
                let known = networks.keys().map(String::as_str);
                out.push(Diagnostic::new(message, &entry.key).help(out.choices(network, known)));
            }
            match self::hyperparameters(&entry.node) {
                Ok(values) => drop(per_network.insert(network.clone(), values)),
                Err(complaint) => out.push(complaint),
            }
        }
        let algorithm = algorithm?;
        Some(Method {
            plugin: plugin.unwrap_or_else(|| algorithm.clone()),
            algorithm,
            hyperparameters: hyperparameters.unwrap_or_default(),
            on: per_network,
        })
    };
    methods
        .iter()
        .map(|(name, entry)| (name.clone(), read_one(name, &entry.node)))
        .collect()
}

/// Pipelines and stages name folders, and stages are picked by name on a command line.
pub(super) fn check_name(name: &str, place: &Place) -> Result<(), Diagnostic> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.starts_with(|first: char| first.is_ascii_alphanumeric()) && name.bytes().all(plain) {
        return Ok(());
    }
    Err(Diagnostic::new(
        format!("`{}` cannot be a name here", shortened(name)),
        place,
    )
    .label("expected letters, digits, `-`, `_` and `.`"))
}

pub(super) fn placed_string(node: &Node) -> Result<Placed<String>, Diagnostic> {
    Ok(Placed {
        value: string(node)?,
        place: node.place.clone(),
    })
}

pub(super) fn hyperparameters(node: &Node) -> Result<Hyperparameters, Diagnostic> {
    let placed = |entry: &super::tree::Entry| Placed {
        value: entry.node.value.to_json(),
        place: entry.node.place.clone(),
    };
    Ok(table(node)?
        .iter()
        .map(|(name, entry)| (name.clone(), placed(entry)))
        .collect())
}
