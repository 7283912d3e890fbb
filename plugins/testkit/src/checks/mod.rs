//! All checks, in the order in which they are made: what the others rest on comes first.

mod asking;
mod batches;
mod cancels;
mod concurrent;
mod describes;
mod directions;
mod gradient;
mod leaks;
mod learns;
mod loads;
mod metrics;
mod networks;
mod portable;
mod predictions;
mod refusals;
mod repeats;
mod resident;
mod resumes;
mod schema;
mod silent;

use crate::check::Check;

pub use silent::judge_output;

/// The name of the check of loading.
pub const LOADS: &str = loads::LOADS.name;
/// The name of the check that gives the names of the algorithms their worth.
pub const DESCRIBES: &str = describes::CHECK.name;
/// The name of the check that [`judge_output`] completes.
pub const SILENT: &str = silent::CHECK.name;

/// Every check.
pub static CHECKS: &[Check] = &[
    loads::LOADS,
    loads::LAYOUT,
    describes::CHECK,
    schema::CHECK,
    refusals::BAD_VALUES,
    networks::CHECK,
    predictions::CHECK,
    asking::CHECK,
    repeats::REPEATS,
    repeats::SEEDS,
    portable::CHECK,
    resident::CHECK,
    concurrent::CHECK,
    resumes::CHECK,
    refusals::BAD_STATES,
    metrics::CHECK,
    batches::CHECK,
    cancels::CHECK,
    directions::CHECK,
    gradient::CHECK,
    learns::CHECK,
    leaks::CHECK,
    silent::CHECK,
];

/// The check of that name.
pub fn find(name: &str) -> Option<&'static Check> {
    CHECKS.iter().find(|check| check.name == name)
}
