//! How a plugin is named: by name, by path, or by either with a hash or a version. Owns the notation; what
//! lies where the reference points is for others to find.

use std::fmt;
use std::str::FromStr;

use assay_core::PluginHash;
use semver::VersionReq;

/// So many digits tell libraries apart that were not made to be confused.
const SHORTEST: usize = 8;
const WHOLE: usize = 64;

/// The beginning of a BLAKE3 hash, or all of it, in lower-case hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashPrefix(String);

/// A text that is no part of a hash.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a hash: expected 8 to 64 lower-case hexadecimal digits")]
pub struct InvalidHashPrefix(String);

impl HashPrefix {
    /// Whether `hash` begins so.
    pub fn matches(&self, hash: PluginHash) -> bool {
        hash.to_string().starts_with(&self.0)
    }

    /// The hash, if all of it is given.
    pub fn whole(&self) -> Option<PluginHash> {
        self.0.parse().ok()
    }
}

impl FromStr for HashPrefix {
    type Err = InvalidHashPrefix;

    fn from_str(text: &str) -> Result<Self, InvalidHashPrefix> {
        let digits = text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        if digits && (SHORTEST..=WHOLE).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidHashPrefix(text.chars().take(80).collect()))
        }
    }
}

impl fmt::Display for HashPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A plugin as somebody names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginReference {
    /// A name, or the path of a library: a path has a slash.
    pub library: String,
    /// Required hash of the library, or the beginning of it.
    pub hash: Option<HashPrefix>,
    /// Required version of the plugin.
    pub version: Option<VersionReq>,
}

/// A text that names no plugin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidReference {
    /// What follows an `@` is no hash.
    #[error(transparent)]
    Hash(#[from] InvalidHashPrefix),
    /// What follows a comparison is no version.
    #[error("`{text}` does not require a version")]
    Version {
        /// The text from the comparison on.
        text: String,
        /// The error in it.
        source: semver::Error,
    },
}

/// The requirement of a version at the end of `text`, and what comes before it. A path may have any of
/// these signs, but none after a blank.
fn split_requirement(text: &str) -> Option<(&str, &str)> {
    let is_path = text.contains('/');
    let begins = |(at, sign): &(usize, char)| {
        let after_blank = text[..*at].ends_with(' ');
        "<>=~^".contains(*sign) && (after_blank || !is_path)
    };
    let (at, _) = text.char_indices().find(begins)?;
    Some((text[..at].trim_end(), &text[at..]))
}

impl FromStr for PluginReference {
    type Err = InvalidReference;

    /// Reads `name`, `path/to/library.so`, `name@hash` or `path/to/library.so@hash`, any of them with
    /// a required version after it: `name >= 1.2`. What follows the last `@` of a path is a part of
    /// the path unless it is all hexadecimal digits, since file names may have an `@`; plugin names
    /// have none.
    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        if let Some((library, requirement)) = split_requirement(text) {
            let version = requirement.parse().map_err(|source| {
                let text = requirement.chars().take(80).collect();
                InvalidReference::Version { text, source }
            })?;
            return Ok(Self {
                version: Some(version),
                ..library.parse()?
            });
        }
        let plain = |library: &str| Self {
            library: library.to_owned(),
            hash: None,
            version: None,
        };
        let Some((library, hash)) = text.rsplit_once('@') else {
            return Ok(plain(text));
        };
        let hexadecimal = !hash.is_empty() && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        if text.contains('/') && !hexadecimal {
            return Ok(plain(text));
        }
        Ok(Self {
            library: library.to_owned(),
            hash: Some(hash.parse()?),
            version: None,
        })
    }
}

impl PluginReference {
    /// Whether the library is given by its path.
    pub fn is_path(&self) -> bool {
        self.library.contains('/')
    }

    /// The plugin's name: that of the file, where it is given by its path. So an action does not
    /// depend on where a library lies.
    pub fn name(&self) -> String {
        if !self.is_path() {
            return self.library.clone();
        }
        let file = self.library.rsplit('/').next().unwrap_or_default();
        name_of_file(file)
    }
}

