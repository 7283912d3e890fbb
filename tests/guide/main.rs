//! `docs/plugin-guide.md`, its second half, `docs/learned-feedback.md`, and `docs/plugins-in-cpp.md`, done step by step as
//! their reader does it: the commands with the real binary in a folder outside the checkout, the changes to files, the
//! quotations of them.
//!
//! So this is also the test of `pipeline plugin new`: its crate builds with nothing else, its test
//! passes, and its library stands in a table beside backpropagation.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot set itself up should stop there"
)]

mod document;
mod output;
mod reader;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use document::{Step, steps};
use output::assert_shows;
use reader::Reader;

/// Does what `document` asks for with a crate of that name; the tables that it printed.
fn follow(document: &str, name: &str) -> Vec<BTreeMap<String, f64>> {
    let guide = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../docs/{document}"));
    let mut reader = Reader::new(name);
    let mut tables = Vec::new();
    for step in steps(&fs::read_to_string(guide).unwrap()) {
        match step {
            Step::Run(commands) => {
                for command in commands {
                    let printed = reader.run(&command.line);
                    assert_shows(&command, &printed);
                    if command.line.starts_with("pipeline run") {
                        tables.push(reader.last_table());
                    }
                }
            }
            Step::Quote { file, text } => {
                let content = reader.read(&file);
                assert!(content.contains(&text), "{file} has no\n{text}");
            }
            Step::Change { file, from, to } => reader.change(&file, &from, &to),
        }
    }
    tables
}

#[test]
fn the_second_half_leads_to_rules_that_keep_their_promises() {
    let tables = follow("learned-feedback.md", "learned");
    assert!(tables.is_empty());
}

#[test]
fn the_template_in_cpp_keeps_its_promises_and_stands_in_the_table() {
    let tables = follow("plugins-in-cpp.md", "native");
    for method in ["bp", "native"] {
        // One class in ten is right by chance.
        let error = tables[0][method];
        assert!(error < 40.0, "{method} learned nothing: {error} %");
    }
}

#[test]
fn the_guide_leads_from_nothing_to_a_row_in_the_table() {
    let tables = follow("plugin-guide.md", "ternary");
    for method in ["bp", "ternary"] {
        assert!(tables.iter().all(|rows| rows.contains_key(method)));
        // The rule as it was written: what it is changed to needs more steps than these. One
        // class in ten is right by chance.
        let error = tables[0][method];
        assert!(error < 40.0, "{method} learned nothing: {error} %");
    }
}
