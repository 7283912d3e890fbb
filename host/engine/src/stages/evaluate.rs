//! The evaluate stage: loss and errors of a training's saved states on every split, and their
//! predictions for the test set.

use std::collections::HashMap;
use std::sync::Arc;

use assay_core::settings::{array, integer, placed, string};
use assay_core::{Diagnostic, StageKind, StageTable, settings};
use assay_data::table::ImageTable;
use assay_network::Task;
use assay_report::{
    Conditions, EvaluationRow, LOSS, MAJORITY_CLASS_ERROR, PredictionRow, ReconstructionRow, Split,
    State, write_evaluation, write_predictions, write_reconstructions,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::measure::{Wanted, measure};
use super::splits::Splits;
use super::train::{BEST, FINAL, TRAINING, TrainingDocument};
use super::{
    Context, JSON, Kind, Outputs, PARQUET, Phase, StageError, data, object, read, read_document,
    write_document,
};
use crate::containment::Profile;
use crate::plan::{PlannedStage, Planner, Work};

/// The measurements.
pub(crate) const EVALUATION: &str = "evaluation.parquet";
/// The data that they were measured on, and the device.
pub(super) const CONDITIONS: &str = "conditions.json";
/// The prediction of each state for each image of the test set; for classifications only.
pub const PREDICTIONS: &str = "predictions.parquet";
/// The first images of the test set with what each state makes of them; for reconstructions only.
pub(super) const RECONSTRUCTIONS: &str = "reconstructions.parquet";

pub(super) const KIND: Kind = Kind {
    plan: Some(plan),
    run,
    profile: Profile::Sealed,
    keeps_progress: false,
    length: None,
};

/// Parameters of an evaluation.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EvaluationParameters {
    /// Count a sample as right if its class is among the k best, for each of these k.
    top_k: Vec<u32>,
}

impl Work for EvaluationParameters {
    fn kind(&self) -> StageKind {
        StageKind::Evaluate
    }

    fn parameters(&self) -> Result<Map<String, Value>, serde_json::Error> {
        object(self)
    }
}

/// Plans an evaluation for each instance of a train stage.
fn plan(stage: &StageTable, planner: &mut Planner<'_>) {
    let out = &mut *planner.complaints;
    let mut reader = stage.reader();
    let places = Arc::new(reader.places());
    let training = reader.required("training", out, placed(string));
    let top_k = reader.optional("top_k", out, |node| {
        let ks = array(node)?.iter().map(integer(1..=1 << 20));
        let ks = ks.map(|k| k.map(|k| k as u32));
        Ok((ks.collect::<Result<Vec<_>, _>>()?, &node.place))
    });
    let limits = settings::limits(&mut reader, out);
    let resources = settings::resources(&mut reader, out);
    reader.finish(out);
    let Some(training) = training else { return };
    let trainings = planner.for_each_training(&stage.name, &training);
    let reconstructs = |at: usize| {
        let labels = planner.stage(at).labels.as_ref();
        labels.is_some_and(|labels| labels.task == Task::Reconstruction)
    };
    if let Some((_, place)) = &top_k
        && trainings.iter().any(|(_, at)| reconstructs(*at))
    {
        let message = "a reconstruction has no classes to be among the `top_k`";
        planner.complaints.push(Diagnostic::new(message, place));
    }
    let parameters = EvaluationParameters {
        top_k: top_k.map_or(vec![1], |(top_k, _)| top_k),
    };
    for (name, at) in trainings {
        let trained = planner.stage(at);
        let mut inputs = trained.inputs.clone();
        inputs.insert("training".to_owned(), at);
        let evaluation = PlannedStage {
            name,
            work: Box::new(parameters.clone()),
            inputs,
            plugin: trained.plugin.clone(),
            limits,
            resources,
            labels: trained.labels.clone(),
            places: Arc::clone(&places),
            search: None,
        };
        planner.push(evaluation);
    }
}

