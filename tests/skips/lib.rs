//! Notes tests that this machine cannot make, so that `scripts/test` can sum them up: cargo hides
//! what a passing test prints.

#![allow(clippy::print_stderr, reason = "a skipped test says so")]

use std::env;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::thread;

/// Names the file that skipped tests are noted in, one line each.
const VARIABLE: &str = "ASSAY_SKIPPED";

/// Says why the calling test is skipped: on its standard error, and as a line `TEST: REASON` in the
/// file that `ASSAY_SKIPPED` names, if it names one.
///
/// # Panics
/// That file cannot be written.
#[expect(
    clippy::expect_used,
    reason = "a test whose skip is not noted must not pass"
)]
pub fn skip(reason: &str) {
    eprintln!("SKIPPED: {reason}");
    let Some(path) = env::var_os(VARIABLE) else {
        return;
    };
    let current = thread::current();
    let reason = reason.trim().replace('\n', " ");
    let line = format!("{}: {reason}\n", current.name().unwrap_or("a test"));
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .and_then(|mut file| file.write_all(line.as_bytes()))
        .expect("the file that ASSAY_SKIPPED names takes a line");
}
