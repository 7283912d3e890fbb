//! The table that is printed.

use comfy_table::presets::{ASCII_MARKDOWN, NOTHING};
use comfy_table::{CellAlignment, Table};

use crate::row::Row;

const HEADER: [&str; 11] = [
    "network",
    "algorithm",
    "implementation",
    "threads",
    "ms/step",
    "(min – max)",
    "samples/s",
    "% of GEMM peak",
    "× PyTorch",
    "time / own BP",
    "peak MB",
];

/// The rows as a table, for a terminal or in Markdown.
pub(crate) fn table(rows: &[Row], markdown: bool) -> String {
    let mut table = Table::new();
    table.load_style(if markdown { ASCII_MARKDOWN } else { NOTHING });
    table.set_header(HEADER).add_rows(rows.iter().map(cells));
    for column in table.column_iter_mut().skip(3) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

fn cells(row: &Row) -> [String; HEADER.len()] {
    let optional = |value: Option<f64>, digits: usize| {
        value.map_or_else(|| "—".to_owned(), |value| format!("{value:.digits$}"))
    };
    let time = row.milliseconds;
    [
        row.network.clone(),
        row.algorithm.clone(),
        row.implementation.clone(),
        row.threads.to_string(),
        format!("{:.2}", time.median),
        format!("({:.2} – {:.2})", time.min, time.max),
        format!("{:.0}", row.samples_per_second),
        optional(row.product_percent, 0),
        optional(row.over_pytorch, 2),
        optional(row.times_bp, 2),
        format!("{:.0}", row.peak_memory as f64 / 1e6),
    ]
}
