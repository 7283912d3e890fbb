//! Takes a bundle into a store, or verifies one and takes nothing. Nothing enters the store before
//! the whole bundle has been read, and every hash, document and reference found right.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use assay_core::graph::Role;
use assay_core::{ObjectHash, RunHash};
use assay_store::Store;

use crate::contents::{BundledObject, BundledRole, Contents, Objects};
use crate::error::BundleError;
use crate::layout::BundleFile;
use crate::limits::Limits;
use crate::metadata;
use crate::scan::{Scanned, scan};
use crate::watch::Watch;

/// A bundle that was found right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The run that it is of.
    pub run: RunHash,
    /// The name of the pipeline.
    pub pipeline: String,
    /// The object with the pipeline file.
    pub file: ObjectHash,
    /// The object with the file of networks, if the run had one.
    pub networks: Option<ObjectHash>,
    /// The objects with files of published figures, by the paths that the pipeline file gives them.
    pub figures: BTreeMap<String, ObjectHash>,
    /// The plugins whose libraries the bundle leaves out.
    pub without_libraries: Vec<String>,
    /// How many files of images and weights it leaves out: then it has the run's results alone.
    pub without_files: u64,
    /// Its files: name, size in bytes, and what it is.
    pub files: Vec<(String, u64, String)>,
}

/// A bundle that is in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unbundled {
    /// Run of the bundle; the store has it now.
    pub run: RunHash,
    /// Whether the store had the run already.
    pub already: bool,
    /// Everything else about the bundle.
    pub bundle: Checked,
}

impl Checked {
    /// The bytes of all its files.
    pub fn unpacked(&self) -> u64 {
        self.files.iter().map(|(_, size, _)| size).sum()
    }
}

/// Verifies a bundle, and writes nothing anywhere.
///
/// # Errors
/// It cannot be read, or something is wrong with it.
pub fn check(file: &Path, limits: &Limits, watch: Watch<'_>) -> Result<Checked, BundleError> {
    let (input, length) = open(file)?;
    check_from(input, length, limits, watch)
}

/// As [`check`], for a bundle of `length` bytes from anywhere.
///
/// # Errors
/// As [`check`].
pub fn check_from(
    input: impl BufRead,
    length: u64,
    limits: &Limits,
    watch: Watch<'_>,
) -> Result<Checked, BundleError> {
    let scanned = scan(input, length, None, limits, watch)?;
    Ok(verify(&scanned)?.1)
}

/// Verifies a bundle and takes it into the store. Doing so again changes nothing.
///
/// # Errors
/// It cannot be read, or something is wrong with it, and the store is as it was; or the store
/// cannot be written, and has at worst objects that nothing names.
pub fn unbundle(
    file: &Path,
    store: &Store,
    limits: &Limits,
    watch: Watch<'_>,
) -> Result<Unbundled, BundleError> {
    let (input, length) = open(file)?;
    unbundle_from(input, length, store, limits, watch)
}

/// As [`unbundle`], for a bundle of `length` bytes from anywhere.
///
/// # Errors
/// As [`unbundle`].
pub fn unbundle_from(
    input: impl BufRead,
    length: u64,
    store: &Store,
    limits: &Limits,
    watch: Watch<'_>,
) -> Result<Unbundled, BundleError> {
    let mut scanned = scan(input, length, Some(store), limits, watch)?;
    let (contents, bundle) = verify(&scanned)?;
    let run = contents.run;
    let already = store.runs()?.iter().any(|(_, known)| *known == run);
    for (_, staged) in std::mem::take(&mut scanned.staged) {
        if (watch.stopped)() {
            return Err(BundleError::Stopped);
        }
        store.put_file(&staged)?;
    }
    contents.commit(store, watch)?;
    Ok(Unbundled {
        run,
        already,
        bundle,
    })
}

fn open(path: &Path) -> Result<(BufReader<File>, u64), BundleError> {
    let failed = |source| BundleError::File {
        what: "open",
        path: path.to_owned(),
        source,
    };
    let file = assay_files::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    Ok((BufReader::with_capacity(1 << 20, file), length))
}

