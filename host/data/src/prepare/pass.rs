//! The pass over a dataset: images decoded in order, written to tables in bounded memory, and taken
//! up again after an interruption.
//!
//! The images of a file depend on the parameters alone, so a pass that was interrupted comes to the
//! same bytes as one that was not, on any number of threads. Image files become shards of raw
//! pixels, whose scaling stands in the description, for it is known only at the end. Pixels are
//! read once more for their statistics, and become one table for each split, with its scaling.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::decode::decode_in_order;
use super::file::SplitFile;
use super::record::Record;
use super::splits::SplitPositions;
use super::{DESCRIPTION_FILE, Description, Progress, SplitDescription, Splits, Workplace};
use crate::error::DatasetError;
use crate::image::{Decoder, Form};
use crate::sources::BadImagePolicy;
use crate::sources::{DatasetParameters, ImageSet, ImageStorage, OpenDataset, ScalingChoice};
use crate::statistics::Statistics;
use crate::table::{ImageShape, ROWS_PER_BATCH, Scaling, Standardisation, TableWriter};

/// About the size of a shard in bytes; every shard has at least one image.
const SHARD_BYTES: usize = 256 << 20;
/// The most rows of a shard, however small images are.
const MOST_SHARD_ROWS: usize = 1 << 20;
/// About the size of a record batch of a shard, which is kept in memory until it is written.
const BATCH_BYTES: usize = 8 << 20;

/// The folder below the scratch folder in which files grow.
const FOLDER: &str = "shards";

/// Writes the tables of every split and the description.
pub(super) fn prepare(
    parameters: &DatasetParameters,
    dataset: &OpenDataset,
    workplace: &Workplace<'_>,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Description, DatasetError> {
    prepare_sized(parameters, dataset, workplace, progress, SHARD_BYTES)
}

