use std::fs;

use super::*;
use crate::augment::{Augmentation, Flip};

mod damage;

const ROWS: u32 = 2 * ROWS_PER_BATCH as u32 + 300;

fn shape() -> ImageShape {
    ImageShape::new(2, 1, 3).unwrap()
}

fn image(row: u32) -> Vec<u8> {
    (0..6).map(|place| (row * 7 + place) as u8).collect()
}

fn write(path: &Path, rows: u32, classes: u32, scaling: &Scaling) {
    let mut table = TableWriter::create(path, shape(), classes, scaling).unwrap();
    for row in 0..rows {
        table.push(&image(row), (row % classes) as u16).unwrap();
    }
    table.finish().unwrap();
}

/// A folder with a table, and the table's path.
fn table(rows: u32, classes: u32) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("train.arrow");
    write(&path, rows, classes, &Scaling::UnitInterval);
    (folder, path)
}

fn standardised() -> Scaling {
    let (mean, deviation) = ([0.1 + 0.2, -1e-7], [0.25, 1.0 / 3.0]);
    Scaling::Standardised(Standardisation::new(&mean, &deviation).unwrap())
}

#[test]
fn what_is_written_is_gathered() {
    for classes in [1, 10, 256, 1000] {
        let (_folder, path) = table(ROWS, classes);
        let table = ImageTable::open(&path).unwrap();
        assert_eq!((table.len(), table.classes()), (ROWS, classes));
        assert_eq!(table.shape(), shape());

        let indices = [ROWS - 1, 0, 1023, 1024, 2048, 0];
        let mut images = vec![0.0; indices.len() * 6];
        let mut labels = vec![0; indices.len()];
        table.gather(&indices, &mut images, &mut labels).unwrap();
        for (place, &index) in indices.iter().enumerate() {
            let expected = image(index)
                .into_iter()
                .map(|pixel| f32::from(pixel) / 255.0);
            let expected: Vec<f32> = expected.collect();
            assert_eq!(images[place * 6..][..6], expected);
            assert_eq!(labels[place], i64::from(index % classes));
        }
    }
}

#[test]
fn an_empty_table_opens() {
    let (_folder, path) = table(0, 10);
    let table = ImageTable::open(&path).unwrap();
    assert!(table.is_empty());
    assert_eq!(
        table.gather(&[0], &mut [0.0; 6], &mut [0]),
        Err(GatherError::OutOfRange { index: 0, rows: 0 })
    );
}

#[test]
fn the_same_rows_give_the_same_bytes_and_nothing_else_is_left() {
    let (first_folder, first) = table(ROWS, 10);
    let (_second_folder, second) = table(ROWS, 10);
    assert_eq!(fs::read(first).unwrap(), fs::read(second).unwrap());
    assert_eq!(fs::read_dir(first_folder.path()).unwrap().count(), 1);
}

#[test]
fn an_unfinished_table_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.arrow");
    let mut table = TableWriter::create(&path, shape(), 10, &Scaling::UnitInterval).unwrap();
    table.push(&image(0), 0).unwrap();
    drop(table);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn rows_that_do_not_fit_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.arrow");
    let mut table = TableWriter::create(&path, shape(), 10, &Scaling::UnitInterval).unwrap();
    assert_eq!(
        table.push(&[0; 5], 0).unwrap_err().fault.to_string(),
        "an image of 5 bytes was given to a table of 6-byte images"
    );
    assert_eq!(
        table.push(&[0; 6], 10).unwrap_err().fault.to_string(),
        "label 10 was given to a table of 10 classes"
    );
    for classes in [0, MAX_CLASSES + 1] {
        let result = TableWriter::create(&path, shape(), classes, &Scaling::UnitInterval);
        assert!(matches!(
            result,
            Err(TableError {
                fault: TableFault::Classes(_),
                ..
            })
        ));
    }
    let nowhere = folder.path().join("missing").join("t.arrow");
    let error = TableWriter::create(&nowhere, shape(), 10, &Scaling::UnitInterval)
        .err()
        .unwrap();
    assert!(
        error
            .to_string()
            .contains("missing/t.arrow: cannot be written: ")
    );
}

#[test]
fn gather_checks_its_arguments() {
    let (_folder, path) = table(10, 10);
    let table = ImageTable::open(&path).unwrap();
    let error = table.gather(&[0, 1], &mut [0.0; 11], &mut [0; 2]);
    assert_eq!(
        error.unwrap_err().to_string(),
        "a batch of 2 images needs 12 pixels and 2 labels, but was given room for 11 pixels and \
         2 labels"
    );
    assert!(table.gather(&[0, 1], &mut [0.0; 12], &mut [0; 3]).is_err());
    let error = table.gather(&[9, 10], &mut [0.0; 12], &mut [0; 2]);
    assert_eq!(
        error.unwrap_err().to_string(),
        "there is no image 10: the table has 10"
    );
}

