//! The user's own dataset in two CSV files: a line for each image, its label before its pixels.

use std::path::Path;

use assay_core::settings::{Node, Reader, array, integer, shortened, string};
use assay_core::{Complaints, Diagnostic, Placed};
use serde::{Deserialize, Serialize};

use super::hashed_file::HashedFile;
use super::images::{OpenDataset, PixelSet};
use super::settings::{FileHashes, SourceKind, SourceSettings, class_count, needed, placed};
use super::{DatasetSource, Facts, ScalingChoice, Source, SourceFile, numbered_classes};
use crate::error::DatasetError;
use crate::obtain::{MAX_FILE_BYTES, Progress, Search};
use crate::table::ImageShape;

/// The form in messages.
const FORM: &str = "CSV files";

/// A user's own dataset in CSV files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CsvSource {
    /// The dataset's name.
    pub name: String,
    /// Channels, rows and columns of every image.
    pub image: ImageShape,
    /// The number of classes.
    pub classes: u16,
    /// The file of the training set.
    pub train: HashedFile,
    /// The file of the test set.
    pub test: HashedFile,
}

pub(super) const KIND: SourceKind = SourceKind {
    name: "csv",
    settings: &["path", "classes", "train", "test", "image"],
    read: read_settings,
};

fn read_settings(
    reader: &mut Reader<'_>,
    stage: &str,
    out: &mut Complaints,
) -> Option<SourceSettings> {
    let path = reader.optional("path", out, string);
    let train = needed("train", FORM, reader, out, placed(string));
    let test = needed("test", FORM, reader, out, placed(string));
    let image = needed("image", FORM, reader, out, image_shape);
    let classes = needed("classes", FORM, reader, out, class_count);
    let (name, image, classes) = (stage.to_owned(), image?, classes?);
    let (train, test) = (train?, test?);
    // Files without a folder are looked for beside the pipeline file.
    let path = path.unwrap_or_else(|| ".".to_owned());
    Some(SourceSettings::new(Some(path.clone()), move |planning| {
        let folder = planning.base.join(&path);
        let mut hash = |file: &Placed<String>| {
            HashedFile::new(file.value.clone(), &folder, planning.hashes)
                .map_err(|error| Diagnostic::new(error.to_string(), &file.place))
        };
        Ok(DatasetSource::Csv(CsvSource {
            train: hash(&train)?,
            test: hash(&test)?,
            name: name.clone(),
            image,
            classes,
        }))
    }))
}

/// Channels, rows and columns, such as `[1, 28, 28]`.
fn image_shape(node: &Node) -> Result<ImageShape, Diagnostic> {
    let sizes = array(node)?.iter().map(integer_above_zero);
    let sizes = sizes.collect::<Result<Vec<_>, _>>()?;
    let refuse = |problem: String| Diagnostic::new(problem, &node.place);
    let sizes = <[u32; 3]>::try_from(sizes)
        .map_err(|_| refuse("an image has channels, rows and columns".to_owned()))?;
    ImageShape::try_from(sizes).map_err(|error| refuse(error.to_string()))
}

fn integer_above_zero(node: &Node) -> Result<u32, Diagnostic> {
    integer(1..=u32::MAX.into())(node).map(|size| size as u32)
}

impl Source for CsvSource {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: &self.name,
            files: [&self.train, &self.test].map(SourceFile::from).into(),
            image: Some(<[u32; 3]>::from(self.image).map(|size| size as usize)),
            classes: Some(self.classes),
            scaling: ScalingChoice::UnitInterval,
        }
    }

    fn check(&self) -> Result<(), DatasetError> {
        Ok(())
    }

    fn check_unchanged(
        &self,
        directory: Option<&Path>,
        hashes: &mut dyn FileHashes,
    ) -> Result<(), DatasetError> {
        self.train.check_unchanged(directory, hashes)?;
        self.test.check_unchanged(directory, hashes)
    }

    fn open(
        &self,
        search: Search<'_>,
        _: &mut dyn FnMut(Progress<'_>),
    ) -> Result<OpenDataset, DatasetError> {
        let folder = search.directory.unwrap_or(Path::new("."));
        let read = |file: &HashedFile| self.read(&folder.join(&file.path));
        let sets = [read(&self.train)?, read(&self.test)?];
        let class_names = numbered_classes(self.classes);
        Ok(OpenDataset::of_pixels(class_names, sets, Vec::new()))
    }
}

