//! The examples in the help of every verb are command lines that the program takes.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop there"
)]

use clap::{Command, CommandFactory};

use crate::command_line::Arguments;

/// The command lines in the help of a verb, without what a shell makes of the rest of their lines.
fn examples(verb: &Command) -> Vec<Vec<String>> {
    let help = verb.get_after_help().map(ToString::to_string);
    let help = help.unwrap_or_default();
    let mut lines = help.lines().map(str::trim_end);
    let mut examples = Vec::new();
    while let Some(line) = lines.next() {
        if !line.starts_with("  pipeline ") {
            continue;
        }
        let mut command = line.trim_start().to_owned();
        while let Some(start) = command.strip_suffix('\\') {
            command = format!(
                "{} {}",
                start.trim_end(),
                lines.next().unwrap().trim_start()
            );
        }
        // What stands apart from a command explains it.
        let command = command.split("  ").next().unwrap();
        let words = shlex::split(command).unwrap();
        let ends = |word: &String| ["|", ">", "&&"].contains(&word.as_str());
        let end = words.iter().position(ends).unwrap_or(words.len());
        examples.push(words[..end].to_vec());
    }
    examples
}

/// Checks a verb and all below it; gives the number of examples.
fn check(verb: &Command, path: &[&str]) -> usize {
    let verbs: Vec<_> = verb
        .get_subcommands()
        .filter(|it| !it.is_hide_set())
        .collect();
    let examples = examples(verb);
    assert!(
        !examples.is_empty() || !verbs.is_empty(),
        "the help of {path:?} has no example"
    );
    for example in &examples {
        let parsed = Arguments::command().try_get_matches_from(example);
        if let Err(error) = parsed {
            panic!("{example:?} in the help of {path:?}: {error}");
        }
        let named = example.iter().map(String::as_str);
        assert!(
            named.take(path.len()).eq(path.iter().copied()),
            "{example:?} is not of {path:?}"
        );
    }
    let below = verbs
        .iter()
        .map(|it| check(it, &[path, &[it.get_name()]].concat()));
    examples.len() + below.sum::<usize>()
}

#[test]
fn every_verb_has_examples_that_are_taken() {
    let found = check(&Arguments::command(), &["pipeline"]);
    assert!(found > 100, "{found} examples");
}
