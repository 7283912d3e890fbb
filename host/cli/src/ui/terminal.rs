//! The one place that writes to standard output and standard error. Every text that leaves here
//! may hold names of strangers, so what would steer a terminal is written out
//! ([`assay_core::printable`]); only what this program colours itself passes as it is. Output that
//! nobody takes ends nothing: a reader that has gone away is no error, and a run goes on without
//! its messages.

use std::io::{self, IsTerminal, Write};
use std::os::fd::BorrowedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use assay_core::printable;
use indicatif::{MultiProgress, ProgressDrawTarget};
use rustix::stdio::{stderr, stdout};
use rustix::termios::tcgetwinsize;

use crate::error::CliError;

/// Writes a text to standard output.
///
/// # Errors
/// Standard output takes no more, for another reason than that nobody reads it.
pub(crate) fn print(text: &str) -> Result<(), CliError> {
    print_bytes(printable(text).as_bytes()).map(|_| ())
}

/// Writes bytes to standard output as they are; whether somebody still reads it.
///
/// # Errors
/// As for [`print()`].
pub(crate) fn print_bytes(bytes: &[u8]) -> Result<bool, CliError> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(CliError::Output(error)),
    }
}

/// The lines at the bottom of the terminal that show progress, while there are any.
static BARS: Mutex<Option<MultiProgress>> = Mutex::new(None);

fn bars() -> MutexGuard<'static, Option<MultiProgress>> {
    BARS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has messages appear above these lines from now on.
pub(crate) fn show_bars(shown: &MultiProgress) {
    *bars() = Some(shown.clone());
}

/// Removes the lines that show progress.
pub(crate) fn clear_bars() {
    if let Some(shown) = bars().take() {
        // A terminal that does not take it shows stale bars; nothing depends on that.
        let _ = shown.clear();
        // Whatever is drawn later by a stage that has not heard of the end is not shown.
        shown.set_draw_target(ProgressDrawTarget::hidden());
    }
}

/// Writes a message to standard error, and ends its line.
pub(crate) fn say(message: &str) {
    say_coloured(&printable(message));
}

/// As [`say`], with colours: of a text in which everything else is printable already.
pub(crate) fn say_coloured(message: &str) {
    let shown = bars().clone();
    if let Some(shown) = shown {
        // Without the lines, which are drawn again below the message.
        shown.suspend(|| write_line(message));
    } else {
        write_line(message);
    }
}

fn write_line(message: &str) {
    // One write for the whole: messages of several threads do not mix.
    let line = format!("{message}\n");
    // An error of standard error cannot be reported anywhere.
    let _ = io::stderr().lock().write_all(line.as_bytes());
}

/// The most columns of a line of prose, where the terminal has as many.
const WIDTH: usize = 100;
/// The fewest that text is fitted to.
const LEAST_WIDTH: usize = 40;

/// The columns of the terminal that standard error is; as many as prose has where it is none.
pub(crate) fn error_width() -> usize {
    match tcgetwinsize(stderr()).map_or(0, |size| usize::from(size.ws_col)) {
        0 => WIDTH,
        columns => columns.max(LEAST_WIDTH),
    }
}

/// The lines of the terminal that standard error is; as many as any has where it is none.
pub(crate) fn error_height() -> usize {
    rows(stderr())
}

/// The lines of the terminal that standard output is, as [`error_height`].
pub(crate) fn height() -> usize {
    rows(stdout())
}

fn rows(stream: BorrowedFd<'_>) -> usize {
    match tcgetwinsize(stream).map_or(0, |size| usize::from(size.ws_row)) {
        0 => usize::MAX,
        rows => rows,
    }
}

/// The number of columns of a line of prose on standard output.
pub(crate) fn width() -> usize {
    width_up_to(WIDTH)
}

/// The columns of the terminal, or `most` where it has more or there is none.
pub(crate) fn width_up_to(most: usize) -> usize {
    columns().map_or(most, |columns| columns.min(most))
}

/// The columns of the terminal that standard output is, those of the narrowest one at least.
pub(crate) fn columns() -> Option<usize> {
    let columns = tcgetwinsize(stdout()).map_or(0, |size| usize::from(size.ws_col));
    (columns > 0).then(|| columns.max(LEAST_WIDTH))
}

/// True where standard error may be coloured.
pub(crate) fn has_colours() -> bool {
    io::stderr().is_terminal() && allows_colours()
}

/// True where standard output may be coloured.
pub(crate) fn output_has_colours() -> bool {
    io::stdout().is_terminal() && allows_colours()
}

/// True unless the user asks for plain text (<https://no-color.org>).
fn allows_colours() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
