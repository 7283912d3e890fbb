//! A report as files in a folder. It owns which files there are; each format has a module of its
//! own, and none holds a time, a host or anything else that would make equal reports differ: the page
//! of times lies beside a report.

mod comparison;
mod csv;
mod figures;
mod html;
pub(crate) mod latex;
mod markdown;
mod sections;
mod selection;
mod times;

pub use times::{TIMES, write_times};

use std::borrow::Cow;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::file::{FileError, write_atomically};
use crate::report::Report;
use crate::search::{TrialRow, TuningRow};
use crate::table::{TableError, TableProblem, write_rows};
use crate::trainings::TrainingRow;

/// Why a report could not be written.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The folder could not be made.
    #[error("cannot make the folder `{path}`: {source}", path = path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Error of the file system.
        source: io::Error,
    },
    /// A Parquet file could not be written.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A text file could not be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The table has no columns.
    #[error(transparent)]
    Columns(TableProblem),
    /// The table could not be put as CSV.
    #[error("cannot put the table as CSV: {0}")]
    Csv(#[from] ::csv::Error),
}

impl Report {
    /// Writes the report into `folder`, made if need be: `table.parquet`, `table.csv`, `table.md`,
    /// `table.tex`, `metrics.parquet` and `report.html`; where configurations came from searches, also
    /// `trials.parquet` and `tuning.parquet`. `reproduce` is the command that makes the same report
    /// again, shown as it is. The same report and command give the same bytes, and each file
    /// appears whole or not at all.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write(&self, folder: &Path, reproduce: Option<&str>) -> Result<(), RenderError> {
        fs::create_dir_all(folder).map_err(|source| RenderError::Folder {
            path: folder.to_owned(),
            source,
        })?;
        write_rows(&folder.join("table.parquet"), self.rows())?;
        write_rows(&folder.join("metrics.parquet"), &self.training_rows())?;
        if self.has_searches() {
            write_rows(&folder.join("trials.parquet"), &self.trial_rows())?;
            write_rows(&folder.join("tuning.parquet"), &self.tuning_rows())?;
        }
        write_atomically(&folder.join("table.csv"), &csv::render(self.rows())?)?;
        // The intervals in them are drawn, which takes a while.
        let sections = sections::sections(self);
        let markdown = markdown::render(self, &sections, reproduce);
        write_atomically(&folder.join("table.md"), markdown.as_bytes())?;
        write_atomically(&folder.join("table.tex"), latex::render(self).as_bytes())?;
        let html = html::render(self, &sections, reproduce);
        write_atomically(&folder.join("report.html"), html.as_bytes())?;
        Ok(())
    }

    /// Whether configurations came from searches.
    pub fn has_searches(&self) -> bool {
        self.searched().next().is_some()
    }

    fn trial_rows(&self) -> Vec<TrialRow<'_>> {
        let rows = self.searched().flat_map(|(row, search, _)| {
            let trials = (1..).zip(&search.trials);
            trials.map(|(rank, trial)| TrialRow {
                label: &row.label,
                rank,
                trial,
            })
        });
        rows.collect()
    }

    fn tuning_rows(&self) -> Vec<TuningRow<'_>> {
        let rows = self.searched().flat_map(|(row, search, _)| {
            let curve = search.tuning().into_iter();
            let points = curve.flat_map(|curve| curve.points);
            points.map(|point| TuningRow {
                label: &row.label,
                point,
            })
        });
        rows.collect()
    }

    fn training_rows(&self) -> Vec<TrainingRow<'_>> {
        let mut rows = Vec::new();
        for (report_row, entries) in self.groups() {
            for entry in entries {
                rows.extend(entry.metrics.iter().map(|row| TrainingRow {
                    label: Cow::Borrowed(&report_row.label),
                    seed: entry.seed,
                    diverged: entry.is_diverged(),
                    sources: Cow::Borrowed(&entry.sources),
                    row: Cow::Borrowed(row),
                }));
            }
        }
        rows
    }
}
