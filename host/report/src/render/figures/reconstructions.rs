//! Images of the test set above what each method makes of them, as the paper shows them.

use super::{Figure, Line, NetworkRows, Strip};
use crate::metrics::State;
use crate::reconstructions::ReconstructionRow;

pub(super) fn figures(network: &NetworkRows<'_>) -> Vec<Figure> {
    let lines = network.lines.iter();
    let rows: Vec<_> = lines
        .filter_map(|line| Some((line, rows_of(line)?)))
        .collect();
    let Some((_, first)) = rows.first() else {
        return Vec::new();
    };
    let originals: Vec<_> = first
        .iter()
        .map(|row| (*row, row.pixels.as_slice()))
        .collect();
    let mut strips: Vec<_> = strip("original", &originals).into_iter().collect();
    for (line, rows) in &rows {
        let images: Vec<_> = rows
            .iter()
            .map(|row| (*row, row.reconstruction.as_slice()))
            .collect();
        strips.extend(strip(line.name(), &images));
    }
    vec![Figure {
        title: network.title(),
        note: "The first images of the test set, and below them what each method makes of them: the state \
               chosen on validation images, of its first seed."
            .to_owned(),
        legend: Vec::new(),
        plots: Vec::new(),
        strips,
    }]
}

/// The reconstructions of the first training of a row that has some.
fn rows_of<'a>(line: &Line<'a>) -> Option<Vec<&'a ReconstructionRow>> {
    let mut entries = line.entries.iter();
    let entry = entries.find(|entry| !entry.reconstructions.is_empty())?;
    let of = |state| {
        let rows = entry.reconstructions.iter();
        rows.filter(|row| row.state == state).collect::<Vec<_>>()
    };
    let best = of(State::Best);
    Some(if best.is_empty() {
        of(State::Final)
    } else {
        best
    })
}

/// Images beside each other; nothing where they differ in shape or cannot be encoded.
fn strip(name: &str, images: &[(&ReconstructionRow, &[u8])]) -> Option<Strip> {
    let (first, _) = images.first()?;
    let (channels, height, width) = (first.channels, first.height, first.width);
    let shape = |row: &ReconstructionRow| (row.channels, row.height, row.width);
    if images.iter().any(|(row, _)| shape(row) != shape(first)) {
        return None;
    }
    let side = |side: u32| usize::try_from(side).ok();
    let (planes, rows, columns) = (side(channels)?, side(height)?, side(width)?);
    let mut pixels = Vec::with_capacity(images.len() * planes * rows * columns);
    for row in 0..rows {
        for (_, image) in images {
            for column in 0..columns {
                let of = |plane: usize| image.get((plane * rows + row) * columns + column).copied();
                pixels.extend((0..planes).filter_map(of));
            }
        }
    }
    let mut png = Vec::new();
    let total = u32::try_from(images.len()).ok()?.checked_mul(width)?;
    let mut encoder = png::Encoder::new(&mut png, total, height);
    encoder.set_color(if channels == 3 {
        png::ColorType::Rgb
    } else {
        png::ColorType::Grayscale
    });
    let mut writer = encoder.write_header().ok()?;
    writer.write_image_data(&pixels).ok()?;
    writer.finish().ok()?;
    Some(Strip {
        name: name.to_owned(),
        description: format!("{} images: {name}", images.len()),
        width: total,
        height,
        png,
    })
}
