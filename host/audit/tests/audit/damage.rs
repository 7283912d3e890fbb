//! Thousands of changes at random, one at a time: each is found, and nothing that is not.
//!
//! Changes that no audit can find are left out, and listed in `docs/auditing.md`: the loss of an
//! execution that another one repeats, of an object that nothing names, or of a pin.

use std::fs;
use std::path::{Path, PathBuf};

use assay_audit::{AuditReport, Finding, Note, Scope, audit};
use assay_core::{ActionResult, ObjectHash};
use assay_store::Store;
use proptest::test_runner::TestCaseError;
use proptest::test_runner::TestRunner;

use crate::change::{apply, changes};
use crate::support::{Sample, config};

const CASES: u32 = 4000;

#[test]
fn every_change_is_found_and_none_is_invented() {
    let sample = Sample::new();
    let clean = sample.audit();
    assert!(clean.findings.is_empty(), "{:#?}", clean.findings);
    let unnamed = [Note::Unnamed {
        objects: 1,
        bytes: 18,
    }];
    assert_eq!(clean.notes, unnamed);

    let mut runner = TestRunner::new(config(CASES));
    let checked = runner.run(&changes(), |change| {
        let touched = apply(&sample, &change);
        let outcome = check(&sample, &clean, &touched);
        sample.restore();
        outcome.map_err(|why| TestCaseError::fail(format!("{why}\n{touched:#?}")))
    });
    checked.unwrap();
    assert_eq!(sample.audit().notes, clean.notes);
}

/// Whether the audit finds what was touched and nothing else.
fn check(sample: &Sample, clean: &AuditReport, touched: &[PathBuf]) -> Result<(), String> {
    if touched.iter().any(|path| path == Path::new("format")) {
        return match Store::open_existing(sample.root()) {
            Ok(_) => Err("the format passes".to_owned()),
            Err(_) => Ok(()),
        };
    }
    let report = audit(&sample.store, Scope::All, &()).unwrap();
    let noted = report.notes != clean.notes;
    if is_noticeable(sample, touched) && report.findings.is_empty() && !noted {
        return Err("nothing is found".to_owned());
    }
    if touched.is_empty() && (noted || !report.findings.is_empty()) {
        return Err(format!("found where nothing is: {report:#?}"));
    }
    match report
        .findings
        .iter()
        .find(|finding| !concerns(sample, finding, touched))
    {
        Some(invented) => Err(format!("invented: {invented:#?}")),
        None => Ok(()),
    }
}

/// Whether the change can be found in principle. One of two executions that gave the same may be
/// forgotten, and what a record says of time and place may be told otherwise under its right
/// name; a pin may be gone, or keep something else that is there: nothing in the store contradicts
/// that.
fn is_noticeable(sample: &Sample, touched: &[PathBuf]) -> bool {
    let is_file =
        |path: &&PathBuf| sample.files.contains_key(*path) || sample.root().join(path).is_file();
    let is_pin = |path: &&PathBuf| path.starts_with("pins") && is_unpinned(sample, path);
    let touched = touched.iter().filter(is_file);
    let touched: Vec<_> = touched.filter(|path| !is_pin(path)).collect();
    if touched.is_empty() || !touched.iter().all(|path| path.starts_with("results")) {
        return !touched.is_empty();
    }
    if let [old, new] = touched.as_slice()
        && let (Some(was), Some(is)) = (essence(&sample.files[*old]), sound_record(sample, new))
    {
        return Some(was) != essence(&is);
    }
    let train = &sample.actions["train"].to_string()[2..];
    let is_other = |path: &&PathBuf| !touched.contains(path) && is_of(path, train);
    let is_repeated = sample.files.keys().any(|path| is_other(&path));
    let forgotten = |path: &&PathBuf| is_of(path, train) && !sample.root().join(path).exists();
    !(is_repeated && touched.iter().all(forgotten))
}

/// Whether no pin is there, or one on an object that is there.
fn is_unpinned(sample: &Sample, path: &Path) -> bool {
    match fs::read_to_string(sample.root().join(path)) {
        Ok(text) => {
            let kinds = ["run ", "action ", "artifact ", "object "];
            let hash = kinds.iter().find_map(|kind| text.strip_prefix(kind));
            let hash = hash.and_then(|hash| hash.strip_suffix('\n')?.parse().ok());
            hash.is_some_and(|hash| sample.files.contains_key(&object_path(hash)))
        }
        Err(_) => !sample.root().join(path).exists(),
    }
}

fn object_path(object: ObjectHash) -> PathBuf {
    let hex = object.to_string();
    PathBuf::from(format!("objects/{}/{}", &hex[..2], &hex[2..]))
}

fn is_of(path: &Path, action: &str) -> bool {
    path.starts_with("results") && path.parent().is_some_and(|folder| folder.ends_with(action))
}

/// The bytes of a record that lies under its right name.
fn sound_record(sample: &Sample, path: &Path) -> Option<Vec<u8>> {
    let bytes = fs::read(sample.root().join(path)).ok()?;
    let name = path.file_stem()?.to_str()?;
    (ObjectHash::of(&bytes).to_string() == name).then_some(bytes)
}

/// Fields of a record that other documents confirm.
fn essence(record: &[u8]) -> Option<[String; 3]> {
    let result: ActionResult = serde_json::from_slice(record).ok()?;
    let log = result.log.map(|log| log.to_string());
    Some([
        result.action.to_string(),
        result.artifact.to_string(),
        log.unwrap_or_default(),
    ])
}

/// Whether the finding is about what was touched, or about what rests on it: then it names it.
fn concerns(sample: &Sample, finding: &Finding, touched: &[PathBuf]) -> bool {
    let path = finding.location.path(&sample.store);
    let below = path.strip_prefix(sample.root()).unwrap();
    if touched
        .iter()
        .any(|it| it.starts_with(below) || below.starts_with(it))
    {
        return true;
    }
    let names = |bytes: &[u8], hex: &str| String::from_utf8_lossy(bytes).contains(hex);
    let said = fs::read(&path).unwrap_or_default();
    let fault = format!("{:?}", finding.fault);
    touched.iter().any(|it| {
        let hex: String = it.to_str().unwrap().split('/').skip(1).take(2).collect();
        let now = fs::read(sample.root().join(it)).unwrap_or_default();
        let own: String = below.to_str().unwrap().split('/').skip(1).collect();
        hex.len() == 64 && (names(&said, &hex) || names(fault.as_bytes(), &hex))
            // The changed file now names it.
            || own.len() >= 64 && names(&now, &own)
            || it.starts_with("runs") && it.to_str().unwrap().ends_with(&own)
    })
}
