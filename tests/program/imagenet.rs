//! ImageNet from folders and archives, through the real binary; on the real sample where
//! `ASSAY_TEST_DATA` holds one, which is said loudly where it does not.

use std::fs;
use std::path::Path;

use assay_data::prepare::{DESCRIPTION_FILE, Description};
use assay_skips::skip;
use assay_store::Store;
use assay_tests::Sandbox;
use serde_json::Value;

const SYNSETS: [&str; 3] = ["n01440764", "n01530575", "n02119789"];
const IMAGES: u8 = 12;

/// An image whose brightest channel tells its class; sizes differ.
fn image(class: usize, number: u8) -> Vec<u8> {
    let (width, height) = (20 + u32::from(number), 14 + class as u32);
    let mut pixels = Vec::new();
    for place in 0..width * height {
        let mut pixel = [number * 3, (place % 60) as u8, 40];
        pixel[class] = 200 + number;
        pixels.extend(pixel);
    }
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&pixels).unwrap();
    writer.finish().unwrap();
    bytes
}

/// The images of a class by name.
fn class(class: usize) -> Vec<(String, Vec<u8>)> {
    let name = |number| format!("{}_{number:02}.JPEG", SYNSETS[class]);
    (0..IMAGES)
        .map(|number| (name(number), image(class, number)))
        .collect()
}

fn write_folders(root: &Path) {
    for (number, synset) in SYNSETS.iter().enumerate() {
        let folder = root.join("train").join(synset);
        fs::create_dir_all(&folder).unwrap();
        for (name, bytes) in class(number) {
            fs::write(folder.join(name), bytes).unwrap();
        }
    }
}

fn tar(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        builder.append_data(&mut header, name, &**bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

fn write_archives(root: &Path) {
    fs::create_dir_all(root).unwrap();
    let of_class = |number: usize| (format!("{}.tar", SYNSETS[number]), tar(&class(number)));
    let archive = tar(&[0, 1, 2].map(of_class));
    fs::write(root.join("ILSVRC2012_img_train.tar"), archive).unwrap();
}

/// A sandbox whose pipeline trains a small locally connected network on `images/`.
fn sandbox(settings: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let text = format!(
        r#"name = "images"
[network.tiny]
input = [3, 16, 16]
layers = ["lc 3x3 4 s2", "softmax 3"]
[stage.data]
kind = "dataset"
source = "imagenet"
path = "images"
size = 16
test = 6
validation = 6
{settings}
[stage.train]
kind = "train"
dataset = "data"
network = "tiny"
algorithm = "bp"
epochs = 1
batch_size = 8
augmentation = {{ crop_padding = 2, flip = "horizontal" }}
"#
    );
    fs::write(sandbox.path("pipeline.toml"), text).unwrap();
    sandbox
}

/// A field of a stage, from `run --json`.
fn field<'a>(run: &'a Value, stage: &str, field: &str) -> &'a str {
    let mut stages = run["stages"].as_array().unwrap().iter();
    let stage = stages.find(|found| found["name"] == stage).unwrap();
    stage[field].as_str().unwrap()
}

