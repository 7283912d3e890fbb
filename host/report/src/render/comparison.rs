//! A report's numbers beside published ones: which columns there are and what stands in them. The
//! formats lay them out.

use crate::reference::{Citation, Figures};
use crate::report::Report;
use crate::results::ReportRow;
use crate::summary::Quantity;

/// Published, measured and their difference, for every row that has something published.
pub(super) struct Comparison<'a> {
    pub(super) citation: &'a Citation,
    /// Those with a figure in some row.
    pub(super) errors: Vec<&'static str>,
    pub(super) rows: Vec<(&'a ReportRow, Vec<Cells>)>,
}

/// Cells under one error in one row: published figure, our figure and difference.
pub(super) type Cells = [String; 3];

/// The headings under each error.
pub(super) const HEADINGS: [&str; 3] = ["paper", "ours", "difference"];

/// The heading of the last column.
pub(super) const CONDITIONS: &str = "conditions";

/// Whether a row can be compared with its published figures, in words.
pub(super) fn comparability(row: &ReportRow) -> String {
    match row.shortfall() {
        Some(shortfall) => format!("{shortfall}: not comparable"),
        None => "not less than the paper’s".to_owned(),
    }
}

/// An error that is compared.
struct Compared {
    heading: &'static str,
    figure: fn(Figures) -> Option<f64>,
    quantity: Quantity,
}

/// The paper's is the best epoch by test error; of which epoch its train error is, it does not say.
const COMPARED: [Compared; 3] = [
    Compared {
        heading: "test error",
        figure: |it| it.test_error,
        quantity: Quantity::TestErrorBestEpoch,
    },
    Compared {
        heading: "test error, top 5",
        figure: |it| it.test_top_5_error,
        quantity: Quantity::TestTop5ErrorBestEpoch,
    },
    Compared {
        heading: "train error",
        figure: |it| it.train_error,
        quantity: Quantity::TrainErrorBestEpoch,
    },
];

/// The comparison, unless nothing is published of any row.
pub(super) fn comparison(report: &Report) -> Option<Comparison<'_>> {
    let citation = report.citation.as_ref()?;
    let published = || {
        report
            .rows()
            .iter()
            .filter_map(|row| Some((row, row.figures?)))
    };
    let compared: Vec<_> = COMPARED
        .into_iter()
        .filter(|it| published().any(|(_, figures)| (it.figure)(figures).is_some()))
        .collect();
    if compared.is_empty() {
        return None;
    }
    let rows = published().map(|(row, figures)| {
        let cells = compared
            .iter()
            .map(|it| cells(row, (it.figure)(figures), it.quantity));
        (row, cells.collect())
    });
    Some(Comparison {
        citation,
        errors: compared.iter().map(|it| it.heading).collect(),
        rows: rows.collect(),
    })
}

fn cells(row: &ReportRow, published: Option<f64>, quantity: Quantity) -> Cells {
    let [published, difference] = row.show_beside(published, quantity);
    [published, row.show(quantity), difference]
}

impl Comparison<'_> {
    pub(super) fn title(&self) -> String {
        format!("Beside {}", self.citation.name)
    }

    /// Explanation of the comparison, in a few sentences.
    pub(super) fn definition(&self) -> String {
        format!(
            "Errors in percent; the difference, ours less the paper’s, is in percentage points. \
             Ours are those of the best test epoch, which is the paper’s choice. {}",
            self.citation.protocol
        )
    }
}
