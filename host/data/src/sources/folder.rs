//! The user's own image files, in a folder for each class.

use std::path::{Component, Path, PathBuf};

use assay_core::settings::{Node, Reader, string};
use assay_core::{Complaints, Diagnostic, ObjectHash};
use serde::{Deserialize, Serialize};

use super::class_folders::{self, ClassFolder, Listing};
use super::hashed_file::compare;
use super::image_files::{ImageSettings, channels, check_channels, check_size, drawn_test};
use super::images::{BadImagePolicy, ImageSet, ImageStorage, OpenDataset, Stream};
use super::settings::{FileHashes, SourceKind, SourceSettings, needed, placed};
use super::{DatasetSource, Digest, Facts, ScalingChoice, Source, SourceFile};
use crate::error::DatasetError;
use crate::image::{Form, Geometry};
use crate::obtain::{Progress, Search};

/// The form in messages.
const FORM: &str = "folders of images";

/// Labels and their number are stored in 16 bits.
const MAX_CLASSES: usize = u16::MAX as usize;

/// A user's own dataset in folders of images, and what is made of these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FolderSource {
    /// The dataset's name.
    pub name: String,
    /// Identifies the names and the content of all files. Whoever runs the stage checks it; preparing
    /// reads what it finds.
    pub files: ObjectHash,
    /// The folders of the training and of the test set in that of the dataset, where there are both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folders: Option<[String; 2]>,
    /// The number of images of the training set that form the test set, where there is no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<u32>,
    /// 3 for colour, 1 for grey.
    pub channels: u32,
    /// Rows and columns of the prepared images; else images stay as they are, and must be equal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u32>,
    /// The way in which images become square, where a size is set.
    pub geometry: Geometry,
    /// The treatment of images that cannot be decoded.
    pub on_bad_image: BadImagePolicy,
}

pub(super) const KIND: SourceKind = SourceKind {
    name: "folder",
    settings: &[
        "path",
        "test",
        "channels",
        "size",
        "geometry",
        "on_bad_image",
    ],
    read: read_settings,
};

/// The test set, as written.
enum TestSet {
    /// A folder of its own.
    Folder(String),
    /// So many images of the training set.
    Drawn(u32),
}

fn read_settings(
    reader: &mut Reader<'_>,
    stage: &str,
    out: &mut Complaints,
) -> Option<SourceSettings> {
    let path = needed("path", FORM, reader, out, placed(string));
    let message = "a dataset in folders of images needs `test`: a folder, or a number of images to \
                   draw from the training set";
    let missing = |reader: &Reader<'_>| Diagnostic::new(message, &reader.place);
    let test = reader.required_or("test", missing, out, placed(test_set));
    let channels = reader.optional("channels", out, channels).unwrap_or(3);
    let images = ImageSettings::read(reader, out);
    let (name, path, test) = (stage.to_owned(), path?, test?);
    let (root, folders, test) = match test.value {
        TestSet::Drawn(count) => (path.value, None, Some(count)),
        TestSet::Folder(folder) => match common(&path.value, &folder) {
            Ok((root, folders)) => (root, Some(folders), None),
            Err(problem) => {
                out.push(Diagnostic::new(problem, &test.place));
                return None;
            }
        },
    };
    Some(SourceSettings::new(Some(root.clone()), move |planning| {
        let layout = Layout::new(planning.base.join(&root), folders.as_ref());
        let files = layout.hash(planning.hashes);
        Ok(DatasetSource::Folder(FolderSource {
            name: name.clone(),
            files: files.map_err(|error| Diagnostic::new(error.to_string(), &path.place))?,
            folders: folders.clone(),
            test,
            channels,
            size: images.size,
            geometry: images.geometry,
            on_bad_image: images.on_bad_image,
        }))
    }))
}

fn test_set(node: &Node) -> Result<TestSet, Diagnostic> {
    let folder = string(node).map(TestSet::Folder);
    folder.or_else(|_| drawn_test(node).map(TestSet::Drawn))
}

