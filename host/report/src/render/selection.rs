//! The columns and words that the formats for people share: which numbers stand together, and what
//! each selection of an epoch means. It never lays anything out.

use crate::measure::ErrorMeasure;
use crate::results::{ReportRow, task_of};
use crate::summary::{Choice, Quantity};

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

/// The number that stands for rows, with the name of its epoch: the honest one where any of them has it, else
/// that of the last epoch; nothing where neither was measured.
pub(super) fn leading<'a>(
    rows: impl IntoIterator<Item = &'a ReportRow>,
) -> Option<(Quantity, &'static str)> {
    let quantities = [
        (Quantity::TestErrorValidationEpoch, "validation"),
        (Quantity::TestErrorLastEpoch, "last"),
    ];
    let rows: Vec<_> = rows.into_iter().collect();
    let is_known =
        |(quantity, _): &(Quantity, _)| rows.iter().any(|row| row.get(*quantity).is_some());
    quantities.into_iter().find(is_known)
}

/// A column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    /// A number of the protocol.
    Error(Quantity),
    /// The epochs that were chosen.
    Epochs(Choice),
}

impl Column {
    /// The cell of a row.
    pub(super) fn show(self, row: &ReportRow) -> String {
        match self {
            Self::Error(quantity) => row.show(quantity),
            Self::Epochs(choice) => row.show_epochs(choice),
        }
    }

    /// Whether it may have a spread.
    pub(super) const fn is_error(self) -> bool {
        matches!(self, Self::Error(_))
    }

    fn is_known(self, row: &ReportRow) -> bool {
        match self {
            Self::Error(quantity) => row.get(quantity).is_some(),
            Self::Epochs(choice) => row.epochs_of(choice).is_some(),
        }
    }
}

/// A way to choose the epoch that is reported.
#[derive(Clone, Debug)]
pub(super) struct Selection {
    pub(super) name: &'static str,
    pub(super) definition: &'static str,
    /// Short headings and what stands under them.
    pub(super) columns: Vec<(&'static str, Column)>,
}

/// The selections of the protocol with the columns that `rows` call for, the honest one first: top-5
/// errors appear only where a row has them, and the validation epoch only where one was chosen.
pub(super) fn selections(rows: &[ReportRow]) -> Vec<Selection> {
    let is_known = |column: Column| rows.iter().any(|row| column.is_known(row));
    let mut selections = all().to_vec();
    for selection in &mut selections {
        selection
            .columns
            .retain(|(heading, column)| *heading != TOP_5 || is_known(*column));
    }
    selections.retain(|selection| {
        selection.name != VALIDATION || selection.columns.iter().any(|(_, it)| is_known(*it))
    });
    selections
}

const TOP_5: &str = "test, top 5";
const VALIDATION: &str = "Validation epoch";

fn all() -> [Selection; 3] {
    use Column::{Epochs, Error};
    [
        Selection {
            name: VALIDATION,
            definition: "The errors after the epoch with the lowest error on a validation split \
                 held out of the training set. The test set takes no part in the choice, so this \
                 is the honest number: the error to expect on new data. It is absent where no \
                 validation split was held out.",
            columns: vec![
                ("test", Error(Quantity::TestErrorValidationEpoch)),
                (TOP_5, Error(Quantity::TestTop5ErrorValidationEpoch)),
                ("train", Error(Quantity::TrainErrorValidationEpoch)),
                ("epoch", Epochs(Choice::Validation)),
            ],
        },
        Selection {
            name: "Last epoch",
            definition: "The errors after the last epoch. Nothing is chosen, so nothing is \
                 flattered; a method that has begun to overfit or to diverge shows it here.",
            columns: vec![
                ("test", Error(Quantity::TestErrorLastEpoch)),
                (TOP_5, Error(Quantity::TestTop5ErrorLastEpoch)),
                ("train", Error(Quantity::TrainErrorLastEpoch)),
            ],
        },
        Selection {
            name: "Best test epoch",
            definition: "The lowest test error over all epochs, with the train error after that \
                 same epoch and the lowest train error over all epochs. This is the paper’s \
                 number. It chooses the epoch by looking at the test set, so it flatters: on new \
                 data expect more errors. Use it to compare with the paper and for nothing \
                 else.",
            columns: vec![
                ("test", Error(Quantity::TestErrorBestEpoch)),
                (TOP_5, Error(Quantity::TestTop5ErrorBestEpoch)),
                ("train", Error(Quantity::TrainErrorBestEpoch)),
                ("lowest train", Error(Quantity::TrainErrorMinimum)),
                ("epoch", Epochs(Choice::Test)),
            ],
        },
    ]
}
