//! The evaluate stage: loss and errors of a training's saved states, on every split.

use assay_report::{EvaluationRow, LOSS, State, write_evaluation};
use serde::Deserialize;

use super::measure::measure;
use super::train::{BEST, FINAL, Splits, TRAINING};
use super::{
    Context, Outputs, PARQUET, Phase, StageError, TrainingDocument, data, read, read_document,
};

/// The measurements.
pub(super) const EVALUATION: &str = "evaluation.parquet";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parameters {
    top_k: Vec<u32>,
}

pub(super) fn run(context: &Context) -> Result<Outputs, StageError> {
    let parameters: Parameters = context.parameters()?;
    // The error of the table is the top-1 error, so it is always measured.
    let mut top_k = parameters.top_k;
    top_k.push(1);
    top_k.sort_unstable();
    top_k.dedup();
    let training: TrainingDocument = read_document(context.input("training", TRAINING)?)?;
    let splits = Splits::open(context)?;
    let mut learner = context.learner(&training.parameters)?;
    let mut rows = Vec::new();
    let states = [(State::Best, BEST), (State::Final, FINAL)];
    let (mut part, parts) = (0.0, (states.len() * splits.iter().count()) as f64);
    for (state, file) in states {
        let saved = read(context.input("training", file)?)?;
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
            let measured = measure(context, &mut learner, network, table, &top_k, &phase)?;
            let mut row = |metric: String, value| {
                rows.push(EvaluationRow {
                    state,
                    split,
                    metric,
                    value,
                });
            };
            row(LOSS.to_owned(), measured.loss);
            for (metric, error) in measured.errors {
                row(metric, error);
            }
        }
    }
    write_evaluation(&context.out.join(EVALUATION), &rows).map_err(data)?;
    let mut outputs = Outputs::default();
    outputs.add(EVALUATION, PARQUET);
    Ok(outputs)
}
