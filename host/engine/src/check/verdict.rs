//! Verdict on a plugin, from the end of a check's worker.

use std::io::Read;
use std::path::Path;

use assay_core::ObjectHash;
use assay_store::Store;
use assay_testkit::{Check, Outcome, SILENT, Verdict, judge_output};

use crate::error::EngineError;
use crate::source_file::read_file;
use crate::stages::{CHECKED, CheckDocument, PRINTED};
use crate::supervise::{Completed, Failure};

/// Findings of a check.
pub(super) struct Found {
    pub(super) verdict: Verdict,
    /// The algorithms that the library offers, where the check asked.
    pub(super) offered: Vec<String>,
    /// The hash of the outputs of a check that compares environments.
    pub(super) outputs: Option<ObjectHash>,
}

/// Findings of a check that was executed; `None` where it was asked to stop.
///
/// # Errors
/// Failures that are not the plugin's.
pub(super) fn found(
    store: &Store,
    check: &'static Check,
    executed: Result<Completed, Failure>,
) -> Result<Option<Found>, EngineError> {
    let reason = match executed {
        Ok(completed) => return read(store, check, &completed).map(Some),
        Err(Failure::Cancelled) => return Ok(None),
        Err(Failure::Stage { message, chain, .. }) => {
            let causes = chain.iter().map(|cause| format!(": {cause}"));
            message + &causes.collect::<String>()
        }
        Err(Failure::Died { how, log, .. }) => died(&how, &log),
        Err(Failure::Limit { limit, .. }) => format!("its process reached the {limit}"),
        Err(failure @ (Failure::Protocol { .. } | Failure::Card { .. })) => failure.to_string(),
        Err(failure) => {
            let check = check.name;
            return Err(EngineError::Check { check, failure });
        }
    };
    Ok(Some(Found {
        verdict: Verdict {
            outcome: Outcome::Failed,
            reason,
        },
        offered: Vec::new(),
        outputs: None,
    }))
}

/// A process that ended without a word of ours, and the first of the last words of its own.
fn died(how: &str, log: &[String]) -> String {
    match log.iter().find(|line| !line.trim().is_empty()) {
        Some(line) => format!("its process {how}, having said {line:?}"),
        None => format!("its process {how}"),
    }
}

/// More than a verdict has.
const LONGEST_VERDICT: u64 = 1 << 20;

/// Enough of what a plugin printed to show how it begins.
const LONGEST_BEGINNING: u64 = 4 << 10;

fn read(store: &Store, check: &'static Check, completed: &Completed) -> Result<Found, EngineError> {
    let path = |name: &str| store.artifact_file_path(completed.result.artifact, name);
    let verdict = read_file(&path(CHECKED)?, "a verdict", LONGEST_VERDICT)?;
    let document: CheckDocument =
        serde_json::from_slice(&verdict).map_err(|source| EngineError::Verdict {
            check: check.name,
            source,
        })?;
    let verdict = if check.name == SILENT {
        let (printed, beginning) = printed(&path(PRINTED)?)?;
        judge_output(document.verdict, printed, &beginning)
    } else {
        document.verdict
    };
    Ok(Found {
        verdict,
        offered: document.algorithms,
        outputs: document.outputs,
    })
}

/// The size of a plugin's output, and its beginning.
fn printed(path: &Path) -> Result<(u64, Vec<u8>), EngineError> {
    let read = || {
        let file = assay_files::open(path)?;
        let size = file.metadata()?.len();
        let mut beginning = Vec::new();
        file.take(LONGEST_BEGINNING).read_to_end(&mut beginning)?;
        Ok((size, beginning))
    };
    read().map_err(|source| EngineError::File {
        what: "read",
        path: path.to_owned(),
        source,
    })
}
