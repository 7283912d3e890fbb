//! How a plugin is named: by name, by path, or by either with a hash. Owns the notation; what
//! lies where the reference points is for others to find.

use std::fmt;
use std::str::FromStr;

use assay_core::PluginHash;

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
}

impl FromStr for PluginReference {
    type Err = InvalidHashPrefix;

    /// Reads `name`, `path/to/library.so`, `name@hash` or `path/to/library.so@hash`. What follows
    /// the last `@` of a path is a part of the path unless it is all hexadecimal digits, since
    /// file names may have an `@`; plugin names have none.
    fn from_str(text: &str) -> Result<Self, InvalidHashPrefix> {
        let plain = |library: &str| Self {
            library: library.to_owned(),
            hash: None,
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
