//! The searches that configurations came from: how errors are distributed over the configurations tried, how
//! each search went on, and what its hyper-parameters have to do with it.

use assay_chart::{Axis, Mark, Plot, Point, Scale, Style};

use super::{Figure, Line, NetworkRows};
use crate::measure::ErrorMeasure;
use crate::metrics::Split;
use crate::search::{Search, SearchTrial};

/// The share of trials that stand out in parallel coordinates.
const BEST: f64 = 0.2;

pub(super) fn figures(network: &NetworkRows<'_>) -> Vec<Figure> {
    let lines: Vec<_> = network
        .lines
        .iter()
        .filter_map(|line| Some((line, line.entries.first()?.search.as_deref()?)))
        .collect();
    let Some((first, _)) = lines.first() else {
        return Vec::new();
    };
    let error = ErrorMeasure::of(first.row.task);
    let figure = |title: &str, note: &str, plots: Vec<Plot>| Figure {
        title: format!("{}: {title}", network.title()),
        note: note.to_owned(),
        legend: Vec::new(),
        strips: Vec::new(),
        plots,
    };
    let each = |draw: fn(&Line<'_>, &Search, &ErrorMeasure) -> Vec<Plot>| {
        let plots = lines
            .iter()
            .flat_map(|(line, search)| draw(line, search, error));
        plots.collect()
    };
    let mut figures = vec![
        figure(
            "errors of the configurations",
            "The share of configurations whose error is at most so large; a curve further to the left and \
             higher is a method that is easier to tune. Trials that diverged are in no curve, which then ends \
             below 1.",
            distributions(network, &lines, error),
        ),
        figure(
            "how the searches went on",
            "Dots are trials in the order that they were drawn in, the line is the best so far; hollow: \
             diverged.",
            each(history),
        ),
        figure(
            "each hyper-parameter",
            "The error of each trial against the values that it drew.",
            each(slices),
        ),
        figure(
            "all hyper-parameters together",
            "A line is a trial; the best fifth stands out.",
            each(parallel),
        ),
        figure(
            "what matters",
            "Shares of the hyper-parameters in being among the best tenth (PED-ANOVA), with the range that \
             95 % of searches of such trials would give.",
            each(importance),
        ),
    ];
    figures.retain(|figure| !figure.plots.is_empty());
    figures
}

fn split_name(split: Split) -> &'static str {
    match split {
        Split::Train => "Train",
        Split::Validation => "Validation",
        Split::Test => "Test",
    }
}

