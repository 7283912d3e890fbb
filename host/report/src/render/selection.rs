//! The columns and words that the formats for people share: which numbers stand together, and what
//! each selection of an epoch means. It never lays anything out.

use crate::measure::ErrorMeasure;
use crate::results::{ReportRow, task_of};
use crate::summary::Quantity;

/// Definition of the rows and numbers of a report.
pub(super) fn measured(rows: &[ReportRow]) -> String {
    format!(
        "{} Each row is one way of training one network on one dataset. With several seeds a row \
         shows the mean over them ± the sample standard deviation; “—” marks what was not \
         measured.",
        ErrorMeasure::of(task_of(rows)).definition
    )
}

/// Meaning of the mark of a row whose configuration was chosen on the test set.
pub(super) const CHOSEN_ON_TEST: &str = "The configuration was chosen on the test set, as the paper \
     does: its test errors are lower than those of new data.";

/// A way to choose the epoch that is reported.
#[derive(Clone, Debug)]
pub(super) struct Selection {
    pub(super) name: &'static str,
    pub(super) definition: &'static str,
    /// Short headings and what stands under them.
    pub(super) columns: Vec<(&'static str, Quantity)>,
}

/// The selections of the protocol with the columns that `rows` call for: top-5 errors appear only
/// where a row has them.
pub(super) fn selections(rows: &[ReportRow]) -> [Selection; 3] {
    let mut selections = all();
    for selection in &mut selections {
        selection.columns.retain(|(heading, quantity)| {
            *heading != TOP_5 || rows.iter().any(|row| row.get(*quantity).is_some())
        });
    }
    selections
}

const TOP_5: &str = "test, top 5";

fn all() -> [Selection; 3] {
    [
        Selection {
            name: "Best test epoch",
            definition: "The lowest test error over all epochs, with the train error after that \
                 same epoch and the lowest train error over all epochs. This is the paper’s \
                 number. It chooses the epoch by looking at the test set, so it flatters: on new \
                 data expect more errors. Use it to compare with the paper and for nothing \
                 else.",
            columns: vec![
                ("test", Quantity::TestErrorBestEpoch),
                (TOP_5, Quantity::TestTop5ErrorBestEpoch),
                ("train", Quantity::TrainErrorBestEpoch),
                ("lowest train", Quantity::TrainErrorMinimum),
            ],
        },
        Selection {
            name: "Last epoch",
            definition: "The errors after the last epoch. Nothing is chosen, so nothing is \
                 flattered; a method that has begun to overfit or to diverge shows it here.",
            columns: vec![
                ("test", Quantity::TestErrorLastEpoch),
                (TOP_5, Quantity::TestTop5ErrorLastEpoch),
                ("train", Quantity::TrainErrorLastEpoch),
            ],
        },
        Selection {
            name: "Validation epoch",
            definition: "The errors after the epoch with the lowest error on a validation split \
                 held out of the training set. The test set takes no part in the choice, so this \
                 is the honest number: the error to expect on new data. It is absent where no \
                 validation split was held out.",
            columns: vec![
                ("test", Quantity::TestErrorValidationEpoch),
                (TOP_5, Quantity::TestTop5ErrorValidationEpoch),
                ("train", Quantity::TrainErrorValidationEpoch),
            ],
        },
    ]
}
