//! Folders of images, through the real binary.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use assay_data::prepare::{DESCRIPTION_FILE, Description};
use assay_store::Store;
use assay_tests::Sandbox;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::Value;

const CLASSES: [&str; 3] = ["daisy", "rose", "tulip"];

/// Width, height and pixels of an image whose brightest channel tells its class; sizes differ.
fn pixels(class: usize, number: u8) -> (u16, u16, Vec<u8>) {
    let (width, height) = (20 + u16::from(number), 14 + class as u16);
    let pixels = (0..width * height).flat_map(|place| {
        let mut pixel = [number * 3, (place % 60) as u8, 40];
        pixel[class] = 200 + number;
        pixel
    });
    (width, height, pixels.collect())
}

fn png(class: usize, number: u8) -> Vec<u8> {
    let (width, height, pixels) = pixels(class, number);
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width.into(), height.into());
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&pixels).unwrap();
    writer.finish().unwrap();
    bytes
}

fn jpeg(class: usize, number: u8) -> Vec<u8> {
    let (width, height, pixels) = pixels(class, number);
    let mut bytes = Vec::new();
    let encoder = jpeg_encoder::Encoder::new(&mut bytes, 95);
    encoder
        .encode(&pixels, width, height, jpeg_encoder::ColorType::Rgb)
        .unwrap();
    bytes
}

/// Writes so many images of each class, PNG and JPEG by turns, the last first if `reversed`.
fn write(root: &Path, count: u8, reversed: bool) {
    let mut images: Vec<_> = (0..CLASSES.len())
        .flat_map(|class| (0..count).map(move |number| (class, number)))
        .collect();
    if reversed {
        images.reverse();
    }
    for (class, number) in images {
        let folder = root.join(CLASSES[class]);
        fs::create_dir_all(&folder).unwrap();
        let (name, bytes) = if number % 2 == 0 {
            (format!("{number}.png"), png(class, number))
        } else {
            (format!("{number}.jpg"), jpeg(class, number))
        };
        fs::write(folder.join(name), bytes).unwrap();
    }
}

/// A sandbox whose pipeline trains a small network on folders with these settings.
fn sandbox(settings: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let text = format!(
        r#"name = "images"
[network.tiny]
input = [3, 16, 16]
layers = ["fc 8", "softmax 3"]
[stage.data]
kind = "dataset"
source = "folder"
size = 16
validation = 6
{settings}
[stage.train]
kind = "train"
dataset = "data"
network = "tiny"
algorithm = "bp"
epochs = 1
batch_size = 8
"#
    );
    fs::write(sandbox.path("pipeline.toml"), text).unwrap();
    sandbox
}

/// A field of the dataset stage, from `run --json`.
fn field<'a>(run: &'a Value, field: &str) -> &'a str {
    let mut stages = run["stages"].as_array().unwrap().iter();
    let stage = stages.find(|found| found["name"] == "data").unwrap();
    stage[field].as_str().unwrap()
}

