//! The splits of a dataset that a stage reads.

use std::path::Path;

use assay_data::prepare::{DESCRIPTION_FILE, Description};
use assay_data::table::ImageTable;
use assay_report::Split;

use super::{Context, StageError, data, read_document};

/// The tables of a dataset.
pub(super) struct Splits {
    pub(super) train: ImageTable,
    pub(super) validation: Option<ImageTable>,
    pub(super) test: ImageTable,
}

impl Splits {
    pub(super) fn open(context: &Context) -> Result<Self, StageError> {
        let description = context.input("dataset", DESCRIPTION_FILE)?;
        let description: Description = read_document(description)?;
        let locate = |file: &str| context.optional_input("dataset", file).map(Path::to_owned);
        let open = |split| description.open_split(split, locate).map_err(data);
        let splits = &description.splits;
        Ok(Self {
            train: open(&splits.train)?,
            validation: splits.validation.as_ref().map(open).transpose()?,
            test: open(&splits.test)?,
        })
    }

    /// The split whose error chooses the best epoch.
    pub(super) fn chosen_on(&self) -> Split {
        if self.validation.is_some() {
            Split::Validation
        } else {
            Split::Test
        }
    }

    /// Each split with its name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Split, &ImageTable)> {
        let validation = self
            .validation
            .as_ref()
            .map(|table| (Split::Validation, table));
        let train = (Split::Train, &self.train);
        std::iter::once(train)
            .chain(validation)
            .chain(std::iter::once((Split::Test, &self.test)))
    }
}
