//! One set of ImageNet's images: listed from folders or archives, read one by one.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::class_folders;
use super::super::images::{ImageSet, Stream};
use super::archive::{self, Member, Stretch};
use super::copy::Location;
use crate::error::DatasetError;
use crate::image::MAX_BYTES;

/// The images of a set, in the order of their names.
pub(super) enum Listing {
    ByClass(Vec<Class>),
    Flat(Vec<ImageFile>),
}

/// The images of one class.
pub(super) struct Class {
    /// The synset.
    pub(super) name: String,
    images: Vec<ImageFile>,
}

/// One image.
pub(super) struct ImageFile {
    name: Box<str>,
    /// Its bytes in the archive, if the set is one.
    stretch: Option<Stretch>,
}

/// A set whose images are listed and have labels.
pub(super) struct Set {
    storage: Storage,
    images: Vec<ImageFile>,
    labels: Vec<u16>,
    /// The folders of the classes by label, where images lie in such.
    folders: Option<Arc<[String]>>,
    /// True if the class is part of an image's name.
    named_by_class: bool,
}

enum Storage {
    Folder(PathBuf),
    Archive(PathBuf, File),
}

/// The files of a set relative to `root`.
pub(super) fn files(location: &Location, root: &Path) -> Result<Vec<PathBuf>, DatasetError> {
    let path = location.path();
    let relative = path.strip_prefix(root).unwrap_or(path);
    let Location::Folder(_) = location else {
        return Ok(vec![relative.to_owned()]);
    };
    Ok(match list(location)? {
        Listing::Flat(images) => images
            .iter()
            .map(|image| relative.join(&*image.name))
            .collect(),
        Listing::ByClass(classes) => classes
            .iter()
            .flat_map(|class| {
                let folder = relative.join(&class.name);
                class
                    .images
                    .iter()
                    .map(move |image| folder.join(&*image.name))
            })
            .collect(),
    })
}

/// Lists a set.
pub(super) fn list(location: &Location) -> Result<Listing, DatasetError> {
    let listing = match location {
        Location::Folder(path) => list_folder(path)?,
        Location::Archive(path) => list_archive(path)?,
    };
    let empty = match &listing {
        Listing::Flat(images) => images.is_empty(),
        Listing::ByClass(classes) => classes.iter().all(|class| class.images.is_empty()),
    };
    if empty {
        return Err(DatasetError::file(location.path(), "has no image"));
    }
    Ok(listing)
}

impl Storage {
    fn open(location: &Location) -> Result<Self, DatasetError> {
        Ok(match location {
            Location::Folder(path) => Self::Folder(path.clone()),
            Location::Archive(path) => {
                let file = assay_files::open(path).map_err(DatasetError::unreadable(path))?;
                Self::Archive(path.clone(), file)
            }
        })
    }
}

fn list_folder(path: &Path) -> Result<Listing, DatasetError> {
    let files = |names: Vec<String>| names.into_iter().map(ImageFile::alone).collect();
    Ok(match class_folders::list(path)? {
        class_folders::Listing::Flat(names) => Listing::Flat(files(names)),
        class_folders::Listing::ByClass(classes) => {
            let classes = classes.into_iter().map(|class| Class {
                name: class.name,
                images: files(class.images),
            });
            Listing::ByClass(classes.collect())
        }
    })
}

/// An archive of archives is a set by class, an archive of images a flat one.
fn list_archive(path: &Path) -> Result<Listing, DatasetError> {
    let unreadable = |source| DatasetError::unreadable(path)(source);
    let file = assay_files::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    let members = archive::list(&file, Stretch { offset: 0, length }).map_err(unreadable)?;
    let class_of = |member: &Member| Some(base_name(&member.path).strip_suffix(".tar")?.to_owned());
    if !members.iter().any(|member| class_of(member).is_some()) {
        return Ok(Listing::Flat(images(members)));
    }
    let mut classes = members
        .iter()
        .map(|member| {
            let name = class_of(member).ok_or_else(|| {
                let problem = format!("holds `{}` among the archives of classes", member.path);
                DatasetError::file(path, problem)
            })?;
            let within = |error: io::Error| {
                let message = format!("`{}` in it: {error}", member.path);
                unreadable(io::Error::new(error.kind(), message))
            };
            let images = images(archive::list(&file, member.stretch).map_err(within)?);
            Ok(Class { name, images })
        })
        .collect::<Result<Vec<_>, DatasetError>>()?;
    classes.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(Listing::ByClass(classes))
}

