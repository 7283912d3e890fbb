//! Progress on standard error: a bar for each running stage on a terminal, plain lines elsewhere.

use std::collections::HashMap;
use std::io::{self, IsTerminal};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use assay_core::printable_line;
use assay_engine::{Observer, Progress, StageEnd, Unit};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::ui::duration;
use crate::ui::terminal::say;

/// The shortest time between two plain lines of a stage.
const LINE_INTERVAL: Duration = Duration::from_secs(10);
/// A bar counts thousandths of its stage.
const BAR: u64 = 1000;

/// Shows what a run is doing.
pub(crate) struct ProgressView {
    bars: Option<MultiProgress>,
    width: usize,
    running: Mutex<HashMap<String, Running>>,
}

/// A stage that is running.
struct Running {
    started: Instant,
    phase: String,
    phase_started: Instant,
    last_line: Instant,
    bar: Option<ProgressBar>,
}

impl ProgressView {
    pub(crate) fn new<'a>(stages: impl Iterator<Item = &'a str>) -> Self {
        Self {
            bars: io::stderr().is_terminal().then(MultiProgress::new),
            width: stages.map(str::len).max().unwrap_or(0).min(40),
            running: Mutex::default(),
        }
    }

    /// Removes what is left of the bars.
    pub(crate) fn finish(&self) {
        if let Some(bars) = &self.bars {
            // A terminal that does not take it shows stale bars; nothing depends on that.
            let _ = bars.clear();
        }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<String, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn line(&self, text: &str) {
        match &self.bars {
            Some(bars) => drop(bars.println(printable_line(text))),
            None => say(&printable_line(text)),
        }
    }

    /// Forgets a stage that has ended.
    fn remove(&self, stage: &str) {
        let running = self.running().remove(stage);
        if let (Some(bars), Some(bar)) = (&self.bars, running.and_then(|running| running.bar)) {
            bar.finish_and_clear();
            bars.remove(&bar);
        }
    }

    fn bar(&self, stage: &str) -> Option<ProgressBar> {
        let style = ProgressStyle::with_template("{prefix} {bar:24} {msg}");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = self
            .bars
            .as_ref()?
            .add(ProgressBar::new(BAR).with_style(style));
        let stage = printable_line(stage);
        bar.set_prefix(format!("{stage:width$}", width = self.width));
        Some(bar)
    }
}

impl Observer for ProgressView {
    fn started(&self, stage: &str) {
        let now = Instant::now();
        if self.bars.is_none() {
            self.line(&format!("{stage}: started"));
        }
        let running = Running {
            started: now,
            phase: String::new(),
            phase_started: now,
            last_line: now,
            bar: self.bar(stage),
        };
        self.running().insert(stage.to_owned(), running);
    }

    fn waiting(&self, stage: &str) {
        self.line(&format!("{stage}: waiting for another run, which is at it"));
    }

    fn progress(&self, stage: &str, progress: &Progress) {
        let mut stages = self.running();
        let Some(running) = stages.get_mut(stage) else {
            return;
        };
        let now = Instant::now();
        if running.phase != progress.phase {
            running.phase.clone_from(&progress.phase);
            running.phase_started = now;
        }
        let text = describe(progress, now - running.phase_started, now - running.started);
        if let Some(bar) = &running.bar {
            bar.set_position((progress.fraction * BAR as f64) as u64);
            bar.set_message(printable_line(&text).into_owned());
        } else if now - running.last_line >= LINE_INTERVAL {
            running.last_line = now;
            self.line(&format!("{stage}: {text}"));
        }
    }

    fn finished(&self, stage: &str, end: StageEnd) {
        self.remove(stage);
        let word = match end {
            StageEnd::Ran { duration_ms } => format!("done in {}", duration(duration_ms)),
            StageEnd::Failed => "failed".to_owned(),
            StageEnd::Same => "the same".to_owned(),
            StageEnd::Differs => "differs".to_owned(),
            // A thousand cached stages are no news, and an obstacle is printed with its reason.
            StageEnd::NotExecuted => return,
        };
        self.line(&format!("{stage:width$} {word}", width = self.width));
    }
}

/// `epoch 2/5, 31,200/55,000 samples, 9,810/s, 0:41 left`
fn describe(progress: &Progress, in_phase: Duration, in_all: Duration) -> String {
    let mut parts = vec![progress.phase.clone()];
    let (unit, scale) = match progress.unit {
        Unit::Samples => ("samples", 1),
        Unit::Bytes => ("kB", 1000),
    };
    if progress.total > 0 {
        parts.push(format!(
            "{}/{} {unit}",
            progress.done / scale,
            progress.total / scale
        ));
    }
    let seconds = in_phase.as_secs_f64();
    if seconds >= 0.5 && progress.done > 0 {
        let rate = (progress.done / scale) as f64 / seconds;
        parts.push(format!("{rate:.0}/s"));
    }
    if progress.fraction > 0.02 {
        let left = in_all.mul_f64((1.0 - progress.fraction).max(0.0) / progress.fraction);
        let left = left.as_secs();
        parts.push(format!("{}:{:02} left", left / 60, left % 60));
    }
    parts.join(", ")
}