/// The description of the dataset that a run made.
fn description(sandbox: &Sandbox, run: &Value) -> Description {
    let store = Store::open_existing(sandbox.path("artifacts")).unwrap();
    let artifact = field(run, "artifact").parse().unwrap();
    let path = store
        .artifact_file_path(artifact, DESCRIPTION_FILE)
        .unwrap();
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn images(description: &Description) -> Vec<u32> {
    description
        .splits
        .iter()
        .map(|split| split.images)
        .collect()
}

#[test]
fn the_same_files_are_the_same_dataset_in_any_order_and_store() {
    let mut artifacts = Vec::new();
    for reversed in [false, true] {
        let sandbox = sandbox("path = \"images\"\ntest = 6");
        write(&sandbox.path("images"), 12, reversed);
        fs::write(sandbox.path("images/.hidden"), "not an image").unwrap();
        let run = sandbox.run_json(&[]);
        let description = description(&sandbox, &run);
        assert_eq!(description.class_names, CLASSES);
        assert_eq!(<[u32; 3]>::from(description.shape), [3, 16, 16]);
        assert_eq!(images(&description), [24, 6, 6]);
        artifacts.push(field(&run, "artifact").to_owned());
        let elsewhere = sandbox.run_json(&["--only", "data", "--store", "other"]);
        assert_eq!(field(&elsewhere, "outcome"), "ran");
        artifacts.push(field(&elsewhere, "artifact").to_owned());
        assert_eq!(field(&sandbox.run_json(&[]), "outcome"), "cached");
        // Other images are held out with another seed.
        let other = sandbox.run_json(&["--only", "data", "--set", "data.split_seed=1"]);
        assert_ne!(field(&other, "artifact"), artifacts[0]);
    }
    artifacts.dedup();
    assert_eq!(artifacts.len(), 1);
}

#[test]
fn a_test_set_may_lie_in_a_folder_of_its_own() {
    let sandbox = sandbox("path = \"all/train\"\ntest = \"all/test\"\nchannels = 1");
    write(&sandbox.path("all/train"), 8, false);
    write(&sandbox.path("all/test"), 4, false);
    let only = ["--only", "data"];
    let run = sandbox.run_json(&only);
    let described = description(&sandbox, &run);
    assert_eq!(<[u32; 3]>::from(described.shape), [1, 16, 16]);
    assert_eq!(images(&described), [18, 6, 12]);
    // Where both lie decides nothing.
    fs::rename(sandbox.path("all"), sandbox.path("moved")).unwrap();
    let moved = [
        "--set",
        "data.path=\"moved/train\"",
        "--set",
        "data.test=\"./moved/test\"",
    ];
    let run = sandbox.run_json(&[&only[..], &moved].concat());
    assert_eq!(field(&run, "outcome"), "cached");

    let refused = |part: &str| {
        let said = sandbox
            .run(&[&["--dry-run"], &moved[..]].concat())
            .exits(2)
            .stderr;
        assert!(said.contains(part), "{said}");
    };
    fs::rename(
        sandbox.path("moved/test/rose"),
        sandbox.path("moved/test/peony"),
    )
    .unwrap();
    refused("moved/test: has no folder `rose`, which is a class of the training set");
    fs::create_dir(sandbox.path("moved/test/rose")).unwrap();
    refused("moved/test/rose: has no image");
    fs::write(sandbox.path("moved/test/rose/1.png"), png(1, 1)).unwrap();
    refused("moved/train: has no folder `peony`, which is a class of the test set");
}

#[test]
fn a_damaged_image_stops_the_stage_or_is_left_out() {
    let sandbox = sandbox("path = \"images\"\ntest = 6");
    write(&sandbox.path("images"), 12, false);
    let damaged = sandbox.path("images/rose/3.jpg");
    let bytes = fs::read(&damaged).unwrap();
    fs::write(&damaged, &bytes[..bytes.len() / 2]).unwrap();
    let stopped = sandbox.run(&[]).exits(1).stderr;
    assert!(stopped.contains("train/rose/3.jpg is cut off"), "{stopped}");
    fs::write(&damaged, "words").unwrap();
    let stopped = sandbox.run(&[]).exits(1).stderr;
    assert!(stopped.contains("train/rose/3.jpg "), "{stopped}");
    let run = sandbox.run_json(&["--only", "data", "--set", "data.on_bad_image=\"skip\""]);
    let description = description(&sandbox, &run);
    assert_eq!(images(&description).iter().sum::<u32>(), 35);
    let skipped = description.splits.iter().flat_map(|split| &split.skipped);
    let skipped: Vec<_> = skipped.map(|image| image.file.as_str()).collect();
    assert_eq!(skipped, ["train/rose/3.jpg"]);
}

#[test]
fn what_is_no_folder_of_classes_is_refused_where_it_lies() {
    let sandbox = sandbox("path = \"images\"\ntest = 2");
    let images = sandbox.path("images");
    let refused = |part: &str| {
        let said = sandbox.run(&["--dry-run"]).exits(2).stderr;
        assert!(said.contains(part), "no {part:?} in {said}");
        assert!(said.contains("pipeline.toml:"), "{said}");
    };
    refused("cannot be read");
    fs::create_dir(&images).unwrap();
    refused("images: has no folders of classes");
    write(&images, 12, false);
    let empty = images.join("violet");
    fs::create_dir(&empty).unwrap();
    refused("images/violet: has no image");
    fs::remove_dir(&empty).unwrap();
    fs::write(images.join("README"), "").unwrap();
    refused("images/README: is a file among folders");
    fs::remove_file(images.join("README")).unwrap();
    fs::create_dir(images.join("rose/red")).unwrap();
    refused("images/rose/red: is a folder where an image was expected");
    fs::remove_dir(images.join("rose/red")).unwrap();
    let strange = images.join("rose/strange.png");
    mknodat(CWD, &strange, FileType::Fifo, Mode::RWXU, 0).unwrap();
    refused("strange.png");
    fs::remove_file(&strange).unwrap();
    symlink("nowhere", &strange).unwrap();
    refused("strange.png");
    fs::remove_file(&strange).unwrap();
    // A link counts as what it leads to.
    symlink("0.png", &strange).unwrap();
    let _ = sandbox.run(&["--dry-run"]).exits(0);

    let settings = |setting: &str, part: &str| {
        let said = sandbox
            .run(&["--dry-run", "--set", setting])
            .exits(2)
            .stderr;
        assert!(said.contains(part), "no {part:?} in {said}");
    };
    settings("data.channels=2", "expected 1 (grey) or 3");
    settings("data.test=0", "0 is out of range");
    settings("data.test=\"images/rose\"", "lie in one another");
    settings("data.test=\"../elsewhere\"", "no common folder");
    settings("data.train=\"images\"", "`train` is for a dataset from");
    settings("data.size=8", "3x16x16");
}