fn images(members: Vec<Member>) -> Vec<ImageFile> {
    let mut images: Vec<_> = members
        .into_iter()
        .map(|member| ImageFile {
            name: base_name(&member.path).into(),
            stretch: Some(member.stretch),
        })
        .collect();
    images.sort_by(|one, other| one.name.cmp(&other.name));
    images
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

impl ImageFile {
    fn alone(name: String) -> Self {
        Self {
            name: name.into(),
            stretch: None,
        }
    }
}

impl Set {
    /// The set of `classes`, labelled by `label` from a class's position and name.
    pub(super) fn of_classes(
        location: &Location,
        classes: Vec<Class>,
        label: impl Fn(u16, &String) -> Option<u16>,
        synsets: &[String],
    ) -> Result<Self, DatasetError> {
        let (mut images, mut labels) = (Vec::new(), Vec::new());
        for (position, class) in (0_u16..).zip(classes) {
            let label = label(position, &class.name).ok_or_else(|| {
                let problem = "is a class without training images";
                DatasetError::file(&location.path().join(&class.name), problem)
            })?;
            labels.resize(labels.len() + class.images.len(), label);
            images.extend(class.images);
        }
        Self::new(location, images, labels, Some(synsets))
    }

    /// The set of images that lie in no folders.
    pub(super) fn flat(
        location: &Location,
        images: Vec<ImageFile>,
        labels: Vec<u16>,
    ) -> Result<Self, DatasetError> {
        let mut set = Self::new(location, images, labels, None)?;
        set.named_by_class = false;
        Ok(set)
    }

    fn new(
        location: &Location,
        images: Vec<ImageFile>,
        labels: Vec<u16>,
        folders: Option<&[String]>,
    ) -> Result<Self, DatasetError> {
        if u32::try_from(images.len()).is_err() {
            let problem = "has more images than can be counted";
            return Err(DatasetError::file(location.path(), problem));
        }
        Ok(Self {
            storage: Storage::open(location)?,
            images,
            labels,
            folders: folders.map(Into::into),
            named_by_class: true,
        })
    }

    /// The same images in the order of their names alone, in which those of the publishers'
    /// validation set come without folders.
    pub(super) fn by_name(mut self) -> Self {
        let mut pairs: Vec<_> = self.images.into_iter().zip(self.labels).collect();
        pairs.sort_by(|(one, _), (other, _)| one.name.cmp(&other.name));
        (self.images, self.labels) = pairs.into_iter().unzip();
        self.named_by_class = false;
        self
    }

    fn read(&self, position: u32) -> Result<Vec<u8>, DatasetError> {
        let image = &self.images[position as usize];
        match (&self.storage, image.stretch) {
            (Storage::Archive(path, file), Some(stretch)) => {
                archive::read(file, stretch, MAX_BYTES + 1).map_err(DatasetError::unreadable(path))
            }
            (Storage::Folder(path) | Storage::Archive(path, _), _) => {
                let path = path.join(self.folder(position).unwrap_or_default());
                let path = path.join(&*image.name);
                class_folders::read(&path)
            }
        }
    }

    /// The folder of the image's class, where images lie in such.
    fn folder(&self, position: u32) -> Option<&str> {
        let label = self.labels[position as usize];
        self.folders
            .as_ref()?
            .get(usize::from(label))
            .map(String::as_str)
    }
}

impl ImageSet for Set {
    fn labels(&self) -> &[u16] {
        &self.labels
    }

    fn name(&self, position: u32) -> String {
        let name = &self.images[position as usize].name;
        match self.folder(position).filter(|_| self.named_by_class) {
            Some(class) => format!("train/{class}/{name}"),
            None => format!("val/{name}"),
        }
    }

    fn stream<'a>(&'a self, positions: &'a [u32]) -> Stream<'a> {
        Box::new(positions.iter().map(|&position| self.read(position)))
    }
}
