//! The content of a file as text, by its shape: a new format needs nothing here.

use std::fmt::Write as _;

use assay_audit::formats::{Column, Content, Figures, Images, Summary, Table, Tensors, Text};

use crate::ui::terminal;
use crate::ui::words::{count, cut, digits, lines, plain, right, table, visible, wide_table, wrap};

/// The rows that are shown of a table that is too wide to be shown as it is, and their cells.
const ROWS_ACROSS: usize = 3;
const CELL_ACROSS: usize = 12;

/// The most characters of a cell of a table that is not.
const CELL: usize = 40;

pub(crate) fn text(content: &Content) -> String {
    match &content.summary {
        Summary::Table { table } => table_text(table),
        Summary::Tensors(tensors) => tensors_text(tensors),
        Summary::Images(images) => images_text(images),
        Summary::Text(text) => text_text(text),
        Summary::Broken { broken } => {
            let (like, why) = (content.what, plain(broken));
            format!("It begins like {like}, and is none: {why}.\n")
        }
        Summary::Library {} | Summary::Bytes {} => String::new(),
    }
}

fn text_text(text: &Text) -> String {
    let mut shown = String::new();
    for line in &text.lines {
        let line = visible(line);
        shown.push_str(&cut(line.trim_end(), terminal::width()));
        shown.push('\n');
    }
    if text.more {
        shown.push_str("… and more: `pipeline cat` writes all of it\n");
    }
    shown
}

fn images_text(images: &Images) -> String {
    let counts = images.label_counts.iter().map(|count| digits(*count));
    let counts = counts.collect::<Vec<_>>().join(", ");
    let each = format!("of each class, by label: {counts}");
    let shape = images.shape;
    format!(
        "{} of {}x{}x{} (channels, rows, columns)\n{}\n",
        count(images.images.into(), "image"),
        shape.channels(),
        shape.height(),
        shape.width(),
        wrap(&each, terminal::width()).join("\n")
    )
}

fn tensors_text(tensors: &Tensors) -> String {
    let figures = |of: fn(&Figures) -> u64| {
        let figures = tensors.tensors.iter().filter_map(|it| it.figures.as_ref());
        figures.map(of).sum::<u64>()
    };
    let non_finite = figures(|it| it.non_finite);
    let mut header = vec!["tensor", "elements", "norm", "mean", "min", "max"];
    if non_finite > 0 {
        header.push("not finite");
    }
    let mut shown = table(&header);
    for tensor in &tensors.tensors {
        let shape: Vec<_> = tensor.shape.iter().map(usize::to_string).collect();
        let mut cells = vec![
            cut(&plain(&tensor.name), CELL),
            cut(
                format!("{} {}", tensor.dtype.to_lowercase(), shape.join("×")).trim(),
                CELL,
            ),
        ];
        cells.extend(figure_cells(tensor.figures.as_ref()));
        if non_finite > 0 {
            cells.push(
                tensor
                    .figures
                    .map_or(String::new(), |it| digits(it.non_finite)),
            );
        }
        shown.add_row(cells);
    }
    right(&mut shown, &[2, 3, 4, 5, 6]);
    let mut text = lines(&shown);
    let _ = writeln!(
        text,
        "{} of {}; norm: the Euclidean one",
        count(tensors.tensors.len() as u64, "tensor"),
        count(figures(|it| it.elements), "element")
    );
    if non_finite > 0 {
        text.push_str("Elements that are infinite or no numbers are left out of the rest.\n");
    }
    for (key, value) in &tensors.metadata {
        let _ = writeln!(
            text,
            "{}: {}",
            plain(key),
            cut(&plain(value), terminal::width())
        );
    }
    text
}

fn figure_cells(figures: Option<&Figures>) -> [String; 4] {
    let Some(figures) = figures else {
        return [(); 4].map(|()| "—".to_owned());
    };
    let some = |value: Option<f64>| value.map_or("—".to_owned(), number);
    [
        number(figures.norm),
        number(figures.mean),
        some(figures.min),
        some(figures.max),
    ]
}

/// Three digits that matter.
fn number(value: f64) -> String {
    let magnitude = value.abs();
    if value == 0.0 {
        "0".to_owned()
    } else if (1e-3..1e5).contains(&magnitude) {
        let whole = magnitude.log10().floor() as i32;
        format!("{value:.*}", usize::try_from(2 - whole).unwrap_or(0))
    } else {
        format!("{value:.2e}")
    }
}

fn table_text(shown: &Table) -> String {
    let mut text = format!(
        "{}, {}\n",
        count(shown.rows, "row"),
        count(shown.columns.len() as u64, "column")
    );
    let width = terminal::width();
    let upright = upright(shown);
    let fits = upright.lines().all(|line| line.chars().count() <= width);
    text.push_str(&if fits { upright } else { across(shown) });
    if let Some(units) = &shown.units {
        for line in wrap(&format!("units: {}", plain(units)), width) {
            text.push_str(&line);
            text.push('\n');
        }
    }
    text
}

/// The table as it is, with the types of its columns under their names.
fn upright(shown: &Table) -> String {
    let header = |column: &Column| format!("{}\n{}", plain(&column.name), plain(&column.r#type));
    let header: Vec<_> = shown.columns.iter().map(header).collect();
    let header: Vec<_> = header.iter().map(String::as_str).collect();
    // Whether it fits decides between this form and the other.
    let mut upright = wide_table(&header);
    for row in &shown.head {
        upright.add_row(row.iter().map(|cell| self::cell(cell.as_deref(), CELL)));
    }
    let numbers = shown.columns.iter().enumerate();
    let numbers: Vec<_> = numbers
        .filter_map(|(place, column)| column.plain.then_some(place))
        .collect();
    right(&mut upright, &numbers);
    let mut text = lines(&upright);
    if shown.rows > shown.head.len() as u64 {
        let _ = writeln!(text, "the first {}; --rows shows more", shown.head.len());
    }
    text
}

/// A row for each column, with its values in the first rows of the table.
fn across(shown: &Table) -> String {
    let rows = &shown.head[..shown.head.len().min(ROWS_ACROSS)];
    let numbers: Vec<_> = (1..=rows.len()).map(|row| format!("row {row}")).collect();
    let mut header = vec!["column", "type"];
    header.extend(numbers.iter().map(String::as_str));
    let mut across = table(&header);
    for (place, column) in shown.columns.iter().enumerate() {
        let mut cells = vec![
            cut(&plain(&column.name), CELL),
            cut(&plain(&column.r#type), CELL_ACROSS),
        ];
        cells.extend(rows.iter().map(|row| {
            let value = row.get(place).and_then(Option::as_deref);
            cell(value, CELL_ACROSS)
        }));
        across.add_row(cells);
    }
    lines(&across)
}

fn cell(value: Option<&str>, most: usize) -> String {
    value.map_or("—".to_owned(), |value| cut(&plain(value), most))
}