fn prepare_sized(
    parameters: &DatasetParameters,
    dataset: &OpenDataset,
    workplace: &Workplace<'_>,
    progress: &mut dyn FnMut(Progress<'_>),
    shard_bytes: usize,
) -> Result<Description, DatasetError> {
    let positions = SplitPositions::choose(parameters, dataset)?;
    let shape = shape(parameters, dataset, &positions.train)?;
    let mut pass = Pass {
        layout: match dataset.storage {
            ImageStorage::Pixels(_) => Layout::Whole(scaling_of_pixels(
                parameters,
                dataset,
                &positions.train,
                shape,
            )?),
            ImageStorage::Files(..) => Layout::Shards {
                rows: (shard_bytes / shape.pixels()).clamp(1, MOST_SHARD_ROWS),
            },
        },
        shape,
        pool: thread_pool(workplace.threads)?,
        folder: scratch_folder(workplace.scratch)?,
        dataset,
        workplace,
        done: 0,
        total: positions.count(),
        progress,
    };
    let train = pass.split("train", dataset.train.as_ref(), &positions.train)?;
    let validation = (!positions.validation.is_empty())
        .then(|| pass.split("validation", dataset.train.as_ref(), &positions.validation))
        .transpose()?;
    let test = dataset.test.as_ref().unwrap_or(&dataset.train);
    let test = pass.split("test", test.as_ref(), &positions.test)?;

    // A scaling that cannot be done is better known now than when a training begins.
    scaling(parameters, &train.statistics)?;
    let (mean, standard_deviation) = train.statistics.moments();
    let description = Description {
        name: parameters.source.name().to_owned(),
        shape,
        classes: dataset.class_names.len() as u16,
        class_names: dataset.class_names.clone(),
        scaling: parameters.scaling,
        mean,
        standard_deviation,
        splits: Splits {
            train: train.description,
            validation: validation.map(|split| split.description),
            test: test.description,
        },
    };
    pass.hand_over(&description)?;
    write_description(&description, workplace.output)?;
    Ok(description)
}

/// The shape of the prepared images: that of the first where none is asked for.
fn shape(
    parameters: &DatasetParameters,
    dataset: &OpenDataset,
    train: &[u32],
) -> Result<ImageShape, DatasetError> {
    let (form, policy) = match dataset.storage {
        ImageStorage::Pixels(shape) => return Ok(shape),
        ImageStorage::Files(form, policy) => (form, policy),
    };
    let no_image = || DatasetError::NoImage {
        dataset: parameters.source.name().to_owned(),
    };
    if let Some(size) = form.size {
        let channels = if form.grey { 1 } else { 3 };
        return ImageShape::new(channels, size, size).map_err(|_| no_image());
    }
    first_shape(dataset.train.as_ref(), train, form, policy)?.ok_or_else(no_image)
}

/// The shape of the first image that can be decoded.
fn first_shape(
    set: &dyn ImageSet,
    positions: &[u32],
    form: Form,
    policy: BadImagePolicy,
) -> Result<Option<ImageShape>, DatasetError> {
    let mut decoder = Decoder::new(form);
    for (&position, bytes) in positions.iter().zip(set.stream(positions)) {
        match (decoder.decode(&bytes?), policy) {
            (Ok(image), _) => return Ok(Some(image.shape)),
            (Err(fault), BadImagePolicy::Error) => {
                let file = set.name(position);
                return Err(DatasetError::BadImage { file, fault });
            }
            (Err(_), BadImagePolicy::Skip) => {}
        }
    }
    Ok(None)
}

/// The scaling of pixels, with the statistics of the training split where it needs them.
fn scaling_of_pixels(
    parameters: &DatasetParameters,
    dataset: &OpenDataset,
    train: &[u32],
    shape: ImageShape,
) -> Result<Scaling, DatasetError> {
    let mut statistics = Statistics::new(shape);
    if parameters.scaling == ScalingChoice::Standardised {
        for image in dataset.train.stream(train) {
            statistics.add(&image?);
        }
    }
    scaling(parameters, &statistics)
}

/// The chosen scaling, with the statistics of the training split where it needs them.
fn scaling(parameters: &DatasetParameters, train: &Statistics) -> Result<Scaling, DatasetError> {
    match parameters.scaling {
        ScalingChoice::UnitInterval => Ok(Scaling::UnitInterval),
        ScalingChoice::Standardised => {
            let (mean, standard_deviation) = train.moments();
            Standardisation::new(&mean, &standard_deviation)
                .map(Scaling::Standardised)
                .map_err(|fault| DatasetError::Scaling {
                    dataset: parameters.source.name().to_owned(),
                    fault,
                })
        }
    }
}

fn thread_pool(threads: usize) -> Result<ThreadPool, DatasetError> {
    ThreadPoolBuilder::new()
        .num_threads(threads.max(1))
        .build()
        .map_err(|error| DatasetError::Io {
            what: format!("cannot start {threads} threads"),
            error: io::Error::other(error),
        })
}

/// The folder in which files grow, without what an interrupted write left there.
fn scratch_folder(scratch: &Path) -> Result<PathBuf, DatasetError> {
    let folder = scratch.join(FOLDER);
    let clean = || {
        fs::create_dir_all(&folder)?;
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(".tmp") {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    };
    clean().map_err(|error| DatasetError::Io {
        what: format!("cannot use {}", folder.display()),
        error,
    })?;
    Ok(folder)
}

fn write_description(description: &Description, output: &Path) -> Result<(), DatasetError> {
    let path = output.join(DESCRIPTION_FILE);
    let text = serde_json::to_string_pretty(description).map_err(io::Error::from);
    text.and_then(|text| {
        assay_files::replace(&path, format!("{text}\n").as_bytes(), assay_files::PRIVATE)
    })
    .map_err(|error| DatasetError::Io {
        what: format!("{}: cannot be written", path.display()),
        error,
    })
}

/// The files of a split.
enum Layout {
    /// One table, with its scaling in it.
    Whole(Scaling),
    /// Shards of so many rows, of raw pixels.
    Shards { rows: usize },
}

impl Layout {
    /// The files of the split `name`, each with the positions of its images.
    fn files<'a>(&self, name: &str, positions: &'a [u32]) -> Vec<(String, &'a [u32])> {
        match *self {
            Self::Whole(_) => vec![(format!("{name}.arrow"), positions)],
            Self::Shards { rows } => {
                let shards = positions.chunks(rows).enumerate();
                shards
                    .map(|(number, shard)| (format!("{name}-{number:05}.arrow"), shard))
                    .collect()
            }
        }
    }

    fn scaling(&self) -> &Scaling {
        match self {
            Self::Whole(scaling) => scaling,
            Self::Shards { .. } => &Scaling::UnitInterval,
        }
    }

    /// Rows of a record batch.
    fn batch(&self, shape: ImageShape) -> usize {
        match self {
            Self::Whole(_) => ROWS_PER_BATCH,
            Self::Shards { .. } => (BATCH_BYTES / shape.pixels()).clamp(1, ROWS_PER_BATCH),
        }
    }

    fn describe(&self, files: Vec<String>) -> (Option<String>, Vec<String>) {
        match self {
            Self::Whole(_) => (files.into_iter().next(), Vec::new()),
            Self::Shards { .. } => (None, files),
        }
    }
}

/// A pass in progress.
struct Pass<'a> {
    dataset: &'a OpenDataset,
    layout: Layout,
    shape: ImageShape,
    workplace: &'a Workplace<'a>,
    folder: PathBuf,
    pool: ThreadPool,
    done: u64,
    total: u64,
    progress: &'a mut dyn FnMut(Progress<'_>),
}

