//! The log of a worker's action.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Write};

thread_local! {
    /// The log of the action that this thread executes, where it does.
    static OWN: RefCell<Option<File>> = const { RefCell::new(None) };
}

/// Has the notes of this thread go to the log of its action, and not to standard error, which the actions of a
/// worker share.
pub(crate) fn note_to(log: File) {
    OWN.set(Some(log));
}

/// Writes a line to the log. One that cannot be written costs the line: the work goes on.
pub(crate) fn note(line: &str) {
    let line = format!("{line}\n");
    let _ = OWN.with_borrow_mut(|own| match own {
        Some(log) => log.write_all(line.as_bytes()),
        None => io::stderr().lock().write_all(line.as_bytes()),
    });
}
