//! Writes a report from trainings and their evaluations.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use assay_report::{
    Report, ReportEntry, Search, SearchTrial, Sources, read_evaluation, read_metrics,
    read_predictions, read_reconstructions,
};

use super::{REPORT_METRICS, REPORT_TABLE, ReportParameters};
use crate::stages::evaluate::{CONDITIONS, EVALUATION, PREDICTIONS, RECONSTRUCTIONS};
use crate::stages::search::{RANKING, Ranking, Trial};
use crate::stages::train::{METRICS, TRAINING, TrainingDocument};
use crate::stages::{Context, Outputs, PARQUET, StageError, data, read_document};

/// The files of every report's artifact, with their media types.
const FILES: [(&str, &str); 6] = [
    (REPORT_TABLE, PARQUET),
    (REPORT_METRICS, PARQUET),
    ("table.csv", "text/csv"),
    ("table.md", "text/markdown"),
    ("table.tex", "application/x-tex"),
    ("report.html", "text/html"),
];

pub(super) fn run(context: &Context) -> Result<Outputs, StageError> {
    let parameters: ReportParameters = context.parameters()?;
    let mut searches = HashMap::new();
    let entries = parameters.entries.into_iter().map(|entry| {
        let training: TrainingDocument = read_document(context.input(&entry.training, TRAINING)?)?;
        let settings = training.parameters;
        let predictions = context.optional_input(&entry.evaluation, PREDICTIONS);
        let predictions = predictions
            .map(read_predictions)
            .transpose()
            .map_err(data)?;
        let mut wrong = BTreeMap::<_, Vec<_>>::new();
        for row in predictions.into_iter().flatten() {
            let wrong = wrong.entry(row.state).or_default();
            wrong.push(row.predicted != row.label);
        }
        let reconstructions = context.optional_input(&entry.evaluation, RECONSTRUCTIONS);
        let reconstructions = reconstructions
            .map(read_reconstructions)
            .transpose()
            .map_err(data)?;
        Ok(ReportEntry {
            wrong,
            reconstructions: reconstructions.unwrap_or_default(),
            sources: Sources {
                training: context.input_artifact(&entry.training)?.to_string(),
                evaluation: context.input_artifact(&entry.evaluation)?.to_string(),
            },
            method: entry.method,
            algorithm: settings.algorithm,
            network: entry.network,
            dataset: entry.dataset,
            task: settings.network.task(),
            seed: settings.seed,
            epochs: settings.epochs,
            batch_size: settings.batch_size,
            conditions: read_document(context.input(&entry.evaluation, CONDITIONS)?)?,
            hyperparameters: settings.hyperparameters,
            search: match entry.ranking {
                None => None,
                Some(role) => Some(search(context, role, &mut searches)?),
            },
            figures: entry.figures,
            diverged_in_epoch: training.diverged_in_epoch,
            metrics: read_metrics(context.input(&entry.training, METRICS)?).map_err(data)?,
            evaluation: read_evaluation(context.input(&entry.evaluation, EVALUATION)?)
                .map_err(data)?,
        })
    });
    let entries = entries.collect::<Result<Vec<_>, StageError>>()?;
    let mut report = Report::build(parameters.title, entries).map_err(data)?;
    if let Some(citation) = parameters.reference {
        report = report.beside(citation);
    }
    let mut outputs = Outputs::default();
    report.write(&context.out, None).map_err(data)?;
    for (name, media_type) in FILES {
        outputs.add(name, media_type);
    }
    if report.has_searches() {
        outputs.add("trials.parquet", PARQUET);
        outputs.add("tuning.parquet", PARQUET);
    }
    Ok(outputs)
}

/// The search in the input `role`, which is read once.
fn search(
    context: &Context,
    role: String,
    known: &mut HashMap<String, Arc<Search>>,
) -> Result<Arc<Search>, StageError> {
    if let Some(search) = known.get(&role) {
        return Ok(Arc::clone(search));
    }
    let ranking: Ranking = read_document(context.input(&role, RANKING)?)?;
    let trials = ranking.trials.into_iter().chain(ranking.left_behind);
    let search = Arc::new(Search {
        chosen_on: ranking.chosen_on.parse().map_err(data)?,
        trials: trials.map(search_trial).collect(),
    });
    known.insert(role, Arc::clone(&search));
    Ok(search)
}

fn search_trial(trial: Trial) -> SearchTrial {
    SearchTrial {
        number: trial.number,
        epochs: trial.training.epochs,
        hyperparameters: trial.training.hyperparameters,
        epoch: trial.epoch,
        validation_error: trial.validation_error,
        test_error: trial.test_error,
        diverged_in_epoch: trial.diverged_in_epoch,
    }
}
