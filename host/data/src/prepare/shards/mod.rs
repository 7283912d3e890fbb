//! The streaming pass over a dataset of image files: decoded in order, written as shards, in
//! bounded memory, and taken up again after an interruption.
//!
//! Which images a shard holds depends on the parameters alone, so a pass that was interrupted
//! comes to the same bytes as one that was not, on any number of threads. Shards hold raw pixels;
//! how they are scaled stands in the description, for it is known only at the end.

mod decode;
mod record;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rayon::{ThreadPool, ThreadPoolBuilder};

use self::decode::decode_in_order;
use self::record::Record;
use super::parameters::{BadImagePolicy, DatasetParameters, ImagenetSource, ParquetSource};
use super::split::draw_test;
use super::statistics::Statistics;
use super::{
    Description, PrepareError, Progress, SkippedImage, SplitDescription, SplitPositions, Splits,
    Summary, Workplace, choose_splits, parameter_error, scaling, write_description,
};
use crate::digest::ContentHash;
use crate::encoded::EncodedImages;
use crate::image::{BadImage, Decoder, Form, ImageError};
use crate::imagenet::Imagenet;
use crate::parquet_images::ParquetImages;
use crate::table::{ImageShape, Scaling, TableWriter};

/// About the size of a shard in bytes; every shard has at least one image.
const SHARD_BYTES: usize = 256 << 20;
/// About the size of a record batch, which is kept in memory until it is written.
const BATCH_BYTES: usize = 8 << 20;
/// The most rows of a shard and of a record batch, however small images are.
const MOST_SHARD_ROWS: usize = 1 << 20;
const MOST_BATCH_ROWS: usize = 1024;

/// The folder below the scratch folder that shards grow in.
const FOLDER: &str = "shards";

/// A dataset of image files, and what is made of it.
pub(super) struct ImageFiles {
    class_names: Vec<String>,
    train: Box<dyn EncodedImages>,
    test: Option<Box<dyn EncodedImages>>,
    /// How many images form the test set where there is none.
    drawn_test: Option<u32>,
    form: Form,
    on_bad_image: BadImagePolicy,
}

impl ImageFiles {
    pub(super) fn of_imagenet(source: &ImagenetSource, found: Imagenet) -> Self {
        Self {
            class_names: found.class_names,
            train: Box::new(found.train),
            test: found
                .test
                .map(|set| Box::new(set) as Box<dyn EncodedImages>),
            drawn_test: source.test,
            form: source.form(),
            on_bad_image: source.on_bad_image,
        }
    }

    pub(super) fn of_parquet(source: &ParquetSource, found: ParquetImages) -> Self {
        Self {
            class_names: found.class_names,
            train: Box::new(found.train),
            test: found
                .test
                .map(|set| Box::new(set) as Box<dyn EncodedImages>),
            drawn_test: source.test,
            form: source.form(),
            on_bad_image: source.on_bad_image,
        }
    }

    /// The set that test images come from.
    fn test(&self) -> &dyn EncodedImages {
        self.test.as_ref().unwrap_or(&self.train).as_ref()
    }

    /// The positions of each split in the set that it is taken from.
    fn split(&self, parameters: &DatasetParameters) -> Result<SplitPositions, PrepareError> {
        let count = self.train.labels().len() as u32;
        match (&self.test, self.drawn_test) {
            (Some(test), None) => choose_splits(parameters, count, test.labels().len() as u32),
            (Some(_), Some(_)) => {
                let problem = "draws a test set, but the dataset has one of its own; leave it out";
                Err(parameter_error(parameters, "test", problem))
            }
            (None, None) => {
                let problem = "is missing: the dataset has no test set of its own, and `test = N` \
                               draws one of N images from the training set";
                Err(parameter_error(parameters, "test", problem))
            }
            (None, Some(0)) => {
                let problem = "is 0, must be at least 1";
                Err(parameter_error(parameters, "test", problem))
            }
            (None, Some(test)) if test >= count => {
                let problem = format!(
                    "is {test}, which leaves nothing to train on: there are {count} images"
                );
                Err(parameter_error(parameters, "test", problem))
            }
            (None, Some(test)) => {
                let (rest, test) = draw_test(parameters.split_seed, count, test);
                let chosen = choose_splits(parameters, rest.len() as u32, test.len() as u32)?;
                let of = |set: &[u32], positions: Vec<u32>| {
                    let positions = positions.into_iter();
                    positions.map(|at| set[at as usize]).collect()
                };
                Ok(SplitPositions {
                    train: of(&rest, chosen.train),
                    validation: of(&rest, chosen.validation),
                    test: of(&test, chosen.test),
                })
            }
        }
    }
}

