//! Profiles of a pipeline file: named lists of overrides, such as a small version of a large search.

use super::diagnostic::{Complaints, Diagnostic, Source, SourceError};
use super::networks::start_of;
use super::reader::{Reader, choices, shortened, strings, table};
use super::tree::{Node, parse};

/// The overrides of the profile `name` of the pipeline file `file` with this text, in order. They
/// come before those of `--set`.
///
/// # Errors
/// Text that is no TOML, or a profile that is not there or is no list of overrides.
pub fn profile_overrides(file: &str, text: &str, name: &str) -> Result<Vec<String>, SourceError> {
    let mut complaints = Complaints::default();
    let root = parse(text, 0, &mut complaints);
    let mut overrides = None;
    if complaints.is_empty() {
        let profiles = root.get("profile").map(|entry| table(&entry.node));
        let profiles = match profiles.transpose() {
            Ok(profiles) => profiles,
            Err(complaint) => {
                complaints.push(complaint);
                None
            }
        };
        match profiles.and_then(|profiles| profiles.get(name)) {
            Some(entry) => overrides = read_profile(name, &entry.node, &mut complaints),
            None if complaints.is_empty() => {
                let known = profiles.into_iter().flat_map(|it| it.keys());
                let known: Vec<_> = known.map(String::as_str).collect();
                let message = format!("the file has no profile `{}`", shortened(name));
                let help = choices(name, known.into_iter());
                complaints.push(Diagnostic::new(message, &start_of(0)).help(help));
            }
            None => {}
        }
    }
    match overrides {
        Some(overrides) if complaints.is_empty() => Ok(overrides),
        _ => {
            let file = Source {
                name: file.to_owned(),
                text: text.to_owned(),
            };
            Err(SourceError::new(vec![file], complaints))
        }
    }
}

/// The overrides of one profile.
pub(super) fn read_profile(name: &str, node: &Node, out: &mut Complaints) -> Option<Vec<String>> {
    let mut reader = Reader::of(node, format!("[profile.{name}]"), out)?;
    let overrides = reader.required("set", out, strings);
    reader.finish(out);
    overrides
}