fn distributions(
    network: &NetworkRows<'_>,
    lines: &[(&Line<'_>, &Search)],
    error: &ErrorMeasure,
) -> Vec<Plot> {
    let plots = [Split::Validation, Split::Test]
        .into_iter()
        .filter_map(|split| {
            let curves: Vec<_> = lines
                .iter()
                .map(|(line, search)| {
                    let mut errors: Vec<_> = search
                        .trials
                        .iter()
                        .filter_map(|it| it.error(split))
                        .collect();
                    errors.sort_by(f64::total_cmp);
                    (line, search.trials.len(), errors)
                })
                .collect();
            let scale = Scale::fitting(
                curves
                    .iter()
                    .flat_map(|(.., it)| it.clone())
                    .collect::<Vec<_>>(),
            )?;
            let name = split_name(split);
            let marks = curves.iter().map(|(line, trials, errors)| {
                let share = |count: usize| count as f64 / *trials as f64;
                let steps = (1..)
                    .zip(errors)
                    .map(|(count, error)| Point::new(*error, share(count)));
                let begin = errors.first().map(|error| Point::new(*error, 0.0));
                Mark::Line {
                    style: line.style,
                    points: begin.into_iter().chain(steps).collect(),
                    name: line.name().to_owned(),
                    is_labelled: true,
                    is_stepped: true,
                }
            });
            let words = curves
                .iter()
                .map(|(line, trials, errors)| match errors.as_slice() {
                    [] => format!("{}: all {trials} diverged.", line.name()),
                    errors => format!(
                        "{}: best {:.*}, half of them at most {:.*}.",
                        line.name(),
                        error.decimals,
                        errors[0],
                        error.decimals,
                        errors[(errors.len() - 1) / 2]
                    ),
                });
            Some(Plot {
                id: format!("distribution-{}-{split}", network.number),
                title: format!(
                    "Share of trials against {} {}",
                    name.to_lowercase(),
                    error.axis
                ),
                description: words.collect::<Vec<_>>().join(" "),
                x: Axis::new(format!("{name} {}", error.axis), scale),
                y: Axis::new("share", Scale::linear([0.0, 1.0])?),
                marks: marks.collect(),
            })
        });
    plots.collect()
}

/// The trials in the order that they were drawn in.
fn drawn(search: &Search) -> Vec<&SearchTrial> {
    let mut trials: Vec<_> = search.trials.iter().collect();
    trials.sort_by_key(|trial| trial.number);
    trials
}

fn history(line: &Line<'_>, search: &Search, error: &ErrorMeasure) -> Vec<Plot> {
    let trials = drawn(search);
    let errors = || {
        trials
            .iter()
            .filter_map(|trial| trial.error(search.chosen_on))
    };
    let Some(scale) = Scale::fitting(errors().collect::<Vec<_>>()) else {
        return Vec::new();
    };
    let worst = errors().fold(0.0, f64::max);
    let place = |trial: &SearchTrial| f64::from(trial.number) + 1.0;
    let (mut sound, mut best) = (Vec::new(), Vec::new());
    let mut marks = Vec::new();
    for trial in &trials {
        match trial.error(search.chosen_on) {
            Some(error) => {
                sound.push(Point::new(place(trial), error));
                let lowest = best
                    .last()
                    .map_or(error, |point: &Point| point.y.min(error));
                best.push(Point::new(place(trial), lowest));
            }
            None => marks.push(Mark::Dot {
                style: Style::Muted,
                at: Point::new(place(trial), worst),
                title: format!("trial {} diverged", trial.number),
                is_hollow: true,
            }),
        }
    }
    let last = trials.last().map_or(1, |trial| trial.number + 1);
    let lowest = best.last().map_or(f64::NAN, |point| point.y);
    marks.extend([
        Mark::Dots {
            style: line.style,
            points: sound,
        },
        Mark::Line {
            style: Style::Muted,
            points: best,
            name: "best so far".to_owned(),
            is_labelled: false,
            is_stepped: true,
        },
    ]);
    let name = split_name(search.chosen_on);
    vec![Plot {
        id: format!("history-{}", line.number),
        title: line.name().to_owned(),
        description: format!(
            "{name} {} of the trials; the best of {} is {lowest:.*}.",
            error.axis,
            trials.len(),
            error.decimals
        ),
        x: Axis::new("Trial", Scale::count(last)),
        y: Axis::new(format!("{name} {}", error.axis), scale),
        marks,
    }]
}

/// The numbers that trials drew for a hyper-parameter; nothing for one that is no number.
fn numbers(search: &Search, name: &str) -> Option<Vec<f64>> {
    let values = search
        .trials
        .iter()
        .map(|trial| trial.hyperparameters.get(name)?.as_f64());
    values.collect()
}

fn slices(line: &Line<'_>, search: &Search, error: &ErrorMeasure) -> Vec<Plot> {
    let errors: Vec<_> = search
        .trials
        .iter()
        .map(|trial| trial.error(search.chosen_on))
        .collect();
    let Some(scale) = Scale::fitting(errors.iter().copied().flatten().collect::<Vec<_>>()) else {
        return Vec::new();
    };
    let split = split_name(search.chosen_on);
    let plots = search.varied().into_iter().filter_map(|name| {
        let values = numbers(search, name)?;
        let points = values.iter().zip(&errors);
        let points = points.filter_map(|(value, error)| Some(Point::new(*value, (*error)?)));
        Some(Plot {
            id: format!("slice-{}-{name}", line.number),
            title: format!("{}: {name}", line.name()),
            description: format!(
                "{split} {} of {} trials against {name}.",
                error.axis,
                values.len()
            ),
            x: Axis::new(name, Scale::fitting(values.clone())?),
            y: Axis::new(format!("{split} {}", error.axis), scale.clone()),
            marks: vec![Mark::Dots {
                style: line.style,
                points: points.collect(),
            }],
        })
    });
    plots.collect()
}

fn parallel(line: &Line<'_>, search: &Search, error: &ErrorMeasure) -> Vec<Plot> {
    let varied = search.varied().into_iter();
    let mut axes: Vec<_> = varied
        .filter_map(|name| {
            let values = numbers(search, name)?;
            let scale = Scale::fitting(values.clone())?;
            Some((name.to_owned(), scale, values))
        })
        .collect();
    let errors: Vec<_> = search
        .trials
        .iter()
        .map(|trial| trial.error(search.chosen_on).unwrap_or(f64::NAN))
        .collect();
    let (false, Some(scale)) = (axes.is_empty(), Scale::fitting(errors.clone())) else {
        return Vec::new();
    };
    axes.push((error.axis.to_owned(), scale, errors));
    // They are ranked from best to worst.
    let best = (BEST * search.trials.len() as f64).ceil() as usize;
    let mut marks: Vec<_> = (0..search.trials.len())
        .rev()
        .map(|trial| {
            let points = axes.iter().enumerate().map(|(at, (_, scale, values))| {
                Point::new(at as f64, scale.fraction(values[trial]))
            });
            Mark::Line {
                style: if trial < best {
                    line.style
                } else {
                    Style::Muted
                },
                points: points.collect(),
                name: format!("trial {}", search.trials[trial].number),
                is_labelled: false,
                is_stepped: false,
            }
        })
        .collect();
    for (at, (_, scale, _)) in axes.iter().enumerate() {
        let (low, high) = scale.ends();
        for (text, y) in [(low, -0.06), (high, 1.03)] {
            marks.push(Mark::Text {
                at: Point::new(at as f64, y),
                text,
            });
        }
    }
    let names: Vec<_> = axes.iter().map(|(name, ..)| name.clone()).collect();
    let Some(fraction) = Scale::linear([-0.1, 1.1]) else {
        return Vec::new();
    };
    vec![Plot {
        id: format!("parallel-{}", line.number),
        title: line.name().to_owned(),
        description: format!("{} trials by {}.", search.trials.len(), names.join(", ")),
        x: Axis::new("", Scale::Names(names)),
        y: Axis {
            label: String::new(),
            scale: fraction,
            is_drawn: false,
        },
        marks,
    }]
}

fn importance(line: &Line<'_>, search: &Search, _: &ErrorMeasure) -> Vec<Plot> {
    let Some(shares) = search.importances() else {
        return Vec::new();
    };
    let mut marks = Vec::new();
    for (at, (_, importance)) in shares.iter().enumerate() {
        let y = at as f64;
        marks.push(Mark::Bar {
            style: line.style,
            to: Point::new(100.0 * importance.share, y),
        });
        let end = |value: f64| Point::new(100.0 * value, y);
        marks.push(Mark::Segment {
            style: Style::Muted,
            from: end(importance.interval.low),
            to: end(importance.interval.high),
        });
    }
    let words = shares
        .iter()
        .map(|(name, it)| format!("{name}: {:.0} %.", 100.0 * it.share));
    let Some(scale) = Scale::linear([0.0, 100.0]) else {
        return Vec::new();
    };
    vec![Plot {
        id: format!("importance-{}", line.number),
        title: line.name().to_owned(),
        description: words.collect::<Vec<_>>().join(" "),
        x: Axis::new("Share, %", scale),
        y: Axis::new(
            "Hyper-parameter",
            Scale::Names(shares.iter().map(|(name, _)| (*name).to_owned()).collect()),
        ),
        marks,
    }]
}
