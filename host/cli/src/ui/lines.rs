//! The terminal on standard error, as progress draws on it.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressDrawTarget, TermLike};

use crate::ui::terminal;

/// The columns that are left free at the end of every line. Behind the last one the terminal shows the
/// `^C` that somebody types; at the right margin it would begin a line that progress knows nothing of.
const ECHO: usize = 4;
/// How often progress is drawn, at most, in a second.
const RATE: u8 = 10;

/// The columns of a line.
pub(crate) fn columns() -> usize {
    terminal::error_width() - ECHO
}

/// Where progress is drawn.
pub(crate) fn target() -> ProgressDrawTarget {
    ProgressDrawTarget::term_like_with_hz(Box::<Lines>::default(), RATE)
}

/// Gathers what is drawn until it is shown, so that messages do not mix with half of it.
#[derive(Debug, Default)]
struct Lines {
    drawn: Mutex<String>,
}

impl Lines {
    fn draw(&self, text: std::fmt::Arguments<'_>) {
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        // Writing to a string cannot fail.
        let _ = drawn.write_fmt(text);
    }

    /// Moves the cursor so many places, by the sequence that ends with this letter.
    fn move_cursor(&self, places: usize, letter: char) {
        if places > 0 {
            self.draw(format_args!("\u{1b}[{places}{letter}"));
        }
    }
}

impl TermLike for Lines {
    fn width(&self) -> u16 {
        u16::try_from(terminal::error_width()).unwrap_or(u16::MAX)
    }

    fn height(&self) -> u16 {
        u16::try_from(terminal::error_height()).unwrap_or(u16::MAX)
    }

    fn move_cursor_up(&self, places: usize) -> io::Result<()> {
        self.move_cursor(places, 'A');
        Ok(())
    }

    fn move_cursor_down(&self, places: usize) -> io::Result<()> {
        self.move_cursor(places, 'B');
        Ok(())
    }

    fn move_cursor_right(&self, places: usize) -> io::Result<()> {
        self.move_cursor(places, 'C');
        Ok(())
    }

    fn move_cursor_left(&self, places: usize) -> io::Result<()> {
        self.move_cursor(places, 'D');
        Ok(())
    }

    fn write_line(&self, line: &str) -> io::Result<()> {
        self.draw(format_args!("{line}\n"));
        Ok(())
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.draw(format_args!("{text}"));
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.draw(format_args!("\r\u{1b}[2K"));
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut drawn = std::mem::take(&mut *drawn);
        // What is drawn is filled with spaces up to the right margin, the last line too.
        drawn.truncate(drawn.trim_end_matches(' ').len());
        drawn.push_str("\u{1b}[K");
        // A terminal that takes no more shows stale progress, and nothing depends on that.
        let _ = io::stderr().lock().write_all(drawn.as_bytes());
        Ok(())
    }
}
