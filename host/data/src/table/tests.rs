use std::fs;

use arrow::array::{ArrayRef, FixedSizeBinaryArray, RecordBatch, UInt8Array};
use arrow::datatypes::Schema;
use arrow::ipc::writer::FileWriter;
use proptest::prelude::*;
use std::sync::Arc;

use super::*;
use crate::augment::{Augmentation, Flip};

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
        table.push(&[0; 5], 0).unwrap_err().to_string(),
        "an image of 5 bytes was given to a table of 6-byte images"
    );
    assert_eq!(
        table.push(&[0; 6], 10).unwrap_err().to_string(),
        "label 10 was given to a table of 10 classes"
    );
    for classes in [0, MAX_CLASSES + 1] {
        let result = TableWriter::create(&path, shape(), classes, &Scaling::UnitInterval);
        assert!(matches!(result, Err(WriteError::Classes(_))));
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

fn fault(path: &Path) -> String {
    let text = ImageTable::open(path).unwrap_err().to_string();
    let prefix = format!("image table {}: ", path.display());
    text.strip_prefix(&prefix).unwrap().to_owned()
}

#[test]
fn files_that_are_no_arrow_files_are_refused() {
    let (folder, path) = table(10, 10);
    let whole = fs::read(&path).unwrap();
    let broken = folder.path().join("broken.arrow");
    let cases: [(&[u8], &str); 4] = [
        (b"", "it does not begin with ARROW1"),
        (
            b"PNG and so on and on and on",
            "it does not begin with ARROW1",
        ),
        (b"ARROW1\0\0", "it is too short"),
        (&whole[..whole.len() - 1], "it does not end with ARROW1"),
    ];
    for (bytes, reason) in cases {
        fs::write(&broken, bytes).unwrap();
        assert_eq!(
            fault(&broken),
            format!("is not a complete Arrow IPC file ({reason}); make the dataset again")
        );
    }
    let missing = fault(&folder.path().join("missing.arrow"));
    assert!(
        missing.starts_with("cannot be read: No such file"),
        "{missing}"
    );
}

/// Writes one record batch of a single 6-pixel row under the given schema.
fn write_foreign(path: &Path, schema: Schema, columns: Vec<ArrayRef>) {
    let schema = Arc::new(schema);
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
    let mut file = FileWriter::try_new(fs::File::create(path).unwrap(), &schema).unwrap();
    file.write(&batch).unwrap();
    file.finish().unwrap();
}

fn schema(scaling: Scaling) -> Schema {
    layout::schema(&Layout {
        shape: shape(),
        classes: 10,
        scaling,
    })
}

fn one_image() -> ArrayRef {
    Arc::new(FixedSizeBinaryArray::try_new(6, Buffer::from_vec(vec![0_u8; 6]), None).unwrap())
}

#[test]
fn other_schemas_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.arrow");
    let good = schema(Scaling::UnitInterval);
    let labels: ArrayRef = Arc::new(UInt8Array::from(vec![3]));
    let with = |key: &str, value: &str| {
        let mut metadata = good.metadata().clone();
        metadata.insert(key.to_owned(), value.to_owned());
        Schema::new_with_metadata(good.fields().clone(), metadata)
    };

    let cases = [
        (
            Schema::new(good.fields().clone()),
            "is not an image table of this version: the metadata `assay.format` is missing, \
             expected image-table/1",
        ),
        (
            with("assay.format", "image-table/2"),
            "is not an image table of this version: the metadata `assay.format` is \
             `image-table/2`, expected image-table/1",
        ),
        (
            with("assay.shape", "2,3"),
            "is not an image table of this version: the metadata `assay.shape` is `2,3`, expected \
             three numbers: channels,rows,columns",
        ),
        (
            with("assay.classes", "0"),
            "is not an image table of this version: the metadata `assay.classes` is `0`, expected \
             a number from 1 to 65536",
        ),
        (
            with("assay.scaling", "logarithmic"),
            "is not an image table of this version: the metadata `assay.scaling` is \
             `logarithmic`, expected unit-interval or standardised",
        ),
        (
            with("assay.scaling", "standardised"),
            "is not an image table of this version: the metadata `assay.mean` is missing, \
             expected one number for each channel",
        ),
        (
            with("assay.shape", "1,2,2"),
            "is not an image table: its columns are image: FixedSizeBinary(6), label: UInt8, \
             expected image: FixedSizeBinary(4), label: UInt8",
        ),
        (
            with("assay.classes", "1000"),
            "is not an image table: its columns are image: FixedSizeBinary(6), label: UInt8, \
             expected image: FixedSizeBinary(6), label: UInt16",
        ),
    ];
    for (schema, message) in cases {
        write_foreign(&path, schema, vec![one_image(), Arc::clone(&labels)]);
        assert_eq!(fault(&path), message);
    }
}

