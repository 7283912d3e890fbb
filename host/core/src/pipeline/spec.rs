//! The typed pipeline file: names resolved, ranges checked, defaults filled in, matrices expanded.
//!
//! What only a plugin knows (its hyper-parameters) and what only the data crate knows (its
//! sources) is kept with its place, to be checked by whoever knows.

use assay_network::Network;
use indexmap::IndexMap;
use serde_json::{Map, Value as Json};

use super::diagnostic::{Diagnostic, PipelineError, Place, Source};
use super::matrix;
use super::reader::{Complaints, Reader, array, choices, integer, string, strings, table};
use super::tree::{Node, Table, apply_override, parse};

/// The largest integer that RFC 8785 JSON holds exactly.
const LARGEST_SEED: i64 = 1 << 53;

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
#[derive(Clone, Debug)]
pub struct Spec {
    /// The texts that places point into: the file, then each override.
    pub sources: Vec<Source>,
    /// The pipeline's name.
    pub name: String,
    /// Folders to look for plugins in, relative to the file.
    pub plugin_dirs: Vec<String>,
    /// The stages, in the order of the file.
    pub stages: Vec<Stage>,
}

/// A method of the comparison: an algorithm with its hyper-parameters.
#[derive(Clone, Debug)]
struct Method {
    /// The algorithm.
    pub algorithm: Placed<String>,
    /// The plugin that has it, by name or path; the algorithm's name unless said otherwise.
    pub plugin: Placed<String>,
    /// The hyper-parameters on every network.
    hyperparameters: Hyperparameters,
    /// What differs on one network.
    on: IndexMap<String, Hyperparameters>,
}

/// One stage.
#[derive(Clone, Debug)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// Its table in the file.
    pub place: Place,
    /// What it does.
    pub work: StageWork,
}

/// What a stage does.
#[derive(Clone, Debug)]
pub enum StageWork {
    /// Obtains, checks and splits a dataset.
    Dataset(DatasetStage),
    /// Trains: one instance for each point of its matrix.
    Train(Vec<TrainStage>),
    /// Measures every instance of a train stage.
    Evaluate(EvaluateStage),
    /// Gathers evaluations into a table.
    Report(ReportStage),
}

/// The settings of a dataset stage.
#[derive(Clone, Debug)]
pub struct DatasetStage {
    /// The name of a known dataset, or of a format.
    pub source: Placed<String>,
    /// Where the files of a format are, relative to the pipeline file.
    pub path: Option<Placed<String>>,
    /// The number of classes, for a format that does not say.
    pub classes: Option<u16>,
    /// Samples held out of the training set, if the file says.
    pub validation: Option<u32>,
    /// Decides which samples are held out.
    pub split_seed: u64,
    /// At most so many training samples.
    pub limit_train: Option<u32>,
    /// At most so many test samples.
    pub limit_test: Option<u32>,
}

/// The settings of one training.
#[derive(Clone, Debug)]
pub struct TrainStage {
    /// The point of the matrix, such as `bp/seed=1`; empty without a matrix.
    pub instance: String,
    /// The dataset stage.
    pub dataset: Placed<String>,
    /// The network's name and shape.
    pub network: (String, Network),
    /// The method's name.
    pub method: String,
    /// The algorithm.
    pub algorithm: Placed<String>,
    /// The plugin that has it.
    pub plugin: Placed<String>,
    /// The hyper-parameters: the method's, then the network's, then the stage's.
    pub hyperparameters: Hyperparameters,
    /// Decides weights, batch order and noise.
    pub seed: u64,
    /// Passes over the training set.
    pub epochs: u32,
    /// Samples in a batch; the last one may be smaller.
    pub batch_size: u32,
}

/// The settings of an evaluate stage.
#[derive(Clone, Debug)]
pub struct EvaluateStage {
    /// The train stage.
    pub training: Placed<String>,
    /// Count a sample as right if its class is among the k best, for each of these k.
    pub top_k: Vec<u32>,
}

/// The settings of a report stage.
#[derive(Clone, Debug)]
pub struct ReportStage {
    /// The evaluate stages, in the order of the table.
    pub evaluations: Vec<Placed<String>>,
    /// The report's title.
    pub title: String,
}

