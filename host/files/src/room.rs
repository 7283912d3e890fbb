//! Advice for writes that fail for lack of room.

use std::io;

/// Advice for a failure for lack of room for a file; empty for any other error.
pub fn room_advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room, and run the same command again: what has finished is kept (`pipeline gc \
             --dry-run` says what a store can do without)"
        }
        io::ErrorKind::FileTooLarge => {
            "raise the limit on the size of files (`ulimit -f`), and run the same command again"
        }
        _ => "",
    }
}
