//! A dataset in words: its splits, its pixels and its classes.

use std::fmt::Write as _;

use assay_data::prepare::ScalingChoice;
use comfy_table::{CellAlignment, Table};

use super::RULES;
use super::words::{path, plain, size};
use crate::command::data::{ShownDataset, ShownSheet};

pub(crate) fn text(dataset: &ShownDataset) -> String {
    let description = &dataset.description;
    let [channels, height, width] = <[u32; 3]>::from(description.shape);
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{}: {} classes, images of {channels} × {height} × {width} (channels, rows, columns)",
        plain(&dataset.name),
        description.classes
    );
    let _ = writeln!(text, "artifact {}", dataset.artifact);
    let _ = writeln!(text, "\n{}", splits(dataset));
    let scaling = match description.scaling {
        ScalingChoice::UnitInterval => "Scaled to the unit interval: pixel / 255.",
        ScalingChoice::Standardised => {
            "Standardised: (pixel / 255 − mean) / sd, with the train split's figures."
        }
    };
    let _ = writeln!(
        text,
        "Mean and standard deviation (sd) of pixel / 255, smallest and largest pixel of 0 to 255.\n\
         {scaling}"
    );
    let _ = writeln!(text, "\n{}", classes(dataset));
    if let Some(sheet) = &dataset.sheet {
        let _ = writeln!(text, "{}", self::sheet(sheet));
    }
    text
}

/// A row for each channel of each split.
fn splits(dataset: &ShownDataset) -> Table {
    let mut table = Table::new();
    table.load_style(RULES).set_header([
        "split", "images", "table", "channel", "mean", "sd", "pixels",
    ]);
    for split in &dataset.splits {
        for (channel, figures) in split.figures.channels.iter().enumerate() {
            let mut cells = if channel == 0 {
                let images: u64 = split.figures.label_counts.iter().sum();
                vec![split.name.to_owned(), images.to_string(), size(split.bytes)]
            } else {
                vec![String::new(); 3]
            };
            cells.push(channel.to_string());
            cells.extend([figures.mean, figures.standard_deviation].map(|it| format!("{it:.4}")));
            cells.push(match figures.range {
                Some((smallest, largest)) => format!("{smallest} to {largest}"),
                None => "—".to_owned(),
            });
            table.add_row(cells);
        }
    }
    right(&mut table, 1);
    table
}

/// A row for each class, with its images in each split.
fn classes(dataset: &ShownDataset) -> Table {
    let mut table = Table::new();
    let mut header = vec!["label", "class"];
    header.extend(dataset.splits.iter().map(|split| split.name));
    table.load_style(RULES).set_header(header);
    for (label, name) in dataset.description.class_names.iter().enumerate() {
        let mut cells = vec![label.to_string(), plain(name)];
        cells.extend(dataset.splits.iter().map(|split| {
            let count = split.figures.label_counts.get(label);
            count.map_or("—".to_owned(), u64::to_string)
        }));
        table.add_row(cells);
    }
    right(&mut table, 2);
    table
}

fn right(table: &mut Table, from: usize) {
    for column in table.column_iter_mut().skip(from) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

fn sheet(sheet: &ShownSheet) -> String {
    let (width, height) = sheet.size;
    format!(
        "{}: {width} × {height} pixels, the first {} images of each class of the {} split, a row \
         for each class\nin the order of the labels",
        path(&sheet.path),
        sheet.columns,
        sheet.split
    )
}
