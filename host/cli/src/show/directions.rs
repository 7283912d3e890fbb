//! Update directions as a table of their tensors.

use assay_engine::TensorSummary;
use comfy_table::{CellAlignment, Table};

use super::RULES;
use super::words::plain;

pub(crate) fn text(tensors: &[TensorSummary]) -> String {
    let mut table = Table::new();
    table
        .load_style(RULES)
        .set_header(["direction", "shape", "norm", "mean", "max |x|"]);
    for tensor in tensors {
        let sizes: Vec<_> = tensor.shape.iter().map(ToString::to_string).collect();
        let mut cells = vec![plain(&tensor.name), sizes.join(" × ")];
        cells.extend([tensor.norm, tensor.mean, tensor.max].map(|value| format!("{value:.4e}")));
        table.add_row(cells);
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    format!("{table}\n")
}
