//! The pipeline file: its own settings, the networks and methods that stages refer to, and the
//! tables of its stages. What a stage's settings mean is for its kind to say.

use std::collections::HashSet;
use std::sync::Arc;

use assay_network::Network;
use indexmap::IndexMap;
use serde_json::{Map, Value as Json};

use super::diagnostic::{Complaints, Diagnostic, Place, Places, Source};
use super::limits::{read_limits, read_resources};
use super::matrix;
use super::networks::{Load, Networks, include, read_networks, start_of};
use super::outline::Outline;
use super::profile::read_profile;
use super::reader::{Reader, Settings, placed, shortened, string, strings, table};
use super::tree::{Entry, Node, Table, Value, apply_override, parse};
use crate::limits::Limits;
use crate::resources::Resources;

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

/// Hyper-parameters by name, as written: the algorithm's schema decides what they mean.
pub type Hyperparameters = IndexMap<String, Placed<Json>>;

/// A whole pipeline file.
#[derive(Clone, Debug, Default)]
pub struct PipelineFile {
    /// The texts that places point into: the file, then each override, then the file of networks
    /// that it names.
    pub sources: Vec<Source>,
    /// Which source is the file of networks.
    pub networks_file: Option<usize>,
    /// The pipeline's name.
    pub name: String,
    /// Folders to look for plugins in, relative to the file.
    pub plugin_dirs: Vec<String>,
    /// Limits on every stage, for each that it does not set itself.
    pub limits: Limits,
    /// Resources of every stage, for each that it does not set itself.
    pub resources: Resources,
    /// The stages, in the order of the file, but for those that are not even a table with a kind.
    pub stages: Vec<StageTable>,
    /// The names of those stages, whose users are not blamed too.
    broken_stages: HashSet<String>,
    /// The networks; `None` where some could not be read, so that nobody is blamed for naming them.
    networks: Option<Networks>,
    /// Methods by name; one that is wrong is `None`, so that its users are not blamed too, and likewise
    /// all of them.
    methods: Option<IndexMap<String, Option<Method>>>,
}

/// A method of the comparison: an algorithm with its hyper-parameters.
#[derive(Clone, Debug)]
pub struct Method {
    /// The algorithm.
    pub algorithm: Placed<String>,
    /// The plugin that has it, by name or path; the algorithm's name unless said otherwise.
    pub plugin: Placed<String>,
    /// The hyper-parameters on every network.
    hyperparameters: Hyperparameters,
    /// The hyper-parameters that differ on a network, by its name.
    on: IndexMap<String, Hyperparameters>,
    /// The ranges that a search draws hyper-parameters from, as written.
    pub space: Hyperparameters,
}

/// The table of one stage.
#[derive(Clone, Debug)]
pub struct StageTable {
    /// The stage's name.
    pub name: String,
    /// The name of its kind.
    pub kind: Placed<String>,
    /// Where its header stands: the best place for what the table lacks.
    header: Place,
    settings: Settings,
}

/// A stage at one point of its matrix.
#[derive(Clone, Debug)]
pub struct Instance {
    /// The stage's name, and behind it that of the point, such as `train/bp/seed=1`.
    pub name: String,
    title: String,
    header: Place,
    settings: Settings,
}

impl PipelineFile {
    /// Reads a pipeline file; `overrides` are the `--set` arguments, in order, and `load` gives
    /// the file of networks, if one is named. Whatever is wrong goes to `out`, with its place; the
    /// rest of the file is then there to be complained about too.
    pub fn parse(
        name: &str,
        text: &str,
        overrides: &[String],
        load: Load<'_>,
        out: &mut Complaints,
    ) -> Self {
        let file = Source {
            name: name.to_owned(),
            text: text.to_owned(),
        };
        let overrides = overrides.iter().map(|text| Source {
            name: "--set".to_owned(),
            text: text.clone(),
        });
        let mut sources: Vec<_> = std::iter::once(file).chain(overrides).collect();
        let mut root = parse(text, 0, out);
        if !out.is_empty() {
            return Self {
                sources,
                ..Self::default()
            };
        }
        for number in 1..sources.len() {
            apply_override(&mut root, &sources, number, out);
        }
        // Without an override the file may be wrong in ways that it would not be with it.
        if !out.is_empty() {
            return Self {
                sources,
                ..Self::default()
            };
        }
        let networks_file = include(&mut root, &mut sources, load, out);
        let has_all_networks = networks_file.is_some() || !root.contains_key("networks");
        Self {
            sources,
            networks_file,
            ..Self::read(&file_of(Value::Table(root)), has_all_networks, out)
        }
    }

