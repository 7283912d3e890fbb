//! What something rests on, or what rests on it: as a tree, as a graph for Graphviz, and as a
//! document for scripts.

mod dot;
mod json;
mod step;
mod tree;

use assay_core::ActionKey;

pub(crate) use self::dot::dot;
pub(crate) use self::json::json;
pub(crate) use self::tree::tree;
use crate::terminal::say;

/// Says on standard error of which steps no more is known, since their documents cannot be read.
pub(crate) fn print_unread(actions: &[ActionKey]) {
    for action in actions {
        say(&format!(
            "DAMAGED: the document of action {action} is missing or damaged; what it reads is not known"
        ));
    }
}
