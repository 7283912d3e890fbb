//! What a name stands for: who made it, what it holds and who uses it.

mod json;
mod role;
mod run;
mod text;

use assay_store::StoreError;

pub(crate) use self::json::json;
pub(super) use self::json::uses as uses_json;
pub(super) use self::role::{first_role, pins};
pub(super) use self::run::{ending, outcomes};
pub(crate) use self::text::text;
use crate::terminal::say;

/// Says on standard error what is wrong, where it cannot be overlooked.
pub(crate) fn print_damage(damage: &[StoreError]) {
    for error in damage {
        say(&format!("DAMAGED: {error}"));
    }
}