/// The folder in which both folders lie, and the paths of both in it; or why there is none.
fn common(train: &str, test: &str) -> Result<(String, [String; 2]), &'static str> {
    let parts = |path| {
        let parts = Path::new(path).components();
        parts.filter(|part| *part != Component::CurDir).collect()
    };
    let [train, test]: [Vec<_>; 2] = [parts(train), parts(test)];
    let pairs = train.iter().zip(&test);
    let shared = pairs.take_while(|(one, other)| one == other).count();
    let (root, rest) = (&train[..shared], [&train[shared..], &test[shared..]]);
    if rest.iter().any(|path| path.is_empty()) {
        return Err(
            "the folders of the training and the test set lie in one another; put them \
                    beside each other",
        );
    }
    let leaves = |part: &Component<'_>| !matches!(part, Component::Normal(_));
    if rest.into_iter().flatten().any(leaves) {
        return Err(
            "the folders of the training and the test set lie in no common folder; put \
                    them into one, and write both paths from there or both from the root",
        );
    }
    let joined = |path: &[Component<'_>]| {
        let path: PathBuf = path.iter().collect();
        path.to_string_lossy().into_owned()
    };
    let root = if root.is_empty() {
        ".".to_owned()
    } else {
        joined(root)
    };
    Ok((root, rest.map(joined)))
}

/// The folders of a dataset.
struct Layout {
    root: PathBuf,
    train: PathBuf,
    test: Option<PathBuf>,
}

impl Layout {
    fn new(root: PathBuf, folders: Option<&[String; 2]>) -> Self {
        match folders {
            None => Self {
                train: root.clone(),
                test: None,
                root,
            },
            Some([train, test]) => Self {
                train: root.join(train),
                test: Some(root.join(test)),
                root,
            },
        }
    }

    /// The classes of the training and of the test set, each with its images.
    fn list(&self) -> Result<(Vec<ClassFolder>, Option<Vec<ClassFolder>>), DatasetError> {
        let train = list(&self.train)?;
        let Some(folder) = &self.test else {
            return Ok((train, None));
        };
        let test = list(folder)?;
        let lacks = |one: &[ClassFolder], other: &[ClassFolder]| {
            let is_in = |name| {
                one.binary_search_by(|class| class.name.as_str().cmp(name))
                    .is_ok()
            };
            let missing = other.iter().find(|class| !is_in(class.name.as_str()));
            missing.map(|class| class.name.clone())
        };
        let refused = |folder: &Path, class: String, of: &str| {
            let problem = format!("has no folder `{class}`, which is a class of the {of} set");
            Err(DatasetError::file(folder, problem))
        };
        match (lacks(&test, &train), lacks(&train, &test)) {
            (Some(class), _) => refused(folder, class, "training"),
            (_, Some(class)) => refused(&self.train, class, "test"),
            (None, None) => Ok((train, Some(test))),
        }
    }

    /// One hash of all files.
    fn hash(&self, hashes: &mut dyn FileHashes) -> Result<ObjectHash, DatasetError> {
        let (train, test) = self.list()?;
        let mut files = self.files(&self.train, &train);
        if let (Some(folder), Some(test)) = (&self.test, &test) {
            files.extend(self.files(folder, test));
        }
        hashes.tree(&self.root, &files).map_err(DatasetError::Hash)
    }

    /// The files of a set, relative to the root.
    fn files(&self, folder: &Path, classes: &[ClassFolder]) -> Vec<PathBuf> {
        let folder = folder.strip_prefix(&self.root).unwrap_or(folder);
        let files = classes.iter().flat_map(|class| {
            let folder = folder.join(&class.name);
            let images = class.images.iter();
            images.map(move |image| folder.join(image))
        });
        files.collect()
    }
}

/// The classes in a folder, none of which is empty.
fn list(folder: &Path) -> Result<Vec<ClassFolder>, DatasetError> {
    let Listing::ByClass(classes) = class_folders::list(folder)? else {
        let problem = "has no folders of classes; images lie in a folder for each class";
        return Err(DatasetError::file(folder, problem));
    };
    if classes.len() > MAX_CLASSES {
        let problem = format!("has {} classes, at most {MAX_CLASSES} fit", classes.len());
        return Err(DatasetError::file(folder, problem));
    }
    if let Some(class) = classes.iter().find(|class| class.images.is_empty()) {
        let problem = "has no image; put images of its class there, or remove the folder";
        return Err(DatasetError::file(&folder.join(&class.name), problem));
    }
    Ok(classes)
}

