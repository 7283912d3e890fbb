//! A worker's log, which its standard error goes to.

use std::io::{self, Write};

/// Writes a line to the log. One that cannot be written costs the line: the work goes on.
pub(crate) fn note(line: &str) {
    let _ = io::stderr()
        .lock()
        .write_all(format!("{line}\n").as_bytes());
}
