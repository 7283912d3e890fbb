//! The development kit of ILSVRC2012: what the classes are called, and the labels of the
//! validation images in its own numbering.

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use tar::Archive;

use super::copy::{DEVKIT_ARCHIVE, DEVKIT_FOLDER, Location};
use super::mat::{Synset, read_synsets};
use crate::content::read_limited;
use crate::error::DatasetError;

const META: &str = "data/meta.mat";
const GROUND_TRUTH: &str = "data/ILSVRC2012_validation_ground_truth.txt";

/// The real files hold less than a megabyte.
const LIMIT: u64 = 64 << 20;

/// The content of a development kit.
#[derive(Debug)]
pub(super) struct Devkit {
    path: PathBuf,
    synsets: Vec<Synset>,
    ground_truth: String,
}

/// The files of a development kit that are read, relative to the root.
pub(super) fn files(devkit: &Location) -> Vec<PathBuf> {
    match devkit {
        Location::Folder(_) => [META, GROUND_TRUTH]
            .map(|file| Path::new(DEVKIT_FOLDER).join(file))
            .into(),
        Location::Archive(_) => vec![DEVKIT_ARCHIVE.into()],
    }
}

fn read_folder(folder: &Path) -> io::Result<[Vec<u8>; 2]> {
    let read = |name| limited(assay_files::open(&folder.join(name))?);
    Ok([read(META)?, read(GROUND_TRUTH)?])
}

fn read_archive(path: &Path) -> io::Result<[Vec<u8>; 2]> {
    let mut archive = Archive::new(GzDecoder::new(assay_files::open(path)?));
    let [mut meta, mut ground_truth] = [None, None];
    for entry in archive.entries()? {
        let entry = entry?;
        let name = entry.path()?.into_owned();
        if name.ends_with(META) {
            meta = Some(limited(entry)?);
        } else if name.ends_with(GROUND_TRUTH) {
            ground_truth = Some(limited(entry)?);
        }
    }
    let missing = |name| io::Error::new(io::ErrorKind::NotFound, format!("it has no `{name}`"));
    Ok([
        meta.ok_or_else(|| missing(META))?,
        ground_truth.ok_or_else(|| missing(GROUND_TRUTH))?,
    ])
}

fn limited(reader: impl Read) -> io::Result<Vec<u8>> {
    read_limited(reader, LIMIT).map_err(io::Error::from)
}

impl Devkit {
    pub(super) fn read(location: &Location) -> Result<Self, DatasetError> {
        let path = location.path();
        let [meta, ground_truth] = match location {
            Location::Folder(folder) => read_folder(folder),
            Location::Archive(archive) => read_archive(archive),
        }
        .map_err(DatasetError::unreadable(path))?;
        let synsets = read_synsets(&meta)
            .map_err(|fault| DatasetError::file(path, format!("`meta.mat` {fault}")))?;
        let mut devkit = Self {
            path: path.to_owned(),
            synsets,
            ground_truth: String::new(),
        };
        let text = String::from_utf8(ground_truth);
        devkit.ground_truth = text.map_err(|_| devkit.wrong_labels("is no text"))?;
        Ok(devkit)
    }

    fn wrong_labels(&self, problem: &str) -> DatasetError {
        let problem = format!("the validation ground truth {problem}");
        DatasetError::file(&self.path, problem)
    }

    /// The name of each class: its synset, and the words for it where the kit has them.
    pub(super) fn class_names(&self, synsets: &[String]) -> Vec<String> {
        let known = self.synsets.iter();
        let words: HashMap<_, _> = known.map(|known| (&*known.id, &*known.words)).collect();
        let name = |id: &String| match words.get(id.as_str()) {
            Some(words) => format!("{id} {words}"),
            None => id.clone(),
        };
        synsets.iter().map(name).collect()
    }

    /// The label of each of the `images` validation images, in the order of their names: the
    /// position of its synset in `synsets`.
    pub(super) fn labels(
        &self,
        synsets: &[String],
        images: usize,
    ) -> Result<Vec<u16>, DatasetError> {
        let wrong = |problem: String| self.wrong_labels(&problem);
        let known = self.synsets.iter();
        let ids: HashMap<_, _> = known.map(|known| (known.number, &*known.id)).collect();
        let labels: Vec<u16> = self
            .ground_truth
            .lines()
            .enumerate()
            .map(|(line, text)| {
                let number = text.trim().parse::<u32>().ok();
                let id = number.and_then(|number| ids.get(&number)).ok_or_else(|| {
                    wrong(format!("has no number of a synset in line {}", line + 1))
                })?;
                let label = synsets.binary_search_by(|synset| synset.as_str().cmp(id));
                label.map(|label| label as u16).map_err(|_| {
                    wrong(format!(
                        "names {id} in line {}, a class without training images",
                        line + 1
                    ))
                })
            })
            .collect::<Result<_, _>>()?;
        if labels.len() != images {
            return Err(wrong(format!(
                "has {} lines for {images} validation images",
                labels.len()
            )));
        }
        Ok(labels)
    }
}
