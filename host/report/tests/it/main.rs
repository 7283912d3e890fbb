//! The crate through its public surface: tables, numbers, reports and the files made of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod page;
mod reports;
mod samples;
mod sections;
mod summaries;
mod tables;
mod texts;
mod times;
