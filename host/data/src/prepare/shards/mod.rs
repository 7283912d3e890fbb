//! The streaming pass over a dataset of image files: decoded in order, written as shards, in
//! bounded memory, and taken up again after an interruption.
//!
//! Which images a shard holds depends on the parameters alone, so a pass that was interrupted
//! comes to the same bytes as one that was not, on any number of threads. Shards hold raw pixels;
//! how they are scaled stands in the description, for it is known only at the end.

mod decode;
mod files;
mod record;
mod shard;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rayon::{ThreadPool, ThreadPoolBuilder};

pub(super) use self::files::ImageFiles;

use self::decode::decode_in_order;
use self::record::Record;
use self::shard::Shard;
use super::parameters::{BadImagePolicy, DatasetParameters};
use super::{
    Description, PrepareError, Progress, SplitDescription, Splits, Summary, Workplace, scaling,
    write_description,
};
use crate::encoded::EncodedImages;
use crate::image::{BadImage, Decoder};
use crate::statistics::Statistics;
use crate::table::ImageShape;

/// About the size of a shard in bytes; every shard has at least one image.
const SHARD_BYTES: usize = 256 << 20;
/// The most rows of a shard, however small images are.
const MOST_SHARD_ROWS: usize = 1 << 20;

/// The folder below the scratch folder that shards grow in.
const FOLDER: &str = "shards";

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
    let test = pass.split("test", files.test_set(), &positions.test)?;

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
        let mut shard = Shard::create(
            &self.folder.join(file),
            set,
            self.shape,
            self.files.class_names.len(),
            self.files.on_bad_image,
        )?;
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
        shard.finish(&self.folder, file)
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

#[cfg(test)]
mod tests;
