//! The folders that plugins are looked for in, and what lies there. Looks at names only: which
//! bytes are meant, and whether they are a plugin, is decided elsewhere.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::reference::{PluginReference, file_name, name_of_file};

/// Who named a folder. The order is that in which the folders are searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The pipeline file's `plugin_dirs`.
    Pipeline,
    /// The command line's `--plugin-dir`.
    Argument,
    /// The environment variable `ASSAY_PLUGIN_PATH`.
    Environment,
    /// The user's own folder of plugins.
    User,
    /// The folder of this program.
    Program,
}

impl Origin {
    /// The origin as a document spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pipeline => "pipeline",
            Self::Argument => "argument",
            Self::Environment => "environment",
            Self::User => "user",
            Self::Program => "program",
        }
    }
}

impl fmt::Display for Origin {
    /// How the folder came to be searched, in words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pipeline => "the pipeline file's `plugin_dirs`",
            Self::Argument => "--plugin-dir",
            Self::Environment => "ASSAY_PLUGIN_PATH",
            Self::User => "your own plugins",
            Self::Program => "beside the program",
        })
    }
}

/// A folder with plugins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchFolder {
    /// Where.
    pub path: PathBuf,
    /// Who named it.
    pub origin: Origin,
}

/// A file that is named like a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The name it can be asked for by.
    pub name: String,
    /// The file.
    pub file: PathBuf,
    /// How its folder came to be searched.
    pub origin: Origin,
}

/// The folders that plugins are looked for in, in order.
#[derive(Clone, Debug, Default)]
pub struct SearchPath {
    folders: Vec<SearchFolder>,
}

impl SearchPath {
    /// A search path of these folders; those of an [`Origin`] keep their order.
    pub fn new(folders: impl IntoIterator<Item = SearchFolder>) -> Self {
        let mut path = Self::default();
        path.extend(folders);
        path
    }

    /// Adds folders, each after those that go before it.
    pub fn extend(&mut self, folders: impl IntoIterator<Item = SearchFolder>) {
        self.folders.extend(folders);
        self.folders.sort_by_key(|folder| folder.origin);
    }

    /// The folders, in order.
    pub fn folders(&self) -> &[SearchFolder] {
        &self.folders
    }

    /// The files that `reference` may mean, the first of which it does unless a hash says
    /// otherwise: for a path that one, relative to `base`, whether or not it is there.
    pub(super) fn files(&self, reference: &PluginReference, base: &Path) -> Vec<PathBuf> {
        if reference.is_path() {
            return vec![base.join(&reference.library)];
        }
        let name = file_name(&reference.library);
        let files = self.folders.iter().map(|folder| folder.path.join(&name));
        files.filter(|file| file.is_file()).collect()
    }

    /// Every file that is named like a plugin, by name and then in the order of the search: the
    /// first of a name is the one that the name means. Folders that cannot be read hold none.
    pub fn candidates(&self) -> Vec<Candidate> {
        let mut found: Vec<Candidate> = Vec::new();
        for folder in &self.folders {
            let entries = fs::read_dir(&folder.path).into_iter().flatten().flatten();
            for entry in entries {
                let file = folder.path.join(entry.file_name());
                let name = plugin_name(&file);
                // A folder that is searched twice shadows nothing.
                let known = found.iter().any(|known| known.file == file);
                if let (Some(name), false, true) = (name, known, file.is_file()) {
                    found.push(Candidate {
                        name,
                        file,
                        origin: folder.origin,
                    });
                }
            }
        }
        found.sort_by(|one, other| one.name.cmp(&other.name));
        found
    }
}

/// The name that finds this file, if one does.
fn plugin_name(file: &Path) -> Option<String> {
    let own = file.file_name()?.to_str()?;
    let name = name_of_file(own);
    (file_name(&name) == own).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(path: &Path, origin: Origin) -> SearchFolder {
        SearchFolder {
            path: path.to_owned(),
            origin,
        }
    }

    #[test]
    fn folders_are_searched_in_the_documented_order() {
        let origins = [
            Origin::Program,
            Origin::User,
            Origin::Environment,
            Origin::Argument,
            Origin::Pipeline,
        ];
        let mut path = SearchPath::new(origins.map(|origin| folder(Path::new("a"), origin)));
        path.extend([folder(Path::new("b"), Origin::Argument)]);
        let order: Vec<_> = path
            .folders()
            .iter()
            .map(|folder| (folder.origin.name(), folder.path.to_str().unwrap()))
            .collect();
        assert_eq!(
            order,
            [
                ("pipeline", "a"),
                ("argument", "a"),
                ("argument", "b"),
                ("environment", "a"),
                ("user", "a"),
                ("program", "a"),
            ]
        );
    }

    #[test]
    fn the_first_file_of_a_name_wins_and_the_others_are_seen() {
        let temporary = tempfile::tempdir().unwrap();
        let (one, two) = (temporary.path().join("one"), temporary.path().join("two"));
        for (folder, file) in [
            (&one, "libassay_mine.so"),
            (&one, "libother.so"),
            (&one, "libassay_mine.so.minisig"),
            (&two, "libassay_mine.so"),
            (&two, "libassay_ao_sdtp.so"),
        ] {
            fs::create_dir_all(folder).unwrap();
            fs::write(folder.join(file), "").unwrap();
        }
        let path = SearchPath::new([
            folder(&two, Origin::Program),
            folder(&one, Origin::Argument),
            folder(&one, Origin::User),
            folder(&temporary.path().join("gone"), Origin::User),
        ]);
        let found: Vec<_> = path
            .candidates()
            .into_iter()
            .map(|candidate| (candidate.name, candidate.file))
            .collect();
        assert_eq!(
            found,
            [
                ("ao-sdtp".to_owned(), two.join("libassay_ao_sdtp.so")),
                ("mine".to_owned(), one.join("libassay_mine.so")),
                ("mine".to_owned(), two.join("libassay_mine.so")),
            ]
        );
        let reference: PluginReference = "mine".parse().unwrap();
        let files = path.files(&reference, Path::new(""));
        assert_eq!(files[0], one.join("libassay_mine.so"));
    }
}
