//! The checks that every plugin of Assay has to pass.
//!
//! A check is a promise of the boundary, with the code that finds out whether an algorithm keeps
//! it. This crate owns the promises, the samples they are checked with and the words for what was
//! seen; it drives a plugin through the boundary alone, so it knows neither the host nor the SDK
//! nor libtorch. It never loads a library and contains no crash: whoever calls it does so in a
//! process that it can afford to lose.

mod check;
mod checks;
mod glyphs;
mod host;
mod linear;
mod networks;
mod random;
mod samples;
mod subject;
mod tensors;

pub use check::{Check, Loading, Outcome, Verdict};
pub use checks::{CHECKS, DESCRIBES, LOADS, SILENT, find, judge_output};
pub use subject::Subject;