/// Writes the shards of every split and the description.
pub(super) fn prepare(
    parameters: &DatasetParameters,
    files: &ImageFiles,
    workplace: &Workplace<'_>,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Summary, PrepareError> {
    prepare_sized(parameters, files, workplace, progress, SHARD_BYTES)
}

fn prepare_sized(
    parameters: &DatasetParameters,
    files: &ImageFiles,
    workplace: &Workplace<'_>,
    progress: &mut dyn FnMut(Progress<'_>),
    shard_bytes: usize,
) -> Result<Summary, PrepareError> {
    let positions = files.split(parameters)?;
    let mut pass = Pass {
        shape: shape(parameters, files, &positions.train)?,
        pool: thread_pool(workplace.threads)?,
        folder: scratch_folder(workplace.scratch)?,
        files,
        workplace,
        shard_bytes,
        done: 0,
        total: [&positions.train, &positions.validation, &positions.test]
            .map(|positions| positions.len() as u64)
            .iter()
            .sum(),
        progress,
    };
    let train = pass.split("train", files.train.as_ref(), &positions.train)?;
    let validation = (!positions.validation.is_empty())
        .then(|| pass.split("validation", files.train.as_ref(), &positions.validation))
        .transpose()?;
    let test = pass.split("test", files.test(), &positions.test)?;

    let (mean, standard_deviation) = train.statistics.moments();
    // Whether it can be done at all is better known now than when a training begins.
    scaling(parameters, &mean, &standard_deviation)?;
    let description = Description {
        name: parameters.source.name().to_owned(),
        shape: pass.shape,
        classes: files.class_names.len() as u16,
        class_names: files.class_names.clone(),
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
    Ok(Summary {
        description,
        origins: Vec::new(),
    })
}

/// The shape of the prepared images: that of the first where none is asked for.
fn shape(
    parameters: &DatasetParameters,
    files: &ImageFiles,
    train: &[u32],
) -> Result<ImageShape, PrepareError> {
    let (form, name) = (files.form, parameters.source.name());
    let no_image = || PrepareError::NoImage {
        dataset: name.to_owned(),
    };
    if let Some(size) = form.size {
        let channels = if form.grey { 1 } else { 3 };
        return ImageShape::new(channels, size, size).map_err(|_| no_image());
    }
    let mut decoder = Decoder::new(form);
    for (&position, bytes) in train.iter().zip(files.train.stream(train)) {
        match decoder.decode(&bytes?) {
            Ok(image) => return Ok(image.shape),
            Err(error) if files.on_bad_image == BadImagePolicy::Error => {
                let file = files.train.name(position);
                return Err(BadImage { file, error }.into());
            }
            Err(_) => {}
        }
    }
    Err(no_image())
}

fn thread_pool(threads: usize) -> Result<ThreadPool, PrepareError> {
    ThreadPoolBuilder::new()
        .num_threads(threads.max(1))
        .build()
        .map_err(|error| PrepareError::Scratch {
            what: format!("cannot start {threads} threads"),
            source: io::Error::other(error),
        })
}

/// The folder that shards grow in, without what an interrupted write left there.
fn scratch_folder(scratch: &Path) -> Result<PathBuf, PrepareError> {
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
    clean().map_err(|source| PrepareError::Scratch {
        what: format!("cannot use {}", folder.display()),
        source,
    })?;
    Ok(folder)
}

/// A pass in progress.
struct Pass<'a> {
    files: &'a ImageFiles,
    shape: ImageShape,
    workplace: &'a Workplace<'a>,
    folder: PathBuf,
    pool: ThreadPool,
    shard_bytes: usize,
    done: u64,
    total: u64,
    progress: &'a mut dyn FnMut(Progress<'_>),
}

/// A split whose shards are written.
struct Split {
    description: SplitDescription,
    statistics: Statistics,
}

