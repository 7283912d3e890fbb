//! `pipeline data show` through the real binary: its figures against the files themselves, its
//! contact sheet pixel by pixel, and how it shares the store with runs.

use std::fs;
use std::io::Cursor;

use assay_tests::{CLASSES, Finished, Sandbox};
use serde_json::Value;

const SIDE: usize = 8;
/// How large a pixel of an 8 × 8 image is drawn, and what lies between images.
const MAGNIFIED: usize = 8;
const GAP: usize = 2;

/// A set of the dataset, read from its files as their format says.
struct Set {
    images: Vec<Vec<u8>>,
    labels: Vec<u8>,
}

fn set(sandbox: &Sandbox, prefix: &str) -> Set {
    let file = |end: &str| fs::read(sandbox.path(&format!("data/{prefix}-{end}"))).unwrap();
    let (images, labels) = (file("images-idx3-ubyte"), file("labels-idx1-ubyte"));
    Set {
        images: images[16..]
            .chunks(SIDE * SIDE)
            .map(<[u8]>::to_vec)
            .collect(),
        labels: labels[8..].to_vec(),
    }
}

impl Set {
    fn label_counts(&self) -> Vec<u64> {
        let mut counts = vec![0; CLASSES.into()];
        for &label in &self.labels {
            counts[usize::from(label)] += 1;
        }
        counts
    }

    /// The first images of a class.
    fn first(&self, class: u8, count: usize) -> Vec<&[u8]> {
        let of_class = self.images.iter().zip(&self.labels);
        of_class
            .filter(|(_, label)| **label == class)
            .map(|(image, _)| image.as_slice())
            .take(count)
            .collect()
    }

    fn assert_shown(&self, split: &Value) {
        assert_eq!(split["images"], self.labels.len());
        assert_eq!(
            split["label_counts"],
            serde_json::json!(self.label_counts())
        );
        let pixels: Vec<_> = self.images.concat();
        let count = pixels.len() as f64;
        let mean = pixels.iter().map(|&it| f64::from(it)).sum::<f64>() / count;
        let squares = pixels.iter().map(|&it| (f64::from(it) - mean).powi(2));
        let deviation = (squares.sum::<f64>() / count).sqrt();
        let channels = split["channels"].as_array().unwrap();
        assert_eq!(channels.len(), 1);
        for (figure, expected) in [("mean", mean), ("standard_deviation", deviation)] {
            let found = channels[0][figure].as_f64().unwrap();
            // Of some thousand terms of like size, added in another order.
            assert!(
                (found - expected / 255.0).abs() < 1e-12,
                "{figure}: {found}"
            );
        }
        assert_eq!(channels[0]["smallest"], *pixels.iter().min().unwrap());
        assert_eq!(channels[0]["largest"], *pixels.iter().max().unwrap());
    }
}

fn show(sandbox: &Sandbox, more: &[&str]) -> Finished {
    sandbox.execute(&[&["data", "show", "pipeline.toml"], more].concat())
}

#[track_caller]
fn assert_says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "no {part:?} in:\n{said}");
    }
}

#[test]
fn the_figures_are_those_of_the_files() {
    let sandbox = Sandbox::new();
    let whole = ["--set", "data.validation=0", "--json"];
    let shown = show(&sandbox, &whole).exits(0).json();
    let splits = shown["splits"].as_array().unwrap();
    let names: Vec<_> = splits.iter().map(|split| &split["name"]).collect();
    assert_eq!(names, ["train", "test"]);
    set(&sandbox, "train").assert_shown(&splits[0]);
    set(&sandbox, "t10k").assert_shown(&splits[1]);
    assert_eq!(shown["shape"], serde_json::json!([1, SIDE, SIDE]));
    assert_eq!(shown["scaling"], "unit-interval");

    // With a validation split: what is held out is what the training split lacks.
    let shown = show(&sandbox, &["--json"]).exits(0).json();
    let splits = shown["splits"].as_array().unwrap();
    assert_eq!(splits[1]["name"], "validation");
    assert_eq!(splits[1]["images"], 100);
    let counts = |split: usize| splits[split]["label_counts"].as_array().unwrap().clone();
    let both = counts(0).into_iter().zip(counts(1));
    let both: Vec<_> = both
        .map(|(train, held)| train.as_u64().unwrap() + held.as_u64().unwrap())
        .collect();
    assert_eq!(both, set(&sandbox, "train").label_counts());
}

