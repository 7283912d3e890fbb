//! `pipeline export` and `run --tensorboard`: trainings as tables and curves, read by other programs.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use arrow::datatypes::DataType;
use assay_skips::skip;
use assay_tests::{Finished, Sandbox};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

/// A sandbox whose trainings have run.
fn trained() -> Sandbox {
    let sandbox = Sandbox::with_methods(r#"["bp", "fa", "dfa"]"#);
    let _ = sandbox.run(&[]).exits(0);
    sandbox
}

/// The rows of the CSV, by column.
fn rows(csv: &str) -> Vec<BTreeMap<String, String>> {
    let mut lines = csv.lines().map(fields);
    let header = lines.next().unwrap();
    let rows = lines.map(|line| {
        assert_eq!(line.len(), header.len());
        header.iter().cloned().zip(line).collect()
    });
    rows.collect()
}

/// The fields of a line of CSV.
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            character => field.push(character),
        }
    }
    fields.push(field);
    fields
}

#[test]
fn a_row_has_what_decided_a_training_and_its_numbers() {
    let sandbox = trained();
    let csv = sandbox.execute(&["export", "--format", "csv"]).exits(0);
    let rows = rows(&csv.stdout);
    assert_eq!(rows.len(), 3);
    let run = sandbox.run_json(&[]);
    let stages = run["stages"].as_array().unwrap();
    let report = run["reports"][0]["rows"].as_array().unwrap();
    for (row, method) in rows.iter().zip(["bp", "fa", "dfa"]) {
        assert_eq!(row["stage"], format!("train/{method}/seed=1"));
        assert_eq!(
            (row["dataset"].as_str(), row["network"].as_str()),
            ("data", "small")
        );
        assert_eq!(
            (row["method"].as_str(), row["algorithm"].as_str()),
            (method, method)
        );
        assert_eq!((row["seed"].as_str(), row["epochs"].as_str()), ("1", "2"));
        assert_eq!(row["hp_learning_rate"], "0.01");
        assert_eq!(row["hp_feedback_scale"].is_empty(), method == "bp");
        assert_eq!(row["diverged"], "false");
        let stage = stages
            .iter()
            .find(|it| it["name"] == row["stage"].as_str())
            .unwrap();
        assert_eq!(
            (&stage["action"], &stage["artifact"]),
            (
                &row["action"].clone().into(),
                &row["artifact"].clone().into()
            )
        );
        let reported = report.iter().find(|it| it["method"] == method).unwrap();
        for name in ["validation_epoch", "last_epoch", "best_epoch"] {
            let name = format!("test_error_{name}");
            let value: f64 = row[&name].parse().unwrap();
            assert_eq!(Some(value), reported[&name]["mean"].as_f64(), "{name}");
        }
        let layers: Value = serde_json::from_str(&row["layers"]).unwrap();
        assert_eq!(layers["layers"][0], "fc 16");
    }
}

#[test]
fn columns_of_parquet_have_types() {
    let sandbox = trained();
    let file = sandbox.path("trainings.parquet");
    let arguments = ["export", "--format", "parquet"];
    let piped = sandbox.command(&arguments).output().unwrap();
    assert!(piped.status.success());
    let _ = sandbox
        .execute(&[&arguments[..], &["-o", "trainings.parquet"]].concat())
        .exits(0);
    assert_eq!(fs::read(&file).unwrap(), piped.stdout);
    let builder = ParquetRecordBatchReaderBuilder::try_new(fs::File::open(file).unwrap()).unwrap();
    let kind = |name: &str| {
        builder
            .schema()
            .field_with_name(name)
            .unwrap()
            .data_type()
            .clone()
    };
    for (name, expected) in [
        ("stage", DataType::Utf8),
        ("seed", DataType::UInt64),
        ("hp_learning_rate", DataType::Float64),
        // Every value is a 1, and it is a real number all the same.
        ("hp_feedback_scale", DataType::Float64),
        ("test_error_validation_epoch", DataType::Float64),
        ("diverged", DataType::Boolean),
    ] {
        assert_eq!(kind(name), expected, "{name}");
    }
    let batches: Vec<_> = builder.build().unwrap().map(Result::unwrap).collect();
    assert_eq!(
        batches
            .iter()
            .map(arrow::array::RecordBatch::num_rows)
            .sum::<usize>(),
        3
    );
}