    /// The JSON Schema of a pipeline file whose stages have the schema `stage`.
    pub fn schema(stage: &Json) -> Json {
        let root = Arc::new(Outline::default());
        let node = file_of(Value::Outline(Arc::clone(&root)));
        // What is wrong with an outline means nothing.
        Self::read(&node, true, &mut Complaints::default());
        let mut schema = root.schema();
        schema["properties"]["stage"]["additionalProperties"] = stage.clone();
        schema
    }

    /// Reads the tree, in which the networks of another file are, unless that could not be read.
    fn read(root: &Node, has_all_networks: bool, out: &mut Complaints) -> Self {
        let Some(mut reader) = Reader::of(root, "the pipeline file", out) else {
            return Self::default();
        };
        // Whoever includes the file has complained about what is wrong with its name.
        reader.optional("networks", &mut Complaints::default(), string);
        let name = reader.required("name", out, |node| {
            let name = string(node)?;
            check_name(&name, &node.place).map(|()| name)
        });
        let plugin_dirs = reader.optional("plugin_dirs", out, strings);
        let limits = read_limits(&mut reader, out);
        let resources = read_resources(&mut reader, out);
        let nothing = Table::new();
        let mut tables = |key| match reader.entry(key) {
            None => Some(&nothing),
            Some(entry) => table(&entry.node).map_err(|it| out.push(it)).ok(),
        };
        let (networks, methods) = (tables("network"), tables("method"));
        let stages = reader.required("stage", out, table);
        let profiles = reader.optional("profile", out, table);
        let stage_names = stages.into_iter().flatten().map(|(name, _)| name.as_str());
        reader.finish_overridden(&stage_names, out);
        for (name, entry) in profiles.into_iter().flatten() {
            read_profile(name, &entry.node, out);
        }
        let networks = networks.map(|tables| read_networks(tables, out));
        let networks = networks.filter(|_| has_all_networks);
        let methods = methods.map(|methods| {
            let methods = methods.iter().map(|(name, entry)| {
                let method = Method::read(name, &entry.node, networks.as_ref(), out);
                (name.clone(), method)
            });
            methods.collect()
        });
        let (mut read, mut broken_stages) = (Vec::new(), HashSet::new());
        for (name, entry) in stages.into_iter().flatten() {
            match StageTable::read(name, entry, out) {
                Some(stage) => read.push(stage),
                None => drop(broken_stages.insert(name.clone())),
            }
        }
        Self {
            name: name.unwrap_or_default(),
            plugin_dirs: plugin_dirs.unwrap_or_default(),
            limits,
            resources,
            stages: read,
            broken_stages,
            networks,
            methods,
            ..Self::default()
        }
    }

    /// Whether the stage is in the file, but not even a table with a kind.
    pub fn is_broken(&self, stage: &str) -> bool {
        self.broken_stages.contains(stage)
    }

    /// The network of that name, which stands where its layers do.
    pub fn network(&self, name: &Placed<String>, out: &mut Complaints) -> Option<Placed<Network>> {
        look_up("network", name, self.networks.as_ref(), out)
    }

    /// The method of that name.
    pub fn method(&self, name: &Placed<String>, out: &mut Complaints) -> Option<Method> {
        look_up("method", name, self.methods.as_ref(), out)
    }
}

impl Method {
    /// The method that an algorithm is by itself.
    pub fn of_algorithm(algorithm: Placed<String>) -> Self {
        Self {
            plugin: algorithm.clone(),
            algorithm,
            hyperparameters: Hyperparameters::new(),
            on: IndexMap::new(),
            space: Hyperparameters::new(),
        }
    }

    /// The hyper-parameters on a network.
    pub fn hyperparameters(mut self, network: &str) -> Hyperparameters {
        self.hyperparameters
            .extend(self.on.shift_remove(network).unwrap_or_default());
        self.hyperparameters
    }

    fn read(
        name: &str,
        node: &Node,
        networks: Option<&Networks>,
        out: &mut Complaints,
    ) -> Option<Self> {
        let mut reader = Reader::of(node, format!("[method.{name}]"), out)?;
        let algorithm = reader.required("algorithm", out, placed(string));
        let plugin = reader.optional("plugin", out, placed(string));
        let hyperparameters = reader.optional("hyperparameters", out, hyperparameters);
        let space = reader.optional("space", out, self::hyperparameters);
        let tables = reader.optional("on", out, table).into_iter().flatten();
        reader.finish(out);
        let mut on = IndexMap::new();
        for (network, entry) in tables {
            if let Some(networks) = networks.filter(|known| !known.contains_key(network)) {
                let message = format!("there is no network `{}`", shortened(network));
                let known = networks.keys().map(String::as_str);
                out.push(Diagnostic::new(message, &entry.key).help(out.choices(network, known)));
            }
            match self::hyperparameters(&entry.node) {
                Ok(values) => drop(on.insert(network.clone(), values)),
                Err(complaint) => out.push(complaint),
            }
        }
        let algorithm = algorithm?;
        Some(Self {
            plugin: plugin.unwrap_or_else(|| algorithm.clone()),
            algorithm,
            hyperparameters: hyperparameters.unwrap_or_default(),
            on,
            space: space.unwrap_or_default(),
        })
    }
}

