//! How an audit gets on: a bar of bytes on a terminal, nothing elsewhere, since it is soon done.

use std::io::{self, IsTerminal};
use std::time::Instant;

use assay_audit::AuditObserver;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Shows how an audit gets on.
pub(crate) struct AuditView {
    started: Instant,
    bar: ProgressBar,
}

impl AuditView {
    pub(crate) fn new() -> Self {
        let target = if io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(None, target);
        let template = "{msg} {bar:24} {decimal_bytes}/{decimal_total_bytes}, \
                        {decimal_bytes_per_sec}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message("reading");
        Self {
            started: Instant::now(),
            bar,
        }
    }

    /// Removes the bar; returns how long it was there, in milliseconds.
    pub(crate) fn finish(&self) -> u64 {
        self.bar.finish_and_clear();
        self.started.elapsed().as_millis() as u64
    }
}

impl AuditObserver for AuditView {
    fn begin(&self, _files: u64, bytes: u64) {
        self.bar.set_length(bytes);
    }

    fn read(&self, bytes: u64) {
        self.bar.inc(bytes);
    }
}
