//! Tables beneath the main one, each with a definition: how certain the numbers are, and the
//! searches that the configurations came from. The formats for people lay them out.

use std::collections::BTreeMap;
use std::sync::Arc;

use assay_statistics::{Aggregate, Interval, Sample, TestSet, performance_profiles};

use super::selection::leading;
use crate::entry::ReportEntry;
use crate::measure::ErrorMeasure;
use crate::metrics::State;
use crate::report::Report;
use crate::results::{ReportRow, task_of, with_diverged};
use crate::search::{Search, SearchSummary};
use crate::summary::{Quantity, summarise};

/// A table with a title and a definition. The first columns are names.
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) definition: String,
    /// How many columns are names.
    pub(super) names: usize,
    /// How many columns at the end are texts; those between are numbers.
    pub(super) texts: usize,
    pub(super) headings: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

impl Section {
    /// Whether a column is one of numbers.
    pub(super) fn is_number(&self, column: usize) -> bool {
        column >= self.names && !self.is_text(column)
    }

    /// Whether a column is one of texts at the end.
    pub(super) fn is_text(&self, column: usize) -> bool {
        column + self.texts >= self.headings.len()
    }
}

/// The sections that a report has something to say in.
pub(super) fn sections(report: &Report) -> Vec<Section> {
    let sections = [certainty(report), across(report), searches(report)];
    sections.into_iter().flatten().collect()
}

pub(super) const NAMES: [&str; 3] = ["Dataset", "Network", "Method"];

pub(super) fn names(row: &ReportRow) -> Vec<String> {
    let label = &row.label;
    vec![
        label.dataset.clone(),
        label.network.clone(),
        row.show_method(),
    ]
}

pub(super) fn headings(others: &[&str]) -> Vec<String> {
    let headings = NAMES.iter().chain(others);
    headings.map(|heading| (*heading).to_owned()).collect()
}

pub(super) const ABSENT: &str = "—";

/// A quantity of each training that did not diverge, where it was measured.
fn values(entries: &[ReportEntry], quantity: Quantity) -> Vec<f64> {
    let sound = entries.iter().filter(|it| !it.is_diverged());
    let values = sound
        .filter_map(|it| summarise(&it.metrics, &it.evaluation, it.epochs, it.task).get(quantity));
    values.collect()
}

/// Intervals of the test error, for rows with at least three seeds.
fn certainty(report: &Report) -> Option<Section> {
    let task = task_of(report.rows());
    let decimals = ErrorMeasure::of(task).decimals;
    let show = |value: f64| format!("{value:.decimals$}");
    let mut rows = Vec::new();
    for (row, entries) in report.groups() {
        let Some((quantity, epoch)) = leading([row]) else {
            continue;
        };
        let state = match quantity {
            Quantity::TestErrorValidationEpoch => State::Best,
            _ => State::Final,
        };
        let sound = entries.iter().filter(|it| !it.is_diverged());
        let wrong: Option<Vec<_>> = sound.map(|it| it.wrong.get(&state).cloned()).collect();
        let images = wrong.and_then(|wrong| TestSet::of(&wrong));
        // Chance can make the variance negative, which is none.
        let method = images.and_then(|images| images.method_variance);
        let method = method.map(|variance| 100.0 * variance.max(0.0).sqrt());
        let images = images.and_then(|images| images.interval);
        let Some(sample) = Sample::new(values(entries, quantity)) else {
            continue;
        };
        let (Some(interval), Some(next)) = (sample.mean_interval(), sample.prediction_interval())
        else {
            continue;
        };
        let published = row.figures.and_then(|figures| figures.test_error);
        let inside = |figure: f64| (next.low..=next.high).contains(&figure);
        let beside = published.map_or(ABSENT.to_owned(), |figure| {
            let place = if inside(figure) { "inside" } else { "outside" };
            format!("{} {place}", show(figure))
        });
        let mut cells = names(row);
        cells.extend([
            row.show_seeds(),
            epoch.to_owned(),
            show(sample.mean()),
            format!("{} to {}", show(interval.low), show(interval.high)),
            images.map_or(ABSENT.to_owned(), |it| {
                format!("{} to {}", show(100.0 * it.low), show(100.0 * it.high))
            }),
            format!("{} to {}", show(next.low), show(next.high)),
            sample.standard_deviation().map_or(ABSENT.to_owned(), show),
            method.map_or(ABSENT.to_owned(), show),
            beside,
        ]);
        rows.push(cells);
    }
    let mark = if report.rows().iter().any(|row| row.diverged > 0) {
        " Trainings that diverged are counted and left out, so the intervals speak of those that did not."
    } else {
        ""
    };
    (!rows.is_empty()).then(|| Section {
        title: "How certain the test errors are",
        definition: format!(
            "The mean over seeds with two 95 % intervals: for new seeds on the same test set (Student), and \
             for the same trainings on new images. One more training would fall into the third with 95 %; a \
             paper’s single number is inside of it or outside. The standard deviation between seeds is given \
             on these images, and on all images that there could be (Jordan 2023): what is left of it when \
             the test set’s part is taken out. pipeline compare says which rows differ.{mark}"
        ),
        names: NAMES.len(),
        texts: 0,
        headings: headings(&[
            "Seeds",
            "Epoch",
            "Mean",
            "New seeds, 95 %",
            "New images, 95 %",
            "One more training, 95 %",
            "S.d., these images",
            "S.d., all images",
            "Paper",
        ]),
        rows,
    })
}

/// Ratios to the lowest error at which the performance profile is shown.
pub(super) const RATIOS: [f64; 3] = [1.1, 1.5, 2.0];