/// A split whose files are written.
struct Split {
    description: SplitDescription,
    statistics: Statistics,
}

impl Pass<'_> {
    /// Writes the files of the split `name`, which holds the images of `set` at `positions`.
    fn split(
        &mut self,
        name: &str,
        set: &dyn ImageSet,
        positions: &[u32],
    ) -> Result<Split, DatasetError> {
        let mut split = Split {
            description: SplitDescription {
                file: None,
                shards: Vec::new(),
                images: 0,
                label_counts: vec![0; self.dataset.class_names.len()],
                skipped: Vec::new(),
            },
            statistics: Statistics::new(self.shape),
        };
        let mut files = Vec::new();
        for (file, positions) in self.layout.files(name, positions) {
            let record = match Record::load(&self.folder, &file) {
                Some(record) => {
                    self.done += positions.len() as u64;
                    record
                }
                None => self.write(&file, set, positions)?,
            };
            split.add(record);
            files.push(file);
        }
        (split.description.file, split.description.shards) = self.layout.describe(files);
        Ok(split)
    }

    /// Writes one file, and what is to be remembered of it.
    fn write(
        &mut self,
        file: &str,
        set: &dyn ImageSet,
        positions: &[u32],
    ) -> Result<Record, DatasetError> {
        let policy = match self.dataset.storage {
            ImageStorage::Pixels(_) => BadImagePolicy::Error,
            ImageStorage::Files(_, policy) => policy,
        };
        let classes = self.dataset.class_names.len();
        let table = TableWriter::create(
            &self.folder.join(file),
            self.shape,
            classes as u32,
            self.layout.scaling(),
        )?;
        let table = table.with_rows_per_batch(self.layout.batch(self.shape));
        let mut written = SplitFile::new(table, set, self.shape, classes, policy);
        let (done, total) = (&mut self.done, self.total);
        let progress = &mut *self.progress;
        let mut each = |position, decoded| {
            *done += 1;
            progress(Progress::Images { done: *done, total });
            written.add(position, decoded)
        };
        decode_in_order(
            set,
            positions,
            self.dataset.storage,
            &self.pool,
            self.workplace.cancelled,
            &mut each,
        )?;
        written.finish(&self.folder, file)
    }

    /// Moves the files to where outputs go.
    fn hand_over(&self, description: &Description) -> Result<(), DatasetError> {
        for split in description.splits.iter() {
            for file in split.files() {
                let (from, to) = (self.folder.join(file), self.workplace.output.join(file));
                fs::rename(&from, &to).map_err(|error| DatasetError::Io {
                    what: format!("cannot move {} to the outputs", from.display()),
                    error,
                })?;
            }
        }
        Ok(())
    }
}

impl Split {
    fn add(&mut self, record: Record) {
        let description = &mut self.description;
        description.images += record.images;
        let counts = description.label_counts.iter_mut();
        for (count, more) in counts.zip(&record.label_counts) {
            *count += more;
        }
        description.skipped.extend(record.skipped);
        self.statistics.merge(&record.statistics);
    }
}

#[cfg(test)]
mod tests;
