//! A run under way as a picture in text: how far it is, the curves of its trainings and their table.

use std::fmt::Write as _;

use assay_core::StageKind;
use assay_engine::{Epoch, RunOutcome, RunState, StageState, StageStatus};
use assay_report::{ErrorMeasure, Split};

use super::StoredCurves;
use super::chart::{Curve, draw};
use crate::ui::under_way::{now_ms, whole};
use crate::ui::words::{count, cut, lines, plain, right, table};
use crate::ui::{duration, terminal, training};

/// What is said of a run whose process is gone.
pub(super) const KILLED: &str =
    "KILLED: its process is gone; the same command goes on from what is in the store";

/// The most columns of a picture.
const WIDTH: usize = 120;
/// The columns from which the table has every split.
const ALL_SPLITS_FROM: usize = 110;
/// The most rows of the curves, and the fewest that are worth drawing.
const CURVE_ROWS: usize = 10;
const LEAST_CURVE_ROWS: usize = 3;
/// The lines beside curves and rows, and those of them that belong to the curves.
const OTHER_LINES: usize = 15;
const AXIS_LINES: usize = 4;
/// The most columns of a stage's name, where there is room.
const NAME: usize = 40;
/// The rows that trainings and other stages should have before curves have any.
const ENOUGH_ROWS: usize = 5;

/// The rows of the parts of a picture.
struct Rows {
    curves: usize,
    trainings: usize,
    others: usize,
}

impl Rows {
    /// As many as fit into a terminal of so many lines, where `others` stages besides trainings are to
    /// be shown.
    fn fitting(height: Option<usize>, others: usize) -> Self {
        let Some(height) = height else {
            return Self {
                curves: CURVE_ROWS,
                trainings: usize::MAX,
                others,
            };
        };
        let room = height.saturating_sub(OTHER_LINES);
        let curves = room.saturating_sub(ENOUGH_ROWS).min(CURVE_ROWS);
        let (curves, room) = if curves < LEAST_CURVE_ROWS {
            (0, room + AXIS_LINES)
        } else {
            (curves, room - curves)
        };
        let others = others.min(room / 3);
        Self {
            curves,
            trainings: room - others,
            others,
        }
    }
}

/// A word for where a stage is.
pub(super) const fn status(status: &StageStatus) -> &'static str {
    match status {
        StageStatus::Planned => "planned",
        StageStatus::Waiting => "at another run",
        StageStatus::Queued => "queued",
        StageStatus::Running => "running",
        StageStatus::Cached => "cached",
        StageStatus::Done { .. } => "done",
        StageStatus::Failed { .. } => "failed",
        StageStatus::Stopped => "stopped",
    }
}

/// Which run it is.
pub(super) fn heading(state: &RunState) -> String {
    format!(
        "{}  {}  on {} (process {}), for {}",
        plain(&state.pipeline),
        plain(&state.id),
        plain(&state.host),
        state.pid,
        training::clock(now_ms().saturating_sub(state.started_ms))
    )
}

/// How the run ended.
pub(super) fn ending(state: &RunState) -> Option<String> {
    let (outcome, run) = state.ended?;
    let word = match outcome {
        RunOutcome::Complete => "complete",
        RunOutcome::Failed => "failed",
        RunOutcome::Stopped => "stopped; the same command goes on from the last checkpoints",
    };
    let run = run.map_or_else(String::new, |run| format!("run {}: ", run.short()));
    Some(format!("{run}{word}"))
}

/// The picture; of trainings and other stages as many as fit into a terminal of so many lines.
pub(super) fn text(
    state: &RunState,
    curves: &mut StoredCurves<'_>,
    height: Option<usize>,
) -> String {
    let columns = terminal::width_up_to(WIDTH);
    let mut text = cut(&heading(state), columns) + "\n";
    let _ = writeln!(text, "{}\n", cut(&kinds(state), columns));
    let trainings = trainings(state);
    let rows = Rows::fitting(height, others(state).count());
    if !trainings.is_empty() {
        let shown = trainings.get(..rows.trainings).unwrap_or(&trainings);
        text += &shown_trainings(shown, curves, columns, rows.curves);
        let more = trainings.len() - shown.len();
        if more > 0 {
            let _ = writeln!(text, "and {}", count(more as u64, "more training"));
        }
    }
    for stage in others(state).take(rows.others) {
        let words = match &stage.status {
            StageStatus::Failed { message } => format!("failed: {}", plain(message)),
            _ => training::fitted(&training::words(stage, now_ms()), columns),
        };
        let line = format!("{}: {}", plain(&stage.name), plain(&words));
        let _ = writeln!(text, "{}", cut(&line, columns));
    }
    let end = ending(state).unwrap_or_else(|| whole(state));
    text + &cut(&end, columns) + "\n"
}

/// How many stages of each kind have a result: `dataset 1/1, train 2/4`.
fn kinds(state: &RunState) -> String {
    let mut kinds: Vec<(StageKind, usize, usize)> = Vec::new();
    for stage in &state.stages {
        let Some(kind) = stage.kind else { continue };
        let at = kinds.iter().position(|(known, ..)| *known == kind);
        let at = at.unwrap_or_else(|| {
            kinds.push((kind, 0, 0));
            kinds.len() - 1
        });
        if let Some((_, done, all)) = kinds.get_mut(at) {
            *done += usize::from(stage.status.has_result());
            *all += 1;
        }
    }
    let words = kinds.iter();
    let words = words.map(|(kind, done, all)| format!("{} {done}/{all}", kind.name()));
    words.collect::<Vec<_>>().join(", ")
}