impl Spec {
    /// Reads a pipeline file; `overrides` are the `--set` arguments, in order.
    ///
    /// # Errors
    /// Every complaint about the file, each with its place.
    pub fn parse(name: &str, text: &str, overrides: &[String]) -> Result<Self, PipelineError> {
        let file = Source {
            name: name.to_owned(),
            text: text.to_owned(),
        };
        let sources: Vec<_> = std::iter::once(file)
            .chain(overrides.iter().map(|text| Source {
                name: "--set".to_owned(),
                text: text.clone(),
            }))
            .collect();
        let mut complaints = Complaints::new();
        let mut root = parse(text, 0, &mut complaints);
        let mut spec = None;
        if complaints.is_empty() {
            for number in 1..sources.len() {
                apply_override(&mut root, &sources, number, &mut complaints);
            }
            spec = Some(read_spec(&root, sources.clone(), &mut complaints));
        }
        match spec {
            Some(spec) if complaints.is_empty() => Ok(spec),
            _ => {
                // Every point of a matrix repeats what is wrong with the stage as a whole.
                let mut diagnostics = Complaints::new();
                for complaint in complaints {
                    if !diagnostics.contains(&complaint) {
                        diagnostics.push(complaint);
                    }
                }
                Err(PipelineError {
                    sources,
                    diagnostics,
                })
            }
        }
    }
}

fn read_spec(root: &Table, sources: Vec<Source>, out: &mut Complaints) -> Spec {
    let start = Place {
        source: 0,
        bytes: 0..0,
    };
    let mut reader = Reader::new(root, &start, "the pipeline file");
    let name = reader.required("name", out, |node| {
        let name = string(node)?;
        check_name(&name, &node.place).map(|()| name)
    });
    let plugin_dirs = reader
        .optional("plugin_dirs", out, strings)
        .unwrap_or_default();
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
        name: name.unwrap_or_default(),
        plugin_dirs,
        stages,
    }
}

/// What stages may refer to, beside each other. A definition that is itself wrong is `None`, so
/// that its users are not blamed too.
struct Names {
    networks: IndexMap<String, Option<Network>>,
    methods: IndexMap<String, Option<Method>>,
}

