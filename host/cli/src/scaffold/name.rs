//! The name of a plugin: of its crate, its library and its algorithm.

use std::str::FromStr;

/// A longer one makes no file name that anybody would want.
const LONGEST: usize = 64;

/// A name that cargo takes and that is none of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PluginName(String);

/// Why a text is no plugin's name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidName {
    #[error(
        "a name has 1 to {LONGEST} lower-case letters, digits, `-` and `_`, and begins with a letter"
    )]
    Form,
    #[error("Assay has a crate of that name; choose another")]
    Ours,
}

impl PluginName {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// As a part of the library's name.
    pub(crate) fn identifier(&self) -> String {
        self.0.replace('-', "_")
    }
}

impl FromStr for PluginName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
        let begins = text.starts_with(|c: char| c.is_ascii_lowercase());
        if !begins || text.len() > LONGEST || !text.chars().all(allowed) {
            return Err(InvalidName::Form);
        }
        let name = Self(text.to_owned());
        let library = name.identifier();
        // The library is called assay_NAME, and its crate may not be one that it depends on.
        if our_names().any(|ours| ours.replace('-', "_") == library) {
            return Err(InvalidName::Ours);
        }
        Ok(name)
    }
}

/// The names of this workspace's crates, without their `assay-`.
fn our_names() -> impl Iterator<Item = &'static str> {
    include_str!("../../../../Cargo.lock")
        .lines()
        .filter_map(|line| {
            line.strip_prefix("name = \"assay-")
                .and_then(|rest| rest.strip_suffix('"'))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_cargo_takes_are_taken() {
        for text in ["a", "readout", "my-rule_2"] {
            assert_eq!(text.parse::<PluginName>().unwrap().as_str(), text);
        }
        let name: PluginName = "my-rule".parse().unwrap();
        assert_eq!(name.identifier(), "my_rule");
    }

    #[test]
    fn other_names_are_refused() {
        let long = "a".repeat(LONGEST + 1);
        for text in [
            "", "2nd", "-a", "_a", "Rule", "a b", "a/b", "é", "a.b", &long,
        ] {
            assert_eq!(text.parse::<PluginName>(), Err(InvalidName::Form), "{text}");
        }
    }

    #[test]
    fn our_own_crates_names_are_refused() {
        for text in ["bp", "sdk", "abi", "network", "core", "ao-sdtp", "ao_sdtp"] {
            assert_eq!(text.parse::<PluginName>(), Err(InvalidName::Ours), "{text}");
        }
    }
}