impl StageTable {
    fn read(name: &str, entry: &Entry, out: &mut Complaints) -> Option<Self> {
        if let Err(complaint) = check_name(name, &entry.key) {
            out.push(complaint);
        }
        let title = title(name);
        let mut reader = Reader::of(&entry.node, title, out)?;
        reader.place = entry.key.clone();
        let kind = reader.required("kind", out, placed(string))?;
        Some(Self {
            name: name.to_owned(),
            kind,
            header: entry.key.clone(),
            settings: Settings::Table(table(&entry.node).ok()?.clone()),
        })
    }

    /// A stage of a kind that takes down what is read of it, but for the settings that are given.
    pub fn outline(kind: &'static str, given: &[(&'static str, &'static str)]) -> Self {
        let outline = Outline::default();
        for (key, word) in [("kind", kind)].iter().chain(given) {
            outline.give(key, Value::String((*word).to_owned()));
        }
        Self {
            name: kind.to_owned(),
            kind: Placed {
                value: kind.to_owned(),
                place: start_of(0),
            },
            header: start_of(0),
            settings: Settings::Outline(Arc::new(outline)),
        }
    }

    /// The JSON Schema of what was read of an [outline](Self::outline); of a stage of a file there is
    /// none.
    pub fn schema(&self) -> Option<Json> {
        match &self.settings {
            Settings::Table(_) => None,
            Settings::Outline(outline) => Some(matrix::or_axis(outline.schema())),
        }
    }

    /// The reader of its settings, after `kind`.
    pub fn reader(&self) -> Reader<'_> {
        after_kind(self.settings.reader(&self.header, title(&self.name)))
    }

    /// The stage at each point of its `matrix`: every combination of the axes' values, each put in
    /// place of the setting that the axis names. Without a matrix it is one.
    pub fn instances(&self, out: &mut Complaints) -> impl Iterator<Item = Instance> + use<> {
        let (stage, header) = (self.name.clone(), self.header.clone());
        let points = matrix::expand(&self.settings, out).into_iter();
        points.map(move |(point, settings)| Instance {
            name: if point.is_empty() {
                stage.clone()
            } else {
                format!("{stage}/{point}")
            },
            title: title(&stage),
            header: header.clone(),
            settings,
        })
    }
}

impl Instance {
    /// The reader of its settings, after `kind`.
    pub fn reader(&self) -> Reader<'_> {
        after_kind(self.settings.reader(&self.header, self.title.clone()))
    }
}

/// The tree of a whole file.
fn file_of(value: Value) -> Node {
    let place = start_of(0);
    Node { place, value }
}

fn title(stage: &str) -> String {
    format!("[stage.{stage}]")
}

fn after_kind(mut reader: Reader<'_>) -> Reader<'_> {
    reader.entry("kind");
    reader
}

/// Pipelines and stages name folders, and stages are picked by name on a command line.
fn check_name(name: &str, place: &Place) -> Result<(), Diagnostic> {
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

/// Hyper-parameters, as written.
///
/// # Errors
/// It is no table.
pub fn hyperparameters(node: &Node) -> Result<Hyperparameters, Diagnostic> {
    let written = |entry: &Entry| Placed {
        value: entry.node.value.to_json(),
        place: entry.node.place.clone(),
    };
    Ok(table(node)?
        .iter()
        .map(|(name, entry)| (name.clone(), written(entry)))
        .collect())
}

/// Hyper-parameters as JSON, and where each stands as a setting of its stage.
pub fn json_and_places(hyperparameters: Hyperparameters) -> (Map<String, Json>, Places) {
    let settings = hyperparameters.into_iter();
    settings
        .map(|(name, Placed { value, place })| {
            let path = format!("hyperparameters.{name}");
            ((name, value), (path, place))
        })
        .unzip()
}

fn look_up<T: Clone>(
    what: &str,
    name: &Placed<String>,
    known: Option<&IndexMap<String, Option<T>>>,
    out: &mut Complaints,
) -> Option<T> {
    let known = known?;
    known.get(&name.value).cloned().unwrap_or_else(|| {
        let message = format!("there is no {what} `{}`", shortened(&name.value));
        out.push(
            Diagnostic::new(message, &name.place)
                .label(format!("expected the name of a [{what}.NAME] table"))
                .help(out.choices(&name.value, known.keys().map(String::as_str))),
        );
        None
    })
}