/// The methods over all networks and datasets, where there are several.
fn across(report: &Report) -> Option<Section> {
    let (mut tasks, mut methods) = (Vec::new(), Vec::new());
    // The test errors of the last epoch, which nobody chose.
    let mut errors = BTreeMap::new();
    for (row, entries) in report.groups() {
        let label = &row.label;
        let (method, task) = (label.method.as_str(), (&label.dataset, &label.network));
        if !tasks.contains(&task) {
            tasks.push(task);
        }
        if !methods.contains(&method) {
            methods.push(method);
        }
        if let Some(sample) = Sample::new(values(entries, Quantity::TestErrorLastEpoch)) {
            errors.insert((method, task), sample);
        }
    }
    let reference = *methods.first()?;
    let mean = |method, task| Some(errors.get(&(method, task))?.mean());
    tasks.retain(|&task| mean(reference, task).is_some_and(|error| error > 0.0));
    if tasks.len() < 2 {
        return None;
    }
    // A method that is not on every task cannot be compared over all of them.
    methods.retain(|&method| {
        tasks
            .iter()
            .all(|&task| errors.contains_key(&(method, task)))
    });
    let means = methods.iter();
    let means = means.map(|&method| tasks.iter().map(|&task| mean(method, task)).collect());
    let profiles = performance_profiles(&means.collect::<Vec<Vec<_>>>(), &RATIOS)?;
    let rows = methods
        .iter()
        .zip(profiles)
        .filter_map(|(method, profile)| {
            let ratios = tasks.iter().map(|&task| {
                let divisor = mean(reference, task).unwrap_or(f64::NAN);
                let errors = errors.get(&(*method, task)).into_iter();
                let errors = errors.flat_map(Sample::values);
                errors.map(|error| error / divisor).collect()
            });
            let aggregate = Aggregate::of(&ratios.collect::<Vec<Vec<_>>>())?;
            let interval = aggregate.interval;
            let mut cells = vec![
                (*method).to_owned(),
                format!("{:.2}", aggregate.interquartile_mean),
                interval.map_or(ABSENT.to_owned(), |it| {
                    format!("{:.2} to {:.2}", it.low, it.high)
                }),
            ];
            cells.extend(
                profile
                    .iter()
                    .map(|share| format!("{:.0} %", 100.0 * share)),
            );
            Some(cells)
        });
    let mut headings: Vec<_> = ["Method", "Ratio", "95 %"].map(str::to_owned).into();
    headings.extend(RATIOS.map(|ratio| format!("Within {ratio} ×")));
    Some(Section {
        title: "Over all networks",
        definition: format!(
            "Test errors of the last epoch as ratios to the mean of {reference} on the same network and dataset, \
             {} of them: the mean of their middle half with its 95 % interval from a bootstrap of the seeds. \
             Within a ratio: the share of networks and datasets on which the mean error is at most so \
             many times the lowest. Methods that are not on all of them are left out.",
            tasks.len()
        ),
        names: 1,
        texts: 0,
        headings,
        rows: rows.collect(),
    })
}

/// The searches, for rows whose configuration came from one.
fn searches(report: &Report) -> Option<Section> {
    let rows: Vec<_> = report.searched().map(search_row).collect();
    (!rows.is_empty()).then(|| Section {
        title: "Searches",
        definition: "Each row’s configuration is the best trial of a search; the search’s own training is in \
             no other number of this report, since it was chosen by what it did. “Optimism” is what trainings \
             from fresh seeds have more of the error that chose it. “Best of” so many trials is the test \
             error to expect of whoever tries so many and takes the best. The shares say how much each \
             hyper-parameter matters for being among the best tenth (PED-ANOVA), with the range that 95 % of \
             searches of such trials would give. Both are given where all \
             trials were trained equally long; a trial that diverged counts as the worst of the others. \
             trials.parquet has every trial and tuning.parquet the curves with their bands."
            .to_owned(),
        names: NAMES.len(),
        texts: 2,
        headings: headings(&[
            "Trials",
            "Chosen on",
            "Error in the search",
            "Optimism",
            "Best of 1",
            "Best of half",
            "Best of all",
            "What matters",
            "Configuration",
        ]),
        rows,
    })
}

fn search_row((row, search, summary): (&ReportRow, &Arc<Search>, &SearchSummary)) -> Vec<String> {
    let decimals = ErrorMeasure::of(row.task).decimals;
    let show =
        |value: Option<f64>| value.map_or(ABSENT.to_owned(), |it| format!("{it:.decimals$}"));
    let curve = search.tuning().map(|curve| curve.points);
    let points = curve.unwrap_or_default();
    let tried = |count: usize| points.get(count.saturating_sub(1)).map(|point| point.test);
    let matters = search.importances().map_or(ABSENT.to_owned(), |shares| {
        let shares = shares.iter().take(3);
        let percent = |share: f64| format!("{:.0}", 100.0 * share);
        let shares = shares.map(|(name, it)| {
            let Interval { low, high } = it.interval;
            let (low, high) = (percent(low), percent(high));
            format!("{name} {} % ({low} to {high})", percent(it.share))
        });
        shares.collect::<Vec<_>>().join(", ")
    });
    let varied = search.varied().into_iter();
    let configuration = varied.filter_map(|name| {
        let value = row.hyperparameters.get(name)?;
        Some(format!("{name} = {value}"))
    });
    let mut cells = names(row);
    cells.extend([
        with_diverged(summary.trials, summary.diverged),
        summary.chosen_on.to_string(),
        show(summary.error),
        summary
            .optimism
            .map_or(ABSENT.to_owned(), |it| format!("{it:+.decimals$}")),
        show(tried(1)),
        show(tried(points.len().div_ceil(2))),
        show(tried(points.len())),
        matters,
        configuration.collect::<Vec<_>>().join(", "),
    ]);
    cells
}
