use std::fs;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::copy::{DEVKIT_ARCHIVE, DEVKIT_FOLDER, TRAIN_ARCHIVE, VALIDATION_ARCHIVE};
use super::mat::tests::meta_mat;
use super::set::Set;
use super::*;

/// Classes in sorted order, their numbers in the development kit, and what they are.
const CLASSES: [(&str, u32, &str); 3] = [
    ("n01440764", 3, "tench, Tinca tinca"),
    ("n01530575", 1, "brambling, Fringilla montifringilla"),
    ("n02119789", 2, "kit fox"),
];
/// Class of each validation image, in the order of the names.
const VALIDATION: [usize; 4] = [2, 0, 1, 0];

fn train_name(class: usize, image: usize) -> String {
    format!("{}_{image}.JPEG", CLASSES[class].0)
}

fn validation_name(image: usize) -> String {
    format!("ILSVRC2012_val_{:08}.JPEG", image + 1)
}

/// The content of an image: its own name.
fn content(name: &str) -> Vec<u8> {
    format!("image {name}").into_bytes()
}

fn put(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn tar(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, &**bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

/// The images of one class, each with its name.
fn class_images(class: usize) -> Vec<(String, Vec<u8>)> {
    let names = (0..3).map(|image| train_name(class, image));
    names.map(|name| (name.clone(), content(&name))).collect()
}

fn train_folder(root: &Path) {
    for (class, (synset, ..)) in CLASSES.iter().enumerate() {
        for (name, bytes) in class_images(class) {
            put(&root.join("train").join(synset).join(name), &bytes);
        }
    }
}

fn validation_images() -> Vec<(String, Vec<u8>)> {
    let names = (0..VALIDATION.len()).map(validation_name);
    names.map(|name| (name.clone(), content(&name))).collect()
}

fn meta() -> Vec<u8> {
    let synsets = CLASSES.map(|(synset, number, words)| (number, synset, words));
    meta_mat(&synsets, true)
}

fn ground_truth() -> String {
    let lines = VALIDATION.map(|class| format!("{}\n", CLASSES[class].1));
    lines.concat()
}

fn devkit_folder(root: &Path) {
    let folder = root.join(DEVKIT_FOLDER).join("data");
    put(&folder.join("meta.mat"), &meta());
    let name = "ILSVRC2012_validation_ground_truth.txt";
    put(&folder.join(name), ground_truth().as_bytes());
}

/// Everything in folders: validation images in those of their classes.
fn folders(root: &Path) {
    train_folder(root);
    devkit_folder(root);
    for ((name, bytes), class) in validation_images().into_iter().zip(VALIDATION) {
        put(&root.join("val").join(CLASSES[class].0).join(name), &bytes);
    }
}

/// Everything as published, in archives whose members are in no order.
fn archives(root: &Path) {
    let of_class = |class: usize| {
        let mut images = class_images(class);
        images.reverse();
        (format!("{}.tar", CLASSES[class].0), tar(&images))
    };
    put(&root.join(TRAIN_ARCHIVE), &tar(&[2, 0, 1].map(of_class)));
    let mut images = validation_images();
    images.rotate_left(2);
    put(&root.join(VALIDATION_ARCHIVE), &tar(&images));
    let folder = "ILSVRC2012_devkit_t12/data";
    let kit = tar(&[
        (format!("{folder}/meta.mat"), meta()),
        (
            format!("{folder}/ILSVRC2012_validation_ground_truth.txt"),
            ground_truth().into_bytes(),
        ),
    ]);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    std::io::Write::write_all(&mut encoder, &kit).unwrap();
    put(&root.join(DEVKIT_ARCHIVE), &encoder.finish().unwrap());
}

/// Name, label and content of every image.
fn images(set: &Set) -> Vec<(String, u16, Vec<u8>)> {
    let positions: Vec<u32> = (0..set.labels().len() as u32).collect();
    let contents: Vec<_> = set.stream(&positions).map(Result::unwrap).collect();
    let described = positions.iter().zip(set.labels()).zip(contents);
    described
        .map(|((&position, &label), content)| (set.name(position), label, content))
        .collect()
}

fn open(root: &Path) -> Result<Images, DatasetError> {
    LocalCopy::find(Some(root))?.open()
}

#[track_caller]
fn error(root: &Path) -> String {
    open(root).err().expect("it must not open").to_string()
}

#[test]
fn folders_and_archives_hold_the_same_images_in_the_same_order() {
    let mut expected_train = Vec::new();
    for (class, (synset, ..)) in CLASSES.iter().enumerate() {
        for (name, bytes) in class_images(class) {
            expected_train.push((format!("train/{synset}/{name}"), class as u16, bytes));
        }
    }
    let expected_test: Vec<_> = validation_images()
        .into_iter()
        .zip(VALIDATION)
        .map(|((name, bytes), class)| (format!("val/{name}"), class as u16, bytes))
        .collect();
    for lay_out in [folders, archives] {
        let root = tempfile::tempdir().unwrap();
        lay_out(root.path());
        let found = open(root.path()).unwrap();
        assert_eq!(images(&found.train), expected_train);
        assert_eq!(images(&found.test.unwrap()), expected_test);
        let names = CLASSES.map(|(synset, _, words)| format!("{synset} {words}"));
        assert_eq!(found.class_names, names);
    }
}

#[test]
fn flat_validation_images_are_labelled_by_the_development_kit() {
    let root = tempfile::tempdir().unwrap();
    train_folder(root.path());
    for (name, bytes) in validation_images() {
        put(&root.path().join("val").join(name), &bytes);
    }
    let said = error(root.path());
    assert!(said.contains("ILSVRC2012_devkit_t12.tar.gz"), "{said}");
    devkit_folder(root.path());
    let test = open(root.path()).unwrap().test.unwrap();
    assert_eq!(test.labels(), VALIDATION.map(|class| class as u16));

    let kit = root.path().join(DEVKIT_FOLDER).join("data");
    let truth = kit.join("ILSVRC2012_validation_ground_truth.txt");
    fs::write(&truth, "1\n2\n").unwrap();
    assert!(error(root.path()).contains("has 2 lines for 4 validation images"));
    fs::write(&truth, "1\n2\nfox\n1\n").unwrap();
    assert!(error(root.path()).contains("no number of a synset in line 3"));
    fs::remove_dir_all(root.path().join("train/n02119789")).unwrap();
    fs::write(&truth, ground_truth()).unwrap();
    let said = error(root.path());
    assert!(
        said.contains("names n02119789 in line 1, a class without training"),
        "{said}"
    );
}

#[test]
fn a_training_set_alone_is_a_dataset_without_test_set() {
    let folder = tempfile::tempdir().unwrap();
    train_folder(&folder.path().join("imagenet"));
    put(&folder.path().join("imagenet/train/n01440764/.hidden"), b"");
    let found = open(folder.path()).unwrap();
    assert!(found.test.is_none());
    assert_eq!(found.train.labels(), [0, 0, 0, 1, 1, 1, 2, 2, 2]);
    assert_eq!(found.class_names, CLASSES.map(|(synset, ..)| synset));
}

#[test]
fn every_file_that_decides_is_named() {
    let names = |lay_out: fn(&Path)| {
        let root = tempfile::tempdir().unwrap();
        lay_out(root.path());
        let files = LocalCopy::find(Some(root.path())).unwrap().files().unwrap();
        assert!(files.iter().all(|file| root.path().join(file).is_file()));
        files
    };
    assert_eq!(names(folders).len(), 9 + 4 + 2);
    assert_eq!(
        names(archives),
        [TRAIN_ARCHIVE, VALIDATION_ARCHIVE, DEVKIT_ARCHIVE].map(Path::new)
    );
}

#[test]
fn what_lies_in_the_wrong_place_is_named() {
    let root = tempfile::tempdir().unwrap();
    let text = error(root.path());
    assert!(text.contains("no ImageNet in "), "{text}");
    assert!(text.contains("ILSVRC2012_img_train.tar"), "{text}");

    put(&root.path().join("train/one.JPEG"), b"");
    assert!(error(root.path()).contains("one folder for each class"));
    train_folder(root.path());
    assert!(error(root.path()).contains("train/one.JPEG: is a file among folders of classes"));
    fs::remove_file(root.path().join("train/one.JPEG")).unwrap();
    put(&root.path().join("train/n01440764/deeper/one.JPEG"), b"");
    assert!(error(root.path()).contains("train/n01440764/deeper: is a folder"));
    fs::remove_dir_all(root.path().join("train/n01440764/deeper")).unwrap();
    put(&root.path().join("val/n09999999/one.JPEG"), b"");
    assert!(error(root.path()).contains("val/n09999999: is a class without training images"));
    fs::remove_dir_all(root.path().join("val")).unwrap();
    fs::create_dir(root.path().join("val")).unwrap();
    assert!(error(root.path()).contains("val: has no image"));
}

#[test]
fn a_cut_off_archive_is_an_error_that_names_it() {
    let root = tempfile::tempdir().unwrap();
    archives(root.path());
    let path = root.path().join(TRAIN_ARCHIVE);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let text = error(root.path());
    assert!(
        text.contains(TRAIN_ARCHIVE) && text.contains("cut off"),
        "{text}"
    );
}