/// The trainings, those that a worker is at first, those that have not begun last.
fn trainings(state: &RunState) -> Vec<&StageState> {
    let trainings = state.stages.iter();
    let trainings = trainings.filter(|stage| stage.kind == Some(StageKind::Train));
    let mut trainings: Vec<_> = trainings.collect();
    trainings.sort_by_key(|stage| match &stage.status {
        StageStatus::Running => 0,
        StageStatus::Failed { .. } | StageStatus::Stopped => 1,
        StageStatus::Done { .. } => 2,
        StageStatus::Cached => 3,
        StageStatus::Queued | StageStatus::Waiting | StageStatus::Planned => 4,
    });
    trainings
}

/// The other stages that are worth a line: those that a worker is at, and those that failed.
fn others(state: &RunState) -> impl Iterator<Item = &StageState> {
    state.stages.iter().filter(|stage| {
        let is_other = stage.kind != Some(StageKind::Train);
        is_other
            && matches!(
                stage.status,
                StageStatus::Running | StageStatus::Failed { .. }
            )
    })
}

/// The split that trainings are judged by while they run.
fn judged_on(shown: &[(&StageState, Vec<Epoch>)]) -> Split {
    let mut epochs = shown.iter().filter_map(|(_, curve)| curve.last());
    let has_validation = |epoch: &Epoch| epoch.measured.contains_key(Split::Validation.as_str());
    if epochs.any(has_validation) {
        Split::Validation
    } else {
        Split::Test
    }
}

/// The curves of the trainings and their table.
fn shown_trainings(
    trainings: &[&StageState],
    curves: &mut StoredCurves<'_>,
    columns: usize,
    curve_rows: usize,
) -> String {
    let shown = trainings.iter();
    let shown: Vec<_> = shown
        .map(|stage| (*stage, curves.of(stage).to_vec()))
        .collect();
    let split = judged_on(&shown);
    let mut letters = 'a'..='z';
    let mut drawn = Vec::new();
    let mut measure = None;
    let mut rows = Vec::new();
    for (stage, curve) in &shown {
        let mut points = Vec::with_capacity(curve.len());
        for epoch in curve {
            if let Some((metric, value)) = training::judged_by(epoch, split) {
                measure = ErrorMeasure::named(metric);
                points.push((epoch.epoch, value));
            }
        }
        let letter = if points.is_empty() {
            None
        } else {
            letters.next()
        };
        drawn.extend(letter.map(|letter| Curve { letter, points }));
        rows.push((letter, *stage, curve.last()));
    }
    let mut text = String::new();
    let chart = if curve_rows > 0 {
        draw(&drawn, columns, curve_rows)
    } else {
        None
    };
    if let (Some(measure), Some(chart)) = (measure, chart) {
        let _ = writeln!(
            text,
            "{} on {split} images by epoch, {}",
            measure.name, measure.unit
        );
        text += &chart;
        text.push('\n');
    }
    text + &rows_of(&rows, split, columns)
}

/// A row for each training: its letter, its name, its last epoch and errors, and where it is.
fn rows_of(
    rows: &[(Option<char>, &StageState, Option<&Epoch>)],
    split: Split,
    columns: usize,
) -> String {
    let splits: &[Split] = if columns >= ALL_SPLITS_FROM {
        &[Split::Train, Split::Validation, Split::Test]
    } else {
        &[split]
    };
    let mut header = vec!["", "training", "epoch"];
    header.extend(splits.iter().map(|split| split.as_str()));
    header.extend(["best (epoch)", "state"]);
    // What the other columns take, with the spaces beside them.
    let others = 3 + 12 + 13 * splits.len() + 16 + 14;
    let room = columns.saturating_sub(others).clamp(12, NAME);
    let mut shown = table(&header);
    for (letter, stage, last) in rows {
        let mut cells = vec![
            letter.map_or_else(String::new, String::from),
            cut_in_the_middle(&plain(&stage.name), room),
        ];
        let epoch = last.map_or(0, |last| last.epoch);
        cells.push(match stage.epochs.or(last.map(|last| last.epochs)) {
            Some(epochs) => format!("{epoch}/{epochs}"),
            None => "—".to_owned(),
        });
        for split in splits {
            let error = last.and_then(|last| training::judged_by(last, *split));
            cells.push(error.map_or("—".to_owned(), |(metric, value)| {
                training::error(metric, value)
            }));
        }
        let best = last.and_then(|last| last.best.as_ref());
        cells.push(best.map_or("—".to_owned(), |best| {
            format!(
                "{} ({})",
                training::error(&best.metric, best.value),
                best.epoch
            )
        }));
        cells.push(state_of(stage));
        shown.add_row(cells);
    }
    let numbers: Vec<_> = (2..4 + splits.len()).collect();
    right(&mut shown, &numbers);
    lines(&shown)
}

fn state_of(stage: &StageState) -> String {
    match (&stage.status, stage.diverged) {
        (_, Some(_)) => "diverged".to_owned(),
        (StageStatus::Running, None) => match stage.left_ms(now_ms()) {
            Some(left) => format!("{} left", training::clock(left)),
            None => "running".to_owned(),
        },
        (StageStatus::Done { duration_ms }, None) => duration(*duration_ms),
        (other, None) => status(other).to_owned(),
    }
}

/// A name of at most so many characters: the ends of the names of trainings tell them apart.
fn cut_in_the_middle(name: &str, most: usize) -> String {
    let length = name.chars().count();
    if length <= most {
        return name.to_owned();
    }
    let kept = most.saturating_sub(1);
    let begin = kept / 2;
    let start: String = name.chars().take(begin).collect();
    let end: String = name.chars().skip(length - (kept - begin)).collect();
    format!("{start}…{end}")
}