impl Pass<'_> {
    /// Writes the shards of the split `name`, which holds the images of `set` at `positions`.
    fn split(
        &mut self,
        name: &str,
        set: &dyn EncodedImages,
        positions: &[u32],
    ) -> Result<Split, PrepareError> {
        let mut split = Split {
            description: SplitDescription {
                file: None,
                shards: Vec::new(),
                images: 0,
                label_counts: vec![0; self.files.class_names.len()],
                skipped: Vec::new(),
            },
            statistics: Statistics::new(self.shape),
        };
        let rows = (self.shard_bytes / self.shape.pixels()).clamp(1, MOST_SHARD_ROWS);
        for (number, positions) in positions.chunks(rows).enumerate() {
            let file = format!("{name}-{number:05}.arrow");
            let record = match Record::load(&self.folder, &file) {
                Some(record) => {
                    self.done += positions.len() as u64;
                    record
                }
                None => self.shard(&file, set, positions)?,
            };
            split.add(file, record);
        }
        Ok(split)
    }

    /// Writes one shard, and what is to be remembered of it.
    fn shard(
        &mut self,
        file: &str,
        set: &dyn EncodedImages,
        positions: &[u32],
    ) -> Result<Record, PrepareError> {
        let path = self.folder.join(file);
        let classes = self.files.class_names.len();
        let batch = (BATCH_BYTES / self.shape.pixels()).clamp(1, MOST_BATCH_ROWS);
        let table = TableWriter::create(&path, self.shape, classes as u32, &Scaling::UnitInterval)?;
        let mut shard = Shard {
            set,
            shape: self.shape,
            policy: self.files.on_bad_image,
            table: table.with_rows_per_batch(batch),
            record: Record {
                hash: ContentHash::of(b""),
                images: 0,
                label_counts: vec![0; classes],
                statistics: Statistics::new(self.shape),
                skipped: Vec::new(),
            },
        };
        let (done, total) = (&mut self.done, self.total);
        let progress = &mut *self.progress;
        let mut each = |position, decoded| {
            *done += 1;
            progress(Progress::Images { done: *done, total });
            shard.add(position, decoded)
        };
        let cancelled = self.workplace.cancelled;
        decode_in_order(
            set,
            positions,
            self.files.form,
            &self.pool,
            cancelled,
            &mut each,
        )?;
        let Shard {
            table, mut record, ..
        } = shard;
        table.finish()?;
        record.save(&self.folder, file)?;
        Ok(record)
    }

    /// Moves the shards to where outputs go.
    fn hand_over(&self, description: &Description) -> Result<(), PrepareError> {
        for split in description.splits.iter() {
            for file in split.files() {
                let (from, to) = (self.folder.join(file), self.workplace.output.join(file));
                fs::rename(&from, &to).map_err(|source| PrepareError::Scratch {
                    what: format!("cannot move {} to the outputs", from.display()),
                    source,
                })?;
            }
        }
        Ok(())
    }
}

impl Split {
    fn add(&mut self, file: String, record: Record) {
        let description = &mut self.description;
        description.shards.push(file);
        description.images += record.images;
        let counts = description.label_counts.iter_mut();
        for (count, more) in counts.zip(&record.label_counts) {
            *count += more;
        }
        description.skipped.extend(record.skipped);
        self.statistics.merge(&record.statistics);
    }
}

/// A shard that is being written.
struct Shard<'a> {
    set: &'a dyn EncodedImages,
    shape: ImageShape,
    policy: BadImagePolicy,
    table: TableWriter,
    record: Record,
}

impl Shard<'_> {
    /// Adds the image at `position` of the set, or remembers why it is left out.
    fn add(
        &mut self,
        position: u32,
        decoded: Result<crate::image::DecodedImage, ImageError>,
    ) -> Result<(), PrepareError> {
        let fitting = decoded.and_then(|image| {
            if image.shape == self.shape {
                Ok(image.pixels)
            } else {
                Err(ImageError::OtherShape {
                    expected: self.shape.into(),
                    found: image.shape.into(),
                })
            }
        });
        let pixels = match fitting {
            Ok(pixels) => pixels,
            Err(error) => return self.skip(position, error),
        };
        let label = self.set.labels()[position as usize];
        self.table.push(&pixels, label)?;
        self.record.images += 1;
        self.record.label_counts[usize::from(label)] += 1;
        self.record.statistics.add(&pixels);
        Ok(())
    }

    fn skip(&mut self, position: u32, error: ImageError) -> Result<(), PrepareError> {
        let file = self.set.name(position);
        match self.policy {
            BadImagePolicy::Error => Err(BadImage { file, error }.into()),
            BadImagePolicy::Skip => {
                let reason = error.to_string();
                self.record.skipped.push(SkippedImage { file, reason });
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests;