fn run(context: &Context) -> Result<Outputs, StageError> {
    let parameters: EvaluationParameters = context.parameters()?;
    // The error of the table is the top-1 error, so it is always measured.
    let mut top_k = parameters.top_k;
    top_k.push(1);
    top_k.sort_unstable();
    top_k.dedup();
    let training: TrainingDocument = read_document(context.input("training", TRAINING)?)?;
    let splits = Splits::open(context)?;
    let mut learner = context.learner(&training.parameters)?;
    let (mut rows, mut predictions, mut reconstructions) = (Vec::new(), Vec::new(), Vec::new());
    let states = [(State::Best, BEST), (State::Final, FINAL)];
    let (mut part, parts) = (0.0, (states.len() * splits.iter().count()) as f64);
    for (state, file) in states {
        // A training that diverged has no state after its last epoch, and perhaps none at all.
        let saved = match context.optional_input("training", file) {
            None if training.diverged_in_epoch.is_some() => continue,
            _ => read(context.input("training", file)?)?,
        };
        learner
            .restore(&saved)
            .map_err(|error| context.plugin_error(&format!("restore {file}"), error))?;
        for (split, table) in splits.iter() {
            let name = format!("{state}, {split}");
            let phase = Phase {
                name,
                begin: part / parts,
                size: 1.0 / parts,
            };
            part += 1.0;
            let network = &training.parameters.network;
            let wanted = Wanted {
                top_k: &top_k,
                predictions: split == Split::Test,
            };
            let measured = measure(context, &mut learner, network, table.into(), wanted, &phase)?;
            let mut row = |metric: String, value| {
                rows.push(EvaluationRow {
                    state,
                    split,
                    metric,
                    value,
                });
            };
            predictions.extend(measured.predictions.iter().map(|it| PredictionRow {
                state,
                label: it.label,
                predicted: it.predicted,
                confidence: it.confidence,
            }));
            for (image, output) in (0..).zip(&measured.reconstructions) {
                let shape = table.shape();
                let Some((pixels, _)) = table.row(image) else {
                    break;
                };
                reconstructions.push(ReconstructionRow {
                    state,
                    image,
                    channels: shape.channels(),
                    height: shape.height(),
                    width: shape.width(),
                    pixels: pixels.to_vec(),
                    reconstruction: table.scaling().pixels(output),
                });
            }
            row(LOSS.to_owned(), measured.loss);
            for (metric, error) in measured.errors {
                row(metric, error);
            }
            if split == Split::Train && network.task() == Task::Classification {
                row(MAJORITY_CLASS_ERROR.to_owned(), majority_class_error(table));
            }
        }
    }
    write_evaluation(&context.out.join(EVALUATION), &rows).map_err(data)?;
    let mut outputs = Outputs::default();
    outputs.add(EVALUATION, PARQUET);
    let conditions = Conditions {
        train_images: splits.train.len(),
        validation_images: splits.validation.as_ref().map(ImageTable::len),
        test_images: splits.test.len(),
        device: context.device()?.to_owned(),
    };
    write_document(&context.out.join(CONDITIONS), &conditions)?;
    outputs.add(CONDITIONS, JSON);
    match training.parameters.network.task() {
        Task::Classification => {
            write_predictions(&context.out.join(PREDICTIONS), &predictions).map_err(data)?;
            outputs.add(PREDICTIONS, PARQUET);
        }
        Task::Reconstruction => {
            let path = context.out.join(RECONSTRUCTIONS);
            write_reconstructions(&path, &reconstructions).map_err(data)?;
            outputs.add(RECONSTRUCTIONS, PARQUET);
        }
    }
    Ok(outputs)
}

/// The error, in percent, of naming the most frequent class for every sample.
fn majority_class_error(table: &ImageTable) -> f64 {
    let mut samples = HashMap::<i64, u32>::new();
    for label in (0..table.len()).filter_map(|index| Some(table.row(index)?.1)) {
        *samples.entry(label).or_default() += 1;
    }
    let most = samples.into_values().max().unwrap_or(0);
    100.0 * f64::from(table.len() - most) / f64::from(table.len().max(1))
}