#[test]
fn nothing_is_written_over_unasked() {
    let sandbox = trained();
    fs::write(sandbox.path("mine"), "mine").unwrap();
    let arguments = ["export", "--format", "csv", "--output", "mine"];
    let refused = sandbox.execute(&arguments).exits(2).stderr;
    assert!(refused.contains("mine is there already"), "{refused}");
    assert_eq!(fs::read(sandbox.path("mine")).unwrap(), b"mine");
    let _ = sandbox
        .execute(&[&arguments[..], &["--force"]].concat())
        .exits(0);
    assert!(
        fs::read_to_string(sandbox.path("mine"))
            .unwrap()
            .starts_with("run,")
    );
    let curves = ["export", "--format", "tensorboard", "--output", "data"];
    let refused = sandbox.execute(&curves).exits(2).stderr;
    assert!(refused.contains("is not empty"), "{refused}");
    let refused = sandbox
        .execute(&["export", "--format", "tensorboard"])
        .exits(2)
        .stderr;
    assert!(refused.contains("--output"), "{refused}");
    let refused = sandbox
        .execute(&["export", "nobody", "--format", "csv"])
        .exits(2)
        .stderr;
    assert!(refused.contains("nobody"), "{refused}");
}

#[test]
fn several_runs_and_trainings_that_gave_nothing_have_rows() {
    let sandbox = trained();
    let set = "method.bp.hyperparameters.learning_rate=1e38";
    let _ = sandbox.run(&["--set", set, "--only", "train"]).exits(0);
    let runs = sandbox.execute(&["ls", "--json"]).json();
    let runs: Vec<_> = runs["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["run"].as_str().unwrap().to_owned())
        .collect();
    let csv = sandbox
        .execute(&["export", &runs[1], &runs[0], "--format", "csv"])
        .exits(0);
    let rows = rows(&csv.stdout);
    assert_eq!(rows.len(), 6);
    assert_eq!(rows[0]["run"], runs[1]);
    let diverged = &rows[3];
    assert_eq!(diverged["stage"], "train/bp/seed=1");
    assert_eq!(
        (
            diverged["diverged"].as_str(),
            diverged["diverged_in_epoch"].as_str()
        ),
        ("true", "1")
    );
    // Without an evaluation the numbers are those of the epochs.
    assert!(!rows[4]["test_error_last_epoch"].is_empty());
    assert!(rows[4]["evaluation_artifact"].is_empty());
    let latex = sandbox
        .execute(&["export", "--format", "latex"])
        .exits(0)
        .stdout;
    assert!(
        latex.contains("\\toprule") && latex.contains("\\bottomrule"),
        "{latex}"
    );
    assert!(
        latex.contains("data & small & fa & 1 & 2 & 32 & "),
        "{latex}"
    );
    assert!(latex.contains("learning rate"), "{latex}");
}

/// The Python that the user names, if it can import this.
fn python(module: &str) -> Option<String> {
    let python = std::env::var("ASSAY_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let imports = Command::new(&python)
        .args(["-c", &format!("import {module}")])
        .output();
    if imports.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    skip(&format!("{python} cannot import {module}"));
    None
}

/// The files of TensorBoard below a folder.
fn event_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    files
}

#[test]
fn curves_have_a_file_for_each_training() {
    let sandbox = Sandbox::with_methods(r#"["bp", "fa", "dfa"]"#);
    let _ = sandbox.run(&["--tensorboard", "curves"]).exits(0);
    let first = event_files(&sandbox.path("curves"));
    assert_eq!(first.len(), 3);
    for file in &first {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        assert!(name.starts_with("events.out.tfevents."), "{name}");
        // Length, checksum, event with its version, checksum; then two epochs.
        assert!(fs::read(file).unwrap().len() > 200);
    }
    // Cached trainings have their curves too, in a folder of that run.
    let _ = sandbox.run(&["--tensorboard", "curves"]).exits(0);
    assert_eq!(event_files(&sandbox.path("curves")).len(), 6);
    let refused = sandbox
        .run(&["--tensorboard", "pipeline.toml"])
        .exits(2)
        .stderr;
    assert!(refused.contains("cannot create pipeline.toml"), "{refused}");
    let _ = sandbox
        .execute(&["export", "--format", "tensorboard", "-o", "other"])
        .exits(0);
    assert_eq!(event_files(&sandbox.path("other")).len(), 3);
}

const READER: &str = "
import json, sys
from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer
reader = EventMultiplexer().AddRunsFromDirectory(sys.argv[1])
reader.Reload()
runs = {run: {tag: [(event.step, event.value) for event in reader.Scalars(run, tag)] for tag in tags['scalars']}
        for run, tags in reader.Runs().items()}
print(json.dumps(runs))
";

#[test]
fn tensorboard_reads_the_curves() {
    let Some(python) = python("tensorboard") else {
        return;
    };
    let sandbox = Sandbox::with_methods(r#"["bp", "fa", "dfa"]"#);
    let _ = sandbox
        .run(&["--tensorboard", "curves", "--events", "events.jsonl"])
        .exits(0);
    let _ = sandbox
        .execute(&["export", "--format", "tensorboard", "-o", "other"])
        .exits(0);
    let read = |folder: &str| -> Value {
        let mut command = Command::new(&python);
        command.args(["-c", READER]).arg(sandbox.path(folder));
        Finished::run(&mut command).exits(0).json()
    };
    let (live, exported) = (read("curves"), read("other"));
    let events = fs::read_to_string(sandbox.path("events.jsonl")).unwrap();
    let events = events
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let epochs = events.filter(|event| event["event"] == "epoch");
    let mut count = 0;
    for epoch in epochs {
        let stage = epoch["stage"].as_str().unwrap();
        let number = epoch["epoch"].as_u64().unwrap();
        let live = live
            .as_object()
            .unwrap()
            .iter()
            .find(|(run, _)| run.ends_with(stage));
        for curves in [live.unwrap().1, &exported[stage]] {
            for (split, metrics) in epoch["measured"].as_object().unwrap() {
                for (metric, value) in metrics.as_object().unwrap() {
                    let curve = curves[format!("{metric}/{split}")].as_array().unwrap();
                    let point = curve.iter().find(|point| point[0] == number).unwrap();
                    let (read, told) = (point[1].as_f64().unwrap(), value.as_f64().unwrap());
                    assert!(
                        (read - told).abs() <= 1e-6 * told.abs(),
                        "{metric}: {read} {told}"
                    );
                    count += 1;
                }
            }
        }
    }
    assert!(count > 50);
}

/// The blocks of a language in a document.
fn blocks<'a>(document: &'a str, language: &str) -> Vec<&'a str> {
    let begin = format!("```{language}\n");
    let blocks = document.split(&begin).skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap())
        .collect()
}

