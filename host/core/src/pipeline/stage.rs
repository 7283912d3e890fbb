//! Reads the stages of a pipeline file.

use std::collections::HashSet;

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::diagnostic::{Complaints, Diagnostic, Place};
use super::limits::read_limits;
use super::matrix;
use super::read::{Method, Names, check_name, hyperparameters, placed_string};
use super::reader::{Reader, array, integer, one_of, shortened, string, strings, table};
use super::spec::{
    AugmentationSettings, DatasetStage, EvaluateStage, Hyperparameters, Placed, ReportStage, Stage,
    StageWork, TrainStage,
};
use super::tree::{Node, Value};

/// The largest integer that RFC 8785 JSON holds exactly.
const LARGEST_SEED: i64 = 1 << 53;

pub(super) fn read_stage(
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
        "dataset" => StageWork::Dataset(Box::new(read_dataset(reader, out)?)),
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
                Diagnostic::new(
                    format!("there is no stage kind `{}`", shortened(other)),
                    &kind.place,
                )
                .help(out.choices(other, kinds.into_iter())),
            );
            return None;
        }
    };
    Some(Stage {
        name: name.to_owned(),
        work,
    })
}

/// Labels are stored in at most 16 bits.
const MOST_CLASSES: i64 = (1 << 16) - 1;

/// Wider and higher than any image that a network is trained on.
const LARGEST_SIDE: i64 = 4096;

fn read_dataset(mut reader: Reader<'_>, out: &mut Complaints) -> Option<DatasetStage> {
    let count = || integer(0..=i64::from(u32::MAX));
    let places = reader.places();
    let source = reader.required("source", out, string);
    let path = reader.optional("path", out, string);
    let validation = reader.optional("validation", out, count());
    let classes = reader.optional("classes", out, integer(1..=MOST_CLASSES));
    let class_names = reader.optional("class_names", out, read_class_names);
    let split_seed = reader
        .optional("split_seed", out, integer(0..=LARGEST_SEED))
        .unwrap_or(0);
    let scaling = reader.optional("scaling", out, string);
    let limit = reader.optional("limit", out, Ok);
    let images = read_image_settings(&mut reader, out);
    let limits = read_limits(&mut reader, out);
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
        class_names,
        validation: validation.map(|count| count as u32),
        split_seed: split_seed as u64,
        scaling,
        limit_train: limit_train.map(|count| count as u32),
        limit_test: limit_test.map(|count| count as u32),
        images,
        places,
        limits,
    })
}

/// The settings of datasets that are made of image files.
fn read_image_settings(
    reader: &mut Reader<'_>,
    out: &mut Complaints,
) -> IndexMap<&'static str, Json> {
    let texts = ["geometry", "on_bad_image", "image_column", "label_column"];
    let mut settings: Vec<_> = texts
        .map(|key| (key, reader.optional(key, out, as_json(string))))
        .into();
    settings.push(("train", reader.optional("train", out, as_json(strings))));
    for (key, most) in [("size", LARGEST_SIDE), ("channels", 3)] {
        let value = reader.optional(key, out, as_json(integer(1..=most)));
        settings.push((key, value));
    }
    // Either files, or a number of images to draw from the training set.
    let test = reader.optional("test", out, |node| match node.value {
        Value::Array(_) => as_json(strings)(node),
        _ => as_json(integer(1..=i64::from(u32::MAX)))(node),
    });
    settings.push(("test", test));
    let given = settings.into_iter();
    given
        .filter_map(|(key, value)| Some((key, value?)))
        .collect()
}

/// The JSON of what `read` accepts.
fn as_json<T>(
    read: impl FnOnce(&Node) -> Result<T, Diagnostic>,
) -> impl FnOnce(&Node) -> Result<Json, Diagnostic> {
    move |node| read(node).map(|_| node.value.to_json())
}

