//! Parquet files: what goes in comes out, and no bytes make a reader panic.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use assay_report::{
    EvaluationRow, MetricRow, RECONSTRUCTION_ERROR, Report, Split, State, TableProblem,
    read_evaluation, read_metrics, read_table, write_evaluation, write_metrics,
};
use proptest::prelude::*;
use tempfile::tempdir;

use crate::samples::{evaluation, metric, reconstruction, small};

fn any_split() -> impl Strategy<Value = Split> {
    prop_oneof![
        Just(Split::Train),
        Just(Split::Validation),
        Just(Split::Test)
    ]
}

fn any_metrics() -> impl Strategy<Value = Vec<MetricRow>> {
    let row = (1..=u32::MAX, any_split(), ".{0,12}", any::<f64>());
    let row = row.prop_map(|(epoch, split, name, value)| metric(epoch, split, &name, value));
    prop::collection::vec(row, 0..200)
}

fn any_evaluation() -> impl Strategy<Value = Vec<EvaluationRow>> {
    let state = prop_oneof![Just(State::Best), Just(State::Final)];
    let row = (state, any_split(), ".{0,12}", any::<f64>());
    let row = row.prop_map(|(state, split, name, value)| evaluation(state, split, &name, value));
    prop::collection::vec(row, 0..50)
}

/// The rows as values whose equality holds for NaN too: the bits must come back.
fn bits(rows: &[MetricRow]) -> Vec<(u32, Split, &str, u64)> {
    rows.iter()
        .map(|row| {
            (
                row.epoch,
                row.split,
                row.metric.as_str(),
                row.value.to_bits(),
            )
        })
        .collect()
}

fn some_metrics() -> Vec<MetricRow> {
    let row = |epoch| {
        [(Split::Train, "loss"), (Split::Test, "error")]
            .map(|(split, name)| metric(epoch, split, name, 10.0 / f64::from(epoch)))
    };
    (1..=50).flat_map(row).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn metrics_come_back_as_they_were(rows in any_metrics()) {
        let folder = tempdir().unwrap();
        let path = folder.path().join("metrics.parquet");
        write_metrics(&path, &rows).unwrap();
        let read = read_metrics(&path).unwrap();
        prop_assert_eq!(bits(&read), bits(&rows));
    }

    #[test]
    fn evaluations_come_back_as_they_were(rows in any_evaluation()) {
        let folder = tempdir().unwrap();
        let path = folder.path().join("evaluation.parquet");
        write_evaluation(&path, &rows).unwrap();
        let read = read_evaluation(&path).unwrap();
        prop_assert_eq!(read.len(), rows.len());
        for (read, row) in read.iter().zip(&rows) {
            prop_assert_eq!(read.value.to_bits(), row.value.to_bits());
            prop_assert_eq!((read.state, read.split, &read.metric), (row.state, row.split, &row.metric));
        }
    }
}

/// The bytes of a sound file, made once.
static SOUND: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let folder = tempdir().unwrap();
    let path = folder.path().join("metrics.parquet");
    write_metrics(&path, &some_metrics()).unwrap();
    fs::read(&path).unwrap()
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn damaged_bytes_never_panic(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        length in any::<prop::sample::Index>(),
        cut in prop::bool::weighted(0.1),
    ) {
        let folder = tempdir().unwrap();
        let path = folder.path().join("metrics.parquet");
        let mut bytes = SOUND.clone();
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if cut {
            bytes.truncate(length.index(bytes.len()));
        }
        fs::write(&path, &bytes).unwrap();
        // Damage may hit a byte that no reader looks at; what must not happen is a panic.
        if let Err(error) = read_metrics(&path) {
            prop_assert!(error.to_string().contains("metrics.parquet"));
        }
    }
}

#[test]
fn equal_rows_give_equal_bytes() {
    let folder = tempdir().unwrap();
    let paths = ["a", "b"].map(|name| folder.path().join(name));
    for path in &paths {
        write_metrics(path, &some_metrics()).unwrap();
    }
    assert_eq!(fs::read(&paths[0]).unwrap(), fs::read(&paths[1]).unwrap());
}

#[test]
fn a_file_tells_its_units() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("metrics.parquet");
    write_metrics(&path, &some_metrics()).unwrap();
    let bytes = fs::read(&path).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("assay.format_version"));
    assert!(text.contains("percent of samples, 0 to 100"));

    let rows = [metric(1, Split::Test, RECONSTRUCTION_ERROR, 123.0)];
    write_metrics(&path, &rows).unwrap();
    let bytes = fs::read(&path).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("mean over samples of the squared distance"));
    assert!(!text.contains("percent"));
}

#[test]
fn another_table_is_refused_by_name() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("evaluation.parquet");
    write_evaluation(&path, &[evaluation(State::Best, Split::Test, "error", 1.0)]).unwrap();
    let error = read_metrics(&path).unwrap_err();
    assert!(matches!(error.problem, TableProblem::Kind { .. }));
    let said = error.to_string();
    assert!(
        said.contains("expected a table `metrics` of this program, found `evaluation`"),
        "{said}"
    );
}

#[test]
fn a_missing_file_is_an_error() {
    let error = read_metrics(Path::new("no/such/file")).unwrap_err();
    assert!(matches!(error.problem, TableProblem::Open(_)));
}

#[test]
fn epoch_zero_is_not_written() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("metrics.parquet");
    let rows = [
        metric(1, Split::Test, "error", 1.0),
        metric(0, Split::Test, "error", 1.0),
    ];
    let error = write_metrics(&path, &rows).unwrap_err();
    assert!(matches!(
        error.problem,
        TableProblem::Value {
            row: 1,
            column: "epoch",
            ..
        }
    ));
    assert!(!path.exists());
}

#[test]
fn a_report_table_comes_back_as_its_rows() {
    let errors = [(60.0, 50.0), (140.5, 41.0)];
    for entries in [small(), vec![reconstruction("bp", 1, &errors)]] {
        let folder = tempdir().unwrap();
        let report = Report::build("small", entries).unwrap();
        report.write(folder.path(), None).unwrap();
        let rows = read_table(&folder.path().join("table.parquet")).unwrap();
        assert_eq!(rows, report.rows());
    }
}
