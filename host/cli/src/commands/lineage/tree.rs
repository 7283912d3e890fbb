//! The steps as a tree: each is told once, and referred to where it comes again.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use assay_audit::Index;
use assay_audit::lineage::{Direction, Lineage};

use crate::commands::lineage::step::{details, headline};
use crate::ui::terminal;
use crate::ui::words::{plain, wrap};

/// A step that is yet to be printed.
struct Branch {
    step: usize,
    role: Option<String>,
    /// The prefix of its first line.
    first: String,
    /// The prefix of all lines below that.
    rest: String,
}

pub(crate) fn tree(lineage: &Lineage, direction: Direction, index: &Index) -> String {
    let width = terminal::width();
    let mut text = String::new();
    let mut told = BTreeSet::new();
    let roots = lineage.roots.iter().rev().map(|step| Branch {
        step: *step,
        role: None,
        first: String::new(),
        rest: String::new(),
    });
    // A stack of our own: a chain may be longer than the program's.
    let mut branches: Vec<_> = roots.collect();
    while let Some(branch) = branches.pop() {
        let Some(step) = lineage.steps.get(branch.step) else {
            continue;
        };
        let role = branch
            .role
            .as_ref()
            .map(|role| format!("{}: ", plain(role)));
        let head = format!("{}{}", role.unwrap_or_default(), headline(step));
        if !told.insert(branch.step) {
            let _ = writeln!(text, "{}{head} (above)", branch.first);
            continue;
        }
        let _ = writeln!(text, "{}{head}", branch.first);
        let bar = if step.next.is_empty() { "   " } else { "│  " };
        for line in details(step, direction, index) {
            // Digests stand below the file that they are of, and must not be broken.
            let (indent, line) = match line.strip_prefix("  ") {
                Some(line) => ("  ", line),
                None => ("", line.as_str()),
            };
            let used = branch.rest.chars().count() + bar.chars().count() + indent.len();
            for line in wrap(line, width.saturating_sub(used).max(40)) {
                let _ = writeln!(text, "{}{bar}{indent}{line}", branch.rest);
            }
        }
        let last = step.next.len().saturating_sub(1);
        for (place, link) in step.next.iter().enumerate().rev() {
            let (fork, below) = if place == last {
                ("└─ ", "   ")
            } else {
                ("├─ ", "│  ")
            };
            branches.push(Branch {
                step: link.step,
                role: Some(link.role.clone()),
                first: format!("{}{fork}", branch.rest),
                rest: format!("{}{below}", branch.rest),
            });
        }
    }
    text
}