#[test]
fn statistics_that_scale_nothing_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.arrow");
    let labels: ArrayRef = Arc::new(UInt8Array::from(vec![3]));
    let good = schema(standardised());
    for (key, value, reason) in [
        ("assay.mean", "0.1", "expected one number for each channel"),
        (
            "assay.mean",
            "0.1,0.2,0.3",
            "expected one number for each channel",
        ),
        (
            "assay.mean",
            "0.1,x",
            "expected one number for each channel",
        ),
        (
            "assay.mean",
            "0.1,NaN",
            "channel 1 cannot be standardised: ",
        ),
        (
            "assay.standard-deviation",
            "1,0",
            "channel 1 cannot be standardised: ",
        ),
        (
            "assay.standard-deviation",
            "inf,1",
            "channel 0 cannot be standardised: ",
        ),
        (
            "assay.standard-deviation",
            "-1,1",
            "channel 0 cannot be standardised: ",
        ),
    ] {
        let mut metadata = good.metadata().clone();
        metadata.insert(key.to_owned(), value.to_owned());
        let schema = Schema::new_with_metadata(good.fields().clone(), metadata);
        write_foreign(&path, schema, vec![one_image(), Arc::clone(&labels)]);
        let fault = fault(&path);
        assert!(fault.contains(reason), "{key} {value}: {fault}");
    }
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
        created.err().unwrap().to_string(),
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
fn labels_are_checked_on_opening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.arrow");
    let labels: ArrayRef = Arc::new(UInt8Array::from(vec![10]));
    write_foreign(
        &path,
        schema(Scaling::UnitInterval),
        vec![one_image(), labels],
    );
    assert_eq!(
        fault(&path),
        "has label 10 in row 0; with 10 classes, labels are below 10; make the dataset again"
    );
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

/// What opening a file with this content gives, without the detour over a disk.
fn open_bytes(bytes: &[u8]) -> Result<ImageTable, TableFault> {
    ImageTable::decode(Path::new("in memory"), &Buffer::from(bytes))
}

/// The content of a table of three images.
fn small_table() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("train.arrow");
    write(&path, 3, 10, &standardised());
    fs::read(&path).unwrap()
}

/// Opening must give a table or an error, and an opened table must be readable throughout.
fn open_and_read_all(bytes: &[u8]) {
    let Ok(table) = open_bytes(bytes) else {
        return;
    };
    let pixels = table.shape().pixels();
    for index in 0..table.len() {
        let gathered = table.gather(&[index], &mut vec![0.0; pixels], &mut [0]);
        assert_eq!(gathered, Ok(()));
    }
}

#[test]
fn every_cut_of_a_table_is_refused() {
    let whole = small_table();
    assert!(open_bytes(&whole).is_ok());
    for length in 0..whole.len() {
        assert!(open_bytes(&whole[..length]).is_err(), "{length}");
    }
}

#[test]
fn any_single_changed_byte_is_survived() {
    let whole = small_table();
    for place in 0..whole.len() {
        for value in [
            0,
            1,
            0x7f,
            0x80,
            0xff,
            whole[place] ^ 4,
            whole[place].wrapping_add(1),
        ] {
            let mut bytes = whole.clone();
            bytes[place] = value;
            open_and_read_all(&bytes);
        }
    }
}

proptest! {
    #[test]
    fn any_damage_is_survived(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = small_table();
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        open_and_read_all(&bytes);
    }
}