/// The description of the dataset that a run made.
fn description(sandbox: &Sandbox, run: &Value) -> Description {
    let store = Store::open_existing(sandbox.path("artifacts")).unwrap();
    let artifact = field(run, "data", "artifact").parse().unwrap();
    let path = store
        .artifact_file_path(artifact, DESCRIPTION_FILE)
        .unwrap();
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn folders_and_archives_come_to_the_same_artifacts() {
    let mut artifacts = Vec::new();
    for lay_out in [write_folders, write_archives] {
        let sandbox = sandbox("scaling = \"standardised\"");
        lay_out(&sandbox.path("images"));
        let run = sandbox.run_json(&[]);
        let of = |stage| field(&run, stage, "artifact").to_owned();
        artifacts.push(["data", "train"].map(of));
        let again = sandbox.run_json(&[]);
        assert_eq!(field(&again, "data", "outcome"), "cached");

        let description = description(&sandbox, &run);
        assert_eq!(description.class_names, SYNSETS);
        assert_eq!(<[u32; 3]>::from(description.shape), [3, 16, 16]);
        let images = description.splits.iter().map(|split| split.images);
        assert_eq!(images.collect::<Vec<_>>(), [24, 6, 6]);
    }
    assert_eq!(artifacts[0], artifacts[1]);
}

#[test]
fn a_damaged_image_stops_the_stage_or_is_left_out() {
    let sandbox = sandbox("");
    let root = sandbox.path("images");
    write_folders(&root);
    let damaged = root.join("train/n01530575/n01530575_03.JPEG");
    let bytes = fs::read(&damaged).unwrap();
    fs::write(&damaged, &bytes[..bytes.len() / 2]).unwrap();

    let stopped = sandbox.run(&[]).exits(1);
    let name = "train/n01530575/n01530575_03.JPEG is cut off";
    assert!(stopped.stderr.contains(name), "{}", stopped.stderr);

    fs::write(root.join("train/n02119789/n02119789_99.JPEG"), b"").unwrap();
    let run = sandbox.run_json(&["--set", "data.on_bad_image=\"skip\""]);
    let description = description(&sandbox, &run);
    let splits: Vec<_> = description.splits.iter().collect();
    let images: u32 = splits.iter().map(|split| split.images).sum();
    assert_eq!(images, 3 * u32::from(IMAGES) - 1);
    let mut skipped: Vec<_> = splits.iter().flat_map(|split| &split.skipped).collect();
    skipped.sort_by(|one, other| one.file.cmp(&other.file));
    assert_eq!(skipped.len(), 2);
    assert_eq!(skipped[1].file, "train/n02119789/n02119789_99.JPEG");
    assert_eq!(skipped[1].reason, "is empty");
}

#[test]
fn another_image_is_another_dataset() {
    let sandbox = sandbox("");
    write_folders(&sandbox.path("images"));
    let one = sandbox.run_json(&["--only", "data"]);
    let path = sandbox.path("images/train/n01440764/n01440764_00.JPEG");
    fs::write(path, image(1, 7)).unwrap();
    let two = sandbox.run_json(&["--only", "data"]);
    assert_eq!(field(&two, "data", "outcome"), "ran");
    assert_ne!(
        field(&one, "data", "artifact"),
        field(&two, "data", "artifact")
    );
}

#[test]
fn what_a_source_does_not_take_or_find_is_pointed_at() {
    let sandbox = sandbox("");
    let missing = sandbox.run(&["--dry-run"]).exits(2);
    assert!(
        missing.stderr.contains("no ImageNet in "),
        "{}",
        missing.stderr
    );
    assert!(
        missing.stderr.contains("pipeline.toml:8:"),
        "{}",
        missing.stderr
    );

    write_folders(&sandbox.path("images"));
    let refused = |setting: &str| {
        let finished = sandbox.run(&["--dry-run", "--set", setting]).exits(2);
        finished.stderr
    };
    let said = refused("data.channels=1");
    assert!(
        said.contains("`channels` is for a dataset from `parquet`"),
        "{said}"
    );
    let said = refused("data.geometry=\"zoom\"");
    assert!(said.contains("unknown variant `zoom`"), "{said}");
    let said = refused("data.test=[\"a\"]");
    assert!(said.contains("only be a number of images"), "{said}");
    let said = refused("data.size=0");
    assert!(said.contains("0 is out of range"), "{said}");
}

#[test]
fn a_dataset_without_test_set_or_with_two_is_pointed_at_before_anything_runs() {
    let sandbox = sandbox("");
    write_folders(&sandbox.path("images"));
    let file = sandbox.path("pipeline.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("\ntest = 6\n", "\n\n")).unwrap();
    let said = sandbox.run(&[]).exits(2).stderr;
    for part in [
        "the dataset `data` needs `test`: the copy of ImageNet in images has no test set of its own",
        "pipeline.toml:5:8",
        "`test = N` draws N images",
    ] {
        assert!(said.contains(part), "no {part:?} in:\n{said}");
    }

    fs::write(&file, text).unwrap();
    fs::create_dir(sandbox.path("images/val")).unwrap();
    let said = sandbox.run(&[]).exits(2).stderr;
    for part in [
        "the dataset `data` draws a `test` set, but the copy of ImageNet in images has one",
        "pipeline.toml:10:8",
        "leave `test` out",
    ] {
        assert!(said.contains(part), "no {part:?} in:\n{said}");
    }
}

#[test]
fn the_real_sample_is_decoded_and_trained_on() {
    let data = std::env::var_os("ASSAY_TEST_DATA").map(std::path::PathBuf::from);
    let Some(data) = data.filter(|data| data.join("imagenet/train").is_dir()) else {
        skip("ASSAY_TEST_DATA names no folder with imagenet/train/");
        return;
    };
    let classes = fs::read_dir(data.join("imagenet/train")).unwrap().count();
    let sandbox = Sandbox::new();
    let text = format!(
        r#"name = "sample"
[network.tiny]
input = [3, 224, 224]
layers = ["conv 11x11 4 s8", "softmax {classes}"]
[stage.data]
kind = "dataset"
source = "imagenet"
geometry = "crop"
test = 16
validation = 0
limit = {{ train = 64 }}
[stage.train]
kind = "train"
dataset = "data"
network = "tiny"
algorithm = "bp"
epochs = 1
batch_size = 16
"#
    );
    fs::write(sandbox.path("pipeline.toml"), text).unwrap();
    let run = sandbox.run_json(&["--data-dir", data.to_str().unwrap()]);
    let description = description(&sandbox, &run);
    assert_eq!(usize::from(description.classes), classes);
    let images = description.splits.iter().map(|split| split.images);
    assert_eq!(images.collect::<Vec<_>>(), [64, 16]);
    // Photographs: about as bright and as varied as those of ImageNet as a whole.
    for (mean, deviation) in description.mean.iter().zip(&description.standard_deviation) {
        assert!((0.3..0.6).contains(mean) && (0.15..0.4).contains(deviation));
    }
}
