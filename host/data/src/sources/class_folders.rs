//! Images in folders of their classes, or in one folder, as their names tell; none is decoded here.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use crate::error::DatasetError;
use crate::image::MAX_BYTES;

/// The images in a folder, in the order of their names, however the file system lists them.
pub(super) enum Listing {
    /// In folders below it.
    ByClass(Vec<ClassFolder>),
    /// In the folder itself.
    Flat(Vec<String>),
}

/// The images of one class.
pub(super) struct ClassFolder {
    /// The folder's name.
    pub(super) name: String,
    /// The names of the images in it.
    pub(super) images: Vec<String>,
}

/// Lists a folder. If there is a folder in it, there may be no file beside that.
pub(super) fn list(path: &Path) -> Result<Listing, DatasetError> {
    let entries = entries(path)?;
    if entries.iter().all(|(_, is_folder)| !is_folder) {
        let names = entries.into_iter().map(|(name, _)| name);
        return Ok(Listing::Flat(names.collect()));
    }
    let classes = entries.into_iter().map(|(name, is_folder)| {
        let folder = path.join(&name);
        if !is_folder {
            let problem = "is a file among folders of classes";
            return Err(DatasetError::file(&folder, problem));
        }
        let images = self::entries(&folder)?.into_iter();
        let images = images.map(|(image, is_folder)| {
            if is_folder {
                let problem = "is a folder where an image was expected";
                return Err(DatasetError::file(&folder.join(image), problem));
            }
            Ok(image)
        });
        Ok(ClassFolder {
            images: images.collect::<Result<_, _>>()?,
            name,
        })
    });
    Ok(Listing::ByClass(classes.collect::<Result<_, _>>()?))
}

/// The names in a folder, and whether each is a folder; hidden ones are left out.
fn entries(folder: &Path) -> Result<Vec<(String, bool)>, DatasetError> {
    let unreadable = |path: &Path, source| DatasetError::unreadable(path)(source);
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| unreadable(folder, error))? {
        let entry = entry.map_err(|error| unreadable(folder, error))?;
        let path = entry.path();
        let name = entry.file_name();
        let name = name
            .to_str()
            .ok_or_else(|| DatasetError::file(&path, "the name is not UTF-8"))?;
        if name.starts_with('.') {
            continue;
        }
        let kind = entry
            .file_type()
            .map_err(|error| unreadable(&path, error))?;
        // A link counts as what it leads to.
        let is_folder = kind.is_dir() || (kind.is_symlink() && path.is_dir());
        entries.push((name.to_owned(), is_folder));
    }
    entries.sort();
    Ok(entries)
}

/// The bytes of an image file; one byte too many of one that is larger than any image.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, DatasetError> {
    let read = || -> io::Result<_> {
        let file = assay_files::open(path)?;
        let mut bytes = Vec::with_capacity(file.metadata()?.len().min(MAX_BYTES) as usize);
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(DatasetError::unreadable(path))
}