/// Whether the files of a bundle are just what its run rests on, and its metadata are about them.
fn verify(scanned: &Scanned) -> Result<(Contents, Checked), BundleError> {
    let (started_ms, run) = scanned.run.ok_or(BundleError::Lacks("run"))?;
    if !scanned.files.contains_key(&BundleFile::Format) {
        return Err(BundleError::Lacks("file `format`"));
    }
    let metadata = scanned.metadata.as_deref();
    let metadata = metadata.ok_or(BundleError::Lacks("file `ro-crate-metadata.json`"))?;
    let contents = scanned.contents(run)?;
    if contents.manifest.started_ms != started_ms {
        return Err(BundleError::Document {
            what: "run manifest",
            object: run.into(),
            problem: "began at another time than its marker says".to_owned(),
        });
    }
    let mut objects = contents.objects()?;
    let (without_libraries, without_files) = complete(scanned, &contents, &objects)?;
    objects.retain(|object, _| scanned.size(*object).is_some());
    // The metadata are about every other file.
    let mut others = scanned.files.clone();
    others.remove(&BundleFile::Metadata);
    metadata::check(metadata, &contents, &objects, &others)?;
    let files = scanned.files.iter();
    let checked = Checked {
        run,
        pipeline: contents.manifest.pipeline.clone(),
        file: contents.manifest.file,
        networks: contents.manifest.networks,
        figures: contents.manifest.figures.clone(),
        without_libraries,
        without_files,
        files: files
            .map(|(entry, facts)| {
                let description = describe(*entry, &objects)?;
                Ok((entry.name(), facts.size, description))
            })
            .collect::<Result<_, BundleError>>()?,
    };
    Ok((contents, checked))
}

/// Whether every object that the run rests on is there with its size, and no other; gives the
/// plugins whose libraries are not, and how many files of images and weights are not.
fn complete(
    scanned: &Scanned,
    contents: &Contents,
    objects: &Objects,
) -> Result<(Vec<String>, u64), BundleError> {
    let mut absent = Vec::new();
    let mut absent_files = 0;
    for (&object, bundled) in objects {
        match (scanned.size(object), bundled.only_plugins()) {
            (Some(found), _) => check_size(contents, found, bundled)?,
            (None, Ok(plugins)) => absent.extend(plugins.into_iter().map(str::to_owned)),
            (None, Err(_)) if contents.may_stay_behind(bundled)? => absent_files += 1,
            (None, Err(description)) => {
                return Err(BundleError::Missing {
                    what: description.to_owned(),
                    object,
                });
            }
        }
    }
    for entry in scanned.files.keys() {
        match *entry {
            BundleFile::Object(object) if !objects.contains_key(&object) => {
                return Err(BundleError::Stray { object });
            }
            _ => {}
        }
    }
    absent.sort_unstable();
    absent.dedup();
    Ok((absent, absent_files))
}

fn check_size(contents: &Contents, found: u64, bundled: &BundledObject) -> Result<(), BundleError> {
    for BundledRole { role, .. } in &bundled.roles {
        let Role::File { artifact, name } = role else {
            continue;
        };
        let size = contents.file(*artifact, name)?.size;
        if size != found {
            return Err(BundleError::Size {
                artifact: *artifact,
                name: name.clone(),
                size,
                found,
            });
        }
    }
    Ok(())
}

fn describe(entry: BundleFile, objects: &Objects) -> Result<String, BundleError> {
    Ok(match entry {
        BundleFile::Format => "format of the store".to_owned(),
        BundleFile::Record { .. } => "record of an execution".to_owned(),
        BundleFile::Metadata => "metadata of the crate".to_owned(),
        BundleFile::Run { .. } => "marker of the run".to_owned(),
        BundleFile::Object(object) => {
            let first = objects.get(&object).and_then(|it| it.roles.first());
            let first = first.ok_or(BundleError::Stray { object })?;
            first.description.clone()
        }
    })
}
