//! The identity of a dataset made of the user's own image files: found and hashed when the
//! pipeline is planned, and checked again by the worker that reads them.
//!
//! The hashes are those of [`SourceHashes`], which reads a file again only when it may have
//! changed: the first plan with a copy of ImageNet reads all of it, later ones look at the
//! files' entries.

use std::path::Path;
use std::sync::PoisonError;

use assay_data::imagenet;
use assay_data::prepare::{DatasetSource, ParquetFile};
use assay_data::source::ContentHash;
use assay_store::{SourceHashes, StoreError};

use super::super::{Context, StageError, data};

/// A copy of ImageNet that cannot be hashed.
#[derive(Debug, thiserror::Error)]
pub(super) enum HashError {
    #[error(transparent)]
    Imagenet(#[from] imagenet::ImagenetError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One hash of the copy of ImageNet in `directory`.
pub(super) fn hash_imagenet(
    sources: &mut SourceHashes,
    directory: Option<&Path>,
) -> Result<ContentHash, HashError> {
    let place = imagenet::Place::find(directory)?;
    let hash = sources.hash_tree(place.root(), &place.files()?)?;
    Ok(ContentHash::from_bytes(*hash.as_bytes()))
}

/// The hash of the file `path` in `folder`.
pub(super) fn hash_file(
    sources: &mut SourceHashes,
    folder: &Path,
    path: &str,
) -> Result<ContentHash, StoreError> {
    let hash = sources.hash(&folder.join(path))?;
    Ok(ContentHash::from_bytes(*hash.as_bytes()))
}

/// The files that the stage reads are those that were planned with. Sources that check what they
/// read are not looked at.
pub(super) fn check_unchanged(context: &Context, source: &DatasetSource) -> Result<(), StageError> {
    let mut sources = context
        .sources
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    match source {
        DatasetSource::Imagenet(source) => {
            let found = hash_imagenet(&mut sources, context.data_dir.as_deref()).map_err(data)?;
            compare(source.files, found, || "its copy of ImageNet".to_owned())?;
        }
        DatasetSource::Parquet(source) => {
            let folder = context.data_dir.clone().unwrap_or_default();
            for ParquetFile { path, hash } in source.train.iter().chain(&source.test_files) {
                let found = hash_file(&mut sources, &folder, path).map_err(data)?;
                compare(*hash, found, || folder.join(path).display().to_string())?;
            }
        }
        _ => return Ok(()),
    }
    // Keeping these hashes only saves time: a store that cannot keep them fails elsewhere.
    let _ = sources.save();
    Ok(())
}

fn compare(
    planned: ContentHash,
    found: ContentHash,
    what: impl FnOnce() -> String,
) -> Result<(), StageError> {
    if planned == found {
        return Ok(());
    }
    Err(StageError::Invalid(format!(
        "the dataset was planned with other files: {} has changed since; run the pipeline again",
        what()
    )))
}
