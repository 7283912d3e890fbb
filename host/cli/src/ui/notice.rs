//! Notices to the user before a run, on standard error.

use std::path::Path;

use assay_engine::{FirstUse, Notice};

use crate::ui::terminal::say;
use crate::ui::words::path;

pub(crate) fn print(notices: &[Notice]) {
    for notice in notices {
        say(&text(notice));
    }
}

fn text(notice: &Notice) -> String {
    match notice {
        Notice::Lock(difference) => {
            format!(
                "warning: {}\n  help: {}",
                difference.message, difference.help
            )
        }
        Notice::FirstUse(FirstUse { name, hash, file }) => {
            let place = file.as_ref().map(|file| path(file));
            format!(
                "note: the plugin `{name}` runs in this store for the first time, and is not among those \
                 you trust: {hash} ({})",
                place.as_deref().unwrap_or("from the store")
            )
        }
    }
}

/// Says where a lock was written.
pub(crate) fn print_written(lock: &Path) {
    say(&format!("wrote {}", path(lock)));
}