impl Source for FolderSource {
    fn facts(&self) -> Facts<'_> {
        let file = SourceFile {
            name: self.name.clone(),
            digest: Digest::Blake3(self.files),
            bytes: None,
        };
        let image = |size| [self.channels as usize, size as usize, size as usize];
        Facts {
            name: &self.name,
            files: vec![file],
            image: self.size.map(image),
            classes: None,
            scaling: ScalingChoice::UnitInterval,
        }
    }

    fn check(&self) -> Result<(), DatasetError> {
        check_channels(&self.name, self.channels)?;
        self.size
            .map_or(Ok(()), |size| check_size(&self.name, size))
    }

    fn check_unchanged(
        &self,
        directory: Option<&Path>,
        hashes: &mut dyn FileHashes,
    ) -> Result<(), DatasetError> {
        let found = self.layout(directory).hash(hashes)?;
        compare(self.files, found, || format!("a file of `{}`", self.name))
    }

    fn open(
        &self,
        search: Search<'_>,
        _: &mut dyn FnMut(Progress<'_>),
    ) -> Result<OpenDataset, DatasetError> {
        let layout = self.layout(search.directory);
        let (train, test) = layout.list()?;
        let class_names = train.iter().map(|class| class.name.clone());
        let class_names: Vec<_> = class_names.collect();
        let test = match (&layout.test, test) {
            (Some(folder), Some(classes)) => Some(Set::new("test", folder, classes)?),
            _ => None,
        };
        let form = Form {
            size: self.size,
            geometry: self.geometry,
            grey: self.channels == 1,
        };
        Ok(OpenDataset {
            class_names,
            train: Box::new(Set::new("train", &layout.train, train)?),
            test: test.map(|test| Box::new(test) as Box<dyn ImageSet>),
            drawn_test: self.test,
            storage: ImageStorage::Files(form, self.on_bad_image),
            origins: Vec::new(),
        })
    }
}

impl FolderSource {
    fn layout(&self, directory: Option<&Path>) -> Layout {
        let root = directory.unwrap_or(Path::new("."));
        Layout::new(root.to_owned(), self.folders.as_ref())
    }
}

/// The images of a set, class by class.
struct Set {
    /// The name of the set in messages and descriptions, which are the same wherever it lies.
    name: &'static str,
    folder: PathBuf,
    /// The classes' names, by label.
    classes: Vec<String>,
    images: Vec<String>,
    labels: Vec<u16>,
}

impl Set {
    fn new(
        name: &'static str,
        folder: &Path,
        classes: Vec<ClassFolder>,
    ) -> Result<Self, DatasetError> {
        let mut set = Self {
            name,
            folder: folder.to_owned(),
            classes: Vec::new(),
            images: Vec::new(),
            labels: Vec::new(),
        };
        for (label, class) in (0_u16..).zip(classes) {
            set.classes.push(class.name);
            set.images.extend(class.images);
            set.labels.resize(set.images.len(), label);
        }
        if u32::try_from(set.images.len()).is_err() {
            let problem = "has more images than can be counted";
            return Err(DatasetError::file(folder, problem));
        }
        Ok(set)
    }

    /// The path of an image in the folder of the set.
    fn path(&self, position: u32) -> PathBuf {
        let label = self.labels[position as usize];
        Path::new(&self.classes[usize::from(label)]).join(&self.images[position as usize])
    }
}

impl ImageSet for Set {
    fn labels(&self) -> &[u16] {
        &self.labels
    }

    fn name(&self, position: u32) -> String {
        format!("{}/{}", self.name, self.path(position).display())
    }

    fn stream<'a>(&'a self, positions: &'a [u32]) -> Stream<'a> {
        let read = |&position| class_folders::read(&self.folder.join(self.path(position)));
        Box::new(positions.iter().map(read))
    }
}

#[cfg(test)]
mod tests {
    use super::common;

    #[test]
    fn both_folders_are_named_from_the_one_they_lie_in() {
        let of = |train, test| common(train, test).map(|(root, rest)| (root, rest.join(" ")));
        let is = |root: &str, rest: &str| Ok((root.to_owned(), rest.to_owned()));
        assert_eq!(of("a/train", "a/test"), is("a", "train test"));
        assert_eq!(of("./train", "test"), of("train", "test"));
        assert_eq!(of("train", "b/test"), is(".", "train b/test"));
        assert_eq!(of("../a/x", "../a/y/z"), is("../a", "x y/z"));
        assert_eq!(of("/a/x", "/a/y"), is("/a", "x y"));
        for (train, test) in [("a", "a"), ("a", "a/test"), ("a/b", "a"), (".", "test")] {
            assert!(of(train, test).unwrap_err().contains("lie in one another"));
        }
        for (train, test) in [("a", "../b"), ("/a", "b"), ("a/x", "../a/y")] {
            assert!(of(train, test).unwrap_err().contains("no common folder"));
        }
    }
}