fn read_networks(networks: &Table, out: &mut Complaints) -> IndexMap<String, Option<Network>> {
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
        let layers = reader.required("layers", out, |node| Ok((node, strings(node)?)));
        reader.finish(out);
        let (input, (node, layers)) = (input?, layers?);
        Network::parse(input, &layers)
            .map_err(|error| {
                let items = array(node).unwrap_or_default();
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

fn read_methods(
    methods: &Table,
    networks: &IndexMap<String, Option<Network>>,
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
                out.push(
                    Diagnostic::new(format!("there is no network `{network}`"), &entry.key)
                        .help(choices(network, networks.keys().map(String::as_str))),
                );
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

fn read_stage(
    name: &str,
    key: &Place,
    node: &Node,
    names: &Names,
    out: &mut Complaints,
) -> Option<Stage> {
    if let Err(complaint) = check_name(name, key) {
        out.push(complaint);
    }
    let title = format!("[stage.{name}]");
    let mut reader = Reader::of(node, title.clone(), out)?;
    // The span of a table's header is the best place for what the table lacks.
    reader.place = key.clone();
    let kind = reader.required("kind", out, placed_string)?;
    let work = match kind.value.as_str() {
        "dataset" => StageWork::Dataset(read_dataset(reader, out)?),
        "train" => {
            let points = matrix::expand(table(node).ok()?, out);
            let trainings = points.into_iter().filter_map(|(instance, table)| {
                let mut reader = Reader::new(&table, key, title.clone());
                reader.entry("kind");
                read_training(reader, instance, names, out)
            });
            StageWork::Train(trainings.collect())
        }
        "evaluate" => StageWork::Evaluate(read_evaluate(reader, out)?),
        "report" => StageWork::Report(read_report(reader, name, out)?),
        other => {
            let kinds = ["dataset", "train", "evaluate", "report"];
            out.push(
                Diagnostic::new(format!("there is no stage kind `{other}`"), &kind.place)
                    .help(choices(other, kinds.into_iter())),
            );
            return None;
        }
    };
    Some(Stage {
        name: name.to_owned(),
        place: key.clone(),
        work,
    })
}

fn read_dataset(mut reader: Reader<'_>, out: &mut Complaints) -> Option<DatasetStage> {
    let count = || integer(0..=i64::from(u32::MAX));
    let source = reader.required("source", out, placed_string);
    let path = reader.optional("path", out, placed_string);
    let validation = reader.optional("validation", out, count());
    let classes = reader.optional("classes", out, integer(1..=256));
    let split_seed = reader
        .optional("split_seed", out, integer(0..=LARGEST_SEED))
        .unwrap_or(0);
    let limit = reader.optional("limit", out, Ok);
    reader.finish(out);
    let (mut limit_train, mut limit_test) = (None, None);
    if let Some(mut limit) = limit.and_then(|node| Reader::of(node, "`limit`", out)) {
        limit_train = limit.optional("train", out, integer(1..=i64::from(u32::MAX)));
        limit_test = limit.optional("test", out, integer(1..=i64::from(u32::MAX)));
        limit.finish(out);
    }
    Some(DatasetStage {
        source: source?,
        path,
        classes: classes.map(|classes| classes as u16),
        validation: validation.map(|count| count as u32),
        split_seed: split_seed as u64,
        limit_train: limit_train.map(|count| count as u32),
        limit_test: limit_test.map(|count| count as u32),
    })
}

fn read_training(
    mut reader: Reader<'_>,
    instance: String,
    names: &Names,
    out: &mut Complaints,
) -> Option<TrainStage> {
    let place = reader.place.clone();
    let dataset = reader.required("dataset", out, placed_string);
    let network = reader.required("network", out, placed_string);
    let method = reader.optional("method", out, placed_string);
    let algorithm = reader.optional("algorithm", out, placed_string);
    let own = reader
        .optional("hyperparameters", out, hyperparameters)
        .unwrap_or_default();
    let seed = reader
        .optional("seed", out, integer(0..=LARGEST_SEED))
        .unwrap_or(1);
    let epochs = reader.required("epochs", out, integer(1..=1_000_000));
    let batch_size = reader
        .optional("batch_size", out, integer(1..=1 << 20))
        .unwrap_or(128);
    reader.finish(out);

    let network = network.and_then(|name| {
        let found = look_up("network", &name, &names.networks, out)?;
        Some((name.value, found))
    });
    let (name, method) = match (method, algorithm) {
        (Some(method), None) => (
            method.value.clone(),
            look_up("method", &method, &names.methods, out),
        ),
        (None, Some(algorithm)) => {
            let method = Method {
                plugin: algorithm.clone(),
                algorithm: algorithm.clone(),
                hyperparameters: Hyperparameters::new(),
                on: IndexMap::new(),
            };
            (algorithm.value, Some(method))
        }
        (method, _) => {
            let place = method.map_or(place, |method| method.place);
            out.push(
                Diagnostic::new("a training has either a `method` or an `algorithm`", &place).help(
                    "a method is an algorithm with its hyper-parameters: [method.NAME]".to_owned(),
                ),
            );
            return None;
        }
    };
    let (network, method) = (network?, method?);
    let mut hyperparameters = method.hyperparameters;
    hyperparameters.extend(method.on.get(&network.0).cloned().unwrap_or_default());
    hyperparameters.extend(own);
    Some(TrainStage {
        instance,
        dataset: dataset?,
        network,
        method: name,
        algorithm: method.algorithm,
        plugin: method.plugin,
        hyperparameters,
        seed: seed as u64,
        epochs: epochs? as u32,
        batch_size: batch_size as u32,
    })
}

fn read_evaluate(mut reader: Reader<'_>, out: &mut Complaints) -> Option<EvaluateStage> {
    let training = reader.required("training", out, placed_string);
    let top_k = reader.optional("top_k", out, |node| {
        array(node)?
            .iter()
            .map(|k| integer(1..=1 << 20)(k))
            .collect::<Result<Vec<_>, _>>()
    });
    reader.finish(out);
    let top_k = top_k.map_or_else(|| vec![1], |ks| ks.into_iter().map(|k| k as u32).collect());
    Some(EvaluateStage {
        training: training?,
        top_k,
    })
}

fn read_report(mut reader: Reader<'_>, name: &str, out: &mut Complaints) -> Option<ReportStage> {
    let evaluations = reader.required("evaluations", out, |node| {
        let names = array(node)?
            .iter()
            .map(placed_string)
            .collect::<Result<Vec<_>, _>>()?;
        if names.is_empty() {
            return Err(Diagnostic::new(
                "a report gathers at least one evaluation",
                &node.place,
            ));
        }
        Ok(names)
    });
    let title = reader
        .optional("title", out, string)
        .unwrap_or_else(|| name.to_owned());
    reader.finish(out);
    Some(ReportStage {
        evaluations: evaluations?,
        title,
    })
}

/// Every stage that another names exists and is of the kind that is needed there.
fn check_references(stages: &[Stage], out: &mut Complaints) {
    for stage in stages {
        let (wanted, references): (_, Vec<_>) = match &stage.work {
            StageWork::Dataset(_) => continue,
            StageWork::Train(trainings) => (
                "dataset",
                trainings.iter().map(|training| &training.dataset).collect(),
            ),
            StageWork::Evaluate(evaluate) => ("train", vec![&evaluate.training]),
            StageWork::Report(report) => ("evaluate", report.evaluations.iter().collect()),
        };
        for reference in references {
            let of_kind = stages.iter().filter(|stage| stage.work.kind() == wanted);
            let names = of_kind.map(|stage| stage.name.as_str());
            if !names.clone().any(|name| name == reference.value) {
                out.push(
                    Diagnostic::new(
                        format!("there is no {wanted} stage `{}`", reference.value),
                        &reference.place,
                    )
                    .help(choices(&reference.value, names)),
                );
            }
        }
    }
}

impl StageWork {
    /// The kind as a pipeline file spells it.
    fn kind(&self) -> &'static str {
        match self {
            Self::Dataset(_) => "dataset",
            Self::Train(_) => "train",
            Self::Evaluate(_) => "evaluate",
            Self::Report(_) => "report",
        }
    }
}

fn look_up<T: Clone>(
    what: &str,
    name: &Placed<String>,
    known: &IndexMap<String, Option<T>>,
    out: &mut Complaints,
) -> Option<T> {
    known.get(&name.value).cloned().unwrap_or_else(|| {
        out.push(
            Diagnostic::new(format!("there is no {what} `{}`", name.value), &name.place)
                .label(format!("expected the name of a [{what}.NAME] table"))
                .help(choices(&name.value, known.keys().map(String::as_str))),
        );
        None
    })
}

/// Pipelines and stages name folders, and stages are picked by name on a command line.
fn check_name(name: &str, place: &Place) -> Result<(), Diagnostic> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.starts_with(|first: char| first.is_ascii_alphanumeric()) && name.bytes().all(plain) {
        return Ok(());
    }
    Err(
        Diagnostic::new(format!("`{name}` cannot be a name here"), place)
            .label("expected letters, digits, `-`, `_` and `.`"),
    )
}

fn placed_string(node: &Node) -> Result<Placed<String>, Diagnostic> {
    Ok(Placed {
        value: string(node)?,
        place: node.place.clone(),
    })
}

fn hyperparameters(node: &Node) -> Result<Hyperparameters, Diagnostic> {
    let placed = |entry: &super::tree::Entry| Placed {
        value: entry.node.value.to_json(),
        place: entry.node.place.clone(),
    };
    Ok(table(node)?
        .iter()
        .map(|(name, entry)| (name.clone(), placed(entry)))
        .collect())
}

impl TrainStage {
    /// The hyper-parameters as a JSON object.
    pub fn hyperparameters_json(&self) -> Map<String, Json> {
        let values = self.hyperparameters.iter();
        values
            .map(|(name, placed)| (name.clone(), placed.value.clone()))
            .collect()
    }
}
