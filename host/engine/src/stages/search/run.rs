//! Ranks the trainings of one round of a search.

use std::collections::HashSet;

use assay_report::{ErrorMeasure, MetricRow, Split, read_metrics};

use super::{RANKING, Ranking, SearchParameters, Trial};
use crate::stages::search::plan::{EARLIER, TRIAL};
use crate::stages::train::{METRICS, TRAINING, TrainingDocument};
use crate::stages::{Context, JSON, Outputs, StageError, data, read_document, write_document};

pub(super) fn run(context: &Context) -> Result<Outputs, StageError> {
    let parameters: SearchParameters = context.parameters()?;
    let split: Split = parameters.chosen_on.parse().map_err(data)?;
    let earlier: Option<Ranking> = context
        .optional_input(EARLIER, RANKING)
        .map(read_document)
        .transpose()?;
    let roles = context.inputs.keys();
    let places = roles.filter_map(|role| role.strip_prefix(TRIAL)?.parse::<usize>().ok());
    let mut trials = Vec::new();
    for place in places {
        context.check_cancelled()?;
        // In a later round the inputs are numbered by their places in the round before.
        let number = match &earlier {
            None => place as u32,
            Some(earlier) => {
                let trial = earlier.trials.get(place);
                let missing = || StageError::Incomplete(format!("trial in place {place}"));
                trial.ok_or_else(missing)?.number
            }
        };
        trials.push(read_trial(context, place, number, split)?);
    }
    rank(&mut trials, split);
    let left_behind = earlier.map_or(Vec::new(), |earlier| {
        let Ranking {
            trials: before,
            left_behind,
            ..
        } = earlier;
        let going_on: HashSet<_> = trials.iter().map(|trial| trial.number).collect();
        let left = before.into_iter();
        let left = left.filter(|trial| !going_on.contains(&trial.number));
        left.chain(left_behind).collect()
    });
    let ranking = Ranking {
        chosen_on: parameters.chosen_on,
        trials,
        left_behind,
    };
    write_document(&context.out.join(RANKING), &ranking)?;
    let mut outputs = Outputs::default();
    outputs.add(RANKING, JSON);
    Ok(outputs)
}

/// Best first; what has no error comes last, and equal trials are in the order of their numbers.
fn rank(trials: &mut [Trial], split: Split) {
    trials.sort_by(|a, b| {
        let [error, other] = [a, b].map(|it| it.error(split).unwrap_or(f64::INFINITY));
        error.total_cmp(&other).then(a.number.cmp(&b.number))
    });
}

fn read_trial(
    context: &Context,
    place: usize,
    number: u32,
    split: Split,
) -> Result<Trial, StageError> {
    let role = super::plan::role(place);
    let document: TrainingDocument = read_document(context.input(&role, TRAINING)?)?;
    let metrics = read_metrics(context.input(&role, METRICS)?).map_err(data)?;
    let metric = ErrorMeasure::of(document.parameters.network.task()).metric;
    let of = |row: &&MetricRow, split| row.split == split && row.metric == metric;
    let ranked = metrics.iter().filter(|row| of(row, split));
    // The first of equal epochs, as a training chooses.
    let best = ranked.min_by(|a, b| a.value.total_cmp(&b.value).then(a.epoch.cmp(&b.epoch)));
    let epoch = best.map(|row| row.epoch);
    let after = |split| {
        let row = metrics
            .iter()
            .find(|row| of(row, split) && Some(row.epoch) == epoch);
        row.map(|row| row.value)
    };
    Ok(Trial {
        number,
        epoch,
        validation_error: after(Split::Validation),
        test_error: after(Split::Test),
        diverged_in_epoch: document.diverged_in_epoch,
        training: document.parameters,
    })
}