/// Width, height and the red, green and blue bytes of a PNG file.
fn decode(file: &[u8]) -> (usize, usize, Vec<u8>) {
    let mut reader = png::Decoder::new(Cursor::new(file)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!(info.color_type, png::ColorType::Rgb);
    (info.width as usize, info.height as usize, pixels)
}

#[test]
fn the_contact_sheet_shows_the_first_images_of_each_class() {
    let sandbox = Sandbox::new();
    let sheet = [
        "--sheet",
        "sheet.png",
        "--split",
        "test",
        "--per-class",
        "3",
    ];
    let said = show(&sandbox, &sheet).exits(0).stdout;
    assert_says(&said, &["sheet.png: 200 × 266 pixels", "of the test split"]);
    let (width, height, pixels) = decode(&fs::read(sandbox.path("sheet.png")).unwrap());
    let step = SIDE * MAGNIFIED + GAP;
    assert_eq!((width, height), (GAP + 3 * step, GAP + 4 * step));
    let test = set(&sandbox, "t10k");
    let mut background = vec![true; width * height];
    for class in 0..CLASSES {
        for (column, image) in test.first(class, 3).into_iter().enumerate() {
            for at in 0..(SIDE * MAGNIFIED).pow(2) {
                let (y, x) = (at / (SIDE * MAGNIFIED), at % (SIDE * MAGNIFIED));
                let place = (GAP + usize::from(class) * step + y) * width + GAP + column * step + x;
                let expected = image[y / MAGNIFIED * SIDE + x / MAGNIFIED];
                assert_eq!(pixels[place * 3..][..3], [expected; 3]);
                background[place] = false;
            }
        }
    }
    let rest = (0..width * height).filter(|&place| background[place]);
    assert!(
        rest.into_iter()
            .all(|place| pixels[place * 3..][..3] == [96; 3])
    );
}

#[test]
fn a_dataset_is_prepared_once_for_runs_and_looks() {
    let sandbox = Sandbox::new();
    let first = show(&sandbox, &["--json"]).exits(0);
    assert!(first.stderr.contains("data: started"), "{}", first.stderr);
    let again = show(&sandbox, &["data", "--json"]).exits(0);
    assert_eq!((again.stderr.as_str(), &again.stdout), ("", &first.stdout));
    let run = sandbox.run_json(&["--only", "data"]);
    assert_eq!(run["stages"][0]["outcome"], "cached");
    assert_eq!(run["stages"][0]["artifact"], first.json()["artifact"]);
}

#[test]
fn classes_are_called_by_the_names_that_the_file_gives() {
    let sandbox = Sandbox::new();
    let file = sandbox.path("pipeline.toml");
    let text = fs::read_to_string(&file).unwrap();
    let rename = |list: &str| {
        let renamed = text.replacen("classes = 4", &format!("class_names = {list}"), 1);
        fs::write(&file, renamed).unwrap();
    };
    rename(r#"["left", "right", "below left", "below right"]"#);
    let shown = show(&sandbox, &["--json"]).exits(0).json();
    assert_eq!(shown["classes"], 4);
    let names = ["left", "right", "below left", "below right"];
    assert_eq!(shown["class_names"], serde_json::json!(names));
    let table = show(&sandbox, &[]).exits(0).stdout;
    let row = table.lines().find(|line| line.contains("below left"));
    assert!(row.unwrap().trim_start().starts_with('2'), "{table}");

    for (names, complaint) in [
        (r#"["a", "b", "a", "c"]"#, "two classes have the name `a`"),
        (r#"["a", " "]"#, "a class needs a name"),
        (r#"["a", 2]"#, "expected a string, found an integer"),
    ] {
        rename(names);
        let said = show(&sandbox, &[]).exits(2).stderr;
        assert_says(&said, &[complaint, "pipeline.toml:23:"]);
    }
    rename("[\"a\", \"b\", \"c\"]\nclasses = 4");
    assert_says(
        &show(&sandbox, &[]).exits(2).stderr,
        &["3 names for 4 classes", "pipeline.toml:23:"],
    );
    rename("[\"a\", \"b\", \"c\"]");
    // Names for fewer classes than there are labels: the files decide.
    assert_says(&show(&sandbox, &[]).exits(1).stderr, &["has label 3"]);
}

#[test]
fn what_cannot_be_shown_is_said() {
    let sandbox = Sandbox::new();
    let unknown = sandbox.execute(&["data", "show", "mnits"]).exits(2);
    assert_says(
        &unknown.stderr,
        &["there is no dataset `mnits`", "did you mean `mnist`?"],
    );
    let stage = show(&sandbox, &["train"]).exits(2).stderr;
    assert_says(&stage, &["there is no dataset stage `train`", "`data`"]);
    let known = sandbox.execute(&["data", "show", "mnist", "data"]).exits(2);
    assert_says(&known.stderr, &["taken as a dataset's name"]);
    let none = [
        "--set",
        "data.validation=0",
        "--sheet",
        "s.png",
        "--split",
        "validation",
    ];
    let said = show(&sandbox, &none).exits(2).stderr;
    assert_says(&said, &["the dataset has no validation split"]);
    assert!(!sandbox.path("s.png").exists());

    let labels = sandbox.path("data/t10k-labels-idx1-ubyte");
    let mut bytes = fs::read(&labels).unwrap();
    bytes.pop();
    fs::write(&labels, bytes).unwrap();
    let damaged = show(&sandbox, &[]).exits(1).stderr;
    assert_says(&damaged, &["t10k-labels-idx1-ubyte", "is truncated"]);
}

#[test]
fn a_damaged_table_is_noticed() {
    let sandbox = Sandbox::new();
    let shown = show(&sandbox, &["--json"]).exits(0).json();
    let store = assay_store::Store::open_existing(sandbox.path("artifacts")).unwrap();
    let artifact = shown["artifact"].as_str().unwrap().parse().unwrap();
    let table = store.artifact_file_path(artifact, "test.arrow").unwrap();
    let mut bytes = fs::read(&table).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::remove_file(&table).unwrap();
    fs::write(&table, bytes).unwrap();
    assert_says(&show(&sandbox, &[]).exits(2).stderr, &["damaged"]);
}