impl CsvSource {
    fn read(&self, path: &Path) -> Result<PixelSet, DatasetError> {
        let text =
            assay_files::read_text(path, MAX_FILE_BYTES).map_err(DatasetError::unreadable(path))?;
        let mut set = PixelSet {
            shape: self.image,
            pixels: Vec::new(),
            labels: Vec::new(),
        };
        for (line, number) in text.lines().zip(1_u64..) {
            // The first line may name the columns.
            if number == 1 && !line.starts_with(|first: char| first.is_ascii_digit()) {
                continue;
            }
            self.append(line, &mut set)
                .map_err(|problem| DatasetError::file(path, format!("line {number} {problem}")))?;
        }
        if set.labels.is_empty() {
            return Err(DatasetError::file(path, "has no image"));
        }
        Ok(set)
    }

    /// Appends the image in a line; an error is its fault.
    fn append(&self, line: &str, set: &mut PixelSet) -> Result<(), String> {
        let (label, pixels) = line.split_once(',').unwrap_or((line, ""));
        let label: u16 = label
            .trim()
            .parse()
            .map_err(|_| "does not begin with a label".to_owned())?;
        if label >= self.classes {
            let classes = self.classes;
            return Err(format!(
                "has label {label}; with {classes} classes, labels are below {classes}"
            ));
        }
        let before = set.pixels.len();
        for pixel in pixels.split(',') {
            let value = pixel.trim().parse::<u8>();
            set.pixels.push(value.map_err(|_| {
                let pixel = shortened(pixel);
                format!("has a pixel that is no whole number from 0 to 255: `{pixel}`")
            })?);
        }
        let (found, expected) = (set.pixels.len() - before, self.image.pixels());
        if found != expected {
            return Err(format!("has {found} pixels; an image has {expected}"));
        }
        set.labels.push(label);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Result<PixelSet, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.csv");
        std::fs::write(&path, text).unwrap();
        let file = || HashedFile {
            path: "file.csv".to_owned(),
            hash: assay_core::ObjectHash::of(text.as_bytes()),
        };
        let source = CsvSource {
            name: "own".to_owned(),
            image: ImageShape::new(1, 1, 3).unwrap(),
            classes: 2,
            train: file(),
            test: file(),
        };
        let error = |error: DatasetError| error.to_string().split_off(path.as_os_str().len());
        source.read(&path).map_err(error)
    }

    #[test]
    fn each_line_is_a_label_and_pixels() {
        for text in [
            "1,0,9,255\n0,1,2,3\n",
            "label,a,b,c\r\n1, 0,9,255\r\n0,1,2,3",
        ] {
            let set = source(text).unwrap();
            assert_eq!(set.labels, [1, 0]);
            assert_eq!(set.pixels, [0, 9, 255, 1, 2, 3]);
        }
    }

    #[test]
    fn a_wrong_line_is_named() {
        for (text, problem) in [
            ("", ": has no image"),
            ("label,a,b,c\n", ": has no image"),
            ("0,1,2,3\nx,1,2,3", ": line 2 does not begin with a label"),
            (
                "2,1,2,3",
                ": line 1 has label 2; with 2 classes, labels are below 2",
            ),
            ("0,1,2", ": line 1 has 2 pixels; an image has 3"),
            (
                "0,1,2,256",
                ": line 1 has a pixel that is no whole number from 0 to 255: `256`",
            ),
        ] {
            assert_eq!(source(text).err().as_deref(), Some(problem));
        }
    }
}
