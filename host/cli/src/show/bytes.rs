//! Progress of work that is measured in bytes: a bar on a terminal, and nothing elsewhere.

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressStyle};

/// Shows how far such work is.
pub(crate) struct BytesView {
    bar: Option<ProgressBar>,
}

impl BytesView {
    pub(crate) fn new(what: &'static str) -> Self {
        let template = "{prefix} {bar:24} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left";
        let bar = io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template(template);
            let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(0).with_style(style).with_prefix(what)
        });
        Self { bar }
    }

    pub(crate) fn advance(&self, done: u64, total: u64) {
        if let Some(bar) = &self.bar {
            bar.set_length(total);
            bar.set_position(done);
        }
    }

    /// Removes the bar.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
