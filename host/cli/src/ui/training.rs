//! A running stage in words: where it is, how long it will take, and of a training its errors so far.

use assay_engine::{BestEpoch, Epoch, StageState, Unit};
use assay_report::{ErrorMeasure, Split};

use crate::ui::words::digits;

/// The value of an error, with its unit where it has one.
pub(crate) fn error(metric: &str, value: f64) -> String {
    let measure = ErrorMeasure::named(metric);
    let decimals = measure.map_or(4, |measure| measure.decimals);
    let unit = if measure.is_some_and(|it| it.is_percent) {
        " %"
    } else {
        ""
    };
    format!("{value:.decimals$}{unit}")
}

/// The metric that a training is judged by, and its value on a split after an epoch.
pub(crate) fn judged_by(epoch: &Epoch, split: Split) -> Option<(&str, f64)> {
    let of_split = epoch.measured.get(split.as_str())?;
    let metrics = of_split.iter();
    let mut errors = metrics.filter(|(metric, _)| ErrorMeasure::named(metric).is_some());
    errors
        .next()
        .map(|(metric, value)| (metric.as_str(), *value))
}

/// The best error so far, by which the training chooses an epoch, and that epoch.
pub(crate) fn best(stage: &StageState) -> Option<String> {
    let best = stage.curve.last()?.best.as_ref()?;
    let BestEpoch {
        epoch,
        metric,
        value,
        ..
    } = best;
    Some(format!("best {} (epoch {epoch})", error(metric, *value)))
}

/// The errors after an epoch on each split: `train 2.31 %`.
pub(crate) fn errors(epoch: &Epoch) -> Vec<String> {
    let splits = [Split::Train, Split::Validation, Split::Test].into_iter();
    let errors = splits.filter_map(|split| split_error(epoch, split));
    errors.collect()
}

fn split_error(epoch: &Epoch, split: Split) -> Option<String> {
    let (metric, value) = judged_by(epoch, split)?;
    Some(format!("{split} {}", error(metric, value)))
}

/// What a running stage is at, what matters most first.
pub(crate) fn words(stage: &StageState, now_ms: u64) -> Vec<String> {
    let mut words = Vec::new();
    let last = stage.curve.last();
    if let Some(progress) = &stage.progress {
        words.push(progress.phase.clone());
    } else if let Some(epoch) = last {
        words.push(format!("epoch {}/{} done", epoch.epoch, epoch.epochs));
    }
    words.extend(
        stage
            .left_ms(now_ms)
            .map(|left| format!("{} left", clock(left))),
    );
    if let Some(epoch) = stage.diverged {
        words.push(format!("diverged in epoch {epoch}"));
    }
    if let Some(last) = last {
        words.extend(split_error(last, Split::Validation));
        words.extend(best(stage));
        words.extend(split_error(last, Split::Train));
        words.extend(split_error(last, Split::Test));
    } else if let Some(progress) = stage.progress.as_ref().filter(|it| it.total > 0) {
        let (unit, scale) = match progress.unit {
            Unit::Samples => ("samples", 1),
            Unit::Bytes => ("kB", 1000),
        };
        let (done, total) = (progress.done / scale, progress.total / scale);
        words.push(format!("{}/{} {unit}", digits(done), digits(total)));
        let seconds = stage.running_ms(now_ms) as f64 / 1000.0;
        if progress.unit == Unit::Bytes && seconds >= 0.5 && done > 0 {
            words.push(format!("{:.0} kB/s", done as f64 / seconds));
        }
    }
    words
}

/// As many of the words as have room, what matters most first.
pub(crate) fn fitted(words: &[String], room: usize) -> String {
    let mut text = String::new();
    for word in words {
        let separator = if text.is_empty() { "" } else { ", " };
        let length = text.chars().count() + separator.len() + word.chars().count();
        if !text.is_empty() && length > room {
            break;
        }
        text.push_str(separator);
        text.push_str(word);
    }
    text
}

/// `0:41`, `1:02:41`
pub(crate) fn clock(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}