/// Names by label: no two alike, since a table tells classes apart by them.
fn read_class_names(node: &Node) -> Result<Vec<String>, Diagnostic> {
    let names = strings(node)?;
    let mut known = HashSet::new();
    for (name, item) in names.iter().zip(array(node)?) {
        let problem = if name.trim().is_empty() {
            "a class needs a name".to_owned()
        } else if !known.insert(name) {
            format!("two classes have the name `{name}`")
        } else {
            continue;
        };
        return Err(Diagnostic::new(problem, &item.place));
    }
    Ok(names)
}

fn read_training(
    mut reader: Reader<'_>,
    instance: String,
    names: &Names,
    out: &mut Complaints,
) -> Option<TrainStage> {
    let place = reader.place.clone();
    let mut places = reader.places();
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
    let augmentation = reader.optional("augmentation", out, Ok);
    let limits = read_limits(&mut reader, out);
    reader.finish(out);
    let augmentation = augmentation.and_then(|node| read_augmentation(node, out));

    let network = network.and_then(|name| {
        let found = look_up("network", &name, &names.networks, out)?;
        Some((name, found))
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
    hyperparameters.extend(method.on.get(&network.0.value).cloned().unwrap_or_default());
    hyperparameters.extend(own);
    let given = hyperparameters.iter();
    places.extend(given.map(|(name, it)| (format!("hyperparameters.{name}"), it.place.clone())));
    places.insert("network.input".to_owned(), network.1.place.clone());
    places.insert("network.layers".to_owned(), network.1.place.clone());
    places.insert("algorithm".to_owned(), method.algorithm.place.clone());
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
        augmentation: augmentation.unwrap_or_default(),
        places,
        limits,
    })
}

/// More padding than any image has pixels on a side.
const MOST_PADDING: i64 = 1 << 16;

fn read_augmentation(node: &Node, out: &mut Complaints) -> Option<AugmentationSettings> {
    let mut reader = Reader::of(node, "`augmentation`", out)?;
    let crop_padding = reader.optional("crop_padding", out, integer(0..=MOST_PADDING));
    let flip = reader.optional("flip", out, one_of(&["horizontal", "vertical"]));
    reader.finish(out);
    Some(AugmentationSettings {
        crop_padding: crop_padding.unwrap_or(0) as u32,
        flip,
    })
}

fn read_evaluate(mut reader: Reader<'_>, out: &mut Complaints) -> Option<EvaluateStage> {
    let places = reader.places();
    let training = reader.required("training", out, placed_string);
    let top_k = reader.optional("top_k", out, |node| {
        let ks = array(node)?.iter().map(|k| integer(1..=1 << 20)(k));
        let ks = ks.map(|k| k.map(|k| k as u32));
        Ok(Placed {
            value: ks.collect::<Result<Vec<_>, _>>()?,
            place: node.place.clone(),
        })
    });
    let limits = read_limits(&mut reader, out);
    reader.finish(out);
    Some(EvaluateStage {
        training: training?,
        top_k,
        places,
        limits,
    })
}

fn read_report(mut reader: Reader<'_>, name: &str, out: &mut Complaints) -> Option<ReportStage> {
    let places = reader.places();
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
    let reference = reader.optional("reference", out, string);
    let limits = read_limits(&mut reader, out);
    reader.finish(out);
    Some(ReportStage {
        evaluations: evaluations?,
        title,
        reference,
        places,
        limits,
    })
}

/// The name of an instance of a stage.
pub(crate) fn instance_name(stage: &str, instance: &str) -> String {
    if instance.is_empty() {
        stage.to_owned()
    } else {
        format!("{stage}/{instance}")
    }
}

/// The names that select a stage: its own, and those of what it is a part of.
pub(crate) fn selectors(stage: &str) -> impl Iterator<Item = &str> {
    let parts = stage.match_indices('/').map(|(at, _)| &stage[..at]);
    parts.chain(std::iter::once(stage))
}

/// Whether `name` is one of the [`selectors`] of the stage.
pub(crate) fn is_below(stage: &str, name: &str) -> bool {
    stage
        .strip_prefix(name)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn look_up<T: Clone>(
    what: &str,
    name: &Placed<String>,
    known: &IndexMap<String, Option<T>>,
    out: &mut Complaints,
) -> Option<T> {
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
