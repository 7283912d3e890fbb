//! An image table: how many images of which shape, and of which classes.

use std::path::Path;

use assay_data::table::{ImageShape, ImageTable, Scaling};

/// An image table in figures.
#[derive(Clone, Debug, PartialEq)]
pub struct Images {
    /// How many images.
    pub images: u32,
    /// Channels, rows and columns of each.
    pub shape: ImageShape,
    /// The images of each class, by label.
    pub label_counts: Vec<u64>,
    /// How pixels become numbers.
    pub scaling: Scaling,
}

pub(super) fn read(path: &Path) -> Result<Images, String> {
    let table = ImageTable::open(path).map_err(|error| error.fault.to_string())?;
    let mut label_counts = vec![0; table.classes() as usize];
    for row in 0..table.len() {
        let label = table
            .row(row)
            .and_then(|(_, label)| usize::try_from(label).ok());
        if let Some(count) = label.and_then(|label| label_counts.get_mut(label)) {
            *count += 1;
        }
    }
    Ok(Images {
        images: table.len(),
        shape: table.shape(),
        label_counts,
        scaling: table.scaling().clone(),
    })
}
