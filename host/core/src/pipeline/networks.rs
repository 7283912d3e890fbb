//! The networks of a pipeline file: its own `[network.NAME]` tables, and those of the file that
//! its key `networks` names. It owns how the two come together; it never opens a file.

use assay_network::Network;
use indexmap::IndexMap;

use super::diagnostic::{Complaints, Diagnostic, Place, Source, SourceError};
use super::file::Placed;
use super::reader::{Reader, array, integer, string, strings, table};

use super::tree::{Entry, Node, Table, Value, merge, parse};

/// Gives the file that a pipeline file names, by the path written there, or the reason why not.
pub type Load<'a> = &'a dyn Fn(&str) -> Result<Source, String>;

/// Networks by name, each with the place of its layers; one that is wrong is `None`, so that its users are not blamed too.
pub(super) type Networks = IndexMap<String, Option<Placed<Network>>>;

/// The networks of a pipeline file, or of a file of networks alone, in its order. Nothing else in
/// the file is looked at.
///
/// # Errors
/// Every complaint about the networks, each with its place.
pub fn parse_networks(
    name: &str,
    text: &str,
    load: Load<'_>,
) -> Result<IndexMap<String, Network>, SourceError> {
    let mut sources = vec![Source {
        name: name.to_owned(),
        text: text.to_owned(),
    }];
    let mut complaints = Complaints::default();
    let mut root = parse(text, 0, &mut complaints);
    let mut networks = Networks::new();
    if complaints.is_empty() {
        include(&mut root, &mut sources, load, &mut complaints);
        let mut reader = Reader::new(&root, &start_of(0), "the file");
        if let Some(tables) = reader.required("network", &mut complaints, table) {
            networks = read_networks(tables, &mut complaints);
        }
    }
    if complaints.is_empty() {
        let valid = |(name, network): (String, Option<Placed<_>>)| Some((name, network?.value));
        return Ok(networks.into_iter().filter_map(valid).collect());
    }
    Err(SourceError::new(sources, complaints))
}

/// The first byte of a source: the place of what a file as a whole lacks.
pub(super) fn start_of(source: usize) -> Place {
    Place {
        source,
        bytes: 0..0,
    }
}

/// Puts the networks of the file that the key `networks` names beside the pipeline file's own, and
/// that file behind `sources`; gives its number there. Overrides have been applied, so that they
/// reach the networks of either file.
pub(super) fn include(
    root: &mut Table,
    sources: &mut Vec<Source>,
    load: Load<'_>,
    out: &mut Complaints,
) -> Option<usize> {
    let named = root.get("networks")?.node.clone();
    let path = string(&named)
        .map_err(|complaint| out.push(complaint))
        .ok()?;
    let unreadable =
        |reason| Diagnostic::new(format!("cannot read `{path}`: {reason}"), &named.place);
    let source = load(&path)
        .map_err(|reason| out.push(unreadable(reason)))
        .ok()?;
    let number = sources.len();
    let before = out.made();
    let included = parse(&source.text, number, out);
    sources.push(source);
    if out.made() > before {
        return None;
    }
    let mut reader = Reader::new(&included, &start_of(number), "a file of networks");
    let networks = reader.required("network", out, table);
    reader.finish(out);
    add(root, networks?, &path, out);
    Some(number)
}

/// Adds `networks` of the file at `path` to those of `root`.
fn add(root: &mut Table, networks: &Table, path: &str, out: &mut Complaints) {
    let own = root.entry("network".to_owned()).or_insert_with(|| Entry {
        key: start_of(0),
        node: Node {
            place: start_of(0),
            value: Value::Table(Table::new()),
        },
    });
    let Value::Table(own) = &mut own.node.value else {
        return; // Whoever reads the networks complains.
    };
    for (name, entry) in networks {
        let mut found = Table::from_iter([(name.clone(), entry.clone())]);
        match own.shift_remove(name) {
            Some(mine) if mine.key.source == 0 => {
                out.push(
                    Diagnostic::new(format!("`{path}` has a network `{name}` too"), &mine.key)
                        .help("give this one another name".to_owned()),
                );
            }
            Some(overridden) => merge(&mut found, Table::from_iter([(name.clone(), overridden)])),
            None => {}
        }
        own.extend(found);
    }
}

pub(super) fn read_networks(networks: &Table, out: &mut Complaints) -> Networks {
    let mut read_one = |name: &String, node: &Node| {
        let mut reader = Reader::of(node, format!("[network.{name}]"), out)?;
        let input = reader.required("input", out, |node| {
            let sizes = array(node)?.iter().map(|size| integer(1..=1 << 20)(size));
            let sizes = sizes.map(|size| size.map(|size| size as usize));
            <[usize; 3]>::try_from(sizes.collect::<Result<Vec<_>, _>>()?).map_err(|_| {
                Diagnostic::new("an input has three sizes", &node.place)
                    .label("expected [channels, height, width]")
            })
        });
        let layers = reader.required("layers", out, |node| {
            Ok((node, array(node)?, strings(node)?))
        });
        reader.finish(out);
        let (input, (node, items, layers)) = (input?, layers?);
        let place = node.place.clone();
        Network::parse(input, &layers)
            .map(|value| Placed { value, place })
            .map_err(|error| {
                let place = error.layer_index().and_then(|layer| items.get(layer));
                let place = place.map_or(&node.place, |item| &item.place);
                out.push(Diagnostic::new(error.to_string(), place));
            })
            .ok()
    };
    networks
        .iter()
        .map(|(name, entry)| (name.clone(), read_one(name, &entry.node)))
        .collect()
}