#[test]
fn a_standardised_table_is_read_standardised_by_whoever_opens_it() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = ["first", "second"].map(|name| folder.path().join(name));
    write(&first, 20, 10, &standardised());
    write(&second, 20, 10, &standardised());
    assert_eq!(fs::read(&first).unwrap(), fs::read(&second).unwrap());

    let table = ImageTable::open(&first).unwrap();
    assert_eq!(table.scaling(), &standardised());
    let mut images = [0.0; 6];
    table.gather(&[19], &mut images, &mut [0]).unwrap();
    for (place, (pixel, found)) in image(19).into_iter().zip(images).enumerate() {
        let (mean, deviation) = [(0.1 + 0.2, 0.25), (-1e-7, 1.0 / 3.0)][place / 3];
        let expected = (f64::from(pixel) / 255.0 - mean) / deviation;
        assert_eq!(found.to_bits(), (expected as f32).to_bits());
    }
}

#[test]
fn a_scaling_of_other_channels_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let grey = ImageShape::new(1, 2, 3).unwrap();
    let created = TableWriter::create(&folder.path().join("t"), grey, 10, &standardised());
    assert_eq!(
        created.err().unwrap().fault.to_string(),
        "a scaling of 2 channels was given to a table of 1-channel images"
    );
    assert_eq!(
        Standardisation::new(&[0.0; 2], &[1.0])
            .unwrap_err()
            .to_string(),
        "there are 2 means and 1 standard deviations"
    );
}

#[test]
fn augmented_images_are_scaled_after_they_are_cropped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.arrow");
    write(&path, 20, 10, &standardised());
    let table = ImageTable::open(&path).unwrap();
    let augmentation = Augmentation {
        crop_padding: 1,
        flip: Some(Flip::Horizontal),
    };
    let epoch = augmentation.in_epoch(1, 1);
    let (mut images, mut labels) = ([0.0; 20 * 6], [0; 20]);
    let indices: Vec<u32> = (0..20).rev().collect();
    table
        .gather_augmented(&indices, &epoch, &mut images, &mut labels)
        .unwrap();
    for (&index, (found, label)) in indices.iter().zip(images.chunks_exact(6).zip(labels)) {
        let mut expected = [0; 6];
        epoch
            .draw(index)
            .apply(shape(), &image(index), &mut expected);
        let mut scaled = [0.0; 6];
        standardised().apply(&expected, &mut scaled);
        assert_eq!(found, scaled);
        assert_eq!(label, i64::from(index % 10));
    }
}

#[test]
fn shapes_without_pixels_or_with_too_many_are_refused() {
    for sizes in [
        [0, 1, 1],
        [1, 0, 1],
        [1, 1, 0],
        [1, 1 << 16, 1 << 15],
        [u32::MAX; 3],
    ] {
        assert_eq!(ImageShape::try_from(sizes), Err(InvalidShape(sizes)));
    }
    assert!(ImageShape::new(3, 224, 224).is_ok());
}

/// Writes shards with the rows from each bound to the next, in batches of five.
fn shards(folder: &Path, bounds: &[u32]) -> Vec<PathBuf> {
    let paths = bounds.windows(2).enumerate().map(|(number, bounds)| {
        let path = folder.join(format!("train-{number:05}.arrow"));
        let table = TableWriter::create(&path, shape(), 10, &Scaling::UnitInterval).unwrap();
        let mut table = table.with_rows_per_batch(5);
        for row in bounds[0]..bounds[1] {
            table.push(&image(row), (row % 10) as u16).unwrap();
        }
        table.finish().unwrap();
        path
    });
    paths.collect()
}

#[test]
fn shards_read_as_the_one_table_that_they_are_cut_from() {
    let (_folder, whole) = table(40, 10);
    let whole = ImageTable::open(&whole).unwrap();
    let folder = tempfile::tempdir().unwrap();
    // Shards may differ in length, and have no rows at all.
    let paths = shards(folder.path(), &[0, 0, 13, 13, 26, 40, 40]);
    let table = ImageTable::open_shards(&paths, Scaling::UnitInterval).unwrap();
    assert_eq!((table.len(), table.shape()), (40, shape()));
    assert!((0..41).all(|index| table.row(index) == whole.row(index)));
    let read = |table: &ImageTable| {
        let (mut images, mut labels) = (vec![0.0; 4 * 6], vec![0; 4]);
        let indices = [39, 12, 13, 0];
        table.gather(&indices, &mut images, &mut labels).unwrap();
        (images, labels)
    };
    assert_eq!(read(&table), read(&whole));

    let scaled = ImageTable::open_shards(&paths, standardised()).unwrap();
    assert_eq!(scaled.scaling(), &standardised());
    assert_ne!(read(&scaled).0, read(&whole).0);
}

#[test]
fn shards_that_do_not_belong_together_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut paths = shards(folder.path(), &[0, 5, 9]);
    let (_other_folder, other) = table(3, 9);
    let text = |paths: &[PathBuf], scaling| {
        let error = ImageTable::open_shards(paths, scaling).unwrap_err();
        error.to_string()
    };
    let grey = Scaling::Standardised(Standardisation::new(&[0.5], &[0.5]).unwrap());
    assert!(text(&paths, grey).contains("2 channels, which a scaling of 1 does not fit"));
    paths.push(other.clone());
    let said = text(&paths, Scaling::UnitInterval);
    assert!(said.contains(other.to_str().unwrap()), "{said}");
    assert!(said.contains("with 9 classes"), "{said}");
    assert!(text(&[], Scaling::UnitInterval).contains("has no shard"));
}
