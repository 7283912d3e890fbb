//! Progress on standard error: a line for each running stage and one for the whole on a terminal, plain
//! lines elsewhere.

use std::collections::HashMap;
use std::io::{self, IsTerminal};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use assay_core::printable_line;
use assay_engine::{Event, Observer, RunEvent, RunState, StageState};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::ui::lines::columns;
use crate::ui::terminal::{self, say};
use crate::ui::words::cut;
use crate::ui::{duration, lines, training, under_way};

/// The shortest time between two plain lines of a stage.
const LINE_INTERVAL: Duration = Duration::from_secs(10);
/// A bar counts thousandths of its stage.
const BAR: u64 = 1000;
/// The most columns of a stage's name.
const LONGEST_NAME: usize = 40;
/// The columns of a terminal from which stages have bars, and of a bar.
const BARS_FROM: usize = 100;
const BAR_WIDTH: usize = 20;

/// Shows what a run is doing.
pub(crate) struct ProgressView {
    bars: Option<MultiProgress>,
    shown: Mutex<Shown>,
}

/// The run, and what is shown of it.
#[derive(Default)]
struct Shown {
    run: RunState,
    /// The columns of names.
    width: usize,
    running: HashMap<String, Running>,
    /// How many of all stages are done.
    whole: Option<ProgressBar>,
}

/// A stage that is running.
struct Running {
    last_line: Instant,
    bar: Option<ProgressBar>,
}

impl ProgressView {
    pub(crate) fn new<'a>(stages: impl Iterator<Item = &'a str>) -> Self {
        let longest = stages.map(|name| name.chars().count()).max().unwrap_or(0);
        let bars = io::stderr().is_terminal();
        let bars = bars.then(|| MultiProgress::with_draw_target(lines::target()));
        if let Some(bars) = &bars {
            terminal::show_bars(bars);
        }
        let most = if bars.is_some() {
            LONGEST_NAME.min(columns() / 3)
        } else {
            LONGEST_NAME
        };
        Self {
            bars,
            shown: Mutex::new(Shown {
                width: longest.min(most),
                ..Shown::default()
            }),
        }
    }

    /// Removes what is left of the bars.
    pub(crate) fn finish(&self) {
        if self.bars.is_some() {
            terminal::clear_bars();
        }
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new line, above another or at the bottom.
    fn bar(&self, template: &str, above: Option<&ProgressBar>) -> Option<ProgressBar> {
        let style = ProgressStyle::with_template(template);
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(BAR).with_style(style);
        let bars = self.bars.as_ref()?;
        Some(match above {
            Some(below) => bars.insert_before(below, bar),
            None => bars.add(bar),
        })
    }

    /// A line for a stage, above that of the whole.
    fn begin(&self, shown: &mut Shown, stage: &str) {
        let now = Instant::now();
        let template = if columns() >= BARS_FROM {
            format!("{{prefix}} {{bar:{BAR_WIDTH}}} {{msg}}")
        } else {
            "{prefix} {msg}".to_owned()
        };
        let bar = self.bar(&template, shown.whole.as_ref());
        if let Some(bar) = &bar {
            bar.set_prefix(shown.name(stage));
        } else {
            say(&format!("{}: started", printable_line(stage)));
        }
        let running = Running {
            last_line: now,
            bar,
        };
        shown.running.insert(stage.to_owned(), running);
    }

    /// Takes away the line of a stage, if it has one, and says what became of it.
    fn end(&self, shown: &mut Shown, stage: &str, words: Option<String>) {
        let running = shown.running.remove(stage);
        if let (Some(bars), Some(bar)) = (&self.bars, running.and_then(|running| running.bar)) {
            bar.finish_and_clear();
            bars.remove(&bar);
        }
        if let Some(words) = words {
            say(&printable_line(&format!("{} {words}", shown.name(stage))));
        }
    }

    fn count(&self, shown: &mut Shown) {
        if self.bars.is_none() || shown.run.stages.len() < 2 || shown.run.pipeline.is_empty() {
            return;
        }
        if shown.whole.is_none() {
            shown.whole = self.bar("{msg}", None);
        }
        if let Some(whole) = &shown.whole {
            whole.set_message(cut(&under_way::whole(&shown.run), columns()));
        }
    }
}

impl Shown {
    /// Shows how far the stage is.
    fn advance(&mut self, stage: &str, now_ms: u64) {
        let (Some(running), Some(stage)) = (self.running.get_mut(stage), self.run.stage(stage))
        else {
            return;
        };
        let name = &stage.name;
        let words = training::words(stage, now_ms);
        if let Some(bar) = &running.bar {
            let used = if columns() >= BARS_FROM {
                self.width + BAR_WIDTH + 2
            } else {
                self.width + 1
            };
            let room = columns().saturating_sub(used);
            let fraction = stage.progress.as_ref().map_or(0.0, |it| it.fraction);
            bar.set_position((fraction * BAR as f64) as u64);
            let words = printable_line(&training::fitted(&words, room)).into_owned();
            bar.set_message(cut(&words, room));
        } else if running.last_line.elapsed() >= LINE_INTERVAL {
            running.last_line = Instant::now();
            say(&printable_line(&format!("{name}: {}", words.join(", "))));
        }
    }

    /// The name of a stage in its column.
    fn name(&self, stage: &str) -> String {
        let name = cut(&printable_line(stage), self.width.max(1));
        format!("{name:width$}", width = self.width)
    }
}

/// `done in 3 min 05 s, best 2.98 % (epoch 10)`
fn done_words(stage: &StageState, duration_ms: u64) -> String {
    let mut words = vec![format!("done in {}", duration(duration_ms))];
    if let Some(epoch) = stage.diverged {
        words.push(format!("diverged in epoch {epoch}"));
    }
    words.extend(training::best(stage));
    words.join(", ")
}

/// What a stage goes on from when it runs again, for a training.
fn stopped_words(stage: &StageState) -> Option<String> {
    let epoch = stage.curve.last()?;
    Some(format!(
        "stopped after epoch {} of {}: goes on from there",
        epoch.epoch, epoch.epochs
    ))
}

impl Observer for ProgressView {
    fn observe(&self, event: &RunEvent) {
        let shown = &mut *self.shown();
        shown.run.apply(event);
        match &event.event {
            Event::StageStarted { stage, .. } => self.begin(shown, stage),
            Event::StageWaiting { stage, .. } => say(&format!(
                "{}: waiting for another run, which is at it",
                printable_line(stage)
            )),
            Event::StageProgress { stage, .. }
            | Event::Epoch { stage, .. }
            | Event::Diverged { stage, .. } => {
                return shown.advance(stage, event.time_ms);
            }
            Event::StageFinished {
                stage, duration_ms, ..
            } => {
                let ended = shown.run.stage(stage);
                let words = ended.map(|ended| done_words(ended, *duration_ms));
                self.end(shown, stage, words);
            }
            Event::StageRepeated { stage, same } => {
                let words = if *same { "the same" } else { "differs" };
                self.end(shown, stage, Some(words.to_owned()));
            }
            Event::StageFailed { stage, .. } => self.end(shown, stage, Some("failed".to_owned())),
            Event::StageStopped { stage } => {
                let words = shown.run.stage(stage).and_then(stopped_words);
                self.end(shown, stage, words);
            }
            Event::Remark { message } => say(&printable_line(message)),
            // A thousand cached or queued stages are no news.
            Event::RunStarted { .. }
            | Event::StageCached { .. }
            | Event::StageQueued { .. }
            | Event::RunFinished { .. } => {}
        }
        self.count(shown);
    }
}
