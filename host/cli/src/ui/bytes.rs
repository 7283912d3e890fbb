//! Progress of work that is measured in bytes: a bar on a terminal, and nothing elsewhere.

use std::io::{self, IsTerminal};

use assay_bundle::Watch;
use assay_engine::Cancel;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const TEMPLATE: &str =
    "{msg} {bar:24} {decimal_bytes}/{decimal_total_bytes}, {decimal_bytes_per_sec}, {eta} left";

/// Shows how far such work is.
pub(crate) struct BytesView {
    bar: ProgressBar,
}

impl BytesView {
    pub(crate) fn new(what: &'static str) -> Self {
        let target = if io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let style = ProgressStyle::with_template(TEMPLATE);
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::with_draw_target(None, target);
        Self {
            bar: bar.with_style(style).with_message(what),
        }
    }

    pub(crate) fn begin(&self, total: u64) {
        self.bar.set_length(total);
    }

    /// So many more.
    pub(crate) fn add(&self, bytes: u64) {
        self.bar.inc(bytes);
    }

    /// So many of so many.
    pub(crate) fn advance(&self, done: u64, total: u64) {
        self.bar.set_length(total);
        self.bar.set_position(done);
    }

    /// Removes the bar.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Does long work with a bar on the terminal, until Ctrl-C.
pub(crate) fn watched<T, E>(
    what: &'static str,
    cancel: &Cancel,
    work: impl FnOnce(Watch<'_>) -> Result<T, E>,
) -> Result<T, E> {
    let view = BytesView::new(what);
    let done = work(Watch {
        progress: &|done, total| view.advance(done, total),
        stopped: &|| cancel.is_requested(),
    });
    view.finish();
    done
}
