//! Errors against a setting: where rows of one algorithm differ in one number alone, such as the size of the
//! auxiliary output (the paper's figure on AO-SDTP).

use assay_chart::{Axis, Mark, Plot, Point, Scale};

use super::{Figure, Line, NetworkRows};
use crate::measure::ErrorMeasure;
use crate::render::selection::leading;

/// The fewest values that make a curve.
const FEWEST: usize = 3;

pub(super) fn figures(network: &NetworkRows<'_>) -> Vec<Figure> {
    let mut plots = Vec::new();
    let mut names = Vec::new();
    for line in &network.lines {
        for name in line.row.hyperparameters.keys() {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names.sort_unstable();
    for name in names {
        plots.extend(plot(network, name));
    }
    if plots.is_empty() {
        return Vec::new();
    }
    vec![Figure {
        title: network.title(),
        note: "Trainings that differ in nothing else; bars reach one standard deviation to both sides."
            .to_owned(),
        legend: Vec::new(),
        strips: Vec::new(),
        plots,
    }]
}

fn plot(network: &NetworkRows<'_>, name: &str) -> Option<Plot> {
    let first = network.lines.first()?;
    let error = ErrorMeasure::of(first.row.task);
    let (quantity, _) = leading(network.lines.iter().map(|line| line.row))?;
    let mut marks = Vec::new();
    let (mut settings, mut errors, mut words) = (Vec::new(), Vec::new(), Vec::new());
    for family in families(&network.lines, name) {
        let mut points = Vec::new();
        for (setting, line) in &family {
            let Some(statistic) = line.row.get(quantity) else {
                continue;
            };
            let mean = statistic.mean;
            let sd = statistic.sd.unwrap_or(0.0);
            marks.push(Mark::Segment {
                style: family[0].1.style,
                from: Point::new(*setting, mean - sd),
                to: Point::new(*setting, mean + sd),
            });
            marks.push(Mark::Dot {
                style: family[0].1.style,
                at: Point::new(*setting, mean),
                title: format!("{name} = {setting}: {mean:.*}", error.decimals),
                is_hollow: false,
            });
            words.push(format!("{name} = {setting}: {mean:.*}.", error.decimals));
            settings.push(*setting);
            errors.extend([mean - sd, mean, mean + sd]);
            points.push(Point::new(*setting, mean));
        }
        marks.push(Mark::Line {
            style: family[0].1.style,
            points,
            name: family[0].1.row.algorithm.clone(),
            is_labelled: true,
            is_stepped: false,
        });
    }
    // A setting of zero has a place on a linear scale only.
    let scale = if settings.iter().any(|setting| *setting <= 0.0) {
        Scale::linear(settings)?
    } else {
        Scale::fitting(settings)?
    };
    Some(Plot {
        id: format!("setting-{}-{name}", network.number),
        title: format!("Test {} against {name}", error.axis),
        description: format!("On {}. {}", network.title(), words.join(" ")),
        x: Axis::new(name, scale),
        y: Axis::new(format!("Test {}", error.axis), Scale::fitting(errors)?),
        marks,
    })
}

/// The rows that differ in the number `name` alone, by ascending number, where there are enough of them.
fn families<'a>(lines: &'a [Line<'a>], name: &str) -> Vec<Vec<(f64, &'a Line<'a>)>> {
    let mut families: Vec<Vec<(f64, &Line<'_>)>> = Vec::new();
    for line in lines {
        let Some(value) = line
            .row
            .hyperparameters
            .get(name)
            .and_then(serde_json::Value::as_f64)
        else {
            continue;
        };
        let same = |family: &&mut Vec<(f64, &Line<'_>)>| {
            let other = &family[0].1.row;
            let rest = |row: &crate::results::ReportRow| {
                let mut settings = row.hyperparameters.clone();
                settings.remove(name);
                settings
            };
            other.algorithm == line.row.algorithm
                && other.epochs == line.row.epochs
                && rest(other) == rest(line.row)
        };
        match families.iter_mut().find(same) {
            Some(family) => family.push((value, line)),
            None => families.push(vec![(value, line)]),
        }
    }
    families.retain(|family| family.len() >= FEWEST);
    for family in &mut families {
        family.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    }
    families
}
