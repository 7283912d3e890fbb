//! Compares what a document shows with what a command printed, whatever the numbers.

use super::document::Command;

/// Fails unless every line that the document shows was printed, in that order. `…` in the document
/// stands for any lines; numbers, hashes and the width of tables may differ.
#[track_caller]
pub(crate) fn assert_shows(command: &Command, printed: &str) {
    let mut rest = printed.lines().map(pattern);
    for line in command.output.iter().map(|line| pattern(line)) {
        assert!(
            line == "…" || line.is_empty() || rest.any(|printed| printed == line),
            "`{}` did not print\n{line}\nbut\n{printed}",
            command.line
        );
    }
}

/// A line without what differs from one run, or one machine, to another.
fn pattern(line: &str) -> String {
    let words: Vec<_> = line.split_whitespace().map(word).collect();
    // A time may be long enough for two units, and a library large enough for another.
    let line = words.join(" ").replace("# min # s", "# s");
    line.replace("# MB", "# kB")
}

fn word(word: &str) -> String {
    let core = word.trim_end_matches([',', ':', ';']);
    let is_rule = core.chars().all(|c| c == '─');
    let is_number = core.starts_with(|c: char| c.is_ascii_digit())
        && core.chars().all(|c| c.is_ascii_hexdigit() || c == '.');
    let is_hash = core.len() >= 12 && core.chars().all(|c| c.is_ascii_hexdigit());
    match core {
        "" => word.to_owned(),
        _ if is_rule => "─".to_owned(),
        _ if is_number || is_hash => word.replace(core, "#"),
        _ => word.to_owned(),
    }
}
