//! Splits that a learner keeps where it computes (the extension `resident/1`): an epoch sends it the order of its samples
//! and their crops, an evaluation nothing. Where it keeps none, it is served batches.

use assay_abi::{Crop, EpochOrder, LearnerHandle, PluginError, StoredSamples, StoredSplit};
use assay_data::augment::{Draw, Flip};
use assay_data::table::ImageTable;
use assay_report::Split;

use super::samples::EpochSamples;
use crate::log::note;
use crate::stages::measure::Source;
use crate::stages::splits::Splits;
use crate::stages::{Context, StageError};

/// The splits of a dataset, each of which was lent to a learner.
pub(super) struct LentSplits {
    splits: Splits,
    /// Those that it keeps.
    kept: Vec<Split>,
}

impl LentSplits {
    /// Lends every split to `learner`.
    pub(super) fn lend(
        context: &Context,
        learner: &mut LearnerHandle,
        splits: Splits,
    ) -> Result<Self, StageError> {
        let mut kept = Vec::new();
        for (split, table) in splits.iter() {
            let lent = lend(learner, split, table);
            let doing = || format!("take the {split} split");
            if lent.map_err(|error| context.plugin_error(&doing(), error))? {
                kept.push(split);
            }
        }
        if !kept.is_empty() {
            let names: Vec<_> = kept.iter().map(Split::to_string).collect();
            let names = names.join(", ");
            note(&format!(
                "the learner keeps these splits where it computes: {names}"
            ));
        }
        Ok(Self { splits, kept })
    }

    /// The table of the training split.
    pub(super) fn train(&self) -> &ImageTable {
        &self.splits.train
    }

    /// True if the learner keeps the training split.
    pub(super) fn keeps_train(&self) -> bool {
        self.kept.contains(&Split::Train)
    }

    /// Each split, to measure on.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Split, Source<'_>)> {
        let number_of_kept = |split| self.kept.contains(&split).then(|| number(split));
        self.splits.iter().map(move |(split, table)| {
            let kept = number_of_kept(split);
            (split, Source { table, kept })
        })
    }

    /// The split whose error chooses the best epoch.
    pub(super) fn chosen_on(&self) -> Split {
        self.splits.chosen_on()
    }
}

fn number(split: Split) -> u32 {
    match split {
        Split::Train => 0,
        Split::Validation => 1,
        Split::Test => 2,
    }
}

fn lend(
    learner: &mut LearnerHandle,
    split: Split,
    table: &ImageTable,
) -> Result<bool, PluginError> {
    let shape = table.shape();
    let levels = table.scaling().levels(shape.channels());
    let stored: Vec<_> = table.stored().collect();
    let parts = stored
        .iter()
        .map(|(pixels, labels)| StoredSamples::new(pixels, labels));
    let parts: Vec<_> = parts.collect();
    let shape = [shape.channels(), shape.height(), shape.width()];
    learner.lend(number(split), &StoredSplit::new(shape, &levels, &parts))
}

/// The crop of every sample of an epoch, if it is augmented.
pub(super) fn crops(samples: &EpochSamples<'_>) -> Vec<Crop> {
    let Some(augmentation) = &samples.augmentation else {
        return Vec::new();
    };
    let order = samples.order.iter();
    order.map(|&index| crop(augmentation.draw(index))).collect()
}

/// The order of an epoch of the training split.
pub(super) fn order<'a>(samples: &'a EpochSamples<'_>, crops: &'a [Crop]) -> EpochOrder<'a> {
    EpochOrder::new(number(Split::Train), &samples.order, crops)
}

fn crop(draw: Draw) -> Crop {
    Crop {
        // The padding is below the side of an image: the differences are small.
        rows: draw.top.wrapping_sub(draw.padding).cast_signed(),
        columns: draw.left.wrapping_sub(draw.padding).cast_signed(),
        flip: match draw.flip {
            None => Crop::UNFLIPPED,
            Some(Flip::Horizontal) => Crop::LEFT_RIGHT,
            Some(Flip::Vertical) => Crop::TOP_BOTTOM,
        },
    }
}