/// The file of the plugin `name`.
pub(crate) fn file_name(name: &str) -> String {
    format!("libassay_{}.so", name.replace('-', "_"))
}

/// The name that a library's file stands for: `libassay_ao_sdtp.so` is `ao-sdtp`. A file that is
/// not named like a plugin keeps what it is called, without `lib` and `.so`.
pub(super) fn name_of_file(file: &str) -> String {
    let stem = file.strip_suffix(".so").unwrap_or(file);
    match stem.strip_prefix("libassay_") {
        Some(name) => name.replace('_', "-"),
        None => stem.strip_prefix("lib").unwrap_or(stem).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (String, Option<String>) {
        let reference: PluginReference = text.parse().unwrap();
        let hash = reference.hash.map(|hash| hash.to_string());
        (reference.library, hash)
    }

    #[test]
    fn names_and_paths_may_carry_a_hash() {
        let hash = |text: &str| Some(text.to_owned());
        assert_eq!(read("bp"), ("bp".into(), None));
        assert_eq!(read("bp@01234567"), ("bp".into(), hash("01234567")));
        assert_eq!(
            read("./a@b/x.so@89abcdef"),
            ("./a@b/x.so".into(), hash("89abcdef"))
        );
    }

    #[test]
    fn a_version_may_be_required() {
        for (text, library, requirement) in [
            ("kp >= 1.2", "kp", ">=1.2"),
            ("kp>=1.2, <2", "kp", ">=1.2, <2"),
            ("./a=b/x.so ^0.3", "./a=b/x.so", "^0.3"),
        ] {
            let reference: PluginReference = text.parse().unwrap();
            assert_eq!(reference.library, library);
            assert_eq!(reference.version, Some(requirement.parse().unwrap()));
        }
        let both: PluginReference = "kp@01234567 =1.2.0".parse().unwrap();
        assert_eq!(both.hash.unwrap().to_string(), "01234567");
        let plain: PluginReference = "./a=b/x.so".parse().unwrap();
        assert_eq!(
            (plain.library.as_str(), plain.version),
            ("./a=b/x.so", None)
        );
        for text in ["kp >=", "kp >= one", "kp < 1.2 or so"] {
            let refused = text.parse::<PluginReference>().unwrap_err();
            assert!(refused.to_string().contains("does not require a version"));
        }
    }

    #[test]
    fn an_at_sign_of_a_path_is_part_of_it() {
        for path in ["./a@b/x.so", "/home/me@work/x.so", "./x@v2.so", "./x@"] {
            assert_eq!(read(path), (path.to_owned(), None));
        }
    }

    #[test]
    fn what_is_no_hash_is_refused() {
        let long = format!("bp@{}", "0".repeat(65));
        for text in [
            "bp@",
            "bp@0123456",
            "bp@0123456G",
            "bp@ABCDEF01",
            "./x.so@12",
            &long,
        ] {
            let refused = text.parse::<PluginReference>().unwrap_err();
            assert!(refused.to_string().contains("8 to 64 lower-case"), "{text}");
        }
    }

    #[test]
    fn only_a_whole_hash_is_one() {
        let hash = PluginHash::of(b"x");
        let text = hash.to_string();
        let whole: HashPrefix = text.parse().unwrap();
        assert_eq!(whole.whole(), Some(hash));
        let part: HashPrefix = text[..63].parse().unwrap();
        assert_eq!(part.whole(), None);
        assert!(part.matches(hash));
        assert!(!part.matches(PluginHash::of(b"y")));
    }

    #[test]
    fn a_library_is_called_by_its_file_wherever_it_lies() {
        for (text, name) in [
            ("ao-sdtp", "ao-sdtp"),
            ("./target/libassay_ao_sdtp.so", "ao-sdtp"),
            ("/x/libmine_2.so@01234567", "mine_2"),
            ("./odd", "odd"),
        ] {
            let reference: PluginReference = text.parse().unwrap();
            assert_eq!(reference.name(), name);
        }
    }
}
