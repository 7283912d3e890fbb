//! The dataset stage: a dataset obtained, checked and split. Its settings and sources are those of
//! the crate `assay-data`.

mod hashes;
mod plan;
mod run;

pub(crate) use self::hashes::StoreHashes;
pub(crate) use self::plan::PlannedDataset;

use super::Kind;
use crate::containment::Profile;

pub(super) const KIND: Kind = Kind {
    plan: Some(plan::plan),
    run: run::run,
    profile: Profile::Fetching,
    keeps_progress: true,
    length: None,
};