/// The example of the document that imports `module`, run in a folder with what the document's commands
/// wrote.
fn read_by(module: &str) {
    let Some(python) = python(module) else {
        return;
    };
    if module == "pandas" && self::python("pyarrow").is_none() {
        return;
    }
    let sandbox = Sandbox::with_methods(r#"["bp", "fa", "dfa"]"#);
    let path = sandbox.path("pipeline.toml");
    let text = fs::read_to_string(&path).unwrap();
    let export = "\n[stage.export]\nkind = \"export\"\ntraining = \"train\"\n";
    fs::write(path, text + export).unwrap();
    let _ = sandbox.run(&[]).exits(0);
    let document = include_str!("../../docs/exporting.md");
    for line in blocks(document, "console")
        .iter()
        .flat_map(|block| block.lines())
    {
        let line = line.strip_prefix("$ pipeline ").unwrap();
        let (arguments, output) = line.split_once(" > ").unwrap_or((line, ""));
        let arguments: Vec<_> = arguments.split_whitespace().collect();
        let mut command = sandbox.command(&arguments);
        if output.is_empty() {
            command.stdout(Stdio::null());
        } else {
            command.stdout(fs::File::create(sandbox.path(output)).unwrap());
        }
        assert!(
            command.stderr(Stdio::null()).status().unwrap().success(),
            "{line}"
        );
    }
    let examples = blocks(document, "python");
    let imports = |example: &&&str| {
        example
            .lines()
            .any(|line| line.starts_with("import ") && line.contains(module))
    };
    let examples: Vec<_> = examples.iter().filter(imports).collect();
    assert!(!examples.is_empty());
    for example in examples {
        let mut command = Command::new(&python);
        command.current_dir(sandbox.path("")).args(["-c", example]);
        let ended = Finished::run(&mut command).exits(0);
        assert!(!ended.stdout.is_empty());
    }
}

#[test]
fn duckdb_reads_the_tables() {
    read_by("duckdb");
}

#[test]
fn polars_reads_the_tables() {
    read_by("polars");
}

#[test]
fn pandas_reads_the_tables() {
    read_by("pandas");
}

#[test]
fn pytorch_reads_the_weights() {
    if python("safetensors").is_some() {
        read_by("torch");
    }
}
